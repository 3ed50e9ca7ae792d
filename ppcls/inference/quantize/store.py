"""An int8 form's files, put into a bundle's folder together or not at all."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Iterator

from ppcls.inference.bundle import Bundle
from ppcls.inference.entries import Quantized
from ppcls.utils.files import sync_file


@contextlib.contextmanager
def aside(bundle: Bundle, engine: str) -> Iterator[Path]:
    """A hidden folder in the bundle's, on the same disk, that is gone afterwards."""
    folder = bundle.folder / f".{engine}-int8"
    shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def install(bundle: Bundle, form: Quantized, folder: Path) -> Bundle:
    """Moves the form's files from `folder` into the bundle and names them in its manifest, in place of an older form.

    Whatever is raised on the way, Ctrl-C too, leaves the bundle as it was. A process that is killed leaves a bundle
    without an int8 form of the engine.
    """
    current = Bundle.load(bundle.folder)  # another process may have added to it meanwhile
    others = tuple(kept for kept in current.quantized if kept.backend != form.backend)
    older = [entry.file for kept in current.quantized if kept.backend == form.backend for entry in kept.files]
    changed = replace(current, quantized=(*others, form))
    kept = folder / "older"
    kept.mkdir()
    moves = [(current.folder / name, kept / name) for name in older]
    moves += [(folder / entry.file, current.folder / entry.file) for entry in form.files]
    for entry in form.files:
        sync_file(folder / entry.file)
    try:
        replace(current, quantized=others).save()
        for source, target in moves:
            source.rename(target)
        changed.save()
    except BaseException:
        for source, target in reversed(moves):
            if target.exists() and not source.exists():
                target.rename(source)
        current.save()
        raise
    return changed
