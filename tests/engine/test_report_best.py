"""The report of the best weights at the end of a training."""

import json

import pytest

from helpers.tiny_run import enter_own
from ppcls.analysis import evaluation_report, run_report
from ppcls.analysis.run_report import write_best_report, write_run_report
from ppcls.cli import main
from ppcls.utils.errors import Unavailable

RUN = "output/SqueezeNet1_1"
TRAIN = ["train", "-c", "own.yaml", "-o", "Global.report=true"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    enter_own(tmp_path, monkeypatch)
    return tmp_path


def write(evaluation, folder, read_pixels):
    return evaluation_report.write_report(evaluation, folder / "evaluation", lambda picture: None)


@pytest.fixture
def written(monkeypatch):
    """Writes reports for real, without pictures."""
    monkeypatch.setattr(run_report, "write_best_report", write)


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


@pytest.mark.parametrize("ema", [[], ["-o", "EMA.deploy=weights"], ["-o", "EMA=null"]])
def test_its_figures_are_those_of_the_best_evaluation(place, written, ema):
    longer = ["-o", "Global.epochs=3", "-o", "Optimizer.lr.learning_rate=0.3"]
    assert main([*TRAIN, *ema, *longer]) == 0
    best = json.loads((place / RUN / "best_model" / "ppcls.pdstates").read_text())["best"]
    found = metrics(place / RUN / "evaluation")
    assert found["top1"] == pytest.approx(best["top1"], abs=1e-6)
    assert found["loss"] == pytest.approx(best["loss"], rel=1e-4)
    assert found["facts"]["Weights"] == f"best_model, of epoch {best['epoch'] + 1}"
    assert (place / RUN / "evaluation" / "classes.csv").read_text().splitlines()[1].startswith("0,a,")
    assert main(["eval", "-c", "own.yaml", *ema, "--report", "again"]) == 0
    assert metrics(place / "again")["top1"] == found["top1"]


def test_it_is_left_out_without_report(place, written):
    assert main(["train", "-c", "own.yaml"]) == 0
    assert not (place / RUN / "evaluation").exists()


@pytest.mark.parametrize(
    ("error", "level", "words"),
    [
        (Unavailable("no matplotlib; run `pip`"), "INFO", "no report of the best weights: no matplotlib"),
        (OSError("disk"), "WARNING", "the report of the best weights cannot be written (OSError: disk)"),
    ],
)
def test_a_report_that_cannot_be_written_does_not_end_the_run(place, monkeypatch, capsys, error, level, words):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(run_report, "write_best_report", fail)
    assert main(TRAIN) == 0
    assert f"{level}: {words}" in capsys.readouterr().out


def test_an_overwritten_run_takes_its_report_along(place, written):
    assert main(TRAIN) == 0
    (place / RUN / "evaluation" / "notes.txt").write_text("mine")
    assert main(["train", "-c", "own.yaml", "-o", "Global.existing_run=overwrite"]) == 0
    assert [path.name for path in (place / RUN / "evaluation").iterdir()] == ["notes.txt"]


def test_the_page_of_the_run_leads_to_it(place, monkeypatch):
    monkeypatch.setattr(run_report, "write_best_report", write_best_report)
    monkeypatch.setattr(run_report, "write_run_report", write_run_report)
    assert main(TRAIN) == 0
    assert 'href="evaluation/report.html"' in (place / RUN / "report.html").read_text()
    assert (place / RUN / "evaluation" / "report.html").read_text().count("<img") > 20
