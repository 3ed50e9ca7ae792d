"""`ppcls probe`: accuracies of features that tell classes apart, and of such that do not."""

import sys

import numpy as np
import paddle
import pytest

from helpers.messages import refusal, says
from helpers.pictures import noisy, save_picture
from ppcls.arch.families.squeezenet.facts import SqueezeNet1_1Params
from ppcls.cli import main
from ppcls.engine.probe import Accuracy, _accuracies, probe

COLOURS = {"leaf": (30, 220, 30), "rose": (220, 30, 30), "sky": (30, 30, 220)}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PPCLS_HOME", str(tmp_path / "home"))
    for name, colour in COLOURS.items():
        for index in range(5):
            save_picture(tmp_path / "data" / name / f"{index}.png", noisy(colour, 40, 36, index))
    paddle.seed(3)
    paddle.save(SqueezeNet1_1Params("SqueezeNet1_1").make().state_dict(), "weights.pdparams")
    return tmp_path


def test_the_interval_of_an_accuracy():
    """The interval of 81 of 263 in Newcombe 1998 (Statistics in Medicine 17, table I): 0.2553 to 0.3662."""
    assert Accuracy(81, 263).interval() == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert Accuracy(0, 20).interval() == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert str(Accuracy(1, 2)) == "50.0 (9.5 to 90.5)"


def test_features_that_tell_classes_apart_and_noise():
    drawn = np.random.default_rng(0)
    labels = np.arange(60) % 3
    features = np.eye(3, 8)[labels] + drawn.normal(0, 0.05, (60, 8))
    linear, neighbours = _accuracies(features, labels, 5)
    assert (linear.correct, neighbours.correct) == (60, 60)
    linear, neighbours = _accuracies(drawn.normal(size=(60, 8)), labels, 5)
    assert linear.share < 0.6 and neighbours.share < 0.6


def test_the_command_prints_a_table(here, capsys):
    words = ["probe", "data", "--models", "SqueezeNet1_1", "--pretrained", "weights.pdparams"]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["model", "features"]
    assert lines[1].split()[:2] == ["SqueezeNet1_1", "512"]
    assert lines[-1].startswith("of 15 pictures, cross-validated")


def test_the_command_says_what_it_does_not_read(here, capsys):
    for name in COLOURS:
        (here / "data" / name / "notes.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    assert main(["probe", "data", "--models", "SqueezeNet1_1", "--pretrained", "weights.pdparams"]) == 0
    assert "data: 3 files are not read as pictures: 3 HEIC" in capsys.readouterr().out


def test_what_it_needs(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert refusal(probe, "data", ["SqueezeNet1_1"]) == says(
        "scikit-learn is not installed; run `pip install 'ppcls[probe]'`"
    )
