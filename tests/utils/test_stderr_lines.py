from __future__ import annotations

import importlib
import os
import sys
import warnings

import pytest

import ppcls
from ppcls.utils.stderr_lines import without_stderr_lines


def test_only_the_named_lines_are_left_out(capfd: pytest.CaptureFixture) -> None:
    with without_stderr_lines("not support input out"):
        os.write(2, b"W1129 eager_utils.cc:3584] Paddle does not support input out tensor for now!\nE1129 an error\n")
        print("python's own", file=sys.stderr)
    os.write(2, b"W1129 does not support input out: afterwards\n")
    assert sorted(capfd.readouterr().err.splitlines()) == [
        "E1129 an error", "W1129 does not support input out: afterwards", "python's own",
    ]  # fmt: skip


def test_what_was_written_before_an_error_is_shown(capfd: pytest.CaptureFixture) -> None:
    with pytest.raises(KeyError), without_stderr_lines("other"):
        os.write(2, b"a line\n")
        raise KeyError
    assert capfd.readouterr().err == "a line\n"


def test_without_a_standard_error_nothing_changes() -> None:
    screen = os.dup(2)
    os.close(2)
    try:
        with without_stderr_lines("x"):
            assert True
    finally:
        os.dup2(screen, 2)
        os.close(screen)


def test_paddles_warning_of_ccache_is_left_out() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        importlib.reload(ppcls)
        warnings.warn(
            "No ccache found. Please be aware that recompiling all source files may be required.", stacklevel=1
        )
        warnings.warn("another", stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["another"]
