"""Dictionaries of other libraries: the same function here, names both ways, and an account of every key."""

from __future__ import annotations

from typing import Any

import arch_facts as facts
import numpy as np
import paddle
import pytest

from helpers.messages import refusal, says
from ppcls.arch import Backbone, build_model, list_models
from ppcls.arch.catalog import BACKBONES
from ppcls.arch.model_table import MODELS
from ppcls.arch.weights.fit import outline
from ppcls.arch.weights.layouts import (
    NAME_TABLE,
    RECORD,
    Conversion,
    convert_state_dict,
    known_layouts,
    recognise,
    to_layout,
)
from ppcls.arch.weights.names import OURS, Layout, layouts_of, rules
from ppcls.arch.weights.sources import weights_of
from ppcls.utils.errors import UserError

PADDLECLAS = [name for name in list_models() if "paddleclas" in MODELS[name].published]
TORCHVISION = {"stem_padding": 0, "ceil_pooling": True}
COUNTS = "a count of batches that nothing reads"
UNUSED = "a projection that the authors' network makes and never uses"
RES2 = ["DLA60_res2net", "DLA60_res2next"]


def layout_of(name: str, source: str) -> Layout:
    return next(layout for layout in known_layouts(name) if layout.source == source)


def outlined(name: str, **arguments: Any) -> Backbone:
    return outline(BACKBONES[name](name, **arguments))


def zeros(shapes: dict[str, Any]) -> dict[str, np.ndarray]:
    return {key: np.broadcast_to(np.float32(0), shape) for key, shape in shapes.items()}


def convert(name: str, source: str, fact: str = "") -> Conversion:
    return convert_state_dict(outlined(name), zeros(facts.shapes(source, fact or name.lower())))


@pytest.mark.parametrize("name", PADDLECLAS)
def test_names_and_shapes_are_paddleclas(name: str) -> None:
    # Shapes are enough: the 20 models have 740 million values.
    model = outlined(name)
    state = {key: _Values(value.shape) for key, value in model.state_dict().items()}
    model.state_dict = lambda: state
    theirs = to_layout(model, layout_of(name, "paddleclas"))
    assert {key: list(value.shape) for key, value in theirs.items()} == facts.paddleclas_shapes(name)


class _Values:
    """A tensor of zeros that takes no memory."""

    def __init__(self, shape: Any) -> None:
        self.shape = shape

    def numpy(self) -> np.ndarray:
        return np.broadcast_to(np.float32(0), self.shape)


@pytest.mark.parametrize("name", ["DLA46_c", "DPN68", "AlexNet", "SqueezeNet1_0", "DarkNet53"])
@pytest.mark.usefixtures("small_networks")
def test_a_round_trip_through_paddleclas_is_exact(name: str) -> None:
    paddle.seed(0)
    model = build_model(name, class_num=7)
    theirs = to_layout(model, layout_of(name, "paddleclas"))
    back = convert_state_dict(model, theirs)
    assert (back.layout.source, back.missing, back.unexpected) == (
        "ppcls" if name == "DLA46_c" else "paddleclas", (), (),
    )  # fmt: skip
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(back.state[key], value.numpy(), err_msg=key)
        assert back.state[key].dtype == np.float32


def test_names_of_senet() -> None:
    name, layout = "SENet154_vd", layout_of("SENet154_vd", "paddleclas")
    names = {"stem.0.0", "stem.2.1", "stages.3.2.se.excite", "stages.1.0.shortcut.1", "stages.2.35.bn3", "fc"}
    assert layout.naming(name, sorted(names)) == {
        "fc": "out",
        "stages.1.0.shortcut.1": "bb_1_0.short._conv",
        "stages.2.35.bn3": "bb_2_35.conv2._batch_norm",
        "stages.3.2.se.excite": "bb_3_2.scale.excitation",
        "stem.0.0": "conv1_1._conv",
        "stem.2.1": "conv1_3._batch_norm",
    }


