"""docs/deployment/python.md is run in its order, with random weights in the place of the published ones."""

import inspect
import re
import shlex
import shutil
import tarfile
from dataclasses import fields

import paddle
import pytest
from test_documents import ROOT, blocks, run, run_command

from helpers.pictures import noise, save_picture
from ppcls import Classifier
from ppcls.arch import build_model
from ppcls.arch.weights.sources import find_source
from ppcls.inference import Bundle
from ppcls.utils.download import cached_path

PAGE = ROOT / "docs" / "deployment" / "python.md"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A checkout's entry points, pictures, and weights as if they had been downloaded."""
    folder = tmp_path_factory.mktemp("deployment")
    for name in ("tools", "configs", "deploy", "ppcls"):
        (folder / name).symlink_to(ROOT / name)
    for index in range(3):
        save_picture(folder / "pictures" / f"{index}.png", noise(340, 330, index))
    (folder / "names.txt").write_text("".join(f"class {index}\n" for index in range(1000)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PPCLS_HOME", str(folder / "cache"))
        weights = cached_path(find_source("SqueezeNet1_1").url)
    weights.parent.mkdir(parents=True)
    paddle.save(build_model("SqueezeNet1_1").state_dict(), str(weights))
    return folder


def without_names(answers):
    return re.sub(r", label_name.*", "", answers)


@pytest.mark.slow
def test_the_page(place):
    lines = [shlex.join(shlex.split(line)) for block in blocks(PAGE, "bash") for line in block.splitlines()]
    assert len(lines) == 8
    for line in lines[:3]:
        run_command(line, place)
    assert "320" in (place / "inference_320" / "inference.yml").read_text()
    classify, official = blocks(PAGE, "python")
    answers = [run(["-m", "ppcls", *shlex.split(lines[3])[1:]], place), run(shlex.split(lines[4])[1:], place)]
    assert answers[0].splitlines()[0].startswith("0.png:\tclass id(s): [")
    assert answers[1] == answers[0]
    assert run(["-c", classify], place).count("None\n") == 3
    theirs = place / "SqueezeNet1_1_infer"
    theirs.mkdir()
    for name in ("inference.pdmodel", "inference.pdiparams"):
        shutil.copy(place / "inference_legacy" / name, theirs / name)
    with tarfile.open(f"{theirs}.tar", "w") as tar:
        tar.add(theirs, theirs.name)
    read, _, adopted = (run(["-m", "ppcls", *shlex.split(line)[1:]], place) for line in lines[5:])
    assert without_names(read) == without_names(adopted) == without_names(answers[0])
    assert adopted.count("'class ") == 15
    rows = run(["-c", official], place).splitlines()
    assert len(rows) == 3
    assert rows[0] == rows[2]


def test_every_key_is_named():
    text = PAGE.read_text(encoding="utf-8")
    for field in fields(Bundle):
        assert field.name in ("folder", "origin") or f"`{field.name}`" in text, field.name  # not in the manifest


def test_every_argument_is_named():
    text = PAGE.read_text(encoding="utf-8")
    for name in inspect.signature(Classifier).parameters:
        assert name in ("path", "onednn", "output") or f"`{name}`" in text, name
