"""Problems of files that somebody else wrote, and the one sentence about each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike


class Refused(Exception):
    """The file asks for more than data."""


class Damaged(Exception):
    """The file contradicts itself."""


def require(condition: object, what: str) -> None:
    """Checks what holds in every whole file.

    Args:
        condition: Whether it holds.
        what: What is wrong if it does not, for the sentence about the file.

    Raises:
        Damaged: it does not hold.
    """
    if not condition:
        raise Damaged(what)


def permit(condition: object, what: str) -> None:
    """Check that a file asks for data only.

    Args:
        condition: Whether it does.
        what: What it asks for otherwise, for the sentence about the file.

    Raises:
        Refused: It asks for more.
    """
    if not condition:
        raise Refused(what)


def shown(text: object, length: int = 100) -> str:
    """Text of a file as a message can show it: short, in one line, without control characters."""
    if not isinstance(text, str):
        return f"something of type {type(text).__name__}"
    return repr(text[:length])[1:-1]


@contextlib.contextmanager
def refusals(
    path: PathLike,
    kind: str,
    remedy: str = "",
    again: str = "copy or download the file again",
) -> Iterator[None]:
    """Report everything that goes wrong while a file is read as one sentence.

    Args:
        path: The file.
        kind: What it should be, such as `pickle of arrays`.
        remedy: What to do about a file that asks for more than data.
        again: What to do about a damaged file.

    Raises:
        UserError: the file cannot be read, is damaged, or asks for more than data.
    """
    try:
        yield
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(
            f"{path}: out of memory while this {kind} was read; give the process more memory, or {again}"
        ) from error
    except Refused as error:
        reason = f"it asks for {error}, and only arrays and plain containers are read"
        raise UserError(
            f"{path}: refused, because {reason}; {remedy or again}"
        ) from error
    except Damaged as error:
        raise UserError(f"{path}: not a valid {kind} ({error}); {again}") from error
    # Damaged files raise almost anything, OSErrors without a number too
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise UserError(
                f"{path}: cannot be read ({error.strerror}); give the file's path"
            ) from error
        what = f"{type(error).__name__}: {shown(str(error), 200)}"
        raise UserError(f"{path}: not a valid {kind} ({what}); {again}") from error
