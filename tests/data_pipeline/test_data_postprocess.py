from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppcls.data.postprocess import POSTPROCESSES, ThreshOutput, Topk, best_of
from ppcls.utils.errors import UserError


def test_best_first_with_names() -> None:
    scores = np.array([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3]], np.float32)
    assert Topk(2)(scores, ["cat", "dog", "emu"]) == [
        [(1, float(np.float32(0.6)), "dog"), (2, float(np.float32(0.3)), "emu")],
        [(0, 0.5, "cat"), (2, float(np.float32(0.3)), "emu")],
    ]
    assert Topk()(scores) == [[(1, float(np.float32(0.6)), None)], [(0, 0.5, None)]]


def test_of_equal_scores_the_lower_class_comes_first() -> None:
    assert best_of(np.array([1, 2, 2, 0, 2]), 2) == [1, 2]
    assert best_of(np.zeros(50), 5) == [0, 1, 2, 3, 4]
    assert best_of(np.array([3.0, -np.inf, np.inf]), 3) == [2, 0, 1]


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30), st.data())
def test_it_is_the_start_of_a_stable_sort(scores: list[int], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(scores)))
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:count]
    assert best_of(np.array(scores, np.float32), count) == expected


def test_names_come_from_the_file_unless_given(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("0 cat\n1 dog\n")
    topk = Topk(1, str(path))
    assert topk(np.array([[0.0, 1.0]])) == [[(1, 1.0, "dog")]]
    assert topk(np.array([[0.0, 1.0]]), ["a", "b"]) == [[(1, 1.0, "b")]]
    with pytest.raises(UserError, match=r"none\.txt: No such file"):
        Topk(1, str(tmp_path / "none.txt"))(np.zeros((1, 2)))


def test_what_cannot_be_ranked_is_an_error() -> None:
    with pytest.raises(ValueError, match="topk is 3, but there are 2 classes; write 2 at most"):
        Topk(3)(np.zeros((1, 2)))
    with pytest.raises(ValueError, match="there are 1 names for 2 classes; give a name for each class"):
        Topk(1)(np.zeros((1, 2)), ["a"])
    with pytest.raises(ValueError, match="a score is not a number"):
        Topk(1)(np.array([[0.0, np.nan]]))
    with pytest.raises(ValueError, match="topk is 0; write a whole number of at least 1"):
        Topk(0)
    assert list(POSTPROCESSES) == ["Topk", "ThreshOutput"]


def test_class_1_from_the_threshold_on():
    scores = np.array([[0.25, 0.75], [0.5, 0.5], [0.75, 0.25]])
    answer = ThreshOutput(0.5, "nobody", "someone")
    assert answer(scores) == [[(1, 0.75, "someone")], [(1, 0.5, "someone")], [(0, 0.75, "nobody")]]
    assert ThreshOutput(0.76)(scores) == [[(0, 0.25, "0")], [(0, 0.5, "0")], [(0, 0.75, "0")]]
    assert ThreshOutput(0)(scores, ["no", "yes"])[2] == [(1, 0.25, "yes")]


def test_a_threshold_is_for_two_classes_with_numbers():
    with pytest.raises(ValueError, match="ThreshOutput is for two classes, but there are 3; write Topk"):
        ThreshOutput(0.5)(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="a score is not a number"):
        ThreshOutput(0.5)(np.array([[0.5, np.nan]]))
    with pytest.raises(ValueError, match=r"threshold is 1\.5; write a number from 0 to 1"):
        ThreshOutput(1.5)
