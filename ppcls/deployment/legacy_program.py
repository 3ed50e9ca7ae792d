"""Programs in Paddle 2's format (`inference.pdmodel`), written by Paddle 3."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paddle
from paddle.pir_utils import DygraphOldIrGuard

from ppcls.deployment.exported_network import deployed
from ppcls.inference.bundle import LEGACY_PROGRAM_FILE, PARAMETERS_FILE
from ppcls.utils.errors import UserError
from ppcls.utils.stderr_lines import without_stderr_lines

_NOT_FOR_INFERENCE = f"{PARAMETERS_FILE}.info"  # names of parameters, for training
_NEWS = "New Executor is Running"  # printed for the first program of a process


class NotInThisFormat(UserError):
    """Paddle 3 cannot write a model as a program of Paddle 2."""


def save_legacy_program(
    model: Any, folder: Path, image_shape: tuple[int, int, int]
) -> None:
    """Write `inference.pdmodel` and `inference.pdiparams` of a backbone's probabilities, with a dynamic batch axis.

    Args:
        model: A `ppcls.arch` backbone in evaluation mode.
        folder: An existing folder.
        image_shape: Channels, height and width of the input.

    Raises:
        NotInThisFormat: Paddle cannot write the model in this format.
        OSError: The files cannot be written.
    """
    save_legacy_network(deployed(model), model.params.name, folder, image_shape)


def save_legacy_network(
    network: Any, name: str, folder: Path, image_shape: tuple[int, ...]
) -> None:
    """Write any network of one input; `name` is what an error calls it. See `save_legacy_program`."""
    spec = paddle.static.InputSpec([None, *image_shape], "float32", name="image")
    stem = LEGACY_PROGRAM_FILE.rpartition(".")[0]
    with without_stderr_lines(_NEWS), _writing_legacy_programs():
        network = paddle.jit.to_static(network, input_spec=[spec], full_graph=True)
        # What a model calls is called here; the files are written below
        try:
            network.forward.concrete_program  # noqa: B018
        except (TypeError, ValueError) as error:
            lines = str(error).strip().splitlines()
            reason = lines[-1].strip() if lines else type(error).__name__
            raise NotInThisFormat(
                f"Paddle cannot write {name} as {LEGACY_PROGRAM_FILE} ({reason}); export it in "
                "Paddle 3's format, with --format json"
            ) from error
        paddle.jit.save(network, str(folder / stem))
    (folder / _NOT_FOR_INFERENCE).unlink()


@contextlib.contextmanager
def _writing_legacy_programs() -> Iterator[None]:
    """Let Paddle trace models into programs of Paddle 2 during a `with` block."""
    functional = paddle.nn.functional
    original = functional.sigmoid
    functional.sigmoid = _sigmoid
    try:
        with DygraphOldIrGuard():
            yield
    finally:
        functional.sigmoid = original


def _sigmoid(x: Any, name: Any = None) -> Any:
    """Replace `paddle.nn.functional.sigmoid`, which cannot be written into a Paddle 2 program."""
    from paddle.base.layer_helper import LayerHelper

    helper = LayerHelper("sigmoid")
    out = helper.create_variable_for_type_inference(dtype=x.dtype)
    helper.append_op(type="sigmoid", inputs={"X": [x]}, outputs={"Out": [out]})
    return out
