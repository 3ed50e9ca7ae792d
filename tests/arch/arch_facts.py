"""Facts that other libraries supply: logits of models whose weights and pictures come from formulas alone."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

FACTS = Path(__file__).parents[1] / "data" / "facts"


def table() -> dict[str, Any]:
    """What is known of each model, by name."""
    return json.loads((FACTS / "models.json").read_text())


def shapes(source: str, name: str) -> dict[str, Sequence[int]]:
    """Names and shapes of a source's dictionary, in order."""
    return _fact(source, name)["keys"]


def input_size(source: str, name: str) -> tuple[int, int]:
    """Height and width of the pictures that the source's logits belong to."""
    return tuple(_fact(source, name)["input"][1:])


def state(source: str, name: str) -> dict[str, np.ndarray]:
    """A source's dictionary filled by the formula."""
    is_torch = source != "paddleclas"
    return {key: fill(key, shape, is_torch=is_torch) for key, shape in shapes(source, name).items()}


def logits(source: str, name: str) -> np.ndarray:
    """A source's logits [2, 1000] with that dictionary on `pictures(2, *input_size(source, name))`."""
    return np.load(FACTS / source / f"{name}.npy")


def paddleclas_shapes(name: str) -> dict[str, Sequence[int]]:
    """Names and shapes of a PaddleClas dictionary, in order."""
    return shapes("paddleclas", name)


def paddleclas_state(name: str) -> dict[str, np.ndarray]:
    """A PaddleClas dictionary filled by the formula."""
    return state("paddleclas", name)


def paddleclas_logits(name: str) -> np.ndarray:
    """PaddleClas's logits with that dictionary."""
    return logits("paddleclas", name)


def fill(key: str, shape: Sequence[int], seed: int = 0, is_torch: bool = False, branch: float = 0.3) -> np.ndarray:
    """A tensor out of its name and shape: normal weights of variance 1.5 / fan_in, plausible statistics.

    `branch` scales what SENet154_vd's blocks add to their shortcut. At full strength its gates saturate one after
    another, and an input that differs by 1e-7 gives unrelated logits, in PaddleClas as here.
    """
    rng = np.random.RandomState((zlib.crc32(key.encode()) + seed) % 2**32)
    leaf = key.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, "int64")
    if leaf in ("_mean", "running_mean", "bias"):
        return rng.normal(0, 0.1, shape).astype("float32")
    if leaf in ("_variance", "running_var") or len(shape) == 1:
        strength = branch if key.endswith(".conv2._batch_norm.weight") else 1.0  # keys that only SENet154_vd has
        return rng.uniform(0.5, 1.5, shape).astype("float32") * np.float32(strength)
    fan_in = int(np.prod(shape[1:])) if len(shape) == 4 else shape[1 if is_torch else 0]
    return (rng.normal(0, 1, shape) * math.sqrt(1.5 / fan_in)).astype("float32")


def pictures(count: int, height: int, width: int) -> np.ndarray:
    """Smooth pictures [count, 3, height, width], about N(0, 1): sums of a few plane waves a channel."""
    rng = np.random.RandomState(0)
    y, x = np.mgrid[0:height, 0:width].astype("float64")
    y, x = y / height, x / width
    out = np.empty((count, 3, height, width), "float32")
    for image in range(count):
        for channel in range(3):
            wave = rng.normal(0, 0.7)
            for _ in range(5):
                fy, fx, phase = rng.uniform(-12, 12), rng.uniform(-12, 12), rng.uniform(0, 2 * math.pi)
                wave = wave + rng.uniform(0.2, 1.0) * np.cos(2 * math.pi * (fy * y + fx * x) + phase)
            out[image, channel] = wave
    return out


def _fact(source: str, name: str) -> dict[str, Any]:
    return json.loads((FACTS / source / f"{name}.json").read_text())


def deviation(logits: np.ndarray, reference: np.ndarray) -> float:
    """How far the difference of two pictures' logits is from the reference's, relative to that."""
    ours, theirs = logits[0] - logits[1], reference[0] - reference[1]
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
