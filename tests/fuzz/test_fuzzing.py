"""The tools of the tests of damaged and hostile files can fail."""

import numpy as np
import pytest

from helpers.bounds import assert_bounded, cost_of
from helpers.fuzzing import assert_every_mutant_is_read_or_refused, mutant
from ppcls.utils.errors import UserError


def test_a_mutant_is_another_file_and_the_same_for_a_seed():
    whole = bytes(range(200))
    assert sum(mutant(whole, seed) == whole for seed in range(200)) <= 10
    assert mutant(whole, 5) == mutant(whole, 5)


def test_memory_of_a_reader_is_measured():
    assert 770 < cost_of(lambda: np.ones(10**8)).megabytes < 900
    with pytest.raises(AssertionError, match=r"^[78]\d\d MB"):
        assert_bounded(lambda: np.ones(10**8))


def test_a_reader_that_raises_anything_but_a_sentence_fails():
    def damaged():
        raise KeyError("x")

    def refused():
        raise UserError("x.npz: damaged")

    with pytest.raises(AssertionError, match="KeyError"):
        assert_bounded(damaged)
    assert assert_bounded(refused) == "x.npz: damaged"


def test_a_mutation_test_sees_an_exception():
    def read(content):
        if content != b"whole":
            content.decode("ascii").index("w")

    with pytest.raises(pytest.fail.Exception, match="seed"):
        assert_every_mutant_is_read_or_refused(read, b"whole")
