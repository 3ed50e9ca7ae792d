"""Pictures with their labels, from a list file or from a folder a class, checked when they are opened."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ppcls.data.labels import load_class_names
from ppcls.data.text import read_lines
from ppcls.utils.errors import UserError
from ppcls.utils.picture_files import SUFFIXES, walk_pictures

_CHECK_ALL = 1000  # so many files are looked for one by one; a network disk takes minutes for a million
_SAMPLE = 64
_SHOWN = 5
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, eq=False)
class ImageList:
    """Paths of pictures and their labels, int64 [len]; the names of the classes by label, where they are known."""

    paths: list[str]
    labels: np.ndarray
    class_names: list[str] | None = None

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def class_to_index(self) -> dict[str, int] | None:
        """Label by class name."""
        return None if self.class_names is None else {name: index for index, name in enumerate(self.class_names)}


def read_list_file(path: str, image_root: str, class_num: int, delimiter: str = " ") -> ImageList:
    """Reads `relative/path label` a line. The label is the last field, so a path may hold the delimiter.

    Empty lines are passed over. Of up to 1,000 files every one is looked for, of more a sample of 64.

    Raises:
        UserError: with file and line, up to five at once: no label, a label outside 0 to class_num - 1, a missing
            file, wrong encoding, no line at all.
    """
    lines = [(number, line) for number, line in enumerate(read_lines(path), 1) if line.strip()]
    if not lines:
        raise UserError(f"{path} lists no picture; write `relative/path label` a line")
    names: list[str] = []
    labels: list[int] = []
    problems: list[str] = []
    for number, line in lines:
        try:
            name, label = _split(line, class_num, delimiter)
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}")
            continue
        names.append(os.path.join(image_root, name))  # noqa: PTH118 - a million times, pathlib takes ten times as long
        labels.append(label)
    _raise_together(problems)
    for i in _sampled(len(names)):
        if not Path(names[i]).is_file():
            problems.append(f"{path}:{lines[i][0]}: {names[i]} is not there; correct the line or image_root")
    _raise_together(problems)
    return ImageList(names, np.array(labels, np.int64))


def _split(line: str, class_num: int, delimiter: str) -> tuple[str, int]:
    name, _, label = (part.rstrip() for part in line.rstrip().rpartition(delimiter))
    label = label.lstrip()
    if not name:
        raise ValueError(f"{line!r} has no label; write the path, {delimiter!r} and the label")
    if not _WHOLE_NUMBER.fullmatch(label):
        raise ValueError(f"the label {label!r} is no whole number; write one from 0 to {class_num - 1}")
    if not 0 <= int(label) < class_num:
        raise ValueError(
            f"the label {label} is outside 0 to {class_num - 1}; correct it or Arch.class_num ({class_num})"
        )
    return name, int(label)


def _sampled(count: int) -> Sequence[int]:
    if count <= _CHECK_ALL:
        return range(count)
    return np.linspace(0, count - 1, _SAMPLE).astype(int).tolist()


def _raise_together(problems: Sequence[str]) -> None:
    if problems:
        more = [f"... and {len(problems) - _SHOWN} lines more"] if len(problems) > _SHOWN else []
        raise UserError("\n".join([*problems[:_SHOWN], *more]))


def read_class_folders(image_root: str, class_num: int, class_to_index: str | None = None) -> ImageList:
    """Reads a folder a class, with its subfolders; files without a picture's suffix and hidden ones are passed over.

    Args:
        image_root: the folder that holds the class folders.
        class_num: number of classes.
        class_to_index: a file of the class names in the order of their labels; None numbers the folders in the
            order of their names.

    Raises:
        UserError: no class folders, one without pictures or without a label, or another number than `class_num`.
    """
    folders = class_folders(image_root)
    classes = load_class_names(class_to_index) if class_to_index else folders
    indices = {name: index for index, name in enumerate(classes)}
    twice = [name for name, count in Counter(classes).items() if count > 1]
    if twice:
        raise UserError(f"{class_to_index}: the class {twice[0]} stands twice; give every class a name of its own")
    for folder in folders:
        if folder not in indices:
            raise UserError(f"{image_root}/{folder} is no class of {class_to_index}; remove or rename the folder")
    paths: list[str] = []
    labels: list[int] = []
    for folder in folders:
        found = pictures_of_class(image_root, folder)
        paths += found
        labels += [indices[folder]] * len(found)
    if len(classes) != class_num:  # last, for an empty or a foreign folder may be what makes it differ
        raise UserError(
            f"{class_to_index or image_root} has {len(classes)} classes, but Arch.class_num is {class_num}; "
            f"write Arch.class_num: {len(classes)}"
        )
    return ImageList(paths, np.array(labels, np.int64), list(classes))


def class_folders(image_root: str) -> list[str]:
    """Names of the folders in `image_root`, sorted; hidden ones are passed over.

    Raises:
        UserError: it cannot be read, or holds none.
    """
    try:
        folders = sorted(f.name for f in os.scandir(image_root) if f.is_dir() and not f.name.startswith("."))
    except OSError as error:
        raise UserError(f"{image_root}: {error.strerror}; give the folder that holds a folder a class") from error
    if not folders:
        raise UserError(f"{image_root} holds no folders; put the pictures of each class into a folder of its name")
    return folders


def pictures_of_class(image_root: str, folder: str) -> list[str]:
    """Paths of the pictures of a class folder and its subfolders, sorted.

    Raises:
        UserError: there are none.
    """
    place = f"{image_root}/{folder}"
    found = walk_pictures(place)
    if not found:
        raise UserError(f"{place} holds no pictures ({' '.join(SUFFIXES)}); add some or remove the folder")
    return found
