"""Pictures to measure by, with or without labels."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ppcls.data.image_list import read_list_file
from ppcls.data.text import read_lines
from ppcls.inference.pictures import find_pictures
from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike


@dataclass(frozen=True, eq=False)
class PictureList:
    """Pictures in their order.

    Attributes:
        root: what the names are relative to.
        names: as the list has them.
        labels: class ids, int64 [len], or None.
    """

    root: Path
    names: list[str]
    labels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def paths(self) -> list[Path]:
        """Where the pictures lie."""
        return [self.root / name for name in self.names]

    @property
    def digest(self) -> str:
        """SHA-256 of names, labels and root; the pictures themselves are not read."""
        labels = [""] * len(self) if self.labels is None else self.labels.tolist()
        lines = "".join(f"{name} {label}\n" for name, label in zip(self.names, labels))
        return hashlib.sha256(f"{self.root.resolve()}\n{lines}".encode("utf-8", "surrogateescape")).hexdigest()

    def take(self, indices: Sequence[int]) -> PictureList:
        """The pictures of these indices."""
        labels = None if self.labels is None else self.labels[list(indices)]
        return PictureList(self.root, [self.names[index] for index in indices], labels)


def read_picture_list(source: PathLike, class_num: int, image_root: PathLike | None = None) -> PictureList:
    """Reads a list file or a folder.

    Args:
        source: a file of `relative/path label` or `relative/path` lines, or a folder, whose pictures have no labels.
        class_num: labels lie below it.
        image_root: what the paths are relative to; the list's own folder by default.

    Raises:
        UserError: there is nothing, a line is wrong, or only some lines have a label.
    """
    path = Path(source)
    if path.is_dir():
        return PictureList(path, [found.relative_to(path).as_posix() for found in find_pictures(path)])
    root = path.parent if image_root is None else Path(image_root)
    lines = [line.strip() for line in read_lines(path) if line.strip()]
    if any(line.rpartition(" ")[2].lstrip("-").isdecimal() for line in lines) or not lines:
        listed = read_list_file(str(path), str(root), class_num)
        prefix = f"{root}{os.sep}"
        names = [found[len(prefix) :] if found.startswith(prefix) else found for found in listed.paths]
        return PictureList(root, names, listed.labels)
    for name in lines:
        if not (root / name).is_file():
            raise UserError(f"{path}: {root / name} is not there; correct the line or the folder of the pictures")
    return PictureList(root, lines)


def balanced(labels: np.ndarray, count: int, seed: int = 0) -> list[int]:
    """Chooses `count` pictures, the classes as evenly as they come; every class is there where `count` allows.

    The first picture of every class (in an order drawn from the seed and the class) comes before any class's second.

    Args:
        labels: [len].
        count: how many; all where there are not so many.
        seed: of the draw.

    Returns:
        Indices, sorted.
    """
    turn = np.empty(len(labels), np.int64)  # how many of a picture's class are chosen before it
    lot = np.random.default_rng(seed).permutation(int(labels.max()) + 1)[labels]  # which classes get one more
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        turn[members] = np.random.default_rng([seed, int(label)]).permutation(len(members))
    return sorted(np.lexsort((lot, turn))[:count].tolist())
