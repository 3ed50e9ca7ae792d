"""Probes of the backbones, one of each class."""

import pickle
from collections import Counter

import numpy as np
import paddle
from key_probe import Saying, component, probe, probe_each

from helpers.small_families import shrink_large_families
from ppcls.arch.catalog import BACKBONES
from ppcls.arch.factory import build_backbone
from ppcls.arch.layers import Block
from ppcls.arch.model_table import MODELS
from ppcls.engine import build
from ppcls.utils.errors import UserError


def smallest_models():
    """The smallest model of each class of arguments, by what its name begins with."""
    found = {}
    for name in sorted(MODELS, key=lambda name: -MODELS[name].trainable_params):
        found[BACKBONES[name].__name__.removesuffix("Params")] = name
    return found


MODELS_OF = smallest_models()
SIDE = 64  # pixels; every family admits it


def network(family, **keys):
    """A model of four classes by default, in evaluation."""
    model = build_backbone(component("backbone", MODELS_OF[family], **{"class_num": 4, **keys}))
    model.eval()
    return model


def outline(family, **keys):
    """The same without values, which of most models are many."""
    with paddle.LazyGuard():
        return network(family, **keys)


def head_of(model):
    """Features as its head takes them; the head's weights, which the outline of a model lacks, are drawn."""
    for name, parameter in model.named_parameters():
        if name.startswith("fc"):
            parameter.initialize()
    return paddle.ones([1, model.feature_channels[-1], 6, 6])


def probe_name(family, other):
    """A probe of `name`: the parameters of the model and of another one."""
    names = (MODELS_OF[family], other)
    cases = [(name, MODELS[name].trainable_params) for name in names]

    @probe(f"backbone {family}.name", *cases, path="backbone")
    def _name(lab, value):
        with paddle.LazyGuard():
            parameters = build_backbone(component("backbone", value)).parameters()
        return sum(parameter.size for parameter in parameters if not parameter.stop_gradient)


for each in MODELS_OF:
    probe_name(each, "DLA34")


@probe_each(MODELS_OF, "backbone {}.class_num", (4, [1, 4]), (7, [1, 7]))
def _class_num(lab, family, value):
    """The shape of the head's answer."""
    shrink_large_families(lab.patch)
    model = outline(family, class_num=value)
    return list(model.forward_head(head_of(model)).shape)


@probe_each(
    MODELS_OF,
    "backbone {}.in_channels",
    (1, [1, None]),
    (3, [3, Saying("was made for 3 channels and was given 1")]),
)
def _in_channels(lab, family, value):
    """Channels that the first convolution reads, and what is said of a picture of one channel."""
    model = outline(family, in_channels=value)
    channels = model.state_dict()[f"{model.stem_layer}.weight"].shape[1]
    try:
        return [channels, model.check_input(paddle.ones([1, 1, SIDE, SIDE]))]
    except UserError as error:
        return [channels, str(error)]


@probe_each(MODELS_OF, "backbone {}.drop_rate", (0, True), (0.5, False))
def _drop_rate(lab, family, value):
    """Whether the classifier answers twice the same in training."""
    shrink_large_families(lab.patch)
    model = outline(family, drop_rate=value)
    features = head_of(model)
    model.train()
    paddle.seed(0)
    first, second = (model.forward_head(features).tolist() for _ in range(2))
    return first == second


HEAVY = [family for family, name in MODELS_OF.items() if MODELS[name].trainable_params > 20e6]


@probe_each(HEAVY, "backbone {}.pretrained", (False, "drawn"), (True, Saying("_pretrained.pdparams: PPCLS_OFFLINE=1 ")))
def _published(lab, family, value):
    """Whether the published weights are asked for, without the network."""
    lab.patch.setenv("PPCLS_OFFLINE", "1")
    lab.patch.setenv("PPCLS_HOME", str(lab.folder))
    try:
        return outline(family, class_num=1000, pretrained=value) and "drawn"
    except UserError as error:
        return str(error)


LIGHT = [family for family in MODELS_OF if family not in HEAVY]


@probe_each(LIGHT, "backbone {}.pretrained", (False, False), (True, True), path="Arch.pretrained")
def _pretrained(lab, family, value):
    """Whether the commands' model has the weights of a file."""
    shrink_large_families(lab.patch)
    saved = network(family).state_dict()
    paddle.save(saved, str(lab.folder / "some.pdparams"))
    overrides = {"Arch": {"name": MODELS_OF[family], "class_num": 4}}
    overrides["Arch.pretrained"] = value and lab.folder / "some.pdparams"
    model, _ = build.model(lab.config(overrides, "export"), untrained=True)
    return bool((model.state_dict()["fc.weight"] == saved["fc.weight"]).all())


