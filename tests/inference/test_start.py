"""What opening a bundle loads, of which its start consists; benchmarks/predict.py times it."""

import threading

import pytest

from helpers.new_process import new_python
from ppcls.inference.backends.common import begin

OPEN = """
import sys
from ppcls.inference import Classifier
class Scores:
    def run(self, batch):
        return batch.mean(axis=(2, 3)).repeat(2, axis=1)[:, :5]
classifier = Classifier(sys.argv[1], backend=Scores())
assert len(list(classifier.predict(sys.argv[2]))) == 1
kept = ("paddle", "ppcls.config.load", "ppcls.arch", "ppcls.engine", "ppcls.inference.backends.engine_process")
print([name for name in kept if name in sys.modules])
"""


def test_a_bundle_is_opened_without_configurations_models_or_paddle(exported):
    from ppcls.inference.golden import GOLDEN_PICTURE

    ran = new_python("-c", OPEN, exported, GOLDEN_PICTURE)
    assert (ran.out, ran.err) == ("[]\n", "")


def test_work_goes_on_beside_and_gives_its_result():
    may_end = threading.Event()

    def work(value):
        assert may_end.wait(60)
        return value + 1

    result = begin(work, 4)
    may_end.set()  # never reached if `begin` waited
    assert result() == 5
    assert result() == 5


def test_what_work_raises_is_raised_where_it_is_waited_for():
    def work():
        raise ValueError("seven")

    result = begin(work)
    with pytest.raises(ValueError, match="seven"):
        result()
