"""`ppcls compare`: runs, checkpoints and bundles on the same pictures."""

import csv

import numpy as np
import pytest

from helpers.messages import refusal, says
from helpers.pictures import noise, save_picture
from helpers.tiny_run import enter_own
from ppcls.analysis.comparison import Answers, ModelComparison, write_comparison
from ppcls.cli import main
from ppcls.engine.compare import compare

RUN = "output/SqueezeNet1_1"


def comparison(first, second, labels=(0, 0, 1, 1), names=("ant", "bee")):
    paths = [f"{index}.png" for index in range(len(labels))]
    answers = [
        Answers(name, np.array(predicted), np.linspace(0.6, 0.9, len(labels)))
        for name, predicted in (("A", first), ("B", second))
    ]
    return ModelComparison(paths, np.array(labels), *answers, names)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two runs of the tiny network and a bundle of the first."""
    folder = tmp_path_factory.mktemp("compare")
    with pytest.MonkeyPatch.context() as patch:
        enter_own(folder, patch)
        assert main(["train", "-c", "own.yaml"]) == 0
        assert main(["export", "-c", "own.yaml"]) == 0
        other = ["-o", "Global.output_dir=other", "-o", "Global.seed=5", "-o", "Global.epochs=3"]
        assert main(["train", "-c", "own.yaml", *other]) == 0
        yield folder


def lines(capsys):
    return dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines() if ": " in line)


def test_a_run_and_its_bundle_agree(place, capsys):
    assert main(["compare", f"{RUN}/best_model", "inference", "--report", "agreed"]) == 0
    found = lines(capsys)
    assert found["pictures"] == "20"
    assert found["only best_model right"] == found["only inference right"] == "0"
    assert found["McNemar's test"] == "p = 1: the difference may be chance"
    with (place / "agreed" / "compare.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    assert all(row["first"] == row["second"] and row["label_name"] in row["picture"] for row in rows)
    assert "No picture." in (place / "agreed" / "compare.html").read_text()


def test_two_runs_on_other_pictures(place, capsys):
    assert main(["compare", RUN, "other/SqueezeNet1_1", "--data", "data"]) == 0
    found = lines(capsys)
    names = ["output/SqueezeNet1_1", "other/SqueezeNet1_1"]
    right = [int(found[f"top-1 of {name}"].split("(")[1][:-1]) for name in names]
    only = [int(found[f"only {name} right"]) for name in names]
    both, neither = int(found["both right"]), int(found["both wrong"])
    assert right == [both + only[0], both + only[1]]
    assert both + sum(only) + neither == 20


def test_what_cannot_be_compared(place, exported, tmp_path):
    assert refusal(compare, "inference", "inference") == says(
        "inference ... are bundles, which name no pictures; give ..."
    )
    assert refusal(compare, RUN, str(exported)) == says(f"{RUN} has 4 classes and {exported} has 5; ...")
    unlabelled = tmp_path / "list.txt"
    save_picture(tmp_path / "a.png", noise(20, 20, 0))
    unlabelled.write_text("a.png\n")
    assert refusal(compare, RUN, "inference", str(unlabelled)) == says(f"{unlabelled} has no labels ...")
    assert refusal(compare, RUN, "no/such") == says("no/such: neither a run, ... give the folder ...")
    (tmp_path / "compare.csv").write_text("mine")
    sentence = refusal(compare, RUN, RUN, report=str(tmp_path))
    assert sentence == says(f"{tmp_path / 'compare.csv'} is not of a comparison; ...")


def test_classes_in_another_order_are_matched_by_name(place, monkeypatch):
    from ppcls.engine import compare as module

    def reordered(name, *rest, original=module.open_model, **keywords):
        opened = original(name, *rest, **keywords)
        if name != "inference":
            return opened
        order = [2, 0, 3, 1]  # its number 0 is our 2
        run = opened.backend.run
        backend = type("Backend", (), {"run": lambda self, batch: run(batch)[:, order]})()
        names = [opened.class_names[index] for index in order]
        return module.Opened(name, "x", opened.pipeline, backend, names, 4)

    plain = compare(RUN, "inference")
    monkeypatch.setattr(module, "open_model", reordered)
    found = compare(RUN, "inference")
    assert len(set(plain.second.predicted.tolist())) > 1
    assert found.second.predicted.tolist() == plain.second.predicted.tolist()


def test_the_page_shows_the_surest_mistakes_first(tmp_path):
    found = comparison([0, 0, 1, 1], [1, 1, 1, 0])
    assert found.test[:2] == (3, 0)
    write_comparison(found, tmp_path, lambda picture: np.zeros((8, 8, 3), np.uint8))
    page = (tmp_path / "compare.html").read_text()
    only_first = page[page.index("Only A is right") : page.index("Only B is right")]
    assert [part.split(".png")[0][-1] for part in only_first.split("<li")[1:]] == ["3", "1", "0"]


@pytest.mark.parametrize(
    ("differing", "verdict"), [(5, "the difference may be chance"), (6, "A is better by more than chance")]
)
def test_the_verdict(differing, verdict):
    labels = [0] * 10
    assert comparison([0] * 10, [1] * differing + [0] * (10 - differing), labels).verdict == verdict
