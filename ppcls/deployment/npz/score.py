"""Top-1 and top-5 of results that any runner wrote as `.npz` files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ppcls.data.text import read_lines
from ppcls.deployment.npz.files import (
    npz_name,
    number_order,
    read_datalist,
    shapes_of,
)
from ppcls.metric.topk import TopkCounter
from ppcls.untrusted.npz import read_arrays
from ppcls.utils.errors import UserError, brief, expect
from ppcls.utils.fields import require
from ppcls.utils.files import PathLike

_SHOWN = 5
_LABEL = re.compile("[0-9]{1,9}")


@dataclass(frozen=True)
class Score:
    """Accuracy, as shares of `pictures`."""

    pictures: int
    top1: float
    top5: float

    def __str__(self) -> str:
        return f"top-1 {100 * self.top1:.2f} %, top-5 {100 * self.top5:.2f} % of {self.pictures} pictures"


def score(results: PathLike, datalist: PathLike, labels: PathLike) -> Score:
    """Compare results with labels.

    The result of an input is the file with its name in `results`. If no file has such a name and there are as many
    files as inputs, the runner has numbered them, and they are taken in the order of these numbers.

    Args:
        results: A folder of `.npz` files, each with the scores of one picture; see `scores_of`.
        datalist: The inputs, in their order.
        labels: `name label` lines for the inputs (`npz_labels.txt`), or for the pictures they were made of.

    Raises:
        UserError: Results are missing or damaged, or inputs have no label or several; up to five are named.
    """
    inputs = read_datalist(datalist)
    label_of = _labels_of(labels, inputs)
    files = _results_of(Path(results), inputs)
    counter = TopkCounter((1, 5))
    problems: list[str] = []
    classes: int | None = None
    for file, label in zip(files, label_of):
        try:
            row = scores_of(read_arrays(file), label, classes)
        except UserError as error:
            problems.append(str(error))
        except ValueError as error:
            problems.append(f"{file}: {error}")
        else:
            classes = len(row)
            counter.update(row[np.newaxis], np.array([label]))
    _raise_together(problems)
    return Score(counter.pictures, **counter.result())


def scores_of(
    arrays: Mapping[str, np.ndarray], label: int, classes: int | None = None
) -> np.ndarray:
    """Find the scores of a picture among the arrays of its result: float32 [C], higher is more likely.

    They may be logits, probabilities or whole numbers, and have the shape [C], [1, C] or more axes of 1, under any
    name; only one of several arrays may have such a shape.

    Args:
        arrays: The arrays by name.
        label: The picture's class, which is below C.
        classes: C, if other results have shown it.

    Raises:
        ValueError: No array has that shape, several have, a score is NaN, or there is no such class.
    """
    if classes and label >= classes:
        raise ValueError(
            f"its label is {label}, but there are {classes} classes; correct the labels"
        )
    found = [array for array in arrays.values() if _is_scores(array, label, classes)]
    if len(found) != 1:
        wanted = f"{classes}" if classes else f"more than {max(label, 1)}"
        raise ValueError(
            f"it holds {shapes_of(arrays.values())}; write one array [1, C] or [C] of {wanted} scores per picture"
        )
    row = found[0].reshape(-1).astype(np.float32)
    require(not np.isnan(row).any(), "a score is NaN")
    return row


def _is_scores(array: np.ndarray, label: int, classes: int | None) -> bool:
    """Whether an array holds numbers along one axis, the others being 1."""
    if array.dtype.kind not in "fiu":
        return False
    if sum(side != 1 for side in array.shape) != 1:
        return False
    if classes:
        return array.size == classes
    return array.size > label


def _labels_of(path: PathLike, inputs: Sequence[Path]) -> list[int]:
    """The label of each input: by its name, by the name that `npz make` gives a picture, or by the picture's own."""
    by_input: dict[str, set[int]] = {}
    by_picture: dict[str, set[int]] = {}
    for number, line in enumerate(read_lines(Path(path)), 1):
        if not line.strip():
            continue
        name, _, label = line.strip().rpartition(" ")
        expect(
            name and _LABEL.fullmatch(label),
            f"{path}:{number}: {brief(line)!r} is not a name with a label; write `name label`, labels from 0",
        )
        name = name.rstrip()
        by_input.setdefault(npz_name(name), set()).add(int(label))
        by_picture.setdefault(Path(name).stem, set()).add(int(label))
    return _label_per_input(path, inputs, by_input, by_picture)


def _label_per_input(
    path: PathLike,
    inputs: Sequence[Path],
    by_input: Mapping[str, set[int]],
    by_picture: Mapping[str, set[int]],
) -> list[int]:
    found: list[int] = []
    problems: list[str] = []
    for file in inputs:
        labels = by_input.get(f"{file.stem}.npz") or by_picture.get(file.stem)
        if not labels:
            problems.append(f"{path} has no label for {file.name}; add its line")
        elif len(labels) > 1:
            several = ", ".join(map(str, sorted(labels)[:_SHOWN]))
            problems.append(
                f"{path} has several labels for {file.name} ({several}); leave one"
            )
        else:
            found.extend(labels)
    _raise_together(problems)
    return found


def _results_of(folder: Path, inputs: Sequence[Path]) -> list[Path]:
    named, missing = [], []
    for file in inputs:
        result = folder / f"{file.stem}.npz"
        named.append(result)
        if not result.is_file():
            missing.append(result.name)
    if not missing:
        return named
    if len(missing) == len(named):
        numbered = _numbered_results(folder)
        if len(numbered) == len(inputs):
            return numbered
    shown = ", ".join(missing[:_SHOWN])
    if len(missing) > _SHOWN:
        shown += ", ..."
    raise UserError(
        f"{folder}: {len(missing)} of {len(inputs)} results are missing ({shown}); run the rest, or list only what was "
        "run"
    )


def _numbered_results(folder: Path) -> list[Path]:
    """The results in the order of the numbers in their names."""
    found = [file for file in folder.glob("*.npz") if not file.name.startswith(".")]
    return sorted(found, key=lambda file: number_order(file.name))


def _raise_together(problems: Sequence[str]) -> None:
    if not problems:
        return
    lines = list(problems[:_SHOWN])
    if len(problems) > _SHOWN:
        lines.append(f"... and {len(problems) - _SHOWN} more")
    raise UserError("\n".join(lines))
