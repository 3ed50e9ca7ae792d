"""The true positive rate at a false positive rate, by its definition and by hand."""

import numpy as np
import paddle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppcls.metric import METRICS, TprAtFpr


def counted(scores, labels, max_fpr):
    """The result for pictures whose logits differ by these scores."""
    counter = TprAtFpr(max_fpr).accumulator()
    for score, label in zip(scores, labels):
        counter.update(np.array([[1.0, 1.0 + score]]), np.array([label]))
    return counter.result()


@pytest.mark.parametrize(
    ("max_fpr", "tpr"),
    [
        (0.0, 0.25),  # above 5, the highest of class 0: 6
        (0.24, 0.25),
        (0.25, 0.75),  # one of four may be above: above 2 are 6, 4 and 3
        (0.5, 0.75),  # above 1.5
        (0.75, 1.0),
    ],
)
def test_by_hand(max_fpr, tpr):
    scores, labels = [5, 2, 1.5, 0, 6, 4, 3, 1], [0, 0, 0, 0, 1, 1, 1, 1]
    assert counted(scores, labels, max_fpr) == {"tpr": tpr}


def test_equal_scores_are_not_told_apart():
    assert counted([2, 2, 1], [0, 1, 1], 0.0) == {"tpr": 0.0}
    assert counted([2, 2, 1], [0, 1, 1], 0.9) == {"tpr": 0.0}


def test_a_rate_that_is_not_a_whole_number_of_pictures_to_a_computer():
    """29 of 100 of class 0, which score 0 to 99, may be above: above 70.5 is all of class 1."""
    assert counted([*range(100), 70.5], [0] * 100 + [1], 0.29) == {"tpr": 1.0}
    assert counted([*range(100), 70.5], [0] * 100 + [1], 0.28) == {"tpr": 0.0}


def test_classes_that_are_missing():
    assert counted([], [], 0.1) == counted([1, 2], [0, 0], 0.1) == {}
    assert counted([1, -9], [1, 1], 0.1) == {"tpr": 1.0}


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 1)), min_size=1, max_size=30),
    st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.99]),
)
def test_every_threshold_is_tried(pictures, max_fpr):
    scores, labels = (np.array(column) for column in zip(*pictures))
    found, others = scores[labels == 1], scores[labels == 0]
    best = 0.0
    for threshold in (-np.inf, *scores):
        fpr = (others > threshold).mean() if len(others) else 0.0
        if fpr <= max_fpr and len(found):
            best = max(best, (found > threshold).mean())
    assert counted(scores, labels, max_fpr) == ({"tpr": best} if len(found) else {})


def test_batches_tensors_soft_targets_and_processes_make_no_difference():
    logits = np.array([[0.0, 3], [1, 0], [0, 1], [2, 0]], np.float32)
    whole, first, second = (TprAtFpr(0.5).accumulator() for _ in range(3))
    whole.update(paddle.to_tensor(logits), paddle.to_tensor([1, 0, 0, 1]))
    first.update(logits[:2], np.array([[0.1, 0.9], [0.6, 0.4]]))
    second.update(logits[2:], np.array([0, 1]))
    first.add(second.state())
    assert first.result() == whole.result() == {"tpr": 0.5}
    again = TprAtFpr(0.5).accumulator()
    again.restore(whole.state())
    assert again.result() == whole.result()
    again.reset()
    assert again.result() == {}
    with pytest.raises(ValueError, match="saved with 1 scores for 2 labels"):
        again.restore({"scores": [1.0], "labels": [0, 1]})


def test_default_and_name():
    assert METRICS["TprAtFpr"]() == TprAtFpr(0.001)
    with pytest.raises(ValueError, match="max_fpr is 1; write a number of at least 0 and below 1"):
        TprAtFpr(1)