@probe_each(MODELS_OF, "backbone {}.use_ema", (True, "average"), (False, "raw"))
def _use_ema(lab, family, value):
    """Which weights are read of a file with two."""
    file = lab.folder / "two.pdparams"
    file.write_bytes(pickle.dumps({"model": {"raw": np.ones(1)}, "model_ema": {"average": np.ones(1)}}))

    def names(model, found):
        raise UserError(",".join(found.arrays))

    lab.patch.setattr("ppcls.arch.weights.load.outline", lambda params: None)
    lab.patch.setattr("ppcls.arch.weights.load._arguments", names)
    try:
        return network(family, pretrained=str(file), use_ema=value)
    except UserError as error:
        return str(error)


@probe_each(MODELS_OF, "backbone {}.recompute", (False, {1}), (True, {2}))
def _recompute(lab, family, value):
    """How many passes a step of training makes through each block."""
    shrink_large_families(lab.patch)
    model, passes = network(family, recompute=value), Counter()
    model.train()
    for part in model.sublayers():
        if isinstance(part, Block):
            part.register_forward_pre_hook(lambda block, _: passes.update([block]))
    model(paddle.ones([2, 3, SIDE, SIDE])).sum().backward()
    return set(passes.values())


@probe_each(MODELS_OF, "backbone {}.freeze", (0, True), ("backbone", False))
def _freeze(lab, family, value):
    """Whether the stem gets a gradient."""
    shrink_large_families(lab.patch)
    model = network(family, freeze=value)
    model(paddle.ones([1, 3, SIDE, SIDE])).sum().backward()
    return _stem(model).weight.grad is not None


def _stem(model):
    layer = model
    for name in model.stem_layer.split("."):
        layer = getattr(layer, name) if hasattr(layer, name) else layer[int(name)]
    return layer


@probe("backbone DPN.epsilon", (0.07, {2.5}), (0.16, {2.0}))
def _epsilon(lab, value):
    """What its norms make of 1 where mean and variance are 0 and 0.09: 1 / sqrt(0.16) and 1 / sqrt(0.25)."""
    shrink_large_families(lab.patch)
    norms = [part for part in network("DPN", epsilon=value).sublayers() if isinstance(part, paddle.nn.BatchNorm2D)]
    found = set()
    for norm in norms:
        norm._variance.set_value(paddle.full_like(norm._variance, 0.09))
        found.update(norm(paddle.ones([1, len(norm.bias), 1, 1])).flatten().numpy().round(5).tolist())
    return found


@probe("backbone DarkNet53.activation_slope", (0.01, -0.01), (0.1, -0.1))
def _activation_slope(lab, value):
    """What the stem makes of -1, which its convolution gives."""
    shrink_large_families(lab.patch)
    stem = network("DarkNet53", activation_slope=value).stem
    stem[0].weight.set_value(paddle.full_like(stem[0].weight, -1 / 27))
    return round(float(stem(paddle.ones([1, 3, 3, 3]))[0, 0, 1, 1]), 4)


# (64 + 2 padding - 7) // 2 + 1 positions of the first convolution, and one fewer with a window of 3 for 7.
@probe("backbone SqueezeNet1_0.stem_padding", (0, [29, 29]), (2, [31, 31]))
def _stem_padding_0(lab, value):
    return stage_size("SqueezeNet1_0", 0, stem_padding=value)


@probe("backbone SqueezeNet1_1.stem_padding", (0, [31, 31]), (1, [32, 32]))
def _stem_padding_1(lab, value):
    return stage_size("SqueezeNet1_1", 0, stem_padding=value)


# 30 and 32 positions: (30 - 3) / 2 + 1 = 14.5 and (32 - 3) / 2 + 1 = 15.5 windows.
@probe("backbone SqueezeNet1_0.ceil_pooling", (False, [14, 14]), (True, [15, 15]))
def _ceil_pooling_0(lab, value):
    return stage_size("SqueezeNet1_0", 1, stem_padding=1, ceil_pooling=value)


@probe("backbone SqueezeNet1_1.ceil_pooling", (False, [15, 15]), (True, [16, 16]))
def _ceil_pooling_1(lab, value):
    return stage_size("SqueezeNet1_1", 1, ceil_pooling=value)


def stage_size(family, stage, **keys):
    """Height and width of a stage's result."""
    return list(network(family, **keys).features(paddle.ones([1, 3, SIDE, SIDE]))[stage].shape[2:])
