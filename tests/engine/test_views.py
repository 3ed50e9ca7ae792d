"""Test-time augmentation in `ppcls eval` and in `Classifier`."""

import csv

import numpy as np
import pytest

from helpers.tiny_run import enter_own
from ppcls import Classifier
from ppcls.cli import main
from ppcls.data.transforms.views import TestTime, Views


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run of the tiny network and its bundle."""
    folder = tmp_path_factory.mktemp("views")
    with pytest.MonkeyPatch.context() as patch:
        enter_own(folder, patch)
        assert main(["train", "-c", "own.yaml"]) == 0
        assert main(["export", "-c", "own.yaml"]) == 0
        yield folder


def rows(file):
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def test_eval_and_classifier_average_the_same_views(place, capsys):
    assert main(["eval", "-c", "own.yaml", "--output", "plain.csv"]) == 0
    words = "flip,scale=1.25"
    assert main(["eval", "-c", "own.yaml", "--output", "views.csv", "--tta", words]) == 0
    plain, averaged = rows(place / "plain.csv"), rows(place / "views.csv")
    assert [row["score_1"] for row in plain] != [row["score_1"] for row in averaged]
    classifier = Classifier("inference", tta=words, topk=4)
    bundle = classifier.bundle
    made = Views(bundle.pipeline, TestTime.parse(words))
    single = Classifier("inference", topk=4)
    for row, result in zip(averaged, classifier.predict([row["picture"] for row in averaged])):
        assert (int(row["class_id_1"]), float(row["score_1"])) == (
            result.top1,
            pytest.approx(result.score, abs=1e-4),
        )
        views = np.split(made.from_file(row["picture"]), 4)
        scores = np.mean([single._backend.run(view[None])[0] for view in views], axis=0)
        assert result.scores == pytest.approx(sorted(scores.tolist(), reverse=True), abs=1e-5)
    classifier.verify()  # of one view, as the bundle's example is


def test_a_word_that_is_no_view(place, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["eval", "-c", "own.yaml", "--tta", "flop"])
    assert caught.value.code == 2
    assert "'flop' is no kind of view" in capsys.readouterr().err