def test_a_round_trip_through_other_epsilons_is_exact_to_rounding() -> None:
    paddle.seed(0)
    model = build_model("DPN68", class_num=2, epsilon=1e-3)
    model.set_state_dict({key: facts.fill(key, value.shape) for key, value in model.state_dict().items()})
    theirs = to_layout(model, layout_of("DPN68", "paddleclas"))
    variance, key = model.state_dict()["norm._variance"].numpy(), "conv5_x_x_bn._variance"
    np.testing.assert_allclose(theirs[key].astype("float64") + 1e-5, variance.astype("float64") + 1e-3, rtol=1.2e-7)
    back = convert_state_dict(model, theirs).state
    for name, value in model.state_dict().items():
        np.testing.assert_array_max_ulp(back[name], value.numpy(), 1)


def test_an_epsilon_that_variances_cannot_take() -> None:
    model, state = outlined("DPN68", epsilon=1e-3), zeros(facts.paddleclas_shapes("DPN68"))
    assert refusal(convert_state_dict, model, state) == says(
        "DPN68: stem.1._variance is below 0.00099, ... 1e-05 ...; make the model with epsilon=1e-05"
    )


@pytest.mark.parametrize(
    ("name", "source", "used", "dropped"),
    [
        ("DLA34", "timm", 187, {COUNTS: 37}),
        ("DLA60", "ucbdrive", 317, {COUNTS: 63, UNUSED: 3 * 6}),
        ("DPN68", "timm", 361, {COUNTS: 72}),
        ("DarkNet53", "timm", 262, {COUNTS: 52}),
        ("AlexNet", "torchvision", 16, {}),
        ("SqueezeNet1_1", "torchvision", 52, {}),
    ],
)
def test_every_key_is_accounted_for(name: str, source: str, used: int, dropped: dict[str, int]) -> None:
    found, given = convert(name, source), facts.shapes(source, name.lower())
    assert found.layout.source == source
    assert [use.source for use in found.uses] == list(given)
    assert (found.missing, found.unexpected) == ((), ())
    targets = [use.target for use in found.uses if use.target]
    assert sorted(targets) == sorted(outlined(name).state_dict())
    reasons = [use.note for use in found.uses if use.target is None]
    assert (len(targets), {reason: reasons.count(reason) for reason in sorted(set(reasons))}) == (used, dropped)


@pytest.mark.parametrize("name", RES2)
def test_timms_own_variants(name: str) -> None:
    found = convert(name, "timm")
    assert (found.missing, found.unexpected) == ((), ())
    assert [layout.source for layout in known_layouts(name)][:1] == ["ppcls"]


def test_published_weights_have_a_layout() -> None:
    for name in list_models():
        sources = [layout.source for layout in layouts_of(name)]
        assert len(set(sources)) == len(sources)
        assert {row.source for row in weights_of(name)} <= set(sources), name
    assert [layout.source for layout in layouts_of("DLA34")] == ["paddleclas", "timm", "ucbdrive"]
    assert layouts_of("no such net") == []


def test_a_layer_without_a_rule_is_named() -> None:
    with pytest.raises(AssertionError, match=r"no rule of this naming matches the layer stem$"):
        rules(("fc", "out"))("X", ["fc", "stem"])


def test_the_account_as_text() -> None:
    state = {
        "_conv1._conv.weight": np.zeros([64, 3, 11, 11], "float32"),
        "_fc6.bias": np.zeros(4096, "float32"),
        "_fc7.weight": np.ones([4096, 4096], "float32"),
        "_fc8.weight": np.zeros([4096, 1000], "float32"),
        NAME_TABLE: {},
        RECORD: "{}",
        "extra": np.zeros(1),
    }
    found = convert_state_dict(outlined("AlexNet"), state)
    assert found.account() == (
        "_conv1._conv.weight -> conv1.weight\n"
        "_fc6.bias -> fc6.bias\n"
        "_fc7.weight -> fc7.weight (times 0.5, for a dropout that scales in evaluation)\n"
        "_fc8.weight -> fc.weight (transposed; as a 1x1 convolution)\n"
        "StructuredToParameterName@@ -> dropped (Paddle's table of parameter names)\n"
        "ppcls_record@@ -> dropped (the converter's record of the file)\n"
    )
    assert found.unexpected == ("extra",)
    assert (found.missing[0], len(found.missing)) == ("fc.bias", 12)
    assert found.state["fc7.weight"].max() == 0.5
    assert found.state["fc.weight"].shape == (1000, 4096, 1, 1)


