"""The converter: any source's file to ours or PaddleClas's, with an account of every key."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import arch_facts as facts
import numpy as np
import paddle
import pytest

import ppcls
from helpers.messages import refusal, says
from ppcls.arch import build_model
from ppcls.arch.weights import convert as module
from ppcls.arch.weights import load
from ppcls.arch.weights.convert import convert
from ppcls.arch.weights.files import read_weights, write_weights
from ppcls.arch.weights.sources import find_source
from ppcls.cli import main
from ppcls.utils.files import sha256_of

pytestmark = pytest.mark.usefixtures("no_initial_values")

COUNTS = "a count of batches that nothing reads"


def source(folder: Path, origin: str, name: str) -> Path:
    path = folder / f"{name}.pdparams"  # safetensors would sort the names
    write_weights(path, facts.state(origin, name))
    return path


def refused(*arguments: Any, **keywords: Any) -> str:
    return refusal(convert, *arguments, **keywords)


def assert_same_values(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert sorted(found) == sorted(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)


@pytest.mark.parametrize("suffix", [".pdparams", ".safetensors"])
def test_a_foreign_file_becomes_ours(suffix: str, tmp_path: Path) -> None:
    given, target = source(tmp_path, "timm", "dpn68"), tmp_path / "out" / f"dpn68{suffix}"
    done = convert(given, target)
    file = read_weights(target)
    assert file.record == {
        "model": "DPN68",
        "arguments": {"epsilon": 0.001},
        "source": "timm",
        "preprocessing": {
            "size": 224, "resize_short": 256, "interpolation": "bicubic", "backend": "pil",
            "mean": [124 / 255, 117 / 255, 104 / 255], "std": [1 / (0.0167 * 255)] * 3,
        },
        "file": {"name": "dpn68.pdparams", "sha256": sha256_of(given)},
        "converted_by": f"ppcls {ppcls.__version__}",
    }  # fmt: skip
    model = build_model("DPN68", pretrained=str(target))
    assert model.params.own_arguments == {"epsilon": 0.001}
    assert_same_values(file.arrays, {key: value.numpy() for key, value in model.state_dict().items()})
    theirs = facts.state("timm", "dpn68")
    np.testing.assert_array_equal(file.arrays["norm._variance"], theirs["features.conv5_bn_ac.bn.running_var"])
    key = "features.conv2_1.c1x1_w_s1.conv.weight"
    np.testing.assert_array_equal(file.arrays["conv2_1.project.conv.weight"], theirs[key])
    assert done.text == (
        f"{given}: timm's weights of DPN68\n"
        f"361 keys used, 72 dropped; {target}.keys.txt lists how each was mapped\n"
        "arguments that belong to them: epsilon=0.001\n"
        "preprocessing that belongs to them: short side 256 (bicubic, pil), crop 224, "
        "mean [0.4863, 0.4588, 0.4078], std [0.2348, 0.2348, 0.2348]\n"
        f"written and verified: {target}"
    )
    if suffix == ".pdparams":
        assert set(model.state_dict()) <= set(paddle.load(str(target)))


def test_the_account_beside_the_file(tmp_path: Path) -> None:
    done = convert(source(tmp_path, "torchvision", "squeezenet1_1"), tmp_path / "a.b.safetensors")
    assert done.account == tmp_path / "a.b.safetensors.keys.txt"
    fires = zip((3, 4, 6, 7, 9, 10, 11, 12), range(2, 10))
    parts = ("squeeze", "expand1x1", "expand3x3")
    layers = [(f"features.{n}.{part}", f"fire{k}.{part}") for n, k in fires for part in parts]
    layers = [("features.0", "stem"), *layers, ("classifier.1", "fc")]
    lines = [f"{theirs}.{leaf} -> {ours}.{leaf}" for theirs, ours in layers for leaf in ("weight", "bias")]
    head = f"# squeezenet1_1.pdparams: torchvision's SqueezeNet1_1, converted by ppcls {ppcls.__version__} to ppcls"
    assert done.account.read_text() == "\n".join([head, *lines, ""])


def test_dropped_keys_have_their_reasons(tmp_path: Path) -> None:
    done = convert(source(tmp_path, "ucbdrive", "dla34"), tmp_path / "ours.pdparams")
    lines = done.account.read_text().splitlines()[1:]
    given = facts.shapes("ucbdrive", "dla34")
    assert [line.split(" -> ")[0] for line in lines] == list(given)
    assert says("level3.project.0.weight -> dropped (a projection ... never uses)") in lines
    assert f"level3.tree1.project.1.num_batches_tracked -> dropped ({COUNTS})" in lines
    assert sum("-> dropped" in line for line in lines) == 37 + 12


@pytest.mark.parametrize(("fact", "name"), [("dla34", "DLA34"), ("dpn68", "DPN68")])
def test_to_paddleclas(fact: str, name: str, tmp_path: Path) -> None:
    target = tmp_path / "theirs.pdparams"
    done = convert(source(tmp_path, "timm", fact), target, to="paddleclas")
    file = read_weights(target)
    assert file.record is None
    shapes = facts.paddleclas_shapes(name)
    assert {key: list(value.shape) for key, value in file.arrays.items()} == shapes
    assert "arguments" not in done.text
    assert done.account.read_text().splitlines()[0].endswith(" to paddleclas")
    model = build_model(name)
    assert model.set_state_dict(paddle.load(str(target))) == ([], [])
    if name == "DPN68":
        variance = facts.state("timm", fact)["features.conv5_bn_ac.bn.running_var"].astype("float64")
        theirs = file.arrays["conv5_x_x_bn._variance"].astype("float64")
        np.testing.assert_allclose(theirs + 1e-5, variance + 1e-3, rtol=1.2e-7)


def test_ours_to_paddleclas_and_back(tmp_path: Path) -> None:
    paddle.seed(0)
    model = build_model("SqueezeNet1_0", class_num=5, in_channels=2)
    ours = {key: value.numpy() for key, value in model.state_dict().items()}
    write_weights(tmp_path / "ours.pdparams", ours)
    convert(tmp_path / "ours.pdparams", tmp_path / "theirs.pdparams", to="paddleclas")
    assert read_weights(tmp_path / "theirs.pdparams").arrays["_conv9.weight"].shape == (5, 512, 1, 1)
    done = convert(tmp_path / "theirs.pdparams", tmp_path / "back.safetensors")
    assert_same_values(read_weights(tmp_path / "back.safetensors").arrays, ours)
    params = done.loaded.model.params
    assert (params.name, params.class_num, params.in_channels) == ("SqueezeNet1_0", 5, 2)
    assert done.text.splitlines()[2:4] == [
        "arguments that belong to them: stem_padding=0, ceil_pooling=False",
        "preprocessing that belongs to them: unknown",
    ]


def test_what_paddleclas_cannot_express(tmp_path: Path) -> None:
    res2, squeezenet = source(tmp_path, "timm", "dla60_res2net"), source(tmp_path, "torchvision", "squeezenet1_1")
    target = tmp_path / "out.pdparams"
    assert refused(res2, target, to="paddleclas") == "PaddleClas has no DLA60_res2net; leave --to out"
    assert refused(squeezenet, target, to="paddleclas") == says(
        f"{squeezenet}: ... stem_padding=0, ceil_pooling=True and PaddleClas's ... "
        "stem_padding=1, ceil_pooling=False ...; leave --to out"
    )
    assert not target.exists()
    with pytest.raises(ValueError, match=r"^to is 'timm'; give 'ppcls' or 'paddleclas'$"):
        convert(res2, target, to="timm")


def test_named_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = source(tmp_path, "timm", "dla34")
    monkeypatch.setattr(load, "fetch", lambda url, **keywords: given)
    convert("timm", tmp_path / "out.pdparams", arch="DLA34")
    record = read_weights(tmp_path / "out.pdparams").record or {}
    assert (record["source"], record["licence"]) == ("timm", "BSD-3-Clause")
    assert record["url"] == "https://huggingface.co/timm/dla34.in1k/resolve/main/model.safetensors"
    assert refused("timm", tmp_path / "out.pdparams") == says("timm: a source ...; name the model with --arch")


def test_a_file_that_reads_back_with_other_values_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, target = source(tmp_path, "torchvision", "squeezenet1_1"), tmp_path / "out.pdparams"

    def broken(path: Path, arrays: dict[str, np.ndarray], *more: Any) -> None:
        write_weights(path, {**arrays, "fire5.squeeze.bias": arrays["fire5.squeeze.bias"] * np.float32(1.001)}, *more)

    convert(given, target)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(before) == ["out.pdparams", "out.pdparams.keys.txt", given.name]
    monkeypatch.setattr(module, "write_weights", broken)
    with pytest.raises(AssertionError, match=r"out.pdparams: fire5.squeeze.bias reads back with other values$"):
        convert(given, target)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before  # what was good stays


@pytest.mark.parametrize("name", ["out.pdparams", "out.pdparams.keys.txt"])
def test_what_no_conversion_made_is_not_replaced(name: str, tmp_path: Path) -> None:
    given, place = source(tmp_path, "torchvision", "squeezenet1_1"), tmp_path / name
    place.write_bytes(b"mine")
    assert refused(given, tmp_path / "out.pdparams").startswith(f"{place}: exists and was not made by `ppcls convert`")
    assert place.read_bytes() == b"mine"
    assert len(list(tmp_path.iterdir())) == 2


def test_weights_without_a_classifier(tmp_path: Path) -> None:
    state = facts.state("torchvision", "squeezenet1_1")
    write_weights(tmp_path / "w.pdparams", {key: state[key] for key in state if not key.startswith("classifier.")})
    done = convert(tmp_path / "w.pdparams", tmp_path / "out.pdparams")
    assert (done.loaded.model.params.name, done.loaded.model.params.class_num) == ("SqueezeNet1_1", 0)
    assert "fc.weight" not in read_weights(tmp_path / "out.pdparams").arrays


def test_the_first_record_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, address = source(tmp_path, "torchvision", "squeezenet1_1"), "https://example.org/w.pth"
    monkeypatch.setattr(load, "fetch", lambda url, **keywords: given)
    convert(address, tmp_path / "plain.pdparams")
    convert("torchvision", tmp_path / "named.pdparams", arch="SqueezeNet1_1")
    for name in ("plain", "named"):
        convert(tmp_path / f"{name}.pdparams", tmp_path / f"{name}.safetensors")
        first, again = (read_weights(tmp_path / f"{name}{suffix}").record for suffix in (".pdparams", ".safetensors"))
        assert first == again and first is not None
        assert first["file"] == {"name": given.name, "sha256": sha256_of(given)}
        assert first["url"] == (address if name == "plain" else find_source("SqueezeNet1_1", "torchvision").url)
        assert ("licence" in first) == (name == "named")


def test_a_wrong_target_is_said_before_a_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "fetch", None)
    target = tmp_path / "out.pth"
    assert refused("timm", target, arch="DLA34") == says(
        f"{target}: ... not written as '.pth'; write .pdparams or .safetensors"
    )


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given, target = source(tmp_path, "torchvision", "squeezenet1_1"), tmp_path / "out.pdparams"
    assert main(["convert", "--arch", "SqueezeNet1_1", "--verbose", str(given), str(target)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 52 + 5
    assert lines[0] == "features.0.weight -> stem.weight"
    assert lines[-1] == f"written and verified: {target}"


def test_names_of_two_networks_are_said_where_no_model_fits(tmp_path: Path) -> None:
    arrays = {f"{who}.{name}": np.ones(1, "float32") for who in ("Student", "Teacher") for name in "ab"}
    write_weights(tmp_path / "w.safetensors", arrays)
    assert refused(tmp_path / "w.safetensors", tmp_path / "out.pdparams") == says(
        "... `ppcls models`; its names begin with Student (2) and Teacher (2); save the arrays of one network ..."
    )


def test_the_command_line_says_once_what_of_a_file_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = facts.state("torchvision", "squeezenet1_1")
    average = {f"module.{key}": value for key, value in state.items()}
    given, target = tmp_path / "last.pdparams", tmp_path / "out.safetensors"
    given.write_bytes(pickle.dumps({"model": state, "model_ema": average}))
    assert main(["convert", "--arch", "SqueezeNet1_1", str(given), str(target)]) == 0
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{given}: ") and first.endswith(
        "model_ema is loaded, Arch.use_ema=false (ppcls convert --no-ema) loads model"
    )
    assert second == f"{given}: every name begins with module., which is left out"
    assert rest[0] == f"{given}: torchvision's weights of SqueezeNet1_1"
    assert not [line for line in rest if "model_ema" in line or "module." in line]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["{given}", "/dev/full"],
         "/dev/full: ... not written as ''; write .pdparams or .safetensors"),
        (["{given}", "{given}/out.pdparams"],
         "{given}/out.pdparams ... {given} is a file; give another place"),
        (["--to", "paddleclas", "{given}", "{folder}/out.pdparams"], "{given}: these weights belong to stem_padding=0"),
        (["{folder}/none", "{folder}/out.pdparams"], "{folder}/none: no weights there; give"),
        (["{folder}/other.safetensors", "{folder}/out.pdparams"],
         "{folder}/other.safetensors: fits none of the models ...; name the nearest with --arch"),
        (["--arch", "DPN68", "{folder}/other.safetensors", "{folder}/out.pdparams"],
         "{folder}/other.safetensors: ... DPN68: 361 missing (first fc.weight), "
         "1 unexpected (first a.weight); give weights of DPN68"),
        (["--arch", "DLA43", "{given}", "{folder}/out.pdparams"],
         "... 'DLA43' (did you mean DLA34?); ... --import FILE"),
    ],
)  # fmt: skip
def test_one_sentence_for_a_mistake(
    arguments: list, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"given": source(tmp_path, "torchvision", "squeezenet1_1"), "folder": tmp_path}
    write_weights(tmp_path / "other.safetensors", {"a.weight": np.ones(1, "float32")})
    assert main(["convert", *(argument.format(**names) for argument in arguments)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0] == says(f"... {text.format(**names)} ...")
    assert not list(tmp_path.glob("*.keys.txt"))


def test_the_source_is_not_overwritten(tmp_path: Path) -> None:
    given = source(tmp_path, "torchvision", "squeezenet1_1")
    before = given.read_bytes()
    assert refusal(convert, given, tmp_path / "." / given.name) == says(
        f"{given}: is the file to convert; give another place ..."
    )
    assert given.read_bytes() == before
