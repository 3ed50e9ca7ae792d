"""The files of an evaluation's report."""

import csv
import json
import re

import numpy as np
import pytest

from helpers.messages import refusal, says
from ppcls.analysis.evaluation import Evaluation
from ppcls.analysis.evaluation_report import read_temperature, require_report_place, write_report
from ppcls.analysis.scores import Scored

NAMES = ["ant", "bee <b>", "cat"]
# The class of the picture, and the probabilities: 6 of 8 are right
ROWS = [
    (0, (0.9, 0.05, 0.05)),
    (0, (0.8, 0.1, 0.1)),
    (0, (0.01, 0.98, 0.01)),  # the worst
    (1, (0.1, 0.85, 0.05)),
    (1, (0.34, 0.36, 0.3)),  # the least certain
    (1, (0.1, 0.8, 0.1)),
    (2, (0.1, 0.1, 0.8)),
    (2, (0.6, 0.1, 0.3)),
]


def evaluation(names=NAMES, failures=None):
    paths = [f"pictures/{index}.png" for index in range(len(ROWS))]
    labels = np.array([label for label, _ in ROWS])
    scores = np.array([row for _, row in ROWS], np.float32)
    scored = Scored.of_probabilities(paths, labels, scores, names)
    return Evaluation(scored, "Evaluation of DLA34", {"Weights": "best_model"}, failures or {})


def pixels(picture):
    shade = 30 * int(re.search(r"(\d+)\.png", picture)[1])
    return np.full((40, 60, 3), shade, np.uint8)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "new"
    write_report(evaluation(failures={"cut.png": "it is cut off"}), folder, pixels)
    return folder


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_its_files(report):
    names = sorted(path.name for path in report.iterdir())
    assert names == [
        "classes.csv", "confused.csv", "confusion.csv", "confusion.png", "label_errors.csv", "metrics.json",
        "pictures.csv", "reliability.png", "report.html",
    ]  # fmt: skip
    for name in ("confusion.png", "reliability.png"):
        assert (report / name).read_bytes().startswith(b"\x89PNG")


def test_one_row_per_picture_with_its_true_class(report):
    rows = table(report / "pictures.csv")
    assert len(rows) == 9
    worst = rows[2]
    assert {key: worst[key] for key in ("picture", "label", "label_name", "predicted", "predicted_name", "right")} == {
        "picture": "pictures/2.png", "label": "0", "label_name": "ant", "predicted": "1", "predicted_name": "bee <b>",
        "right": "0",
    }  # fmt: skip
    assert float(worst["score"]) == pytest.approx(0.98, rel=1e-5)
    assert float(worst["label_score"]) == pytest.approx(0.01, rel=1e-5)
    assert [row["label_rank"] for row in rows[:3]] == ["1", "1", "2"]
    assert (rows[8]["picture"], rows[8]["label"], rows[8]["error"]) == ("cut.png", "", "it is cut off")


def test_figures_of_classes(report):
    rows = table(report / "classes.csv")
    assert [row["name"] for row in rows] == NAMES
    assert [row["support"] for row in rows] == ["3", "3", "2"]
    assert [float(row["recall"]) for row in rows] == pytest.approx([2 / 3, 1, 0.5], rel=1e-5)
    assert [float(row["precision"]) for row in rows] == pytest.approx([2 / 3, 3 / 4, 1], rel=1e-5)


def test_confusions(report):
    matrix = [list(row.values()) for row in table(report / "confusion.csv")]
    assert matrix == [["ant", "2", "1", "0"], ["bee <b>", "0", "3", "0"], ["cat", "1", "0", "1"]]
    pairs = [(row["label_name"], row["predicted_name"], row["pictures"]) for row in table(report / "confused.csv")]
    assert pairs == [("ant", "bee <b>", "1"), ("cat", "ant", "1")]


def test_metrics(report):
    metrics = json.loads((report / "metrics.json").read_text())
    assert (metrics["pictures"], metrics["unreadable"], metrics["top1"]) == (8, 1, 0.75)
    assert metrics["balanced_accuracy"] == pytest.approx((2 / 3 + 1 + 0.5) / 3)
    assert "top5" not in metrics  # of three classes it says nothing
    assert read_temperature(report) == read_temperature(report / "metrics.json") == metrics["temperature"]


def test_likely_label_errors(report):
    rows = table(report / "label_errors.csv")
    assert [(row["picture"], row["label_name"], row["suggested_name"]) for row in rows] == [
        ("pictures/2.png", "ant", "bee <b>"), ("pictures/7.png", "cat", "ant"),
    ]  # fmt: skip
    assert float(rows[0]["margin"]) == pytest.approx(-0.97, rel=1e-5)


def test_the_page_shows_the_worst_first_and_escapes_names(report):
    page = (report / "report.html").read_text()
    assert "Evaluation of DLA34" in page and "75.00 %" in page and "best_model" in page
    assert "bee <b>" not in page and "bee &lt;b&gt;" in page
    mistakes = page[page.index("The worst mistakes") : page.index("The least certain")]
    assert re.findall(r"(\d)\.png</li>", mistakes) == ["2", "7"]
    uncertain = page[page.index("The least certain") :]
    assert re.search(r"(\d)\.png</li>", uncertain)[1] == "4"
    assert "cut.png" in page


def test_pictures_that_cannot_be_shown_are_left_out(tmp_path):
    write_report(evaluation(names=None), tmp_path, lambda picture: None)
    assert "<li" not in (tmp_path / "report.html").read_text()


def test_an_earlier_report_is_replaced_and_other_files_stay(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    write_report(evaluation(), tmp_path, pixels)
    before = (tmp_path / "classes.csv").read_text()
    write_report(evaluation(names=["x", "y", "z"]), tmp_path, pixels)
    assert (tmp_path / "classes.csv").read_text() != before
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_other_files_of_these_names_are_not_replaced(tmp_path):
    (tmp_path / "classes.csv").write_text("mine")
    sentence = refusal(write_report, evaluation(), tmp_path, pixels)
    assert sentence == says(f"{tmp_path} has a classes.csv ... give another folder, or remove it")
    assert [path.name for path in tmp_path.iterdir()] == ["classes.csv"]
    sentence = refusal(require_report_place, tmp_path / "classes.csv")
    assert sentence == says(f"{tmp_path / 'classes.csv'} is a file ... give another place")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"temperature": "hot"}', '{"temperature": -1}'])
def test_what_is_no_report_has_no_temperature(tmp_path, content):
    (tmp_path / "metrics.json").write_text(content)
    assert refusal(read_temperature, tmp_path) == says(f"{tmp_path} ... temperature ... ")
