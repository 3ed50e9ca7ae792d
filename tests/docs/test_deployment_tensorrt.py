"""docs/deployment/tensorrt.md: what runs without a GPU is run, and the rest ends in the sentence about it."""

import shlex
from dataclasses import fields

import pytest
import test_documents as documents

from helpers.pictures import noise, save_picture
from ppcls.cli import main, parse_arguments
from ppcls.config.tensorrt import TensorRT
from ppcls.inference.backends.engine_cache import EngineKey
from ppcls.inference.settings import TENSORRT_OFFERED
from ppcls.utils.errors import Unavailable

PAGE = documents.ROOT / "docs" / "deployment" / "tensorrt.md"
TEXT = PAGE.read_text(encoding="utf-8")
NO_CUDA = "a GPU is asked for, but this build of Paddle has no CUDA; write "
WITHOUT_A_GPU = "TensorRT needs a GPU, but this build of Paddle has no CUDA; write -o Global.use_tensorrt=False "


def commands():
    return [line for block in documents.blocks(PAGE, "bash") for line in block.splitlines()]


def test_the_commands_exist():
    lines = [shlex.split(line) for line in commands()]
    assert [words[:2] for words in lines] == [
        ["python", "-c"], *[["ppcls", "export"]] * 2, *[["ppcls", "predict"]] * 3, *[["ppcls", "verify"]] * 2,
        *[["ppcls", "benchmark"]] * 2, ["ppcls", "predict"], ["ppcls", "verify"],
    ]  # fmt: skip
    for words in lines[1:]:
        parse_arguments(words[1:])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two bundles by the commands of the page, and pictures."""
    folder = tmp_path_factory.mktemp("tensorrt")
    for index in range(3):
        save_picture(folder / "pictures" / f"{index}.png", noise(48, 40, index))
    for name in ("calibration_list.txt", "val_list.txt"):
        (folder / name).write_text("".join(f"pictures/{index}.png {index}\n" for index in range(3)))
    for line in commands()[1:3]:
        documents.run(["-m", *shlex.split(line)], folder)
    return folder


@pytest.mark.slow
def test_without_a_gpu_all_end_in_a_sentence(place, monkeypatch, capfd):
    monkeypatch.chdir(place)
    monkeypatch.setattr("paddle.is_compiled_with_cuda", lambda: False)
    for line in commands()[3:]:
        assert main(shlex.split(line)[1:]) == 2, line
        said = capfd.readouterr()
        expected = NO_CUDA if "--backend paddle," in line else WITHOUT_A_GPU  # the reason of the first one
        assert expected in (said.out + said.err if "benchmark" in line else said.err.splitlines()[-1]), line
    for code in documents.blocks(PAGE, "python"):
        with pytest.raises(Unavailable, match="TensorRT needs a GPU, but this build of Paddle has no CUDA"):
            exec(compile(code, str(PAGE), "exec"), {})


@pytest.mark.slow
def test_the_versions_are_printed(place):
    (line,) = (line for line in commands() if line.startswith("python"))
    printed = documents.run(shlex.split(line)[1:], place)
    assert printed.count(")") == 2


def test_the_tables_are_whole():
    for field in fields(TensorRT):
        assert f"`{field.name}`" in TEXT, field.name
    for program, offered in TENSORRT_OFFERED.items():
        (row,) = (line for line in TEXT.splitlines() if line.startswith(f"| `inference{program}`"))
        assert row.endswith(f"| {', '.join(f'`{precision}`' for precision in offered)} |")
    said = {
        "program": "program", "parameters": "parameters", "precision": "precision", "shapes": "shapes",
        "calibration": "calibration pictures", "gpu": "GPU's name", "compute_capability": "compute",
        "tf32": "TF32", "tensorrt": "versions of TensorRT", "paddle": "Paddle",
    }  # fmt: skip
    section = TEXT.partition("## 5.")[2].partition("## 6.")[0]
    for field in fields(EngineKey):
        assert said.get(field.name, f"`{field.name}`") in section, field.name
