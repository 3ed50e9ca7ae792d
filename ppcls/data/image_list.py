"""Pictures with their labels, from a list file that is checked when it is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ppcls.data.text import read_lines
from ppcls.utils.errors import UserError

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
