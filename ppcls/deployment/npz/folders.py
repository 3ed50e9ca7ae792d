"""Pictures as the `.npz` files that accelerator benchmarks read: made of a list, and run by a bundle.

A folder of inputs holds one file per picture (`image`: float32 [1, C, H, W]), `npz_datalist.txt` with their paths and,
where the list has labels, `npz_labels.txt` with `file label` lines; a folder of results one file per picture (`scores`:
float32 [1, class_num]) of the input's name, ending in `.npz`. Both are gone on with where they were interrupted: a
file is there whole or not at all, and a record beside them says what they were made of.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.data.picture_list import PictureList
from ppcls.data.read_ahead import parallel, read_batches
from ppcls.data.transforms import Pipeline
from ppcls.deployment.npz.files import (
    is_whole,
    npz_name,
    read_datalist,
    save_array,
)
from ppcls.deployment.verify.forms import Form, form_digest
from ppcls.inference.backends import Backend
from ppcls.inference.bundle import Bundle
from ppcls.untrusted.npz import read_arrays
from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike, write_atomically
from ppcls.utils.lock import claimed

DATALIST_FILE = "npz_datalist.txt"
LABELS_FILE = "npz_labels.txt"
INPUT_KEY = "image"
OUTPUT_KEY = "scores"
_IN_USE = "wait until it ends, or give another folder"
_INPUTS_RECORD = "npz_inputs.json"
_RESULTS_RECORD = "npz_results.json"
# What a file's name has for bytes that are no UTF-8
_NO_TEXT = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True)
class Progress:
    """How many files were written, and how many lay there already."""

    written: int
    kept: int

    def __str__(self) -> str:
        return f"{self.written} written" + (
            f", {self.kept} were there already" if self.kept else ""
        )


def make(
    pipeline: Pipeline,
    pictures: PictureList,
    folder: PathLike,
    threads: int | None = None,
) -> Progress:
    """Writes the inputs of a list.

    Args:
        pipeline: the preprocessing.
        pictures: the list.
        folder: of the inputs; one that was interrupted is gone on with.
        threads: pictures at a time; None takes every core.

    Raises:
        UserError: a picture cannot be read, two would have one name, a name is not UTF-8, or the folder holds inputs of
            something else, or files that no record tells of.
    """
    place, names = Path(folder), [npz_name(name) for name in pictures.names]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice:
        same = [
            picture for picture, name in zip(pictures.names, names) if name == twice
        ]
        raise UserError(
            f"{same[0]} and {same[1]} would both be {twice}; rename one, or list it once"
        )
    for name in (*names, str(place.resolve())):
        if _NO_TEXT.search(name):
            raise UserError(
                f"{name}: the name is not UTF-8, which a datalist is; rename it"
            )
    with claimed(place, "writing inputs into", _IN_USE):
        return _make(pipeline, pictures, place, names, threads)


def _make(
    pipeline: Pipeline,
    pictures: PictureList,
    place: Path,
    names: Sequence[str],
    threads: int | None,
) -> Progress:
    record = {
        "transforms": pipeline.normalized().to_list(),
        "pictures": pictures.digest,
    }

    def write(item: tuple[Path, str]) -> bool:
        picture, name = item
        if is_whole(place / name):
            return False
        save_array(place / name, INPUT_KEY, pipeline.from_file(picture)[np.newaxis])
        return True

    with _continued(
        place, _INPUTS_RECORD, record, "inputs of another list or preprocessing"
    ):
        written = sum(parallel(write, zip(pictures.paths, names), threads))
    if pictures.labels is not None:
        lines = "".join(
            f"{name} {label}\n" for name, label in zip(names, pictures.labels)
        )
        write_atomically(place / LABELS_FILE, lines.encode())
    write_atomically(
        place / DATALIST_FILE,
        "".join(f"{place.resolve() / name}\n" for name in names).encode(),
    )
    return Progress(written, len(names) - written)


def run(
    bundle: Bundle,
    backend: Backend,
    form: Form,
    datalist: PathLike,
    results: PathLike,
    batch_size: int = 8,
    threads: int | None = None,
) -> Progress:
    """Runs the inputs of a datalist and writes their scores.

    Args:
        bundle: whose inputs they are.
        backend: `form` of the bundle.
        form: for the record of what the results are of.
        datalist: the inputs.
        results: the folder of the results; one that was interrupted is gone on with.
        batch_size: inputs at a time.
        threads: of the reading.

    Raises:
        UserError: an input is missing, damaged or of another shape, or the folder holds results of something else, or
            files that no record tells of.
    """
    inputs = read_datalist(datalist)
    with claimed(results, "writing results into", _IN_USE):
        return _run(bundle, backend, form, inputs, Path(results), batch_size, threads)


def _run(
    bundle: Bundle,
    backend: Backend,
    form: Form,
    inputs: Sequence[Path],
    place: Path,
    batch_size: int,
    threads: int | None,
) -> Progress:
    record = {
        "form": str(form),
        "bundle": form_digest(bundle, form),
        "inputs": _inputs_digest(inputs),
    }
    result_of = {file: place / f"{file.stem}.npz" for file in inputs}
    pending = [file for file in inputs if not is_whole(result_of[file])]

    def read(file: Path) -> np.ndarray:
        return read_input(file, bundle)

    results_in_turn = (result_of[file] for file in pending)
    what = "results of other inputs, or of another bundle, engine or precision"
    with _continued(place, _RESULTS_RECORD, record, what):
        for batch in read_batches(read, pending, batch_size, threads):
            for scores in backend.run(batch):
                save_array(next(results_in_turn), OUTPUT_KEY, scores[np.newaxis])
    return Progress(len(pending), len(inputs) - len(pending))


def read_input(file: Path, bundle: Bundle) -> np.ndarray:
    """The one array of an input's file, float32 [C, H, W].

    Raises:
        UserError: the file is missing or damaged, or holds something else.
    """
    arrays = list(read_arrays(file).values())
    shape = bundle.input.shape[1:]
    if len(arrays) != 1 or arrays[0].shape not in (shape, (1, *shape)):
        found = " and ".join(str(list(array.shape)) for array in arrays) or "nothing"
        raise UserError(
            f"{file} holds {found}; {bundle.folder} takes one array {[1, *shape]}, as `ppcls npz make` writes them"
        )
    return arrays[0].reshape(shape).astype(np.float32, copy=False)


def _inputs_digest(inputs: Sequence[Path]) -> str:
    """SHA-256 of where the inputs lie and of the records beside them; reading the files would take as long as a run."""
    digest = hashlib.sha256(b"\n".join(os.fsencode(file.resolve()) for file in inputs))
    for folder in dict.fromkeys(file.parent for file in inputs):
        record = folder / _INPUTS_RECORD
        digest.update(b"\n" + (record.read_bytes() if record.is_file() else b""))
    return digest.hexdigest()


@contextlib.contextmanager
def _continued(
    folder: Path, name: str, record: dict[str, Any], what: str
) -> Iterator[None]:
    """Keeps the record of a folder that gets files while entered; where none is written, it goes again.

    Raises:
        UserError: the record of a folder that has files is another one, or it has none.
    """
    place, text = folder / name, json.dumps(record, sort_keys=True, indent=1)
    files = sorted(folder.glob("*.npz")) + [
        folder / each for each in (DATALIST_FILE, LABELS_FILE)
    ]
    there = [file for file in files if file.exists()]
    remedy = "give another folder, or remove it"
    if there and not place.is_file():
        raise UserError(
            f"{folder} has {there[0].name}, but no {name} that says what it is of; {remedy}"
        )
    if there and place.read_text(encoding="utf-8") != text:
        raise UserError(f"{folder} holds {what}; {remedy}")
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        write_atomically(place, text.encode())
        yield
    except BaseException:
        if not any(folder.glob("*.npz")):
            place.unlink(missing_ok=True)
            if is_new:
                folder.rmdir()
        raise
