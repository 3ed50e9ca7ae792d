"""Labels of pictures, and the names of classes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ppcls.data.text import read_lines
from ppcls.utils.errors import UserError, expect
from ppcls.utils.files import expanded

PACKAGED_LABELS = Path(__file__).with_name("imagenet1k_labels.txt")
"""The 1,000 classes of ILSVRC 2012, one `id name` per line."""

_ID_AND_NAME = re.compile(r"([0-9]{1,9})[ \t]+(\S.*)")


@dataclass(frozen=True)
class Classes:
    """Names of classes by label, and their source for messages."""

    names: list[str]
    source: str


@dataclass(frozen=True, eq=False)
class ImageList:
    """Pictures and their labels.

    Attributes:
        paths: Paths of the pictures.
        labels: Their labels, int64 [len].
        class_names: Names of the classes by label, where they are known.
        names_itself: Whether a list of pictures has numbered its classes itself, by the labels that it has.
    """

    paths: list[str]
    labels: np.ndarray
    class_names: list[str] | None = None
    names_itself: bool = False

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def class_to_index(self) -> dict[str, int] | None:
        """Label by class name."""
        if self.class_names is None:
            return None
        return {name: index for index, name in enumerate(self.class_names)}


def load_class_names(path: str | Path) -> list[str]:
    """Read names by class id, from a file of `id name` or `name` per line.

    The lines carry ids if every line starts with one and the ids are 0, 1, 2, ..., each once, in any order.

    Raises:
        UserError: The file cannot be read, is empty, has an empty line between names, or counts from 1.
    """
    lines = list(map(str.strip, read_lines(expanded(path))))
    while lines and not lines[-1]:
        lines.pop()
    expect(lines, f"{path} is empty; write one class name per line")
    if "" in lines:
        number = lines.index("") + 1
        raise UserError(
            f"{path}:{number}: the line is empty; write one class name per line"
        )
    names = _names_by_id(lines)
    ids = sorted(names)
    if ids == list(range(1, len(lines) + 1)):
        raise UserError(
            f"{path}: the ids count from 1; write them from 0, as the labels count, or leave them out"
        )
    if ids != list(range(len(lines))):
        return lines
    return [names[number] for number in ids]


def imagenet_names(class_num: int) -> tuple[str, ...] | None:
    """The names of ImageNet's classes, for a model of as many; None for another number."""
    names = tuple(load_class_names(PACKAGED_LABELS))
    return names if len(names) == class_num else None


def _names_by_id(lines: Sequence[str]) -> dict[int, str]:
    """The names of the lines that start with an id."""
    names = {}
    for line in lines:
        match = _ID_AND_NAME.fullmatch(line)
        if match:
            names[int(match[1])] = match[2]
    return names


def dump_class_names(names: Sequence[str]) -> str:
    """What `load_class_names` reads: one `id name` per line."""
    return "".join(f"{index} {name}\n" for index, name in enumerate(names))


def index_of_names(names: Iterable[str]) -> dict[str, int]:
    """The label of each class by its name."""
    return {name: label for label, name in enumerate(names)}
