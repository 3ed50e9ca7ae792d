"""Probes of the backbones, one of each class."""

import paddle
from key_probe import Saying, component, probe, probe_each

from ppcls.arch.catalog import MODELS
from ppcls.engine import build
from ppcls.utils.errors import UserError

MODELS_OF = {"DLA": "DLA46_c", "SqueezeNet1_0": "SqueezeNet1_0", "SqueezeNet1_1": "SqueezeNet1_1"}
SIDE = 64  # pixels; every family admits it


def network(family, **keys):
    """A model of four classes unless told otherwise, in evaluation."""
    model = component("backbone", MODELS_OF[family], **{"class_num": 4, **keys}).build()
    model.eval()
    return model


def shape_of(model, channels=3, side=SIDE):
    """The shape of its answer to one picture, or its refusal."""
    try:
        return list(model(paddle.ones([1, channels, side, side])).shape)
    except UserError as error:
        return str(error)


def probe_name(family, other):
    """A probe of `name`: the parameters of the model and of another one."""
    names = (MODELS_OF[family], other)
    cases = [(name, MODELS[name].trainable_params) for name in names]

    @probe(f"backbone {family}.name", *cases, path="backbone")
    def _name(lab, value):
        parameters = component("backbone", value).build().parameters()
        return sum(parameter.size for parameter in parameters if not parameter.stop_gradient)


probe_name("DLA", "DLA46x_c")
probe_name("SqueezeNet1_0", "SqueezeNet1_1")
probe_name("SqueezeNet1_1", "SqueezeNet1_0")


@probe_each(MODELS_OF, "backbone {}.class_num", (4, [1, 4]), (7, [1, 7]))
def _class_num(lab, family, value):
    return shape_of(network(family, class_num=value))


@probe_each(MODELS_OF, "backbone {}.in_channels", (1, [1, 4]), (3, Saying("was made for 3 channels and was given 1")))
def _in_channels(lab, family, value):
    """What a picture of one channel gives."""
    return shape_of(network(family, in_channels=value), channels=1)


@probe_each(MODELS_OF, "backbone {}.drop_rate", (0, True), (0.5, False))
def _drop_rate(lab, family, value):
    """Whether the classifier answers twice the same in training."""
    model = network(family, drop_rate=value)
    model.train()
    features = paddle.ones([1, model.num_features, 2, 2])
    paddle.seed(0)
    first, second = (model.forward_head(features).tolist() for _ in range(2))
    return first == second


@probe_each(MODELS_OF, "backbone {}.pretrained", (False, False), (True, True), path="Arch.pretrained")
def _pretrained(lab, family, value):
    """Whether the commands' model has the weights of a file."""
    saved = network(family).state_dict()
    paddle.save(saved, str(lab.folder / "some.pdparams"))
    overrides = {"Arch": {"name": MODELS_OF[family], "class_num": 4}}
    overrides["Arch.pretrained"] = value and lab.folder / "some.pdparams"
    loaded = build.model(lab.config(overrides, "export"), untrained=True).state_dict()
    return bool((loaded["fc.weight"] == saved["fc.weight"]).all())


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