def test_torch_matrices_are_turned_and_paddles_are_not() -> None:
    weight = np.arange(4096 * 9216, dtype="float32").reshape(4096, 9216)
    found = convert_state_dict(outlined("AlexNet"), {"classifier.1.weight": weight})
    np.testing.assert_array_equal(found.state["fc6.weight"], weight.T)
    assert found.account() == "classifier.1.weight -> fc6.weight (transposed)\n"
    head = np.ones([5, 4096], "float32")
    found = convert_state_dict(outlined("AlexNet"), {"classifier.6.weight": head})
    assert found.account() == "classifier.6.weight -> fc.weight (as a 1x1 convolution)\n"


def test_our_names_pass_as_they_are() -> None:
    model, state = outlined("SqueezeNet1_1"), facts.paddleclas_state("SqueezeNet1_1")
    once = convert_state_dict(model, state)
    twice = convert_state_dict(model, once.state)
    assert (once.layout.source, twice.layout) == ("paddleclas", OURS)
    assert all(twice.state[key] is once.state[key] for key in once.state)
    np.testing.assert_array_equal(once.state["fc.weight"], state["_conv9.weight"] * np.float32(0.5))
    np.testing.assert_array_equal(once.state["fc.bias"], state["_conv9.bias"])


def test_a_name_of_ours_among_foreign_ones_is_unexpected() -> None:
    theirs = zeros(facts.paddleclas_shapes("SqueezeNet1_0"))
    found = convert_state_dict(outlined("SqueezeNet1_0"), {**theirs, "fc.bias": np.ones(1000)})
    assert found.unexpected == ("fc.bias",)
    assert found.state["fc.bias"].max() == 0
    model = build_model("SqueezeNet1_0")
    assert model.set_state_dict({**theirs, "fc.bias": np.ones(1000, "float32")}) == ([], ["fc.bias"])


def test_pooled_features_need_no_classifier_of_any_layout() -> None:
    model = outlined("DPN68", class_num=0)
    found = convert_state_dict(model, zeros(facts.paddleclas_shapes("DPN68")))
    assert (found.missing, found.unexpected) == ((), ())
    assert [(use.source, use.note) for use in found.uses if use.target is None] == [
        ("out.weight", "the model has no classifier"),
        ("out.bias", "the model has no classifier"),
    ]


def test_recognised_by_most_keys() -> None:
    assert recognise(outlined("DLA34"), ["level0.1.running_mean", "level3.tree1.project.0.weight"]).source == "timm"
    keys = ["level0.1.running_mean", "level3.project.0.weight"]
    assert recognise(outlined("DLA34"), keys).source == "ucbdrive"
    assert recognise(outlined("DLA34"), ["nothing"]) is OURS


def test_arguments_that_contradict_a_layout() -> None:
    for arguments, source, text in [
        ({}, "torchvision", "stem_padding=0, ceil_pooling=True ... made with stem_padding=1, ceil_pooling=False; "
         "make it with stem_padding=0, ceil_pooling=True"),
        (TORCHVISION, "paddleclas",
         "stem_padding=1, ceil_pooling=False ... made with stem_padding=0, ceil_pooling=True; "
         "make it with stem_padding=1, ceil_pooling=False"),
    ]:  # fmt: skip
        model = build_model("SqueezeNet1_1", **arguments)
        assert refusal(
            model.set_state_dict, facts.state(source, "SqueezeNet1_1" if source == "paddleclas" else "squeezenet1_1")
        ) == says(f"SqueezeNet1_1: {source}'s weights belong to {text}")
        if source == "paddleclas":
            with pytest.raises(UserError, match=r"^SqueezeNet1_1: paddleclas's weights belong to stem_padding=1"):
                to_layout(model, layout_of("SqueezeNet1_1", "paddleclas"))
