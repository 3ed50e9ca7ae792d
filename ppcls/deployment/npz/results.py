"""Run a bundle on inputs in `.npz` files.

A folder of results holds one file per input (`scores`: float32 [1, class_num]), which has the input's name and ends in
`.npz`. An interrupted run is resumed: each file is written atomically, and a record says what they were made of.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from ppcls.data.read_ahead import read_batches
from ppcls.deployment.npz.files import (
    FolderRecord,
    Progress,
    is_whole,
    read_datalist,
    save_array,
)
from ppcls.deployment.npz.inputs import inputs_digest, read_input
from ppcls.deployment.verify.forms import Form, form_digest
from ppcls.inference.backends import Backend
from ppcls.inference.bundle import Bundle
from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike

_KEY = "scores"
_RECORD = "npz_results.json"


def run_inputs(
    bundle: Bundle,
    backend: Backend,
    form: Form,
    datalist: PathLike,
    results: PathLike,
    batch_size: int = 8,
    threads: int | None = None,
) -> Progress:
    """Run the inputs of a datalist and write their scores.

    Args:
        bundle: The bundle that the inputs are for.
        backend: Runs `form` of the bundle.
        form: For the record.
        datalist: The inputs.
        results: The folder of the results; an interrupted run there is resumed.
        batch_size: Inputs per batch.
        threads: Threads that read; None takes every core.

    Raises:
        UserError: An input is missing, damaged or of another shape, or the folder holds results of something else, or
            files without a record.
    """
    inputs = read_datalist(datalist)
    folder = Path(results)
    for file in inputs:
        if not file.is_file() and not is_whole(_result_of(file, folder)):
            raise UserError(
                f"{datalist}: {file} is missing; correct the list, or write the inputs by `ppcls npz make` again"
            )
    content = {
        "form": str(form),
        "bundle": form_digest(bundle, form),
        "inputs": inputs_digest(inputs),
    }
    contradiction = "results of other inputs, or of another bundle, engine or precision"
    record = FolderRecord(_RECORD, content, contradiction)
    with record.filling(folder, "writing results into"):
        pending = [file for file in inputs if not is_whole(_result_of(file, folder))]
        read = partial(read_input, bundle=bundle)
        for batch in read_batches(read, pending, batch_size, threads):
            for index, scores in zip(batch.indices, backend.run(batch.inputs)):
                result = _result_of(pending[index], folder)
                save_array(result, _KEY, scores[np.newaxis])
    return Progress(len(pending), len(inputs) - len(pending))


def _result_of(file: Path, folder: Path) -> Path:
    return folder / f"{file.stem}.npz"
