"""Files that somebody else wrote: what may be wrong with one, and the sentence that says so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike


class Refused(Exception):
    """The file asks for more than data."""


class Damaged(Exception):
    """The file contradicts itself."""


def shown(text: object, length: int = 100) -> str:
    """What stands in a file as a message may show it: in one short line, without control characters."""
    return (
        repr(text[:length])[1:-1]
        if isinstance(text, str)
        else f"something of type {type(text).__name__}"
    )


@contextlib.contextmanager
def refusals(
    path: PathLike,
    kind: str,
    remedy: str = "",
    again: str = "copy or download the file again",
) -> Iterator[None]:
    """Makes one sentence of whatever goes wrong while a file is read.

    Args:
        path: The file.
        kind: What it should be.
        remedy: What to use instead of a file that asks for more than data.
        again: What to do about a damaged one.

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
        raise UserError(
            f"{path}: refused, for it asks for {error} and only arrays and plain containers are read from it; {remedy}"
        ) from error
    # Damaged files raise almost anything, OSErrors without a number too
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise UserError(
                f"{path}: cannot be read ({error.strerror}); give the file's path"
            ) from error
        what = (
            str(error)
            if isinstance(error, Damaged)
            else f"{type(error).__name__}: {shown(str(error), 200)}"
        )
        raise UserError(f"{path}: no whole {kind} ({what}); {again}") from error
