"""Facts that other libraries supply: logits of models whose weights and pictures come from formulas alone."""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path
from typing import Any, Dict, Sequence

import numpy as np

FACTS = Path(__file__).parents[1] / "data" / "facts"


def table() -> Dict[str, Any]:
    """What is known of each model, by name."""
    return json.loads((FACTS / "models.json").read_text())


def paddleclas_shapes(name: str) -> Dict[str, Sequence[int]]:
    """Names and shapes of a PaddleClas dictionary, in order."""
    return json.loads((FACTS / "paddleclas" / f"{name}.json").read_text())["keys"]


def paddleclas_state(name: str) -> Dict[str, np.ndarray]:
    """A PaddleClas dictionary filled by the formula."""
    return {key: fill(key, shape) for key, shape in paddleclas_shapes(name).items()}


def paddleclas_logits(name: str) -> np.ndarray:
    """PaddleClas's logits [2, 1000] with that dictionary on `pictures(2, 224, 224)`."""
    return np.load(FACTS / "paddleclas" / f"{name}.npy")


def fill(key: str, shape: Sequence[int]) -> np.ndarray:
    """A tensor out of its name and shape: normal weights of variance 1.5 / fan_in, plausible statistics."""
    rng = np.random.RandomState(zlib.crc32(key.encode()))
    leaf = key.rsplit(".", 1)[-1]
    if leaf in ("_mean", "bias"):
        return rng.normal(0, 0.1, shape).astype("float32")
    if leaf == "_variance" or len(shape) == 1:
        return rng.uniform(0.5, 1.5, shape).astype("float32")
    fan_in = int(np.prod(shape[1:])) if len(shape) == 4 else shape[0]
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


def deviation(logits: np.ndarray, reference: np.ndarray) -> float:
    """How far the difference of two pictures' logits is from the reference's, relative to that."""
    ours, theirs = logits[0] - logits[1], reference[0] - reference[1]
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
