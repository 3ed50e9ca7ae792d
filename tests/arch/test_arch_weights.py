"""Weights: PaddleClas's names and factors, strict loading, and what is said of files that do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import arch_facts as facts
import numpy as np
import paddle
import pytest

from ppcls.arch import DLA46_c, build_model
from ppcls.arch.weights import convert_state_dict, load_weights
from ppcls.utils.errors import UserError


@pytest.fixture
def state() -> Dict[str, np.ndarray]:
    return facts.paddleclas_state("SqueezeNet1_1")


def save(folder: Path, content: Any) -> Path:
    path = folder / "weights.pdparams"
    paddle.save(content, str(path))
    return path


def test_squeezenet_names() -> None:
    shapes = facts.paddleclas_shapes("SqueezeNet1_0")
    converted = convert_state_dict("SqueezeNet1_0", {key: np.zeros(shape) for key, shape in shapes.items()})
    fires = [f"fire{n}.{part}" for n in range(2, 10) for part in ("squeeze", "expand1x1", "expand3x3")]
    layers = ["stem", *fires, "fc"]
    assert list(converted) == [f"{layer}.{leaf}" for layer in layers for leaf in ("weight", "bias")]
    assert [list(value.shape) for value in converted.values()] == list(shapes.values())


def test_only_the_weight_behind_dropout_is_scaled(state: Dict[str, np.ndarray]) -> None:
    converted = convert_state_dict("SqueezeNet1_1", state)
    np.testing.assert_array_equal(converted["fc.weight"], state["_conv9.weight"] * np.float32(0.5))
    np.testing.assert_array_equal(converted["fc.bias"], state["_conv9.bias"])
    np.testing.assert_array_equal(converted["fire9.squeeze.weight"], state["_conv8._conv._conv.weight"])
    assert converted["fc.weight"].dtype == np.float32


def test_our_names_pass_as_they_are(state: Dict[str, np.ndarray]) -> None:
    once = convert_state_dict("SqueezeNet1_1", state)
    twice = convert_state_dict("SqueezeNet1_1", once)
    assert list(twice) == list(once)
    assert all(twice[key] is once[key] for key in once)


def test_dla_names_are_the_same() -> None:
    state = {"level2.tree1.conv1.weight": np.ones(1), "StructuredToParameterName@@": {}, "_conv9.weight": np.ones(1)}
    converted = convert_state_dict("DLA34", state)
    assert list(converted) == ["level2.tree1.conv1.weight", "_conv9.weight"]
    assert all(converted[key] is state[key] for key in converted)


def test_a_name_given_twice() -> None:
    with pytest.raises(UserError) as error:
        convert_state_dict("SqueezeNet1_0", {"fc.bias": np.ones(1), "_conv9.bias": np.ones(1)})
    assert str(error.value) == "SqueezeNet1_0: the weights name fc.bias twice, as fc.bias and as _conv9.bias"


@pytest.mark.parametrize("method", ["set_state_dict", "set_dict", "load_dict"])
def test_a_model_takes_a_paddleclas_dictionary(method: str, state: Dict[str, np.ndarray]) -> None:
    model = build_model("SqueezeNet1_1")
    assert getattr(model, method)({key: paddle.to_tensor(value) for key, value in state.items()}) == ([], [])
    np.testing.assert_array_equal(model.fire2.expand3x3.bias.numpy(), state["_conv1._conv_path2._conv.bias"])
    np.testing.assert_array_equal(model.fc.weight.numpy(), state["_conv9.weight"] / 2)


@pytest.mark.parametrize("name", ["DLA46_c", "SqueezeNet1_1"])
def test_files_of_ours_and_paddleclas(name: str, tmp_path: Path) -> None:
    theirs, ours = facts.paddleclas_state(name), build_model(name, class_num=1000)
    load_weights(ours, save(tmp_path, theirs))
    expected = convert_state_dict(name, theirs)
    for key, value in ours.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), expected[key])
    (tmp_path / "latest").mkdir()
    paddle.save(ours.state_dict(), str(tmp_path / "latest" / "ppcls.pdparams"))
    for path in (tmp_path / "latest", str(tmp_path / "latest" / "ppcls")):
        again = build_model(name, pretrained=path)
        for key, value in again.state_dict().items():
            np.testing.assert_array_equal(value.numpy(), expected[key])


def test_half_precision_becomes_single(tmp_path: Path, state: Dict[str, np.ndarray]) -> None:
    model = build_model("SqueezeNet1_1")
    load_weights(model, save(tmp_path, {key: value.astype("float16") for key, value in state.items()}))
    assert model.stem.weight.dtype == paddle.float32
    np.testing.assert_array_equal(model.stem.weight.numpy(), state["_conv.weight"].astype("float16"))


def _without(state: Dict[str, Any], *keys: str, **more: Any) -> Dict[str, Any]:
    return {**{key: value for key, value in state.items() if key not in keys}, **more}


def test_files_that_do_not_fit_change_nothing(tmp_path: Path, state: Dict[str, np.ndarray]) -> None:
    model = build_model("SqueezeNet1_1")
    before = {key: value.numpy().copy() for key, value in model.state_dict().items()}
    wide = np.zeros([10, 512, 1, 1], "float32")
    faults = {
        "not the weights of SqueezeNet1_1: 1 missing (first stem.bias); give weights of SqueezeNet1_1": _without(
            state, "_conv.bias"
        ),
        "not the weights of SqueezeNet1_1: 1 unexpected (first extra); give weights of SqueezeNet1_1": {
            **state,
            "extra": wide,
        },
        "not the weights of SqueezeNet1_1: 2 missing (first fc.weight), 1 unexpected (first extra); "
        "give weights of SqueezeNet1_1": _without(state, "_conv9.bias", "_conv9.weight", extra=wide),
        "fc.weight has the shape [10, 512, 1, 1] and SqueezeNet1_1's is [1000, 512, 1, 1]; "
        "write the weights' number of classes as Arch.class_num (in Python: reset_classifier after loading)": {
            **state,
            "_conv9.weight": wide,
        },
        "stem.weight has the shape [64, 1, 3, 3] and SqueezeNet1_1's is [64, 3, 3, 3]; "
        "make the model with the arguments that the weights were trained with": {
            **state,
            "_conv.weight": np.zeros([64, 1, 3, 3], "float32"),
        },
        "stem.bias is of type int64 and not an array of floating-point numbers": {
            **state,
            "_conv.bias": np.zeros(64, "int64"),
        },
        "stem.bias is of type int and not an array of floating-point numbers": {**state, "_conv.bias": 3},
        "holds no weights by name but a list; give a file of weights": [1, 2],
    }
    for text, content in faults.items():
        path = save(tmp_path, content)
        with pytest.raises(UserError) as error:
            load_weights(model, path)
        assert str(error.value) == f"{path}: {text}"
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[key])


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere: no weights there; give"):
        build_model("SqueezeNet1_1", pretrained=str(tmp_path / "nowhere"))


def test_training_keeps_a_new_classifier_where_the_number_of_classes_differs(tmp_path, caplog):
    paddle.seed(0)
    source, target = DLA46_c(class_num=7), DLA46_c(class_num=3)
    paddle.save(source.state_dict(), str(tmp_path / "seven.pdparams"))
    own = target.fc.weight.numpy().copy()
    with caplog.at_level("INFO", logger="ppcls"):
        load_weights(target, tmp_path / "seven.pdparams", new_classifier=True)
    np.testing.assert_array_equal(target.fc.weight.numpy(), own)
    np.testing.assert_array_equal(target.level5.root.conv.weight.numpy(), source.level5.root.conv.weight.numpy())
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/seven.pdparams: its classifier has 7 classes and the model 3, so the model starts with a new one"
    ]
    same = DLA46_c(class_num=7)
    load_weights(same, tmp_path / "seven.pdparams", new_classifier=True)
    np.testing.assert_array_equal(same.fc.weight.numpy(), source.fc.weight.numpy())
    with pytest.raises(UserError, match=r"write the weights' number of classes as Arch.class_num"):
        load_weights(target, tmp_path / "seven.pdparams")
