"""Text in columns of a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppcls.utils.terminal import cut_left, cut_right, display_width, padded


@pytest.mark.parametrize(
    ("text", "width"),
    [("ant", 3), ("蚂蚁", 4), ("naïve", 5), ("nai\u0308ve", 5), ("\uff71", 1), ("\uff21", 2), ("a\u200bb", 2), ("", 0)],
)
def test_width(text, width):
    assert display_width(text) == width


@pytest.mark.parametrize(
    ("text", "width", "right", "left"),
    [
        ("ant.JPEG", 8, "ant.JPEG", "ant.JPEG"),
        ("ant.JPEG", 5, "ant.…", "…JPEG"),
        ("蚂蚁蜜蜂", 5, "蚂蚁…", "…蜜蜂"),
        ("蚂蚁蜜蜂", 4, "蚂…", "…蜂"),  # a column stays empty
    ],
)
def test_cut(text, width, right, left):
    assert (cut_right(text, width), cut_left(text, width)) == (right, left)


@given(st.text(alphabet="aé蚂\u0301.", max_size=20), st.integers(3, 30))
def test_what_is_cut_and_padded_is_exactly_as_wide(text, width):
    for cut in (cut_right(text, width), cut_left(text, width), cut_right(text, width, "...")):
        assert display_width(cut) <= width
        assert display_width(padded(cut, width)) == width
