"""Figures in the style of the pages."""

import re
import sys

import cv2
import numpy as np
import pytest

from ppcls.analysis import figures
from ppcls.analysis.page import Page
from ppcls.analysis.thumbnails import thumbnail
from ppcls.utils.errors import Unavailable


@pytest.fixture(scope="module")
def drawn():
    with figures.figure(4, 2) as (figure, axes):
        axes.plot([1, 2, 3], [3, 1, 2], label="loss < 4")
        axes.legend()
        return figures.as_png(figure, 50), figures.as_svg(figure, "loss")


def test_a_png_has_the_size_that_was_asked_for(drawn):
    pixels = cv2.imdecode(np.frombuffer(drawn[0], np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape == (100, 200, 3)
    assert tuple(pixels[0, 0]) == (255, 255, 255)


def test_an_svg_takes_its_ink_from_the_page_and_keeps_its_text(drawn):
    svg = drawn[1]
    assert figures.INK not in svg and "currentColor" in svg and figures.COLOURS[0] in svg
    assert ">loss &lt; 4</text>" in svg


def test_identifiers_of_an_svg_are_its_own(drawn):
    names = re.findall(r'id="([^"]*)"', drawn[1])
    assert len(names) == len(set(names)) and all(name.startswith("loss-") for name in names)
    used = re.findall(r'(?:url\(|href=")#([^)"]*)', drawn[1])
    assert used and set(used) <= set(names)


def test_a_page_describes_an_svg_to_those_who_do_not_see_it(drawn):
    page = Page("x")
    page.figure(drawn[1], 'a "falling" curve')
    assert '<svg role="img" aria-label="a &quot;falling&quot; curve" ' in page.render()


def contrast(first, second):
    """The contrast of two colours (WCAG 2, section 1.4.3)."""

    def luminance(colour):
        parts = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ (0.2126, 0.7152, 0.0722)

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colour", figures.COLOURS)
def test_lines_stand_out_from_both_backgrounds(colour):
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert min(contrast(colour, "#ffffff"), contrast(colour, "#14171a")) >= 3


def test_without_matplotlib_one_sentence_names_the_extra(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(Unavailable, match="pip install 'ppcls\\[analysis\\]'"), figures.figure():
        pass


def test_a_thumbnail_keeps_proportions_and_colours():
    pixels = np.zeros((300, 900, 3), np.uint8)
    pixels[..., 0] = 250  # red
    small = cv2.imdecode(np.frombuffer(thumbnail(pixels, 90), np.uint8), cv2.IMREAD_COLOR)
    assert small.shape == (30, 90, 3)
    assert abs(int(small[15, 45, 2]) - 250) < 4 and small[15, 45, 0] < 4


def test_a_thumbnail_does_not_enlarge():
    small = cv2.imdecode(np.frombuffer(thumbnail(np.zeros((8, 8), np.uint8)), np.uint8), cv2.IMREAD_COLOR)
    assert small.shape == (8, 8, 3)
