import json

import numpy as np
import paddle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppcls.metric import METRICS, TopkAcc

SCORES = np.array([[9, 8, 7, 6], [6, 7, 8, 9], [1, 5, 3, 4]], np.float32)


def counted(topk, *batches):
    counter = TopkAcc(topk).accumulator()
    for scores, target in batches:
        counter.update(scores, target)
    return counter


def test_counts_by_hand():
    counter = counted((1, 2, 3), (SCORES, np.array([0, 2, 2])))  # ranks 0, 1, 2
    assert counter.result() == {"top1": 1 / 3, "top2": 2 / 3, "top3": 1.0}


def test_a_short_last_batch_weighs_what_it_holds():
    full = (np.tile(SCORES[:1], (64, 1)), np.zeros(64, np.int64))
    short = (SCORES[1:2], np.zeros(1, np.int64))
    assert counted(1, full, full, short).result() == {"top1": 128 / 129}


def test_tensors_count_as_arrays_do():
    scores, label = paddle.to_tensor(SCORES - 5).astype("bfloat16"), paddle.to_tensor([0, 2, 2])
    assert counted((1, 2), (scores, label)).result() == {"top1": 1 / 3, "top2": 2 / 3}


def test_the_largest_share_names_the_class_and_the_first_of_equals():
    shares = np.array([[0.6, 0.4, 0, 0], [0, 0, 0.45, 0.55], [0, 0.5, 0, 0.5]], np.float32)
    assert counted(1, (SCORES, shares)).result() == {"top1": 1.0}


def test_equal_scores_stand_in_order_of_their_ids():
    scores = np.zeros((4, 4), np.float32)
    assert counted((1, 2, 3), (scores, np.arange(4))).result() == {"top1": 0.25, "top2": 0.5, "top3": 0.75}


def test_a_score_that_is_no_number_never_helps():
    nan = np.nan
    scores = np.array([[nan, nan, nan], [nan, 5, 4], [1, nan, 2], [3, 2, nan]], np.float32)
    assert counted((1, 2, 3), (scores, np.array([0, 0, 2, 0]))).result() == {"top1": 0, "top2": 0.5, "top3": 0.5}


@given(seed=st.integers(0, 2**32), pictures=st.integers(1, 20), classes=st.integers(1, 8), cut=st.integers(0, 20))
def test_agrees_with_sorting_however_the_pictures_are_cut_into_batches(seed, pictures, classes, cut):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (pictures, classes)).astype(np.float32)
    label = rng.integers(classes, size=pictures)
    ks = tuple(range(1, classes + 1))
    order = np.argsort(-scores, axis=1, kind="stable")
    wanted = {f"top{k}": (order[:, :k] == label[:, None]).any(axis=1).sum() / pictures for k in ks}
    assert counted(ks, (scores[:cut], label[:cut]), (scores[cut:], label[cut:])).result() == wanted


def test_resumes_in_the_middle():
    whole = counted((1, 2), (SCORES, np.array([0, 2, 2])), (SCORES, np.array([1, 1, 1])))
    half = counted((1, 2), (SCORES, np.array([0, 2, 2])))
    resumed = TopkAcc((1, 2)).accumulator()
    resumed.restore(json.loads(json.dumps(half.state())))
    resumed.update(SCORES, np.array([1, 1, 1]))
    assert resumed.state() == whole.state() == {"topk": [1, 2], "correct": [2, 4], "pictures": 6}


def test_another_topk_does_not_resume():
    with pytest.raises(ValueError, match=r"saved for topk \[1\], asked for \[5\]; resume with the same topk"):
        counted(5).restore(counted(1).state())


def test_reset_forgets():
    counter = counted(1, (SCORES, np.array([0, 2, 2])))
    counter.reset()
    assert counter.state() == {"topk": [1], "correct": [0], "pictures": 0}
    assert counter.result() == {}


def test_counters_are_separate():
    metric = TopkAcc()
    metric.accumulator().update(SCORES, np.array([0, 1, 2]))
    assert metric.accumulator().pictures == 0


@pytest.mark.parametrize(
    ("topk", "message"),
    [
        ((), r"topk is \(\); write different .* at least 1, such as \[1, 5\]"),
        ((1, 1), r"topk is \(1, 1\); write different .* at least 1, such as \[1, 5\]"),
        ((0, 1), r"topk is \[0, 1\]; write a whole number of at least 1 or a list .* at least 1"),
        (0, "topk is 0; write a whole number of at least 1 or"),
        (-5, "topk is -5; write a whole number of at least 1 or"),
    ],
)
def test_impossible_values_are_refused(topk, message):
    with pytest.raises(ValueError, match=message):
        TopkAcc(topk)


def test_defaults_and_names():
    assert TopkAcc().ks == (1, 5)
    assert TopkAcc(3).ks == (3,)
    assert METRICS["TopkAcc"] is TopkAcc
