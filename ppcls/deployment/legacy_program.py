"""Programs in Paddle 2's format (`inference.pdmodel`), written by Paddle 3 in a child process.

Paddle chooses the format by a flag that it reads while it is imported, and a failed export breaks the next one in its
process. So a child, `python -m ppcls.deployment.legacy_program FOLDER`, gets the flag, the model's arguments and its
weights.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.inference.bundle import LEGACY_PROGRAM_FILE
from ppcls.utils import child, user_code
from ppcls.utils.errors import UserError
from ppcls.utils.load_paddle import load_paddle

_WEIGHTS, _TASK = ".weights.npz", ".task.json"
_NOT_FOR_INFERENCE = "inference.pdiparams.info"  # names of parameters, for training


def save_legacy_program(
    model: Any, folder: Path, image_shape: tuple[int, int, int]
) -> None:
    """Write `inference.pdmodel` and `inference.pdiparams` of a backbone's probabilities, with a dynamic batch axis.

    Args:
        model: A `ppcls.arch` backbone.
        folder: An existing folder.
        image_shape: Channels, height and width of the input.

    Raises:
        UserError: Paddle cannot write the model in this format.
    """
    task = {
        "params": asdict(replace(model.params, pretrained=False)),
        "image_shape": list(image_shape),
    }
    weights, instructions = folder / _WEIGHTS, folder / _TASK
    try:
        state = model.state_dict()
        np.savez(weights, **{name: value.numpy() for name, value in state.items()})
        instructions.write_text(json.dumps(task), encoding="utf-8")
        done = subprocess.run(
            child.command("ppcls.deployment.legacy_program", folder),
            env={**child.environment(), "FLAGS_enable_pir_api": "0"},
            capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
    finally:
        weights.unlink(missing_ok=True)
        instructions.unlink(missing_ok=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        reason = lines[-1].strip() if lines else f"exit code {done.returncode}"
        raise UserError(
            f"Paddle cannot write {model.params.name} as {LEGACY_PROGRAM_FILE} ({reason}); export it in "
            "Paddle 3's format, without --format pdmodel"
        )


def _write(folder: Path) -> None:
    """Write the program; runs in the child."""
    paddle = load_paddle()
    user_code.load()
    from ppcls.arch.catalog import BACKBONES
    from ppcls.deployment.exported_network import Deployed

    paddle.nn.functional.sigmoid = _sigmoid
    task = json.loads((folder / _TASK).read_text(encoding="utf-8"))
    model = BACKBONES[task["params"]["name"]](**task["params"]).make()
    with np.load(folder / _WEIGHTS) as arrays:
        missing, unexpected = model.set_state_dict(dict(arrays))
    assert not missing and not unexpected
    model.eval()
    spec = paddle.static.InputSpec(
        [None, *task["image_shape"]], "float32", name="image"
    )
    program = paddle.jit.to_static(Deployed(model), input_spec=[spec], full_graph=True)
    paddle.jit.save(program, str(folder / LEGACY_PROGRAM_FILE.rpartition(".")[0]))
    (folder / _NOT_FOR_INFERENCE).unlink()


def _sigmoid(x: Any, name: Any = None) -> Any:
    """Replace `paddle.nn.functional.sigmoid`, which cannot be written into a Paddle 2 program."""
    from paddle.base.layer_helper import LayerHelper

    helper = LayerHelper("sigmoid")
    out = helper.create_variable_for_type_inference(dtype=x.dtype)
    helper.append_op(type="sigmoid", inputs={"X": [x]}, outputs={"Out": [out]})
    return out


if __name__ == "__main__":
    _write(Path(sys.argv[1]))
