"""Pictures to measure by, with or without labels."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ppcls.data.image_list import read_list_file
from ppcls.data.labels import Classes
from ppcls.data.parts import part_of, shown
from ppcls.data.picture_files import find_pictures, is_picture_name
from ppcls.data.text import read_lines
from ppcls.utils.errors import UserError, suggest
from ppcls.utils.files import PathLike
from ppcls.utils.logging import get_logger

_FIELD_END = re.compile(r"[ \t,;]+")


@dataclass(frozen=True, eq=False)
class PictureList:
    """Pictures in their order.

    Attributes:
        root: what the names are relative to.
        names: as the list has them.
        labels: class ids, int64 [len], or None.
        why_unlabelled: the reason where there are none.
    """

    root: Path
    names: list[str]
    labels: np.ndarray | None = None
    why_unlabelled: str = ""

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
        return hashlib.sha256(
            f"{self.root.resolve()}\n{lines}".encode("utf-8", "surrogateescape")
        ).hexdigest()

    def take(self, indices: Sequence[int]) -> PictureList:
        """The pictures of these indices."""
        labels = None if self.labels is None else self.labels[list(indices)]
        return PictureList(
            self.root,
            [self.names[index] for index in indices],
            labels,
            self.why_unlabelled,
        )


def read_picture_list(
    source: PathLike,
    class_num: int,
    image_root: PathLike | None = None,
    class_names: Sequence[str] | None = None,
) -> PictureList:
    """Reads a list file or a folder.

    Args:
        source: a list of pictures, with labels (see `read_list_file`) or without, or a folder.
        class_num: labels lie below it.
        image_root: what the paths are relative to; by default the list's own folder, or of a list with labels the one
            below it that holds the pictures.
        class_names: by label. Labels may be these names, and the pictures of a folder have labels if each lies in a
            folder of such a name.

    Raises:
        UserError: there is nothing, a line is wrong, or only some lines have a label.
    """
    path = Path(source)
    if path.is_dir():
        return _read_folder(path, class_names)
    root = path.parent if image_root is None else Path(image_root)
    lines = [line.strip() for line in read_lines(path) if line.strip()]
    if not lines or any(_has_label(line, root) for line in lines):
        known = Classes(list(class_names), "the bundle") if class_names else None
        keys = ("--image-root", "", "")
        listed = read_list_file(
            str(path),
            str(root),
            class_num,
            learned=known,
            searches=image_root is None,
            keys=keys,
        )
        prefix = f"{root}{os.sep}"
        names = []
        for found in listed.paths:
            if found.startswith(prefix):
                names.append(found[len(prefix) :])
            else:
                names.append(os.path.abspath(found))  # noqa: PTH100
        return PictureList(root, names, listed.labels)
    for name in lines:
        if not (root / name).is_file():
            # `os.path.exists` takes any name
            what = "is not there"
            if os.path.exists(root / name):  # noqa: PTH110
                what = "is not a regular file"
            raise UserError(
                f"{path}: {root / name} {what}; correct the line or the folder of the pictures"
            )
    return PictureList(root, lines, why_unlabelled="its lines are paths alone")


def _has_label(line: str, root: Path) -> bool:
    """Whether a line ends with something beside the picture."""
    *others, last = _FIELD_END.split(line)
    return bool(others) and not is_picture_name(last) and not (root / line).is_file()


def _read_folder(folder: Path, class_names: Sequence[str] | None) -> PictureList:
    names = [found.relative_to(folder).as_posix() for found in find_pictures(folder)]
    if class_names is None:
        return PictureList(
            folder,
            names,
            why_unlabelled="the bundle has no class names that folders could have",
        )
    labels = {name: label for label, name in enumerate(class_names)}
    folders = [name.partition("/")[0] if "/" in name else "" for name in names]
    known = [name for name in dict.fromkeys(folders) if name in labels]
    others = [name for name in dict.fromkeys(folders) if name not in labels]
    if not others:
        return PictureList(
            folder, names, np.array([labels[name] for name in folders], np.int64)
        )
    parts = [name for name in others if part_of(name)]
    if parts == others:
        what = "is a part" if len(parts) == 1 else "are parts"
        why = f"{shown(parts)} {what} of a data set (give {folder / parts[-1]})"
    elif others[0]:
        why = f"its folder {others[0]} is not a class of the bundle{suggest(others[0], class_names)}"
    else:
        why = f"{names[folders.index('')]} is not in a folder of its class"
    if known or parts == others:
        get_logger().warning(
            "%s: %s, so its folders do not count as labels", folder, why
        )
    return PictureList(folder, names, why_unlabelled=why)


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
    # How many of a picture's class are chosen before it
    turn = np.empty(len(labels), np.int64)
    # Which classes get one more
    lot = np.random.default_rng(seed).permutation(int(labels.max()) + 1)[labels]
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        turn[members] = np.random.default_rng([seed, int(label)]).permutation(
            len(members)
        )
    return sorted(np.lexsort((lot, turn))[:count].tolist())
