"""Numbers of classes for labels as people write them: numbers from 0 or from 1, or names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ppcls.data.labelled_list import LabelledList, raise_together
from ppcls.data.labels import Classes
from ppcls.data.list_rows import WHOLE_NUMBER
from ppcls.data.text import brief
from ppcls.utils.errors import UserError, suggest

_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Numbered:
    """Labels from 0, int64 [len]; the names of the classes if the list says them; clauses on that for the user."""

    labels: np.ndarray
    class_names: list[str] | None
    notes: list[str]


def number_labels(
    listed: LabelledList, class_num: int | None, known: Classes | None = None
) -> Numbered:
    """Number the labels of a list.

    Whole numbers from 0 to class_num - 1 stay. Whole numbers from 1 to class_num, with class_num among them, and names
    are numbered in their order, and the list says the names of the classes. Where the classes are known, names are
    looked up in them.

    Args:
        listed: The list.
        class_num: The number of classes; None for as many as there are, where whole numbers from 0 stay.
        known: The classes of the training, or those that a file names.

    Raises:
        UserError: A label is none of the classes, or there is another number of them.
    """
    if known is not None:
        return _looked_up(listed, class_num, known)
    if not listed.are_numbers:
        _refuse_mixed(listed)
        return _named(listed, class_num)
    numbers = _whole_numbers(listed)
    if class_num is not None and numbers.min() == 1 and numbers.max() == class_num:
        names = [str(number) for number in range(1, class_num + 1)]
        note = f"labels count from 1 to {class_num}, so class 0 is named '1'"
        return Numbered(numbers - 1, names, [note])
    _check_range(listed, numbers, class_num)
    return Numbered(numbers, None, [])


def class_names_of(labels: Sequence[str]) -> list[str]:
    """The different labels in their order: numbers by value, names by their characters, as folders are sorted."""
    names = set(labels)
    if all(WHOLE_NUMBER.fullmatch(name) for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _refuse_mixed(listed: LabelledList) -> None:
    """Raise UserError where some labels are whole numbers and others are not; names the fewer ones."""
    is_number = [WHOLE_NUMBER.fullmatch(label) is not None for label in listed.labels]
    counts = Counter(is_number)
    if len(counts) < 2:
        return
    mostly_numbers = counts[True] >= counts[False]
    problems = []
    for label, line, number in zip(listed.labels, listed.lines, is_number):
        if number and not mostly_numbers:
            problems.append(
                (
                    line,
                    f"the label {brief(label)!r} is a number, but most others are names; write a name",
                )
            )
        if not number and mostly_numbers:
            problems.append(
                (
                    line,
                    f"the label {brief(label)!r} is not a whole number, but most others are; write a number",
                )
            )
    raise_together(listed.file, problems)


def _whole_numbers(listed: LabelledList) -> np.ndarray:
    return np.array([int(label) for label in listed.labels], np.int64)


def _check_range(
    listed: LabelledList, numbers: np.ndarray, class_num: int | None
) -> None:
    if class_num is None:
        negative = np.flatnonzero(numbers < 0).tolist()
        problems = [
            (
                listed.lines[i],
                f"the label {listed.labels[i]} is below 0; write one from 0",
            )
            for i in negative
        ]
        raise_together(listed.file, problems)
        return
    outside = np.flatnonzero((numbers < 0) | (numbers >= class_num))
    remedy = f"correct it or Arch.class_num ({class_num})"
    distinct = np.unique(numbers)
    low = int(distinct[0])
    if (
        len(outside)
        and low in (0, 1)
        and len(distinct) > 2
        and distinct[-1] - low + 1 == len(distinct)
    ):
        remedy += f"; the labels are {low} to {distinct[-1]}, which Arch.class_num: {len(distinct)} takes"
    elif len(outside) and len(distinct) == class_num:
        remedy += "; to keep these labels, write them in order, one per line, into a file and give it as class_names"
    problems = []
    for index in outside.tolist():
        text = f"the label {listed.labels[index]} is outside 0 to {class_num - 1}; {remedy}"
        problems.append((listed.lines[index], text))
    raise_together(listed.file, problems)


def _named(listed: LabelledList, class_num: int | None) -> Numbered:
    names = class_names_of(listed.labels)
    if class_num not in (None, len(names)):
        shown = ", ".join(brief(name) for name in names[:_SHOWN])
        if len(names) > _SHOWN:
            shown += ", ..."
        raise UserError(
            f"{listed.file}: the labels name {len(names)} classes ({shown}), but Arch.class_num is {class_num}; write "
            f"Arch.class_num: {len(names)}, or the names of all {class_num} classes in a file that the dataset's "
            "class_names names"
        )
    index = {name: number for number, name in enumerate(names)}
    labels = np.array([index[label] for label in listed.labels], np.int64)
    note = (
        f"labels are names, numbered in their order, so class 0 is {brief(names[0])!r}"
    )
    return Numbered(labels, names, [note])


def _refuse_from_zero(listed: LabelledList, known: Classes) -> None:
    """Raise UserError where labels count from 0, but those of the known classes from 1."""
    if not listed.are_numbers or known.names != [
        str(number) for number in range(1, len(known.names) + 1)
    ]:
        return
    numbers = _whole_numbers(listed)
    if numbers.min() == 0 and numbers.max() < len(known.names):
        raise UserError(
            f"{listed.file}: labels count from 0, but those of {known.source} count from 1; write both from 0, or both "
            "from 1"
        )


def _looked_up(listed: LabelledList, class_num: int | None, known: Classes) -> Numbered:
    """Labels by the names of the classes; whole numbers are the classes' numbers, unless the names are numbers."""
    if class_num not in (None, len(known.names)):
        raise UserError(
            f"{known.source} names {len(known.names)} classes, but Arch.class_num is {class_num}; write "
            f"Arch.class_num: {len(known.names)}, or the names of these classes"
        )
    if listed.are_numbers and not all(map(WHOLE_NUMBER.fullmatch, known.names)):
        numbers = _whole_numbers(listed)
        if numbers.min() == 1 and numbers.max() == len(known.names):
            raise UserError(
                f"{listed.file}: the labels count from 1 to {len(known.names)}, but the classes of {known.source} have "
                "names; write these names as labels, or numbers from 0"
            )
        _check_range(listed, numbers, len(known.names))
        return Numbered(numbers, known.names, [])
    _refuse_from_zero(listed, known)
    index = {name: number for number, name in enumerate(known.names)}
    counts = Counter(known.names)
    problems: list[tuple[int, str]] = []
    for label, line in zip(listed.labels, listed.lines):
        if label not in index:
            # Looks through all names
            near = suggest(label, known.names) if len(problems) < _SHOWN else ""
            problems.append(
                (
                    line,
                    f"the label {brief(label)!r} is no class of {known.source}{near}; correct it",
                )
            )
        elif counts[label] > 1:
            problems.append(
                (
                    line,
                    f"several classes of {known.source} are called {brief(label)!r}; write their numbers",
                )
            )
    raise_together(listed.file, problems)
    return Numbered(
        np.array([index[label] for label in listed.labels], np.int64), known.names, []
    )
