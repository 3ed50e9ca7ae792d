"""Add files to a bundle: all files of a form together with their entries in the manifest, or none."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ppcls.inference.bundle import Bundle
from ppcls.inference.entries import DigestedFile
from ppcls.utils.files import scratch_folder, sync_file
from ppcls.utils.lock import claimed

ONNX = "onnx"
LITE = "lite"
IN_USE = "wait until it ends, and run this again"
_FORMS = (ONNX, "openvino-int8", "onnxruntime-int8", LITE)
_HIDDEN = frozenset(f".{form}" for form in _FORMS)


@contextlib.contextmanager
def temporary_folder(bundle: Bundle, form: str) -> Iterator[Path]:
    """Claim a bundle and give a hidden folder in it, on the same disk, which is deleted at the end.

    Args:
        bundle: The bundle.
        form: The form that is added to it.

    Raises:
        UserError: Another process adds to the bundle, or exports into its folder.
    """
    assert form in _FORMS, form
    with (
        claimed(bundle.folder, f"adding the form {form} to", IN_USE),
        scratch_folder(bundle.folder / f".{form}") as folder,
    ):
        yield folder


def is_leftover(path: Path) -> bool:
    """Whether a path in a bundle's folder was left by a process that was killed while it changed the bundle."""
    # A manifest that is written aside, or a folder of `temporary_folder`
    return path.name.startswith(".inference.") or path.name in _HIDDEN


def install(
    current: Bundle,
    folder: Path,
    new: Sequence[DigestedFile],
    older: Sequence[DigestedFile],
    without: dict[str, Any],
    fields: dict[str, Any],
) -> Bundle:
    """Move files from `folder` into a bundle and name them in its manifest, in place of older ones.

    Any error or Ctrl-C leaves the bundle as it was. If the process is killed, the manifest names neither the older
    files nor the new ones.

    Args:
        current: The bundle, just read.
        folder: The folder from `temporary_folder`.
        new: The files there.
        older: The files of the bundle that are replaced.
        without: Fields of a manifest that names neither.
        fields: Fields of the manifest that names the new ones.

    Returns:
        The changed bundle.
    """
    kept = folder / "older"
    kept.mkdir()
    moves = []
    for entry in older:
        moves.append((current.folder / entry.file, kept / entry.file))
    for entry in new:
        sync_file(folder / entry.file)
        moves.append((folder / entry.file, current.folder / entry.file))
    try:
        current.change(**without)
        for source, target in moves:
            source.rename(target)
        return current.change(**fields)
    except BaseException:
        _move_back(moves)
        current.change(**{name: getattr(current, name) for name in fields})
        raise


def install_form(
    bundle: Bundle,
    field: str,
    form: Any,
    folder: Path,
    is_replaced: Callable[[Any], bool],
) -> Bundle:
    """Move a form's files from `folder` into a bundle, in place of an older form of the same kind; see `install`.

    Args:
        bundle: The bundle.
        field: The field of the manifest that lists such forms.
        form: The new form; its `files` lie in `folder`.
        folder: The folder from `temporary_folder`.
        is_replaced: Whether an existing form is of the same kind.

    Returns:
        The changed bundle.
    """
    # Another process may have changed the bundle in the meantime.
    current = Bundle.load(bundle.folder)
    others = []
    older: list[DigestedFile] = []
    for existing in getattr(current, field):
        if is_replaced(existing):
            older += existing.files
        else:
            others.append(existing)
    return install(
        current,
        folder,
        form.files,
        older,
        {field: tuple(others)},
        {field: (*others, form)},
    )


def _move_back(moves: Sequence[tuple[Path, Path]]) -> None:
    """Undo the moves that were made, the last one first."""
    for source, target in reversed(moves):
        if target.exists() and not source.exists():
            target.rename(source)
