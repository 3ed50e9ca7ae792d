"""Files that are added to a bundle's folder: all of a form's and the manifest's word of them, or none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ppcls.inference.bundle import Bundle
from ppcls.inference.entries import DigestedFile
from ppcls.utils.files import scratch_folder, sync_file
from ppcls.utils.lock import claimed

ONNX = "onnx"
IN_USE = "wait until it ends, and run this again"
_FORMS = (ONNX, "openvino-int8", "onnxruntime-int8")


@contextlib.contextmanager
def aside(bundle: Bundle, form: str) -> Iterator[Path]:
    """A hidden folder in the bundle's, on the same disk, that is gone afterwards; the bundle is claimed meanwhile.

    Raises:
        UserError: another process adds to the bundle, or exports into its folder.
    """
    assert form in _FORMS, form
    folder = bundle.folder / f".{form}"
    with (
        claimed(bundle.folder, f"adding the form {form} to", IN_USE),
        scratch_folder(folder),
    ):
        yield folder


def is_aside(path: Path) -> bool:
    """Whether a path in a bundle's folder is what a process left that was killed while it added to the bundle."""
    return path.name.startswith(".inference.") or path.name in [
        f".{form}" for form in _FORMS
    ]


def install(
    current: Bundle,
    folder: Path,
    new: Sequence[DigestedFile],
    older: Sequence[DigestedFile],
    without: dict[str, Any],
    fields: dict[str, Any],
) -> Bundle:
    """Moves files from `folder` into a bundle and names them in its manifest, in place of older ones.

    Whatever is raised on the way, Ctrl-C too, leaves the bundle as it was. A process that is killed leaves one whose
    manifest names neither the older files nor the new ones.

    Args:
        current: the bundle, just read.
        folder: of `aside`.
        new: the files there.
        older: the files of the bundle that go.
        without: fields of a manifest that names neither.
        fields: fields of the manifest that names the new ones.

    Returns:
        The bundle with them.
    """
    kept = folder / "older"
    kept.mkdir()
    moves = [(current.folder / entry.file, kept / entry.file) for entry in older]
    moves += [(folder / entry.file, current.folder / entry.file) for entry in new]
    for entry in new:
        sync_file(folder / entry.file)
    try:
        current.change(**without)
        for source, target in moves:
            source.rename(target)
        return current.change(**fields)
    except BaseException:
        for source, target in reversed(moves):
            if target.exists() and not source.exists():
                target.rename(source)
        current.change(**{name: getattr(current, name) for name in fields})
        raise
