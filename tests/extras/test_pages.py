"""The library's pages in a real browser: no error, nothing loaded, no violation of WCAG's level AA.

`make test-pages` brings what this needs beside Chromium. Screenshots stay in build/pages/screenshots, to be looked at.
"""

import json
import os
import shutil
import subprocess

import numpy as np
import pytest

from helpers.checkout import ROOT
from helpers.tiny_run import prepare, use_tiny
from ppcls.analysis import figures
from ppcls.analysis.comparison import Answers, ModelComparison, write_comparison
from ppcls.analysis.evaluation import Evaluation
from ppcls.analysis.evaluation_report import write_report
from ppcls.analysis.page import Html, Page, Tile
from ppcls.analysis.run_report import write_run_report
from ppcls.analysis.scores import Scored
from ppcls.analysis.thumbnails import thumbnail
from ppcls.cli import main

FOLDER = ROOT / "build" / "pages"


def problems_of(*pages):
    """What look.mjs finds wrong with pages; their screenshots are named after folder and file."""
    chromium = os.environ.get("PPCLS_CHROMIUM") or shutil.which("chromium")
    assert chromium, "Chromium is missing; install it, or name it in PPCLS_CHROMIUM"
    shots = FOLDER / "screenshots"
    shots.mkdir(exist_ok=True)
    command = ["node", FOLDER / "look.mjs", chromium, shots, *pages]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def every_part(tmp_path_factory):
    """A page with everything that a page can hold."""
    page = Page("Every part <of> a page", "A line that says what it is about.")
    page.facts({"top-1": "98.3 %", "pictures": 1234, "a long name of a fact": "a_value_without_any_place_to_break_it"})
    with figures.figure(9, 5, 2, 2) as (figure, axes):
        for each in axes.flat:
            each.plot([1, 2, 3], [3, 1, 2], label="train")
            each.legend()
        page.figure(figures.as_svg(figure, "curves"), "Loss by epoch", "four panels")
        page.figure(figures.as_png(figure), "Loss by epoch")
    page.filter("Class", ["rose", "tulip"])
    page.heading("A table")
    page.heading("with many columns", 3)
    page.table([f"column {i}" for i in range(20)], [range(20), range(20)], "Numbers", [["rose"], ["tulip"]])
    noise = np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    tiles = [Tile([thumbnail(noise)], "rose\na/long/path_of_a_picture.jpg", "a rose", ["rose"], "bad")] * 5
    page.tiles([*tiles, Tile([thumbnail(noise)] * 2, "a pair", "before and after", ["tulip"], "warning")])
    for mark in ("", "soft", "good", "warning", "bad"):
        page.paragraph(f"A paragraph {mark}", mark)
    page.code("ppcls train -c a.yaml " + "-o Global.epochs=2 " * 12)
    file = tmp_path_factory.mktemp("parts") / "every_part.html"
    page.write(file)
    return file


def test_every_part_of_a_page(every_part):
    assert problems_of(every_part) == []


def test_the_look_can_fail(tmp_path):
    page = Page("x")
    page.html(Html('<p style="color: #eee; background: #fff; width: 2000px">pale</p><script>throw 1</script>'))
    file = tmp_path / "bad.html"
    file.write_text(page.render().replace("img-src", "x-src") + '<img src="http://127.0.0.1:9/x.png">')
    kinds = {problem["kind"] for problem in problems_of(file)}
    assert {"axe", "error", "request", "width"} <= kinds


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """The report of an evaluation, the comparison of two models, and maps, with names that are long or odd."""
    folder = tmp_path_factory.mktemp("evaluated")
    rng = np.random.default_rng(0)
    names = ["rose", "tulip <b>", "a_class_with_a_long_name_and_no_place_to_break_it", "sun flower", "daisy"]
    labels = rng.integers(0, 5, 200)
    logits = rng.normal(size=(200, 5)) + 2 * np.eye(5)[labels]
    pictures = [f"flowers/{names[label]}/a_long_name_of_a_picture_{index}.jpg" for index, label in enumerate(labels)]
    noise = rng.integers(0, 255, (60, 90, 3), dtype=np.uint8)
    scored = Scored.of_logits(pictures, labels, logits.astype(np.float32), names)
    facts = {"Weights": "output/flowers/DLA34/best_model"}
    found = Evaluation(scored, "Evaluation of DLA34", facts, {"cut.jpg": "it is cut off"})
    pages = [write_report(found, folder / "report", lambda picture: noise)]
    answers = [
        Answers(name, rng.integers(0, 5, 200), rng.random(200)) for name in ("output/flowers/DLA34", "inference")
    ]
    compared = ModelComparison(pictures, labels, *answers, names)
    pages.append(write_comparison(compared, folder / "compared", lambda picture: noise))
    return pages


def test_the_pages_of_an_evaluation(evaluated):
    assert problems_of(*evaluated) == []


def test_the_page_of_a_run(tmp_path):
    end = "batch_cost: 0.1 s, reader_cost: 0.1 s, batch_cost_sum: 1.0 s, ips: 9.0 images/sec."
    lines = []
    for epoch in range(5):
        for part in ("train", "valid"):
            lines.append(f"2026-11-30 11:0{epoch}:00 INFO: END epoch:{epoch:<3} {part} top1: 0.5, loss: 2.0,  {end}")
    (tmp_path / "train.log").write_text("\n".join(lines))
    write_run_report(tmp_path)
    assert problems_of(tmp_path / "report.html") == []


def test_the_page_of_a_check(tmp_path):
    for number in range(20):
        pixels = np.random.default_rng(number % 9).integers(0, 255, (60, 90, 3), dtype=np.uint8)
        file = tmp_path / "data" / "ab"[number % 2] / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(thumbnail(pixels))
    assert main(["check", str(tmp_path / "data"), "--output", str(tmp_path / "out")]) == 3
    assert problems_of(tmp_path / "out" / "report.html") == []


def test_the_page_of_a_browse(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    use_tiny(monkeypatch.setattr)
    prepare(tmp_path, 0)
    assert main(["browse", "-c", "config_0.yaml", "--pictures", "12"]) == 0
    assert "RandFlipImage, draw 4" in (tmp_path / "browse.html").read_text()
    assert problems_of(tmp_path / "browse.html") == []
