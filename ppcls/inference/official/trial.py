"""A program that somebody else wrote is tried in a process of its own: a damaged one may end the process inside Paddle.

The trial takes seconds, most of them for loading Paddle once more. So what it found is kept in PPCLS_HOME by the
digests of program and parameters. Programs of bundles are vouched for by the digests in the manifest, and not tried.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ppcls.inference.backends.paddle import open_predictor
from ppcls.inference.bundle import PARAMETERS_FILE
from ppcls.inference.entries import DigestedFile, shape_text
from ppcls.inference.settings import Settings
from ppcls.untrusted.json_text import parse_json
from ppcls.untrusted.refusals import Damaged, shown
from ppcls.utils import child
from ppcls.utils.download import cache_home
from ppcls.utils.errors import UserError, expect
from ppcls.utils.fields import CheckedFields, PositiveInt
from ppcls.utils.files import make_folders, read_regular_file, write_atomically
from ppcls.utils.load_paddle import load_paddle
from ppcls.utils.logging import get_logger

_SECONDS = 600  # far more than loading the largest model and one picture take
_MOST_BYTES = 10_000  # of a record
_AGAIN = "download or export it again"


@dataclass(frozen=True)
class Trial(CheckedFields):
    """What a program gave for one picture.

    Attributes:
        output: the program's name of its output.
        class_num: how many scores.
        meaning: `probabilities` or `logits`.
    """

    output: str
    class_num: PositiveInt
    meaning: Literal["probabilities", "logits"]


def tried(
    program: Path, entries: tuple[DigestedFile, ...], input_name: str, batch: np.ndarray
) -> Trial:
    """Runs a program once in a process of its own, unless that was done before.

    Args:
        program: its file, beside its parameters.
        entries: program and parameters with their digests.
        input_name: name of the program's only input.
        batch: one picture, float32 [1, C, H, W].

    Raises:
        UserError: Paddle cannot run the program, ends while it does, or the program gives something else than scores.
    """
    facts = [entry.sha256 for entry in entries]
    facts += [input_name, shape_text(batch.shape), load_paddle().__version__]
    key = hashlib.sha256("\n".join(facts).encode()).hexdigest()
    record = cache_home() / "programs" / f"{key}.json"
    known = _known(record)
    if known is None:
        known = _try(program, input_name, batch)
        _keep(record, known)
    return known


def _known(record: Path) -> Trial | None:
    """What an earlier trial found."""
    if not record.is_file():
        return None
    try:
        return Trial(**parse_json(read_regular_file(record, _MOST_BYTES)))
    except (OSError, Damaged, ValueError, TypeError) as error:
        get_logger().info(
            "%s is damaged (%s); the program is tried again", record, error
        )
        return None


def _keep(record: Path, trial: Trial) -> None:
    try:
        make_folders(record.parent)
        write_atomically(record, json.dumps(asdict(trial)).encode())
    except OSError as error:
        get_logger().info(
            "%s is not kept (%s); the program will be tried again", record, error
        )


def _try(program: Path, input_name: str, batch: np.ndarray) -> Trial:
    try:
        name, scores = child.call(
            _run_once, program, input_name, batch, quiet=True, seconds=_SECONDS
        )
    except ChildProcessError as error:
        raise UserError(
            f"{program}: Paddle ends with a crash while it runs this program, which is damaged; {_AGAIN}"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"{program}: Paddle takes more than {_SECONDS} s for one picture; {_AGAIN}"
        ) from error
    expect(
        scores.ndim == 2 and len(scores) == 1,
        f"{program} gives {shape_text(scores.shape)} for a picture; a classifier gives [1, class_num]",
    )
    return Trial(name, scores.shape[1], _meaning(scores))


def _run_once(
    program: Path, input_name: str, batch: np.ndarray
) -> tuple[str, np.ndarray]:
    """Return the name of a program's only output, and what it is for a batch.

    Raises:
        UserError: Paddle is not there, or cannot run the program.
    """
    # oneDNN's kernels, too, because their passes see other parts of a program; the plain ones give the scores
    _run(program, input_name, batch, Settings(onednn=True))
    return _run(program, input_name, batch, Settings(onednn=False))


def _run(
    program: Path, input_name: str, batch: np.ndarray, settings: Settings
) -> tuple[str, np.ndarray]:
    try:
        predictor = open_predictor(
            program, program.with_name(PARAMETERS_FILE), settings
        )
        predictor.get_input_handle(input_name).copy_from_cpu(batch)
        predictor.run()
        (name,) = predictor.get_output_names()
        return name, predictor.get_output_handle(name).copy_to_cpu()
    except UserError:
        raise
    except Exception as error:  # Paddle has a kind of exception for each of its errors
        message = shown(str(error).strip().partition("\n")[0], 200)
        raise UserError(
            f"{program}: Paddle cannot run it ({message}); {_AGAIN}"
        ) from error


def _meaning(scores: np.ndarray) -> Literal["probabilities", "logits"]:
    """Official programs end in softmax; one that does not gives rows that are not probabilities."""
    are_probabilities = scores.min() >= 0 and np.allclose(
        scores.sum(axis=1), 1, atol=1e-3
    )
    return "probabilities" if are_probabilities else "logits"
