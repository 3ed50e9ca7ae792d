"""docs/config_reference.md is what the schema says, and says something of every key."""

import re
import sys

import pytest

from helpers.checkout import ROOT
from ppcls.config.schema import GlobalSection
from ppcls.utils.fields import Fraction, PositiveInt, Size


@pytest.fixture(scope="module")
def tool():
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import config_reference

        yield config_reference
    finally:
        sys.path.remove(str(ROOT / "tools"))


def test_the_page_is_what_the_schema_says(tool):
    written = tool.PAGE.read_text(encoding="utf-8")
    assert written == tool.reference(), "run `python tools/config_reference.py`"


def test_every_key_has_a_meaning(tool):
    rows = re.findall(r"^\| `.*$", tool.reference(), re.MULTILINE)
    assert len(rows) > 300
    assert [row for row in rows if row.endswith("|  |")] == []


def test_a_row_has_type_default_and_meaning(tool):
    assert "| `keep` | integer of at least 0 or `null` | `3` | how many of the newest" in tool.reference()
    assert "| `epochs` | integer of at least 1 | **required** | passes over the training list. |" in tool.reference()


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (PositiveInt, "integer of at least 1"),
        (Fraction, "number of at least 0 and at most 1"),
        (Size, "integer of at least 1 or list of 2: integer of at least 1"),
        (tuple[str, ...] | None, "list of text or `null`"),
    ],
)
def test_types_in_words(tool, annotation, text):
    assert tool.type_text(annotation) == text


def test_meanings_come_from_the_docstrings_of_parents_too(tool):
    class Parent:
        """A section.

        Args:
            one: the first,
                of two lines.
            two: the second.
        """

    class Child(GlobalSection, Parent):
        """A child.

        Attributes:
            two: another second.
        """

    found = tool.meanings_of(Child)
    assert (found["one"], found["two"]) == ("the first, of two lines.", "another second.")
    assert found["seed"] == "seed of all random numbers."
