"""Errors that the user can correct, as opposed to bugs of this library.

The command line prints them without a traceback, and exits with code 2.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

_LONGEST_NAME, _MOST_NAMES = 200, 10_000


class UserError(ValueError):
    """A mistake of the user, in one sentence with the file, the value and the remedy."""


class Unavailable(UserError):
    """Something is missing here: a package, a feature of the machine, or a program of a bundle.

    A command that tries several things reports this one and continues with the others.
    """


class ConfigError(UserError):
    """All problems of one configuration, each as `file:line key: what is wrong; what to write`."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


@contextlib.contextmanager
def translated(
    kinds: type[Exception] | tuple[type[Exception], ...],
    new: Callable[[Any], Exception],
) -> Iterator[None]:
    """Raise another error in place of one of these kinds; the original one is its cause.

    Args:
        kinds: Classes of errors, as in `except`.
        new: Makes the error to raise from the original one.
    """
    try:
        yield
    except kinds as error:
        raise new(error) from error


def expect(condition: object, sentence: str) -> None:
    """Check what the user has given.

    Args:
        condition: Whether it is as it should be.
        sentence: What is wrong otherwise, and the remedy.

    Raises:
        UserError: It is not.
    """
    if not condition:
        raise UserError(sentence)


def expect_available(condition: object, sentence: str) -> None:
    """Check that what is asked for is there.

    Args:
        condition: Whether it is.
        sentence: What is missing otherwise, and the remedy.

    Raises:
        Unavailable: It is missing.
    """
    if not condition:
        raise Unavailable(sentence)


def suggest(name: str, known: Iterable[str]) -> str:
    """` (did you mean X?)` for the nearest of `known`, without regard to case; an empty string if none is near."""
    near = nearest(name, known)
    return f" (did you mean {near}?)" if near else ""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The nearest of `known`, without regard to case; None if none is near."""
    by_folded = {candidate.lower(): candidate for candidate in known}
    # The comparison takes the product of all lengths
    if len(name) > _LONGEST_NAME or len(by_folded) > _MOST_NAMES:
        return None
    near = difflib.get_close_matches(name.lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[near[0]] if near else None


def shortened(text: str, longest: int) -> str:
    """The text in one line of at most so many characters: a longer one is cut in the middle."""
    if len(text) > longest:
        half = (longest - 5) // 2
        text = f"{text[:half]} ... {text[-half:]}"
    return " ".join(text.splitlines())


def brief(text: str, most: int = 150) -> str:
    """A text of any length as a message may show it."""
    if len(text) <= most:
        return text
    return f"{text[:most]}..."
