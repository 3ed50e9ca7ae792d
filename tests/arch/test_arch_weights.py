"""Weights into a model: loaded whole or not at all; another classifier, other channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import arch_facts as facts
import numpy as np
import paddle
import pytest
from paddle.nn.initializer import Constant

from helpers.messages import refusal, says
from ppcls.arch import DLA46_c, build_model
from ppcls.arch.catalog import BACKBONES
from ppcls.arch.weights import fit, load
from ppcls.arch.weights.files import write_weights
from ppcls.arch.weights.layouts import convert_state_dict
from ppcls.arch.weights.load import Found, build_with_weights, load_weights
from ppcls.utils.errors import UserError


@pytest.fixture(scope="module")
def squeezenet() -> dict[str, np.ndarray]:
    return facts.paddleclas_state("SqueezeNet1_1")


def save(folder: Path, content: Any) -> Path:
    path = folder / "weights.pdparams"
    paddle.save(content, str(path))
    return path


def build(path: Path, name: str, new_classifier: bool = False, **arguments: Any) -> load.Loaded:
    return build_with_weights(BACKBONES[name](name, **arguments), Found(path), new_classifier)


def values(model: Any) -> dict[str, np.ndarray]:
    return {key: value.numpy().copy() for key, value in model.state_dict().items()}


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert list(found) == list(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)


@pytest.mark.parametrize("method", ["set_state_dict", "set_dict", "load_dict"])
def test_a_model_takes_a_paddleclas_dictionary(method: str, squeezenet: dict[str, np.ndarray]) -> None:
    model = build_model("SqueezeNet1_1")
    assert getattr(model, method)({key: paddle.to_tensor(value) for key, value in squeezenet.items()}) == ([], [])
    np.testing.assert_array_equal(model.fire2.expand3x3.bias.numpy(), squeezenet["_conv1._conv_path2._conv.bias"])
    np.testing.assert_array_equal(values(model)["fc.weight"], squeezenet["_conv9.weight"] / 2)


@pytest.mark.parametrize("name", ["DLA46_c", "SqueezeNet1_1"])
def test_files_of_ours_and_paddleclas(name: str, tmp_path: Path) -> None:
    theirs, ours = facts.paddleclas_state(name), build_model(name, class_num=1000)
    load_weights(ours, save(tmp_path, theirs))
    expected = convert_state_dict(ours, theirs).state
    assert_same(values(ours), {key: expected[key] for key in ours.state_dict()})
    (tmp_path / "latest").mkdir()
    paddle.save(ours.state_dict(), str(tmp_path / "latest" / "ppcls.pdparams"))
    for path in (tmp_path / "latest", str(tmp_path / "latest" / "ppcls")):
        assert_same(values(build_model(name, pretrained=path)), values(ours))


def test_half_precision_becomes_single(tmp_path: Path, squeezenet: dict[str, np.ndarray]) -> None:
    model = build_model("SqueezeNet1_1", in_channels=1)
    load_weights(model, save(tmp_path, {key: value.astype("float16") for key, value in squeezenet.items()}))
    assert model.stem.weight.dtype == paddle.float32
    stem = squeezenet["_conv.weight"].astype("float16").astype("float32")
    np.testing.assert_array_equal(model.stem.weight.numpy(), stem.sum(axis=1, keepdims=True))


def test_values_that_no_network_computes_with(tmp_path: Path) -> None:
    state = facts.paddleclas_state("DLA46_c")
    weight, variance = next(iter(state)), next(key for key in state if key.endswith("_variance"))
    large = state[weight].astype(np.float64)
    large.flat[1:3] = 1e300, -1e39
    low = state[variance].copy()
    low.flat[1] = -0.25
    for key, array, text in (
        (weight, large, f"2 of {large.size:,} values of {weight} are too large for float32; copy or "),
        (variance, low, f"{variance} holds a variance of -0.25, which is below zero; copy or "),
    ):
        path = save(tmp_path, {**state, key: array})
        model = DLA46_c()
        before = values(model)
        assert refusal(load_weights, model, path).startswith(f"{path}: {text}")
        assert_same(values(model), before)


def test_a_sum_over_channels_that_is_too_large(tmp_path: Path, squeezenet: dict[str, np.ndarray]) -> None:
    path = save(tmp_path, {**squeezenet, "_conv.weight": np.full_like(squeezenet["_conv.weight"], 3e38)})
    text = refusal(load_weights, build_model("SqueezeNet1_1", in_channels=1), path)
    assert text == says(f"{path}: 576 of 576 values of stem.weight ... float32; copy or ...")


def test_a_shift_of_the_epsilon_hides_no_negative_variance(tmp_path: Path) -> None:
    state = facts.state("timm", "dpn68")
    key = "features.conv5_bn_ac.bn.running_var"
    state[key][3] = -0.0005  # above zero with the difference of timm's epsilon and PaddleClas's, 0.00099
    path = save(tmp_path, state)
    text = refusal(build_model, "DPN68", epsilon=1e-5, pretrained=path)
    assert text == says(f"{path}: {key} holds a variance of -0.0005 ... copy or ...")


def test_names_of_another_network_are_said_without_a_word_of_a_classifier(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, squeezenet: dict[str, np.ndarray]
) -> None:
    both = {f"{network}.{key}": value for network in ("query", "key") for key, value in squeezenet.items()}
    path = save(tmp_path, {**both, "queue": np.ones((2, 3), np.float32)})
    text = refusal(build_model, "SqueezeNet1_1", class_num=5, pretrained=path)
    assert text == says(
        "... names begin with query (52) and key (52) and queue (1); save the arrays of one network ..."
    )
    assert caplog.records == []


def test_a_model_of_other_classes_starts_with_a_new_classifier_where_they_are_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, squeezenet: dict[str, np.ndarray]
) -> None:
    path = save(tmp_path, squeezenet)
    with caplog.at_level("WARNING", logger="ppcls"):
        model = build_model("SqueezeNet1_1", class_num=5, pretrained=path)
    (line,) = (record.getMessage() for record in caplog.records)
    assert line == says(f"{path}: has a classifier of 1000 classes ... model one of 5 classes ...")
    taken = values(model)
    assert taken["fc.bias"].shape == (5,)
    np.testing.assert_array_equal(taken[f"{model.stem_layer}.weight"], next(iter(squeezenet.values())))
    path = save(tmp_path, taken)
    assert "write Arch.class_num=5" in refusal(build_model, "SqueezeNet1_1", pretrained=path)
    again = build_model({"Arch": {"name": "SqueezeNet1_1", "class_num": 5, "pretrained": str(path)}})
    assert_same(values(again), taken)


def _without(state: dict[str, Any], *keys: str, **more: Any) -> dict[str, Any]:
    return {**{key: value for key, value in state.items() if key not in keys}, **more}


def test_files_that_do_not_fit_change_nothing(tmp_path: Path, squeezenet: dict[str, np.ndarray]) -> None:
    model, state = build_model("SqueezeNet1_1"), squeezenet
    before, wide = values(model), np.zeros([10, 512, 1, 1], "float32")
    head = "not the weights of SqueezeNet1_1:"
    remedy = "give weights of SqueezeNet1_1"
    faults = {
        f"{head} 1 missing (first stem.bias); {remedy}": _without(state, "_conv.bias"),
        f"{head} 1 unexpected (first extra); {remedy}": {**state, "extra": wide},
        f"{head} 1 unexpected (first fc.bias); {remedy}": {**state, "fc.bias": state["_conv9.bias"] + 1},
        "has no classifier; train one ... class_num=0 ...": _without(state, "_conv9.bias", "_conv9.weight"),
        f"{head} 1 missing (first fc.weight); {remedy}": _without(state, "_conv9.weight"),
        f"... 2 missing (first fc.weight), 1 unexpected (first extra); {remedy}": _without(
            state, "_conv9.bias", "_conv9.weight", extra=wide
        ),
        (
            "fc.weight ... [10, 512, 1, 1] ... [1000, 512, 1, 1]; write Arch.class_num=10 ... "
            "class_num=10, and reset_classifier ..."
        ): {
            **state,
            "_conv9.weight": wide,
        },
        "stem.weight ... [64, 1, 3, 3] ... [64, 3, 3, 3]; write Arch.in_channels=1": {
            **state,
            "_conv.weight": np.zeros([64, 1, 3, 3], "float32"),
        },
        f"stem.weight ... [64, 1, 5, 5] ... [64, 3, 3, 3]; {remedy}": {
            **state,
            "_conv.weight": np.zeros([64, 1, 5, 5], "float32"),
        },
        "stem.bias is of type int64 ... floating-point ...": {
            **state,
            "_conv.bias": np.zeros(64, "int64"),
        },
        "... of type list, not weights by name; give a file of weights": [1, 2],
    }
    for text, content in faults.items():
        path = save(tmp_path, content)
        assert refusal(load_weights, model, path) == says(f"{path}: {text}")
    assert_same(values(model), before)


def test_weights_of_another_model_are_named(tmp_path: Path) -> None:
    path = save(tmp_path, facts.paddleclas_state("DLA60x_c"))
    text = refusal(load_weights, build_model("DLA46_c"), path)
    assert text.startswith(f"{path}: not the weights of DLA46_c: ")
    assert text.endswith("; these look like DLA60x_c weights")
    assert refusal(load_weights, build_model("DLA46x_c"), save(tmp_path, facts.paddleclas_state("DLA46_c"))) == says(
        f"{path}: level2.tree1.conv1.weight ... [32, 32, 1, 1] ... DLA46x_c's is [64, 32, 1, 1]; ... DLA46_c weights"
    )


def test_dictionaries_are_recognised_by_names_and_shapes() -> None:
    for name in ("DLA46x_c", "DPN68", "AlexNet", "SqueezeNet1_0", "DarkNet53", "SENet154_vd"):
        shapes = facts.paddleclas_shapes(name)
        assert fit.likely_model({key: np.broadcast_to(np.float32(1), shape) for key, shape in shapes.items()}) == name


@pytest.mark.parametrize(
    ("fact", "name"), [("dpn68b", "DPN68"), ("senet154", "SENet154_vd"), ("legacy_senet154", "SENet154_vd")]
)
def test_weights_that_have_no_model_here(fact: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ppcls.arch.layers.KaimingNormal", Constant)  # 115 million values would take long to draw
    path = tmp_path / "theirs.safetensors"
    write_weights(path, {key: np.ones([1], "float32") for key in facts.shapes("timm", fact)})  # the names tell
    found = refusal(build, path, name)
    assert found.startswith(f"{path}: not the weights of {name}: ")
    assert found.endswith(f"; give weights of {name}")
    assert "\n" not in found


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere: no weights there; give"):
        build_model("SqueezeNet1_1", pretrained=str(tmp_path / "nowhere"))


def test_training_keeps_a_new_classifier_where_the_number_of_classes_differs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paddle.seed(0)
    source, target = DLA46_c(class_num=7), DLA46_c(class_num=3)
    path = tmp_path / "seven.pdparams"
    paddle.save(source.state_dict(), str(path))
    own = target.fc.weight.numpy().copy()
    with caplog.at_level("INFO", logger="ppcls"):
        load_weights(target, path, new_classifier=True)
    np.testing.assert_array_equal(target.fc.weight.numpy(), own)
    np.testing.assert_array_equal(target.level5.root.conv.weight.numpy(), source.level5.root.conv.weight.numpy())
    assert [record.getMessage() for record in caplog.records] == [
        says(f"{path}: has a classifier of 7 classes ... model one of 3 classes ... a new one")
    ]
    same = DLA46_c(class_num=7)
    load_weights(same, path, new_classifier=True)
    np.testing.assert_array_equal(same.fc.weight.numpy(), source.fc.weight.numpy())
    assert "write Arch.class_num=7 (in Python: class_num=7, and reset" in refusal(load_weights, target, path)


def test_training_starts_a_classifier_for_weights_without_one(
    tmp_path: Path, squeezenet: dict[str, np.ndarray], caplog: pytest.LogCaptureFixture
) -> None:
    headless = _without(squeezenet, "_conv9.bias", "_conv9.weight")
    path, model = save(tmp_path, headless), build_model("SqueezeNet1_1", class_num=3)
    own = model.fc.weight.numpy().copy()
    with caplog.at_level("INFO", logger="ppcls"):
        load_weights(model, path, new_classifier=True)
    np.testing.assert_array_equal(model.fc.weight.numpy(), own)
    np.testing.assert_array_equal(model.stem.weight.numpy(), squeezenet["_conv.weight"])
    assert [record.getMessage() for record in caplog.records] == [
        says(f"{path}: has no classifier ... model one of 3 classes ... a new one")
    ]
    assert fit.likely_model(headless) == "SqueezeNet1_1"
    half = save(tmp_path, _without(squeezenet, "_conv9.bias"))
    assert "1 missing (first fc.bias); give weights of" in refusal(load_weights, model, half, new_classifier=True)


def test_names_that_paddle_gave_are_taken_as_they_are() -> None:
    model = build_model("SqueezeNet1_1", class_num=3)
    given = {value.name: value.numpy() + 1 for value in model.state_dict().values()}
    assert model.set_state_dict(given, use_structured_name=False) == ([], [])
    np.testing.assert_array_equal(model.stem.bias.numpy(), given[model.stem.bias.name])


@pytest.mark.parametrize("name", ["DLA46_c", "SqueezeNet1_1", "DPN68"])
def test_pooled_features_leave_the_classifier_of_a_file_out(name: str, tmp_path: Path) -> None:
    path = save(tmp_path, facts.paddleclas_state(name))
    whole, features = build(path, name).model, build(path, name, class_num=0).model
    expected = {key: value for key, value in values(whole).items() if not key.startswith("fc.")}
    assert_same(values(features), expected)


@pytest.mark.parametrize("channels", [1, 2, 4, 6])
def test_other_channels_take_the_three_in_turn(
    channels: int, tmp_path: Path, squeezenet: dict[str, np.ndarray], caplog: pytest.LogCaptureFixture
) -> None:
    path, weight = save(tmp_path, squeezenet), squeezenet["_conv.weight"]
    with caplog.at_level("INFO", logger="ppcls"):
        stem = build(path, "SqueezeNet1_1", in_channels=channels).model.stem.weight.numpy()
    if channels == 1:
        expected = weight[:, :1] + weight[:, 1:2] + weight[:, 2:]
    else:
        expected = np.stack([weight[:, k % 3] * np.float32(3 / channels) for k in range(channels)], axis=1)
    np.testing.assert_array_equal(stem, expected)
    assert [record.getMessage() for record in caplog.records] == [
        says(f"{path}: ... convolution reads 3 channels ... adapted to {channels}")
    ]


@pytest.mark.parametrize("name", ["DLA46_c", "DPN68", "SqueezeNet1_1"])
def test_gray_pictures_pass_as_their_three_copies(name: str, tmp_path: Path) -> None:
    path = save(tmp_path, facts.paddleclas_state(name))
    gray = paddle.to_tensor(facts.pictures(1, 64, 64)[:, :1])
    with paddle.no_grad():
        models = [build(path, name, in_channels=channels).model for channels in (3, 1, 6)]
        for model in models:
            model.eval()
        expected = models[0](gray.expand([-1, 3, -1, -1])).numpy()
        for model in models[1:]:
            found = model(gray.expand([-1, model.params.in_channels, -1, -1])).numpy()
            np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * np.abs(expected).max())
