"""A training takes the threads of the environment, whatever a predictor in the same process has set."""

import ctypes
from pathlib import Path

import paddle
import pytest
from paddle.base import core

from ppcls.engine.device import select_device


def threads():
    return ctypes.CDLL(str(Path(paddle.__file__).parent / "libs" / "libiomp5.so")).omp_get_max_threads()


@pytest.mark.parametrize(("wanted", "expected"), [("1", 1), ("2,1", 2), ("many", 3), ("0", 3), (None, 3)])
def test_threads_of_the_environment(wanted, expected, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    if wanted is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", wanted)
    core.set_num_threads(3)
    try:
        select_device("cpu")
        assert threads() == expected
    finally:
        core.set_num_threads(1)
