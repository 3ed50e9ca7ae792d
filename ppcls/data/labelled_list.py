"""Lists of pictures with their labels as text: the paths of the pictures, the labels, and how the list was read.

Nothing is guessed: a field is the picture's if files of these names are there. What is not that clear is refused with
the key to write.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ppcls.data.list_columns import (
    SAMPLE,
    Columns,
    Reading,
    columns_of,
    values_of,
)
from ppcls.data.list_reading import read_rows
from ppcls.data.list_rows import WHOLE_NUMBER, ReadingOptions
from ppcls.data.parts import part_of
from ppcls.data.picture_places import Place, folders_below
from ppcls.utils.errors import UserError, brief

# So many files are looked for one by one; a network disk takes minutes for a million
CHECK_ALL = 1000
_SHOWN = 5
_MISSING = ("", "nan", "NaN")


@dataclass(frozen=True, eq=False)
class LabelledList:
    """Pictures with their labels as they are written.

    Attributes:
        file: The list.
        root: The folder that the pictures were found in.
        paths: Paths of the pictures.
        labels: Their labels.
        are_numbers: Whether all labels are whole numbers.
        lines: The numbers of their lines.
        parts: `train`, `val` or `test` for each picture, if a column of the list says so.
        notes: How the list was read if it is not a plain `path label` list, in clauses.
    """

    file: str
    root: str
    paths: list[str]
    labels: list[str]
    are_numbers: bool
    lines: list[int]
    parts: list[str] | None
    notes: list[str]


def read_labelled_list(file: str, options: ReadingOptions) -> LabelledList:
    """Read a list of pictures and labels.

    Of up to 1,000 files every one is looked for, of more a sample of 64.

    Raises:
        UserError: The file cannot be read, holds no picture, or cannot be understood, or pictures or labels are
            missing. Up to five lines are named.
    """
    reading, options = read_rows(file, options)
    rows = reading.rows
    raise_together(file, rows.problems)
    columns = columns_of(file, reading, options)
    fields, lines = rows.fields, rows.lines
    if columns.header:
        fields, lines = fields[1:], lines[1:]
    names = values_of(fields, columns.image)
    paths = _paths(file, names, lines, reading, options)
    labels = values_of(fields, columns.label)
    if not rows.is_plain:
        labels = _labels(file, labels, lines)
    return LabelledList(
        file=file,
        root=reading.place.root,
        paths=paths,
        labels=labels,
        are_numbers=rows.is_plain or are_whole_numbers(labels),
        lines=lines,
        parts=_parts(fields, columns),
        notes=_notes(columns, rows.width, reading.place, options),
    )


def _parts(fields: Sequence[Sequence[str]], columns: Columns) -> list[str] | None:
    """The part that each row names; None if no column does."""
    if columns.part is None:
        return None
    return [part_of(name) or "" for name in values_of(fields, columns.part)]


def folder_of_pictures(file: str, options: ReadingOptions) -> str:
    """The folder that the paths in a list are relative to.

    Raises:
        UserError: The list cannot be read or holds no picture, or no folder or several of them hold its pictures.
    """
    return read_rows(file, options)[0].place.root


def sampled(count: int) -> Sequence[int]:
    """The indices to look at: all of a short list, some of a long one."""
    if count <= CHECK_ALL:
        return range(count)
    return np.linspace(0, count - 1, SAMPLE).astype(int).tolist()


def raise_together(
    file: str, problems: Sequence[tuple[int, str]], count: int | None = None
) -> None:
    """Raise the first five (line, what is wrong) in one error, and count the others.

    Args:
        file: The list.
        problems: All problems, or the first five of them.
        count: How many there are; None for those that are given.
    """
    if not problems:
        return
    shown = [f"{file}:{line}: {text}" for line, text in problems[:_SHOWN]]
    others = (count or len(problems)) - len(shown)
    if others:
        shown.append(f"... and {others} lines more")
    raise UserError("\n".join(shown))


def _paths(
    file: str,
    names: list[str],
    lines: list[int],
    reading: Reading,
    options: ReadingOptions,
) -> list[str]:
    """The paths of all pictures.

    Raises:
        UserError: Some of those that are looked for are not there.
    """
    place = reading.place
    if reading.found and _are_plain(place, names):
        return list(map(place.path, names))
    paths = []
    missing = []
    for index, name in enumerate(names):
        path = place.find(name)
        if path is None:
            missing.append(index)
        else:
            paths.append(path)
    if missing and not reading.found:
        _refuse_root(file, names, options)
    problems = []
    for index in missing[:_SHOWN]:
        text = _why_missing(place, names[index], options.keys[0])
        problems.append((lines[index], text))
    raise_together(file, problems, len(missing))
    return paths


def _are_plain(place: Place, names: list[str]) -> bool:
    """Whether a sample of the names are paths of pictures as they stand."""
    if not place.is_plain:
        return False
    sample = [names[index] for index in sampled(len(names))]
    if None in map(place.find, sample):
        return False
    # Looking for the names may have completed one
    return place.is_plain


def _why_missing(place: Place, name: str, key: str) -> str:
    path = place.path(name)
    unclear = place.unclear.get(path.replace("\\", "/"))
    if unclear:
        return unclear
    what = "is not there"
    # Takes any name
    if os.path.exists(path):  # noqa: PTH110
        what = "is not a regular file"
    return f"{brief(path, 500)} {what}; correct the line or {key}"


def _refuse_root(file: str, names: list[str], options: ReadingOptions) -> None:
    """Raise a UserError that says where the pictures lie, if that is another folder than the one to look in."""
    places = np.linspace(0, len(names) - 1, min(SAMPLE, len(names))).astype(int)
    sample = [names[index] for index in places]
    below = [
        os.path.normpath(folder)
        for folder in folders_below(options.image_root)
        if None not in map(Place(folder).find, sample)
    ]
    if not below:
        return
    key = options.keys[0]
    if len(below) > 1:
        remedy = f"give one as {key}"
    elif key.startswith("-"):
        remedy = f"give {key} {below[0]}"
    else:
        remedy = f"write {key}: {below[0]}"
    root = options.image_root or "the working directory"
    raise UserError(
        f"{file}: {brief(names[0])} and the others are not in {root}, "
        f"but in {' and in '.join(below[:_SHOWN])}; {remedy}"
    )


def _labels(file: str, labels: list[str], lines: list[int]) -> list[str]:
    """The labels; `1.0`, as pandas writes whole numbers beside missing ones, is 1.

    Raises:
        UserError: A label is missing or holds a line break.
    """
    missing = []
    broken = []
    for label, line in zip(labels, lines):
        if label in _MISSING:
            text = "the label is missing; write it or remove the line"
            missing.append((line, text))
        elif "\n" in label or "\r" in label:
            text = "the label holds a line break; write it in one line"
            broken.append((line, text))
    raise_together(file, missing)
    raise_together(file, broken)
    return _without_zero_decimals(labels)


def _without_zero_decimals(labels: list[str]) -> list[str]:
    """The labels as whole numbers if all of them are, such as `1.0`; else as they are."""
    numbers = []
    for label in labels:
        whole, _, decimals = label.partition(".")
        if not WHOLE_NUMBER.fullmatch(whole) or decimals.strip("0"):
            return labels
        numbers.append(whole)
    return numbers


def are_whole_numbers(labels: Iterable[str]) -> bool:
    """Whether every label is a whole number."""
    return all(map(WHOLE_NUMBER.fullmatch, labels))


def refuse_two_labels(listed: LabelledList) -> None:
    """Raise UserError for a picture that is listed with two labels; one that is listed twice alike may be meant."""
    names = list(map(_normal, listed.paths))
    if len(set(names)) == len(names):
        return
    first: dict[str, tuple[str, int]] = {}
    problems = []
    for name, path, label, line in zip(
        names, listed.paths, listed.labels, listed.lines
    ):
        before, before_line = first.setdefault(name, (label, line))
        if before != label:
            text = (
                f"{brief(path, 500)} has the label {brief(label)!r} here and {brief(before)!r} in line {before_line}; "
                "keep one of the lines"
            )
            problems.append((line, text))
    raise_together(listed.file, problems)


def _normal(path: str) -> str:
    """A path without `./` and `//`."""
    # A million times, looking first is faster
    if "./" in path or "//" in path:
        return os.path.normpath(path)
    return path


def _notes(
    columns: Columns, width: int, place: Place, options: ReadingOptions
) -> list[str]:
    """How the list was read, if it is not a plain one."""
    notes = []
    if columns.header:
        notes += _notes_on_header(columns.header, columns)
    elif columns.read != [0, 1] or width > 2:
        notes.append(
            f"pictures are in column {columns.image}, labels in column {columns.label} (counted from 0)"
        )
    if place.suffixes:
        notes.append(f"names are completed by {' or '.join(sorted(place.suffixes))}")
    if place.backslashes:
        notes.append("backslashes in paths are read as slashes")
    if place.root != options.image_root:
        notes.append(f"paths are relative to {place.root or 'the working directory'}")
    return notes


def _notes_on_header(header: list[str], columns: Columns) -> list[str]:
    notes = [
        f"pictures are in the column {brief(header[columns.image])!r}, labels in "
        f"{brief(header[columns.label])!r}"
    ]
    if columns.part is not None:
        notes.append(f"parts in {brief(header[columns.part])!r}")
    others = []
    for column, name in enumerate(header):
        # An index has no name
        if name and column not in columns.read:
            others.append(name)
    if others:
        notes.append(f"not read: {brief(', '.join(others))}")
    return notes
