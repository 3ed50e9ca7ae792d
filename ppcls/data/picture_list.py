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
from ppcls.data.labels import Classes, index_of_names
from ppcls.data.parts import part_of, shown
from ppcls.data.picture_files import find_pictures, is_picture_name
from ppcls.data.text import read_lines
from ppcls.utils.errors import UserError, suggest
from ppcls.utils.files import PathLike, resolved
from ppcls.utils.logging import get_logger

_FIELD_END = re.compile(r"[ \t,;]+")


@dataclass(frozen=True, eq=False)
class PictureList:
    """Pictures in their order.

    Attributes:
        root: What the names are relative to.
        names: As the list has them.
        labels: Class ids, int64 [len], or None.
        why_unlabelled: The reason where there are none.
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
        return list(map(self.root.joinpath, self.names))

    @property
    def digest(self) -> str:
        """SHA-256 of names, labels and root; the pictures themselves are not read."""
        labels = [""] * len(self)
        if self.labels is not None:
            labels = list(map(str, self.labels.tolist()))
        text = f"{resolved(self.root)}\n"
        text += "".join(map("{} {}\n".format, self.names, labels))
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()

    def take(self, indices: Sequence[int]) -> PictureList:
        """The pictures of these indices."""
        names = [self.names[index] for index in indices]
        labels = self.labels
        if labels is not None:
            labels = labels[list(indices)]
        return PictureList(self.root, names, labels, self.why_unlabelled)


def read_picture_list(
    source: PathLike,
    class_num: int,
    image_root: PathLike | None = None,
    class_names: Sequence[str] | None = None,
) -> PictureList:
    """Read a list file or a folder.

    Args:
        source: A list of pictures, with labels (see `read_list_file`) or without, or a folder.
        class_num: Labels lie below it.
        image_root: What the paths are relative to; by default the list's own folder, or of a list with labels the one
            below it that holds the pictures.
        class_names: By label. Labels may be these names, and the pictures of a folder have labels if each lies in a
            folder of such a name.

    Raises:
        UserError: There is nothing, a line is wrong, or only some lines have a label.
    """
    path = Path(source)
    if path.is_dir():
        return _read_folder(path, class_names)
    root = path.parent if image_root is None else Path(image_root)
    lines = list(filter(None, map(str.strip, read_lines(path))))
    if lines and not any(_has_label(line, root) for line in lines):
        for name in lines:
            _require_picture(path, root / name)
        return PictureList(root, lines, why_unlabelled="its lines are paths alone")
    known = Classes(list(class_names), "the bundle") if class_names else None
    listed = read_list_file(
        str(path),
        str(root),
        class_num,
        learned=known,
        searches=image_root is None,
        keys=("--image-root", "", ""),
    )
    names = [_name_in(root, found) for found in listed.paths]
    return PictureList(root, names, listed.labels)


def _name_in(root: Path, path: str) -> str:
    """A path relative to the folder, or an absolute one if it lies elsewhere."""
    prefix = f"{root}{os.sep}"
    if path.startswith(prefix):
        return path[len(prefix) :]
    return os.path.abspath(path)  # noqa: PTH100


def _require_picture(file: Path, picture: Path) -> None:
    """Raise a UserError for a picture of a list that is not there."""
    if picture.is_file():
        return
    what = "is not there"
    # `os.path.exists` takes any name
    if os.path.exists(picture):  # noqa: PTH110
        what = "is not a regular file"
    raise UserError(
        f"{file}: {picture} {what}; correct the line or the folder of the pictures"
    )


def _has_label(line: str, root: Path) -> bool:
    """Whether a line ends with something beside the picture."""
    *others, last = _FIELD_END.split(line)
    return bool(others) and not is_picture_name(last) and not (root / line).is_file()


def _read_folder(folder: Path, class_names: Sequence[str] | None) -> PictureList:
    """The pictures of a folder, with labels if each lies in a folder of its class."""
    names = [found.relative_to(folder).as_posix() for found in find_pictures(folder)]
    if class_names is None:
        why = "the bundle has no class names that folders could have"
        return PictureList(folder, names, why_unlabelled=why)
    index = index_of_names(class_names)
    folders = list(map(_first_folder, names))
    others = [name for name in dict.fromkeys(folders) if name not in index]
    if not others:
        labels = np.array([index[name] for name in folders], np.int64)
        return PictureList(folder, names, labels)
    are_parts = all(map(part_of, others))
    if are_parts:
        what = "is a part" if len(others) == 1 else "are parts"
        why = f"{shown(others)} {what} of a data set (give {folder / others[-1]})"
    elif others[0]:
        near = suggest(others[0], class_names)
        why = f"its folder {others[0]} is not a class of the bundle{near}"
    else:
        why = f"{names[folders.index('')]} is not in a folder of its class"
    has_classes = len(others) < len(set(folders))
    if has_classes or are_parts:
        text = "%s: %s, so its folders do not count as labels"
        get_logger().warning(text, folder, why)
    return PictureList(folder, names, why_unlabelled=why)


def _first_folder(name: str) -> str:
    """The first folder of a relative path; an empty text for a file in none."""
    first, slash, _ = name.partition("/")
    return first if slash else ""


def balanced(labels: np.ndarray, count: int, seed: int = 0) -> list[int]:
    """Choose `count` pictures, the classes as evenly as they come; every class is there where `count` allows.

    The first picture of every class (in an order drawn from the seed and the class) comes before any class's second.

    Args:
        labels: [len].
        count: How many; all where there are not so many.
        seed: Seed of the draw.

    Returns:
        Indices, sorted.
    """
    # How many of a picture's class are chosen before it
    turn = np.empty(len(labels), np.int64)
    # Which classes get one more
    lot = np.random.default_rng(seed).permutation(int(labels.max()) + 1)[labels]
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        generator = np.random.default_rng([seed, int(label)])
        turn[members] = generator.permutation(len(members))
    return sorted(np.lexsort((lot, turn))[:count].tolist())
