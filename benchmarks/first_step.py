"""`python benchmarks/first_step.py` lists the files of ppcls whose functions run before the first training step ends.

It trains SqueezeNet1_1 on eight small pictures on the CPU, as `ppcls train` does, and notes every function of the
package that is called until the optimizer's first step is done. Bodies of modules and classes do not count, and
neither do functions that run only while a module is imported. No worker processes are used, so every call is seen.
"""

from __future__ import annotations

import argparse
import inspect
import os
import sys
import tempfile
import threading
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
CONFIG = """\
Global: {device: cpu, epochs: 1, image_shape: [3, 32, 32], output_dir: output}
Arch: {name: SqueezeNet1_1, class_num: 2}
Loss: {Train: [CELoss: {}], Eval: [CELoss: {}]}
Optimizer: {name: Momentum, lr: {name: Cosine, learning_rate: 0.01}}
DataLoader:
  Train:
    dataset:
      name: ImageFolder
      image_root: pictures
      transform_ops: [DecodeImage: {}, RandCropImage: {size: 32}, RandFlipImage: {}, NormalizeImage: {}]
    sampler: {name: DistributedBatchSampler, batch_size: 2, shuffle: true}
    loader: {num_workers: 0}
  Eval:
    dataset:
      name: ImageFolder
      image_root: pictures
      transform_ops: [DecodeImage: {}, ResizeImage: {size: 32}, NormalizeImage: {}]
    sampler: {name: DistributedBatchSampler, batch_size: 2}
    loader: {num_workers: 0}
Metric: {Train: [TopkAcc: {topk: 1}], Eval: [TopkAcc: {topk: 1}]}
"""


class LastCallDone(BaseException):
    """Ends a traced program; not an Exception, so that no handler takes it for a failure."""


class CallTrace:
    """Notes which functions of a package are called.

    Args:
        package: the package's folder.
        last: the last function to wait for, by a part of its file's path and by its name; `LastCallDone` is raised
            when it returns.

    Attributes:
        called: the functions' names by the path of their file in the package.
    """

    def __init__(self, package: Path, last: tuple[str, str]) -> None:
        self.called: dict[str, set[str]] = {}
        self._prefix = f"{package}{os.sep}"
        self._last_file, self._last_name = last
        self._done = False

    def __enter__(self) -> CallTrace:
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        return self

    def __exit__(self, *error: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _note(self, frame: FrameType, event: str, argument: Any) -> None:
        """Note a call; the interpreter calls this for every call and return."""
        path, name = frame.f_code.co_filename, frame.f_code.co_name
        if self._done:
            return
        if event == "call" and path.startswith(self._prefix) and self._counts(frame):
            self.called.setdefault(path.removeprefix(self._prefix), set()).add(name)
        if event == "return" and name == self._last_name and self._last_file in path:
            self._done = True
            raise LastCallDone

    def _counts(self, frame: FrameType) -> bool:
        """Whether a call is that of a function, and not made while a module is imported."""
        return is_function(frame) and not self._is_importing(frame.f_back)

    def _is_importing(self, frame: FrameType | None) -> bool:
        """Whether a frame, or a caller of it, is the body of a module or class of the package."""
        while frame is not None:
            code = frame.f_code
            is_body = not code.co_flags & inspect.CO_OPTIMIZED
            if is_body and code.co_filename.startswith(self._prefix):
                return True
            frame = frame.f_back
        return False


def is_function(frame: FrameType) -> bool:
    """Whether a frame is that of a function, and not of a module, a class or a comprehension."""
    code = frame.f_code
    is_comprehension = code.co_name.startswith("<") and code.co_name != "<lambda>"
    return bool(code.co_flags & inspect.CO_OPTIMIZED) and not is_comprehension


def write_inputs(folder: Path) -> None:
    """Write the configuration and eight pictures of two classes."""
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        place = folder / "pictures" / name
        place.mkdir(parents=True)
        for index in range(4):
            pixels = rng.integers(0, 256, (48, 64, 3)).astype("uint8")
            Image.fromarray(pixels).save(place / f"{index}.jpg")
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")


def trace_training(folder: Path) -> dict[str, set[str]]:
    """Train until the first step is done.

    Args:
        folder: An empty folder for the pictures, the configuration and the run.

    Returns:
        The functions that were called, by the path of their file in ppcls.
    """
    write_inputs(folder)
    os.chdir(folder)
    sys.path.insert(0, str(ROOT))
    entry = import_module("ppcls.__main__")
    with CallTrace(ROOT / "ppcls", ("paddle/optimizer/", "step")) as trace:
        try:
            entry.main(["train", "-c", "config.yaml"])
        except LastCallDone:
            return trace.called
    raise SystemExit("the training ended before its first step; see its log above")


def main(argv: Sequence[str] | None = None) -> int:
    """Print the files, and how many they are."""
    parser = argparse.ArgumentParser(
        description="List the files of ppcls whose functions run from train.py to the first training step."
    )
    parser.add_argument(
        "--functions", action="store_true", help="list the functions of each file too"
    )
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        called = trace_training(Path(folder))
        os.chdir(ROOT)
    for path in sorted(called):
        print(path)
        if arguments.functions:
            for name in sorted(called[path]):
                print(f"    {name}")
    print(f"{len(called)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
