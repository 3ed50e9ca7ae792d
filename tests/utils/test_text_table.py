"""Tables of text that fit a terminal."""

import pytest

from ppcls.utils.terminal import aligned

HEADER, ROWS = ("name", "size", "kind"), [("ant", "7", "insect"), ("sparrow", "120", "bird")]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (None, "name     size  kind\nant         7  insect\nsparrow   120  bird"),
        (21, "name     size  kind\nant         7  insect\nsparrow   120  bird"),
        (20, "name     size\nant         7\nsparrow   120\n(for a wider terminal: kind)"),
        (12, "name\nant\nsparrow\n(for a wider terminal: kind, size)"),
        (3, "name\nant\nsparrow\n(for a wider terminal: kind, size)"),
    ],
)
def test_columns_are_left_out_until_the_table_fits(width, expected):
    assert aligned(HEADER, ROWS, ("name", "kind"), width, ("kind", "size")) == expected
