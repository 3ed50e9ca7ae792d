"""Top-1 and top-5 of results that any runner wrote as `.npz` files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ppcls.data.text import read_lines
from ppcls.deployment.npz.files import npz_name, numbered, read_datalist
from ppcls.metric.topk import TopkCounter
from ppcls.untrusted.npz import read_arrays
from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike

_SHOWN = 5


@dataclass(frozen=True)
class Score:
    """Accuracy: shares of `pictures`."""

    pictures: int
    top1: float
    top5: float

    def __str__(self) -> str:
        return f"top-1 {100 * self.top1:.2f} %, top-5 {100 * self.top5:.2f} % of {self.pictures} pictures"


def score(results: PathLike, datalist: PathLike, labels: PathLike) -> Score:
    """Compares results with labels.

    The result of an input is the file of its name in `results`; where none has such a name and there are as many
    files as inputs, the runner has numbered them, and they are taken in the order of these numbers.

    Args:
        results: a folder of `.npz` files, each with the scores of one picture; see `scores_of`.
        datalist: the inputs, in their order.
        labels: `name label` lines: of inputs (`npz_labels.txt`), or of the pictures they were made of.

    Raises:
        UserError: results are missing or damaged, or inputs have no label or several; up to five are named.
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
    arrays: dict[str, np.ndarray], label: int, classes: int | None = None
) -> np.ndarray:
    """The scores of a picture among the arrays of its result: float32 [C], the higher the likelier.

    They may be logits, probabilities or whole numbers, and be shaped [C], [1, C] or with more axes of 1, under any
    name; of several arrays one alone may have such a shape.

    Args:
        arrays: by name.
        label: the picture's class, which is below C.
        classes: C, where other results have told it.

    Raises:
        ValueError: no array is of that shape, several are, a score is not a number, or there is no such class.
    """
    if classes and label >= classes:
        raise ValueError(
            f"its label is {label}, but there are {classes} classes; correct the labels"
        )
    found = [array for array in arrays.values() if _is_scores(array, label, classes)]
    if len(found) != 1:
        shapes = (
            ", ".join(str(list(array.shape)) for array in arrays.values()) or "nothing"
        )
        wanted = (
            f"of {classes} scores"
            if classes
            else f"of more than {max(label, 1)} scores"
        )
        raise ValueError(
            f"it holds {shapes}; one array [1, C] or [C] {wanted} a picture is read"
        )
    row = found[0].reshape(-1).astype(np.float32)
    if np.isnan(row).any():
        raise ValueError("a score is not a number")
    return row


def _is_scores(array: np.ndarray, label: int, classes: int | None) -> bool:
    """Numbers along one axis, the others being 1."""
    if array.dtype.kind not in "fiu" or sum(side != 1 for side in array.shape) != 1:
        return False
    return array.size == classes if classes else array.size > label


def _labels_of(path: PathLike, inputs: list[Path]) -> list[int]:
    """The label of each input: by its name, by the name that `npz make` gives a picture, or by the picture's own."""
    exact: dict[str, set[int]] = {}
    own: dict[str, set[int]] = {}
    for number, line in enumerate(read_lines(Path(path)), 1):
        name, _, label = line.strip().rpartition(" ")
        if not line.strip():
            continue
        if not name or not label.isdecimal():
            raise UserError(
                f"{path}:{number}: {line!r} is no name with a label; write `name label`, labels from 0"
            )
        exact.setdefault(npz_name(name.rstrip()), set()).add(int(label))
        own.setdefault(Path(name.rstrip()).stem, set()).add(int(label))
    found: list[int] = []
    problems: list[str] = []
    for file in inputs:
        labels = exact.get(f"{file.stem}.npz") or own.get(file.stem)
        if not labels:
            problems.append(f"{path} has no label of {file.name}; add its line")
        elif len(labels) > 1:
            several = ", ".join(map(str, sorted(labels)))
            problems.append(
                f"{path} has several labels of {file.name} ({several}); leave one"
            )
        else:
            found.extend(labels)
    _raise_together(problems)
    return found


def _results_of(folder: Path, inputs: list[Path]) -> list[Path]:
    named = [folder / f"{file.stem}.npz" for file in inputs]
    missing = [file for file in named if not file.is_file()]
    if len(missing) == len(named):
        there = [file for file in folder.glob("*.npz") if not file.name.startswith(".")]
        if len(there) == len(inputs):
            return sorted(there, key=lambda file: numbered(file.name))
    if missing:
        shown = ", ".join(file.name for file in missing[:_SHOWN])
        raise UserError(
            f"{folder}: {len(missing)} of {len(inputs)} results are missing ({shown}"
            f"{', ...' if len(missing) > _SHOWN else ''}); run the rest, or list what was run"
        )
    return named


def _raise_together(problems: list[str]) -> None:
    if problems:
        more = (
            [f"... and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        )
        raise UserError("\n".join([*problems[:_SHOWN], *more]))
