"""Convert a program for Paddle Lite, or run one.

This file is run by the Python 3.7 of an environment with paddlelite, without this package:

    python -I worker.py convert PROGRAM PARAMETERS OUT TARGET PRECISION
    python -I worker.py run FILE

`run` reads batches from standard input and answers on standard output: for each the number of axes and the shape as
int64, then float32 values. It first answers with an empty shape, when the file is loaded.

paddlelite ends its process when it cannot read a file or knows no operator, so it is always in a process of its own.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from paddlelite import lite

# Of a file: two bytes of the format's version, and 16 for the text of paddlelite's version
_HEADER, _VERSION_BYTES = 2, 16


def convert(
    program: str, parameters: str, out: str, target: str, precision: str
) -> None:
    """Write the file `out`, whose name ends in `.nb`.

    Args:
        program: `inference.pdmodel`.
        parameters: `inference.pdiparams`.
        out: The file to write.
        target: `arm` or `x86`.
        precision: `float32`, or `int8` to store the weights so.
    """
    converter = lite.Opt()
    converter.set_model_file(program)
    converter.set_param_file(parameters)
    converter.set_model_type("naive_buffer")
    converter.set_valid_places(target)
    converter.set_optimize_out(out[: -len(".nb")])
    if precision == "int8":
        converter.set_quant_model(True)
        converter.set_quant_type("QUANT_INT8")
    converter.run()
    _clear_version(Path(out))


def _clear_version(file: Path) -> None:
    """Zero the bytes behind the version's text, which paddlelite leaves undefined, so that equal programs are equal."""
    with file.open("r+b") as opened:
        opened.seek(_HEADER)
        version = opened.read(_VERSION_BYTES)
        text = version[: version.index(b"\0")]
        opened.seek(_HEADER)
        opened.write(text.ljust(_VERSION_BYTES, b"\0"))


def run(file: str, batches: BinaryIO, answers: BinaryIO) -> None:
    """Answer each batch with its scores, until there are no more."""
    config = lite.MobileConfig()
    config.set_model_from_file(file)
    predictor = lite.create_paddle_predictor(config)
    answers.write(_shape_bytes(()))
    answers.flush()
    while True:
        axes = batches.read(8)
        if not axes:
            return
        shape = np.frombuffer(batches.read(8 * int.from_bytes(axes, "little")), "<i8")
        content = batches.read(4 * int(np.prod(shape)))
        scores = _scores(predictor, np.frombuffer(content, "<f4").reshape(shape))
        answers.write(_shape_bytes(scores.shape))
        answers.write(scores.astype("<f4").tobytes())
        answers.flush()


def _scores(predictor: Any, batch: np.ndarray) -> np.ndarray:
    predictor.get_input(0).from_numpy(batch)
    predictor.run()
    return predictor.get_output(0).numpy()


def _shape_bytes(shape: Any) -> bytes:
    return np.array([len(shape), *shape], "<i8").tobytes()


def main() -> None:
    """Do what the arguments ask for; what paddlelite prints goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    command, *arguments = sys.argv[1:]
    if command == "convert":
        convert(*arguments)
    else:
        (file,) = arguments
        run(file, sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
