"""Engines that TensorRT has built, kept for the next time.

An engine takes minutes to build, and is of use only to the same model on the same kind of GPU under the same versions.
So each lies in a folder of its own, named by the digest of all that it follows from (`EngineKey`), which `key.json`
there says in words. A folder is built aside and renamed: one that is there is whole.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from ppcls.utils.files import beside, put_folder, scratch_folder

KEY_FILE = "key.json"


@dataclass(frozen=True)
class EngineKey:
    """What an engine follows from.

    Attributes:
        program: SHA-256 of the program's file.
        parameters: SHA-256 of the parameters' file.
        precision: precision of the arithmetic.
        shapes: shapes of the smallest, best and largest input, [N, C, H, W].
        collect_shapes: whether the shapes inside were measured.
        min_subgraph_size: operations in a row that are worth an engine.
        workspace_mb: MiB that building may use.
        calibration: digest of the pictures that int8 was calibrated on.
        gpu: the GPU's name.
        compute_capability: that of the GPU, such as `8.6`.
        tf32: whether float32 products may be rounded to TF32, which newer GPUs do unless NVIDIA_TF32_OVERRIDE is 0.
        tensorrt: version.
        paddle: version.
    """

    program: str
    parameters: str
    precision: str
    shapes: tuple[tuple[int, ...], ...]
    collect_shapes: bool
    min_subgraph_size: int
    workspace_mb: int
    calibration: str | None
    gpu: str
    compute_capability: str
    tf32: bool
    tensorrt: str
    paddle: str

    @property
    def text(self) -> str:
        """The facts, as `key.json` has them."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @property
    def name(self) -> str:
        """The folder's."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:32]


def cached_engine(root: Path, key: EngineKey, build: Callable[[Path], None]) -> Path:
    """The folder of the engine.

    Args:
        root: where engines are kept.
        key: what the engine follows from.
        build: writes the engine into an empty folder; called where there is none yet.
    """
    folder = root / key.name
    if folder.is_dir():
        return folder
    with scratch_folder(beside(folder, uuid.uuid4().hex)) as aside:
        build(aside)
        (aside / KEY_FILE).write_text(key.text, encoding="utf-8")
        try:
            put_folder(aside, folder)
        except OSError:
            # Else another process was faster, and its engine is as good
            if not folder.is_dir():
                raise
    return folder
