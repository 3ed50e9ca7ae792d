"""Pictures whose right answers are arithmetic, and folders of them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def solid(color: int | Sequence[int], width: int = 40, height: int = 36) -> np.ndarray:
    """uint8 [H, W, 3] of one gray value or one (red, green, blue)."""
    return np.full((height, width, 3), color, np.uint8)


def numbered(width: int, height: int) -> np.ndarray:
    """uint8 [H, W, 3]: a pixel holds its column, its row, and 200."""
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([columns, rows, np.full_like(rows, 200)], axis=2).astype(np.uint8)


def noise(width: int, height: int, seed: int = 0) -> np.ndarray:
    """uint8 [H, W, 3] without any structure."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def noisy(color: Sequence[int], width: int, height: int, seed: int) -> np.ndarray:
    """uint8 [H, W, 3] whose values are at most 30 from those of a color."""
    values = np.array(color) + np.random.default_rng(seed).integers(-30, 31, (height, width, 3))
    return np.clip(values, 0, 255).astype(np.uint8)


def smooth(width: int, height: int) -> np.ndarray:
    """uint8 [H, W, 3] that JPEG hardly changes."""
    x = np.linspace(0, 220, width)[None, :, None]
    y = np.linspace(0, 30, height)[:, None, None]
    return (x + y * np.array([0.2, 0.5, 1])).astype(np.uint8)


def encoded(pixels: np.ndarray, kind: str = "PNG", mode: str | None = None, **options: Any) -> bytes:
    """A file of the pixels by Pillow."""
    buffer = io.BytesIO()
    size = pixels.shape[1::-1]
    image = Image.fromarray(pixels) if mode is None else Image.frombytes(mode, size, pixels.tobytes())
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def save_picture(path: Path, pixels: np.ndarray) -> Path:
    """Writes a file of the kind that its name has, in a folder that is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def save_class_folders(folder: Path, classes: Sequence[str], count: int) -> None:
    """Writes `count` pictures of noise, `folder/CLASS/NUMBER.png`, to the classes in turn."""
    for number in range(count):
        save_picture(folder / classes[number % len(classes)] / f"{number}.png", noise(40, 36, number))


def save_list(folder: Path, labels: Sequence[object], width: int = 48, height: int = 40) -> Path:
    """Writes a picture of noise for each label, and `folder/list.txt` with a line `NUMBER.png LABEL` for each."""
    for number in range(len(labels)):
        save_picture(folder / f"{number}.png", noise(width, height, number))
    (folder / "list.txt").write_text("".join(f"{number}.png {label}\n" for number, label in enumerate(labels)))
    return folder / "list.txt"
