"""`ppcls explain`: maps of a run's and of a bundle's pictures."""

import csv

import cv2
import numpy as np
import pytest

from helpers.messages import refusal, says
from helpers.pictures import noise, save_picture
from helpers.tiny_run import enter_own
from ppcls.cli import main
from ppcls.engine.explain import explain

RUN = "output/SqueezeNet1_1"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run of the tiny network, its bundle, and a folder of pictures."""
    folder = tmp_path_factory.mktemp("explain")
    with pytest.MonkeyPatch.context() as patch:
        enter_own(folder, patch)
        assert main(["train", "-c", "own.yaml"]) == 0
        assert main(["export", "-c", "own.yaml"]) == 0
        for name in ("a/one.png", "b/one.png"):
            save_picture(folder / "pictures" / name, noise(24, 20, len(name)))
        (folder / "pictures" / "cut.png").write_bytes(b"\x89PNG\r\n")
        yield folder


def table(folder):
    with (folder / "explain.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("model", "method"), [(RUN, "gradcam"), ("inference", "occlusion")])
def test_every_picture_gets_a_map(place, capsys, model, method):
    assert main(["explain", model, "pictures", "--output", f"seen_{method}"]) == 1
    lines = capsys.readouterr().out.splitlines()
    folder = place / f"seen_{method}"
    rows = table(folder)
    assert [row["map"] for row in rows] == ["one.png", "one_2.png", ""]
    assert rows[2]["picture"].endswith("cut.png") and rows[2]["error"]
    assert {row["method"] for row in rows} == {method}
    for row, line in zip(rows[:2], lines):
        assert line.startswith(f"{row['picture']}: {row['name']} ")
        assert cv2.imread(str(folder / row["map"])).shape == (16, 16, 3)  # as the model gets it
    assert (folder / "explain.html").read_text().count("<img") == 4
    # A second call replaces the first
    assert main(["explain", model, "pictures/a", "--output", f"seen_{method}"]) == 0
    assert len(table(folder)) == 1


def test_a_class_by_name_or_number(place):
    by_name = list(explain(RUN, ["pictures/a"], "named", "c"))
    by_number = list(explain(RUN, ["pictures/a"], "named", "2"))
    assert by_name == by_number and by_name[0].class_id == 2
    sentence = refusal(explain, RUN, ["pictures/a"], "named", "4")
    assert sentence == says(f"--class 4: {RUN} has no such class; ... number from 0 to 3")


def test_the_picture_under_the_map_is_what_the_model_gets(place):
    (row,) = explain(RUN, ["pictures/a"], "under")
    shown = cv2.imread(str(place / "under" / row.file)).astype(int)
    given = cv2.resize(cv2.imread(str(place / "pictures/a/one.png")), (16, 16)).astype(int)
    # Where the map is dark, half of the colours remain
    grey = given.mean(axis=2, keepdims=True)
    assert np.abs(shown - (given + grey) / 2).min(axis=(0, 1)).max() <= 1


def test_what_cannot_be_explained(place):
    assert refusal(explain, "inference", ["pictures"], "new", method="gradcam") == says("inference is a bundle, ...")
    assert refusal(explain, RUN, ["no.png"], "new") == says("no.png ... ")
    sentence = refusal(explain, RUN, ["pictures"], "pictures")
    assert sentence == says("pictures holds other files, ... give a new folder")
    assert sorted(path.name for path in (place / "pictures").iterdir()) == ["a", "b", "cut.png"]
    assert not (place / "new").exists()
