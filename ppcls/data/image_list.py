"""Pictures with their labels, from a list file that is checked when it is opened.

Labels become numbers of classes: people write numbers from 0 or from 1, or names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ppcls.data.labelled_list import (
    LabelledList,
    are_whole_numbers,
    raise_together,
    read_labelled_list,
    refuse_two_labels,
)
from ppcls.data.labels import Classes, ImageList, index_of_names
from ppcls.data.list_rows import KEYS, WHOLE_NUMBER, Column, ReadingOptions
from ppcls.utils.errors import UserError, brief, suggest
from ppcls.utils.logging import get_logger


def read_list_file(
    path: str,
    image_root: str,
    class_num: int | None,
    delimiter: str | None = None,
    *,
    image_column: Column | None = None,
    label_column: Column | None = None,
    learned: Classes | None = None,
    relabel: bool = False,
    searches: bool = False,
    keys: tuple[str, str, str] = KEYS,
) -> ImageList:
    """Reads a list of pictures and labels: one `relative/path label` line per picture, or a table with a header.

    How a list that is not plain was read is logged. Of up to 1,000 files every one is looked for, of more a sample.

    Args:
        path: the list.
        image_root: what its paths are relative to; an empty text is the working directory.
        class_num: number of classes; None for as many as there are.
        delimiter: what separates the fields; None finds it.
        image_column: the column of the pictures, by its name or counted from 0; None finds it.
        label_column: the same of the labels.
        learned: the classes by which labels are numbered, where they are known.
        relabel: see `number_labels`.
        searches: whether pictures are looked for in the folders below `image_root`, too.
        keys: see `Options`.

    Raises:
        UserError: with file and line, up to five at once; see `read_labelled_list` and `number_labels`.
    """
    listed = read_labelled_list(
        path,
        ReadingOptions(
            image_root, delimiter, image_column, label_column, searches, keys
        ),
    )
    if listed.parts:
        raise UserError(
            f"{path} holds several parts of a data set ({', '.join(sorted(set(listed.parts)))}); write the lines of "
            "each part into a list of its own, or remove the column that names the parts"
        )
    numbered = number_labels(listed, class_num, learned, relabel)
    refuse_two_labels(listed)
    notes = "; ".join([*listed.notes, *numbered.notes])
    if notes:
        get_logger().info("%s: %s", path, notes)
    names_itself = learned is None and numbered.class_names is not None
    return ImageList(listed.paths, numbered.labels, numbered.class_names, names_itself)


_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Numbered:
    """Labels from 0, int64 [len]; the names of the classes if the list says them; clauses on that for the user."""

    labels: np.ndarray
    class_names: list[str] | None
    notes: list[str]


def number_labels(
    listed: LabelledList,
    class_num: int | None,
    known: Classes | None = None,
    relabel: bool = False,
) -> Numbered:
    """Number the labels of a list.

    Whole numbers from 0 to class_num - 1 stay. Whole numbers from 1 to class_num, with class_num among them, and names
    are numbered in their order, and the list says the names of the classes. Where the classes are known, names are
    looked up in them.

    Args:
        listed: The list.
        class_num: The number of classes; None for as many as there are, where whole numbers from 0 stay.
        known: The classes of the training, or those that a file names.
        relabel: Whether numbers are numbered as names are, which closes gaps: 3, 7 and 9 become 0, 1 and 2.

    Raises:
        UserError: A label is none of the classes, or there is another number of them.
    """
    if known is not None:
        return _looked_up(listed, class_num, known)
    if not listed.are_numbers:
        _refuse_mixed(listed)
    if relabel or not listed.are_numbers:
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
    if are_whole_numbers(names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _refuse_mixed(listed: LabelledList) -> None:
    """Raise UserError where some labels are whole numbers and others are not; names the fewer ones."""
    numbers: list[tuple[str, int]] = []
    others: list[tuple[str, int]] = []
    for label, line in zip(listed.labels, listed.lines):
        same = numbers if WHOLE_NUMBER.fullmatch(label) else others
        same.append((label, line))
    if len(others) <= len(numbers):
        fewer = others
        what = "is not a whole number, but most others are; write a number"
    else:
        fewer = numbers
        what = "is a number, but most others are names; write a name"
    problems = [(line, f"the label {brief(label)!r} {what}") for label, line in fewer]
    raise_together(listed.file, problems)


def _whole_numbers(listed: LabelledList) -> np.ndarray:
    return np.array([int(label) for label in listed.labels], np.int64)


def _check_range(
    listed: LabelledList, numbers: np.ndarray, class_num: int | None
) -> None:
    """Raise UserError for labels below 0 or not below the number of classes, if it is given."""
    is_outside = numbers < 0
    if class_num is not None:
        is_outside |= numbers >= class_num
    outside = np.flatnonzero(is_outside).tolist()
    if not outside:
        return
    if class_num is None:
        what = "below 0; write one from 0"
    else:
        remedy = _remedy_for_range(numbers, class_num)
        what = f"outside 0 to {class_num - 1}; {remedy}"
    problems = []
    for index in outside:
        text = f"the label {listed.labels[index]} is {what}"
        problems.append((listed.lines[index], text))
    raise_together(listed.file, problems)


def _remedy_for_range(numbers: np.ndarray, class_num: int) -> str:
    remedy = f"correct it or Arch.class_num ({class_num})"
    distinct = np.unique(numbers).tolist()
    low, high, count = distinct[0], distinct[-1], len(distinct)
    has_no_gaps = high - low + 1 == count
    if low in (0, 1) and count > 2 and has_no_gaps:
        return f"{remedy}; the labels are {low} to {high}, which Arch.class_num: {count} takes"
    if count == class_num:
        return (
            f"{remedy}; to keep these labels, write them in order, one per line, into a file and give it as "
            "class_names"
        )
    return remedy


def _named(listed: LabelledList, class_num: int | None) -> Numbered:
    """Number names in their order."""
    names = class_names_of(listed.labels)
    if class_num not in (None, len(names)):
        first = ", ".join(map(brief, names[:_SHOWN]))
        if len(names) > _SHOWN:
            first += ", ..."
        raise UserError(
            f"{listed.file}: the labels name {len(names)} classes ({first}), but Arch.class_num is {class_num}; write "
            f"Arch.class_num: {len(names)}, or the names of all {class_num} classes in a file that the dataset's "
            "class_names names"
        )
    labels = _look_up(listed.labels, names)
    what = "relabel: labels are" if listed.are_numbers else "labels are names,"
    note = f"{what} numbered in their order, so class 0 is {brief(names[0])!r}"
    return Numbered(labels, names, [note])


def _look_up(labels: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """The number of each label among the names, int64 [len]."""
    index = index_of_names(names)
    return np.array([index[label] for label in labels], np.int64)


def _refuse_from_zero(listed: LabelledList, known: Classes) -> None:
    """Raise UserError where labels count from 0, but those of the known classes from 1."""
    from_one = map(str, range(1, len(known.names) + 1))
    if not listed.are_numbers or known.names != list(from_one):
        return
    numbers = _whole_numbers(listed)
    if numbers.min() == 0 and numbers.max() < len(known.names):
        raise UserError(
            f"{listed.file}: labels count from 0, but those of {known.source} count from 1; write both from 0, or both "
            "from 1"
        )


def _looked_up(listed: LabelledList, class_num: int | None, known: Classes) -> Numbered:
    """Labels by the names of the classes; whole numbers are the classes' numbers, unless the names are numbers."""
    count = len(known.names)
    if class_num not in (None, count):
        raise UserError(
            f"{known.source} names {count} classes, but Arch.class_num is {class_num}; write "
            f"Arch.class_num: {count}, or the names of these classes"
        )
    if listed.are_numbers and not are_whole_numbers(known.names):
        numbers = _whole_numbers(listed)
        if numbers.min() == 1 and numbers.max() == count:
            raise UserError(
                f"{listed.file}: the labels count from 1 to {count}, but the classes of {known.source} have names; "
                "write these names as labels, or numbers from 0"
            )
        _check_range(listed, numbers, count)
        return Numbered(numbers, known.names, [])
    _refuse_from_zero(listed, known)
    _refuse_unknown(listed, known)
    return Numbered(_look_up(listed.labels, known.names), known.names, [])


def _refuse_unknown(listed: LabelledList, known: Classes) -> None:
    """Raise UserError for labels that are none of the known names, or of several classes."""
    counts = Counter(known.names)
    problems: list[tuple[int, str]] = []
    for label, line in zip(listed.labels, listed.lines):
        if label not in counts:
            # Looks through all names
            near = suggest(label, known.names) if len(problems) < _SHOWN else ""
            text = f"the label {brief(label)!r} is not a class of {known.source}{near}; correct it"
            problems.append((line, text))
        elif counts[label] > 1:
            text = f"several classes of {known.source} are called {brief(label)!r}; write their numbers"
            problems.append((line, text))
    raise_together(listed.file, problems)
