"""Pictures as the `.npz` files that accelerator benchmarks read.

A folder of inputs holds one file per picture (`image`: float32 [1, C, H, W]), `npz_datalist.txt` with their paths and,
if the list has labels, `npz_labels.txt` with `file label` lines. An interrupted run is resumed: each file is written
atomically, and a record says what they were made of.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ppcls.data.picture_list import PictureList
from ppcls.data.read_ahead import parallel
from ppcls.data.transforms import Pipeline
from ppcls.deployment.npz.files import (
    FolderRecord,
    Progress,
    is_whole,
    npz_name,
    save_array,
    shapes_of,
)
from ppcls.inference.bundle import Bundle
from ppcls.untrusted.npz import read_arrays
from ppcls.utils.errors import UserError, expect
from ppcls.utils.files import PathLike, resolved, write_atomically

DATALIST_FILE = "npz_datalist.txt"
LABELS_FILE = "npz_labels.txt"
_KEY = "image"
_RECORD = "npz_inputs.json"
# How Python shows bytes of a file name that are not UTF-8
_SURROGATES = re.compile("[\udc80-\udcff]")


def make_inputs(
    pipeline: Pipeline,
    pictures: PictureList,
    folder: PathLike,
    threads: int | None = None,
) -> Progress:
    """Write the inputs of a list.

    Args:
        pipeline: The preprocessing.
        pictures: The list.
        folder: The folder of the inputs; an interrupted run there is resumed.
        threads: Threads that read pictures; None takes every core.

    Raises:
        UserError: A picture cannot be read, two would have one name, a name is not UTF-8, or the folder holds inputs
            of something else, or files without a record.
    """
    place = Path(folder)
    names = list(map(npz_name, pictures.names))
    _check_names(pictures.names, names, place)
    content = {
        "transforms": pipeline.normalized().to_list(),
        "pictures": pictures.digest,
    }
    contradiction = "inputs of another list or preprocessing"
    record = FolderRecord(_RECORD, content, contradiction, (DATALIST_FILE, LABELS_FILE))

    def write(item: tuple[Path, str]) -> bool:
        picture, name = item
        if is_whole(place / name):
            return False
        save_array(place / name, _KEY, pipeline.from_file(picture)[np.newaxis])
        return True

    with record.filling(place, "writing inputs into"):
        written = sum(parallel(write, zip(pictures.paths, names), threads))
        _write_lists(place, names, pictures.labels)
    return Progress(written, len(names) - written)


def read_input(file: Path, bundle: Bundle) -> np.ndarray:
    """Read the one array of an input's file, float32 [C, H, W].

    Raises:
        UserError: The file is missing or damaged, or holds something else.
    """
    arrays = list(read_arrays(file).values())
    shape = bundle.input.shape[1:]
    if len(arrays) != 1 or arrays[0].shape not in (shape, (1, *shape)):
        raise UserError(
            f"{file} holds {shapes_of(arrays)}; {bundle.folder} takes one array {[1, *shape]}, as `ppcls npz make` "
            "writes them"
        )
    return arrays[0].reshape(shape).astype(np.float32, copy=False)


def inputs_digest(inputs: Sequence[Path]) -> str:
    """SHA-256 of the inputs' paths and of the records beside them; reading the files would take as long as a run."""
    parts = []
    records: dict[Path, bytes] = {}
    for file in inputs:
        parts.append(os.fsencode(resolved(file)))
        record = file.parent / _RECORD
        if record not in records:
            records[record] = record.read_bytes() if record.is_file() else b""
    return hashlib.sha256(b"\n".join([*parts, *records.values()])).hexdigest()


def _write_lists(folder: Path, names: Sequence[str], labels: np.ndarray | None) -> None:
    datalist, label_lines = [], []
    for index, name in enumerate(names):
        datalist.append(f"{resolved(folder) / name}\n")
        if labels is not None:
            label_lines.append(f"{name} {labels[index]}\n")
    if labels is not None:
        write_atomically(folder / LABELS_FILE, "".join(label_lines).encode())
    write_atomically(folder / DATALIST_FILE, "".join(datalist).encode())


def _check_names(pictures: Sequence[str], names: Sequence[str], folder: Path) -> None:
    """Check that the names of the files differ and can be written into a datalist.

    Raises:
        UserError: They cannot.
    """
    picture_of: dict[str, str] = {}
    for picture, name in zip(pictures, names):
        if name in picture_of:
            raise UserError(
                f"{picture_of[name]} and {picture} would both be {name}; rename one, or list it once"
            )
        picture_of[name] = picture
    for name in (*names, str(resolved(folder))):
        expect(
            not _SURROGATES.search(name),
            f"{name}: the name is not UTF-8, which a datalist is; rename it",
        )
