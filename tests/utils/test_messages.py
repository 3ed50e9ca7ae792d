"""The comparison of messages that other tests use."""

import pytest

from helpers.messages import pattern, says

TEXT = "a.yaml:3 Global.epochs: is 0; write a whole number of at least 1"


@pytest.mark.parametrize(
    "message",
    [TEXT, "a.yaml:3 Global.epochs: is 0 ... at least 1", "a.yaml:3 ... is 0 ... write ...", "... 1"],
)
def test_a_message_with_these_parts_is_equal(message):
    assert says(message) == TEXT
    assert [says(message)] == [TEXT]
    assert f"{TEXT}\n" == says(f"{message}\n")


@pytest.mark.parametrize(
    "message",
    [
        "a.yaml:4 Global.epochs: is 0 ... at least 1",
        "a.yaml:3 Global.epoch: ... at least 1",
        "a.yaml:3 Global.epochs: is 1 ...",
        "a.yaml:3 ... at least",
        "Global.epochs ... 1",
        "a.yaml:3 ... write ... is 0 ...",
    ],
)
def test_another_place_value_order_beginning_or_end_is_not(message):
    assert says(message) != TEXT
    assert TEXT not in [says(message)]


def test_a_message_is_one_line():
    assert f"{TEXT}\n{TEXT}" != says("a.yaml:3 ... at least 1")


def test_a_pattern_is_found_anywhere_in_a_line():
    with pytest.raises(ValueError, match=pattern("Global.epochs ... (0) ... 1")):
        raise ValueError("a.yaml:3 Global.epochs: is (0); write 1 or more")
    with pytest.raises(AssertionError), pytest.raises(ValueError, match=pattern("epochs ... 2")):
        raise ValueError("a.yaml:3 Global.epochs: is 0; write 1 or more")
