"""What belongs to weights and does not show in them: arguments, preprocessing, where a name's file comes from."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import arch_facts as facts
import numpy as np
import pytest
import safetensors.numpy
from test_arch_weights import assert_same, build, values

from helpers.messages import refusal, says
from ppcls.arch import build_model
from ppcls.arch.catalog import BACKBONES
from ppcls.arch.families.darknet import network as darknet
from ppcls.arch.weights import load
from ppcls.arch.weights.files import write_weights
from ppcls.arch.weights.load import load_weights
from ppcls.arch.weights.sources import Preprocessing

pytestmark = pytest.mark.usefixtures("no_initial_values")

TORCHVISION = {"stem_padding": 0, "ceil_pooling": True}


def darknet_file(path: Path, model: Any) -> list[np.ndarray]:
    """Writes a model as Darknet does: of each convolution the offsets, the scales, the statistics, the weight."""
    state, parts = values(model), []
    for key, value in state.items():
        if value.ndim == 4 and not key.startswith("fc."):
            layer = key[: -len("0.weight")]
            parts += [state[f"{layer}1.{leaf}"] for leaf in ("bias", "weight", "_mean", "_variance")] + [value]
    parts += [state["fc.bias"], state["fc.weight"]]
    path.write_bytes(struct.pack("<iiiq", 0, 2, 5, 0) + b"".join(part.astype("<f4").tobytes() for part in parts))
    return parts


def test_darknets_file(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(darknet, "_CHANNELS", (4, 6, 8, 10, 16))  # 40 million numbers take long
    path, source = tmp_path / "darknet53.weights", build_model("DarkNet53", class_num=6, activation_slope=0.1)
    source.set_state_dict({key: facts.fill(key, value.shape) for key, value in source.state_dict().items()})
    expected = values(source)
    parts = darknet_file(path, source)
    assert [part.shape for part in parts[:5]] == [(32,), (32,), (32,), (32,), (32, 3, 3, 3)]
    loaded = build(path, "DarkNet53", class_num=6)
    assert (loaded.model.params.own_arguments, loaded.source) == ({"activation_slope": 0.1}, "darknet")
    assert str(loaded.preprocessing) == ("short side 256 (bilinear, cv2), crop 256, mean [0, 0, 0], std [1, 1, 1]")
    assert_same(values(loaded.model), expected)
    # Nothing of the file depends on the model's own classes and channels.
    features = build(path, "DarkNet53", class_num=0, in_channels=1).model
    np.testing.assert_array_equal(features.stem[0].weight.numpy(), expected["stem.0.weight"].sum(1, keepdims=True))
    with caplog.at_level("INFO", logger="ppcls"):
        build(path, "DarkNet53", new_classifier=True, class_num=4)
    said = caplog.records[-1].getMessage()
    assert said.endswith("of 6 classes and the model one of 4 classes, so the model starts with a new one")
    assert refusal(build, path, "DarkNet53", class_num=6, activation_slope=0.01) == says(
        f"{path}: made for activation_slope=0.1 ... has activation_slope=0.01; leave Arch.activation_slope out"
    )
    assert refusal(build, path, "DPN68") == says(f"{path}: ... for DarkNet53 only, not for DPN68")
    whole = path.read_bytes()
    count = sum(part.size for part in parts)
    backbone = tmp_path / "darknet53.conv.74"  # known by its beginning, for its suffix tells nothing
    backbone.write_bytes(whole[: -4 * sum(part.size for part in parts[-2:])])
    tuned = build(backbone, "DarkNet53", new_classifier=True, class_num=4).model
    assert_same({key: value for key, value in values(tuned).items() if not key.startswith("fc.")},
                {key: value for key, value in expected.items() if not key.startswith("fc.")})  # fmt: skip
    assert list(tuned.fc.bias.shape) == [4]
    assert "darknet53.conv.74: has no classifier; train one" in refusal(build, backbone, "DarkNet53", class_num=6)
    path.write_bytes(whole[:-4])
    assert refusal(build, path, "DarkNet53", class_num=6) == says(
        f"{path}: holds {count - 1:,} numbers ... {count:,} (1 too few); give the weights of this network ..."
    )


def timm_dpn(folder: Path, factor: float = 1.0) -> Path:
    state = facts.state("timm", "dpn68")
    state["features.conv5_bn_ac.bn.running_var"] *= np.float32(factor)
    path = folder / "model.safetensors"
    write_weights(path, state)
    return path


def test_arguments_follow_the_weights(tmp_path: Path) -> None:
    loaded = build(timm_dpn(tmp_path), "DPN68")
    assert (loaded.model.params.own_arguments, loaded.source) == ({"epsilon": 1e-3}, "timm")
    assert loaded.model.norm._epsilon == 1e-3
    assert str(loaded.preprocessing) == (
        "short side 256 (bicubic, pil), crop 224, mean [0.4863, 0.4588, 0.4078], std [0.2348, 0.2348, 0.2348]"
    )
    # What is not at its default stays, and the variances follow.
    variance = facts.state("timm", "dpn68")["features.conv5_bn_ac.bn.running_var"]
    other = build(timm_dpn(tmp_path), "DPN68", epsilon=1e-4).model
    assert other.params.own_arguments == {"epsilon": 1e-4}
    np.testing.assert_array_equal(other.norm._variance.numpy(), variance + np.float32(1e-3 - 1e-4))
    model = build_model("DPN68")
    load_weights(model, timm_dpn(tmp_path))
    np.testing.assert_array_equal(model.norm._variance.numpy(), variance + np.float32(1e-3 - 1e-5))


def test_arguments_that_contradict_the_weights(tmp_path: Path) -> None:
    path = tmp_path / "squeezenet.safetensors"
    write_weights(path, facts.state("torchvision", "squeezenet1_1"))
    assert build(path, "SqueezeNet1_1").model.params.own_arguments == TORCHVISION
    assert refusal(build, path, "SqueezeNet1_1", stem_padding=2) == says(
        f"{path}: made for stem_padding=0 ... has stem_padding=2; leave Arch.stem_padding out"
    )
    assert refusal(load_weights, build_model("SqueezeNet1_1"), path) == says(
        f"{path}: made for stem_padding=0 ... has stem_padding=1; make the model with stem_padding=0"
    )


def test_the_record_of_a_file_comes_first(tmp_path: Path) -> None:
    model, path = build_model("DPN68", class_num=2, epsilon=1e-3), tmp_path / "ours.pdparams"
    preprocessing = {"size": 96, "resize_short": 100, "backend": "pil"}
    record = {**(model.params.record or {}), "preprocessing": preprocessing, "source": "somebody"}
    write_weights(path, values(model), record)
    loaded = build(path, "DPN68", class_num=2)
    assert (loaded.model.params.own_arguments, loaded.source) == ({"epsilon": 1e-3}, "somebody")
    assert str(loaded.preprocessing).startswith("short side 100 (bilinear, pil), crop 96, mean [0.485, ")
    # Our own variances mean this epsilon and are not shifted to another.
    for call, arguments, remedy in [
        (build, (path, "DPN68"), "leave Arch.epsilon out"),
        (lambda path, name, **more: load_weights(build_model(name, **more), path), (path, "DPN68"),
         "make the model with epsilon=0.001"),
    ]:  # fmt: skip
        assert refusal(call, *arguments, class_num=2, epsilon=1e-4) == says(
            f"{path}: made for epsilon=0.001 ... has epsilon=0.0001; {remedy}"
        )
    assert BACKBONES["DLA34"]("DLA34").record is None


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"model": "DPN92"}, "... weights of DPN92 and not of DPN68; give weights of DPN68"),
        ({"model": "DPN68", "arguments": {"epsilon": -1}},
         "... record ...: epsilon is -1; write a number above 0 and at most 1; convert the weights again"),
        ({"model": "DPN68", "arguments": {"slope": 1}},
         "... record names arguments that DPN68 ...; convert the weights again"),
        ({"model": "DPN68", "arguments": [1]},
         "... record names arguments that DPN68 ...; convert the weights again"),
        ({"model": "DPN68", "preprocessing": {"size": 0}},
         "... preprocessing ...: a size of 0 out of 256 pixels ...; convert it again"),
        ({"model": "DPN68", "preprocessing": [224]},
         "... preprocessing ...: ... of type list ... JSON object; convert it again"),
        ({"model": "DPN68", "preprocessing": {"interpolation": "foo"}},
         "... preprocessing ...: a backend 'cv2' with 'foo' ...; convert it again"),
        ({"model": "DPN68", "preprocessing": {"interpolation": "{x}"}},
         "... preprocessing ...: a backend 'cv2' with '{x}' ...; convert it again"),
        ({"model": "DPN68", "preprocessing": {"interpolation": "box"}},
         "... preprocessing ...: a backend 'cv2' with 'box' ...; convert it again"),
        ({"model": "DPN68", "preprocessing": {"std": [0, 0, 0]}},
         "... preprocessing ...: std is (0, 0, 0) ... from 1e-06 to 1e+06; convert it again"),
        ({"model": "DPN68", "preprocessing": {"mean": 0.5}},
         "... preprocessing ...: mean is 0.5 ... from -1e+06 to 1e+06; convert it again"),
        ({"model": ["x"]}, "the model in its record is of type list, not text; convert ... again"),
        ({"model": "DPN68", "source": {"a": 1}},
         "the source in its record is of type dict, not text; convert ... again"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("small_networks")
def test_wrong_records(record: dict[str, Any], text: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.safetensors"
    arrays = values(build_model("DPN68", class_num=1))
    safetensors.numpy.save_file(arrays, path, {"ppcls_record": json.dumps(record)})
    assert refusal(build, path, "DPN68", class_num=1) == says(f"{path}: {text}")


@pytest.mark.parametrize(("key", "text"), [("mean", "1e999"), ("std", "1e999"), ("std", "1" + 400 * "0")])
def test_a_recorded_number_without_end(key: str, text: str) -> None:
    with pytest.raises(ValueError, match=rf"^{key} is .* and not three numbers from "):
        Preprocessing.from_record(json.loads(f'{{"{key}": [1, 1, {text}]}}'))


def test_a_recorded_argument_of_another_type(tmp_path: Path) -> None:
    path = tmp_path / "wrong.safetensors"
    write_weights(
        path, facts.paddleclas_state("SqueezeNet1_1"), {"model": "SqueezeNet1_1", "arguments": {"ceil_pooling": [1]}}
    )
    assert refusal(build, path, "SqueezeNet1_1") == says(
        f"{path}: ... record ...: ceil_pooling is [1]; write true or false; convert the weights again"
    )
    with pytest.raises(ValueError, match=r"^epsilon is inf; write a number above 0 and at most 1$"):
        BACKBONES["DPN68"]("DPN68", epsilon=float("inf"))


def test_a_damaged_download_is_to_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, address = tmp_path / "kept.safetensors", "https://example.org/w.safetensors"
    path.write_bytes(b"\x02" + bytes(7) + b"{}")
    monkeypatch.setattr(load, "fetch", lambda url, **keywords: path)
    text = refusal(build_model, "SqueezeNet1_1", pretrained=address)
    assert text.startswith((f"{path}: not a valid safetensors file (", f"{path}: holds no arrays; "))
    assert text.endswith(f"; this is the kept download of {address}: remove it first")
    assert "kept download" not in refusal(build_model, "SqueezeNet1_1", pretrained=path)


def test_no_weights_and_no_way_to_get_them() -> None:
    with pytest.raises(ValueError, match=r"^pretrained is False, which means no weights; give True"):
        load.locate_weights("SqueezeNet1_1", False)
    address = "ftp://example.org/w.pdparams"
    assert refusal(build_model, "SqueezeNet1_1", pretrained=address) == says(
        f"{address}: only ... http:// and https:// ...; give one, or the path of a file"
    )


def test_named_weights_are_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, squeezenet = [], facts.paddleclas_state("SqueezeNet1_1")

    def fetch(url: str, **keywords: Any) -> Path:
        asked.append((url, keywords))
        path = tmp_path / f"{len(asked)}.safetensors"
        from_torch = "pytorch.org" in url
        write_weights(path, facts.state("torchvision", "squeezenet1_1") if from_torch else squeezenet)
        return path

    monkeypatch.setattr(load, "fetch", fetch)
    first = build_model("SqueezeNet1_1", pretrained=True)
    np.testing.assert_array_equal(first.stem.weight.numpy(), squeezenet["_conv.weight"])
    second = build_model("SqueezeNet1_1", pretrained="torchvision")
    assert second.params.own_arguments == TORCHVISION
    build_model("SqueezeNet1_1", pretrained="https://example.org/w.pdparams")
    assert asked == [
        ("https://paddle-imagenet-models-name.bj.bcebos.com/dygraph/SqueezeNet1_1_pretrained.pdparams",
         {"sha256_prefix": None, "what": "paddleclas weights of SqueezeNet1_1"}),
        ("https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
         {"sha256_prefix": "b8a52dc0", "what": "torchvision weights of SqueezeNet1_1"}),
        ("https://example.org/w.pdparams", {"what": "weights of SqueezeNet1_1"}),
    ]  # fmt: skip
    assert refusal(build_model, "SqueezeNet1_1", pretrained="timm") == says(
        "SqueezeNet1_1 ... weights named 'timm'; it has paddleclas, torchvision"
    )
