"""Lists of pictures with their labels as text: which field is the picture, which the label, and where pictures lie.

Nothing is guessed: a field is the picture's if files of these names are there. What is not that clear is refused with
the key to write.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ppcls.data.list_columns import (
    SAMPLE,
    Columns,
    Options,
    Reading,
    columns_of,
    has_columns,
    is_known,
    only_a_header,
    read_at,
)
from ppcls.data.list_rows import WHOLE_NUMBER, Rows, possible_rows
from ppcls.data.parts import part_of
from ppcls.data.picture_places import Place, folders_below, places_above
from ppcls.data.text import brief, read_lines
from ppcls.utils.errors import UserError

# So many files are looked for one by one; a network disk takes minutes for a million
CHECK_ALL = 1000
_SHOWN = 5
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?')
_MISSING = ("", "nan", "NaN")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_ABSOLUTE = re.compile(r"[\\/]|[a-z]:[\\/]", re.IGNORECASE)


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
        notes: How the list was read, where it is no plain `path label` list, in clauses.
    """

    file: str
    root: str
    paths: list[str]
    labels: list[str]
    are_numbers: bool
    lines: list[int]
    parts: list[str] | None
    notes: list[str]


def read_labelled_list(file: str, options: Options) -> LabelledList:
    """Read a list of pictures and labels.

    Of up to 1,000 files every one is looked for, of more a sample of 64.

    Raises:
        UserError: The file cannot be read, holds no picture, or cannot be understood, or pictures or labels are
            missing. Up to five lines are named.
    """
    reading, options = _read(file, options)
    raise_together(file, reading.rows.problems)
    rows, columns = reading.rows, columns_of(file, reading, options)
    fields, numbers = (
        (rows.fields[1:], rows.lines[1:])
        if columns.header
        else (rows.fields, rows.lines)
    )
    paths = _paths(
        file, [row[columns.image] for row in fields], numbers, reading, options
    )
    labels = [row[columns.label] for row in fields]
    if not rows.is_plain:
        labels = _labels(file, labels, numbers)
    are_numbers = rows.is_plain or all(map(WHOLE_NUMBER.fullmatch, labels))
    parts = (
        None
        if columns.part is None
        else [part_of(row[columns.part]) or "" for row in fields]
    )
    notes = _notes(columns, rows.width, reading.place, options)
    return LabelledList(
        file, reading.place.root, paths, labels, are_numbers, numbers, parts, notes
    )


def folder_of_pictures(file: str, options: Options) -> str:
    """The folder that the paths in a list are relative to.

    Raises:
        UserError: The list cannot be read or holds no picture, or no folder or several of them hold its pictures.
    """
    return _read(file, options)[0].place.root


def _read(file: str, options: Options) -> tuple[Reading, Options]:
    """The best reading, and the options with what the list itself says."""
    lines = read_lines(file)
    if len(lines) == 1:  # some spreadsheets still end lines as old Macintoshes did
        lines = lines[0].split("\r")
    separator = _SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
    if separator:  # which Excel writes and reads
        lines = ["", *lines[1:]]
        options = replace(options, delimiter=options.delimiter or separator[1])
    if not any(line.strip() for line in lines):
        raise UserError(_no_picture(file))
    return _best_reading(file, lines, options), options


def _no_picture(file: str) -> str:
    return f"{file} lists no picture; write one `relative/path label` line per picture"


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


def _best_reading(file: str, lines: Sequence[str], options: Options) -> Reading:
    """The first reading whose pictures are all there; else the one with the most of them."""
    readings: list[Reading] = []
    for rows in possible_rows(lines, options.delimiter):
        if readings and not has_columns(rows, options):
            continue
        if not rows.fields:
            if rows.problems:
                readings.append(Reading(rows, Place(options.image_root), 0, 0, 0))
            continue
        for place in _places(options):
            reading = read_at(file, rows, place, options)
            if reading.is_complete:
                return reading
            readings.append(reading)
    if not readings:
        raise UserError(_no_picture(file))
    best = max(
        readings,
        key=lambda reading: (
            reading.found / max(reading.looked, 1),
            not reading.rows.problems,
        ),
    )
    if options.searches and not best.found and not best.rows.problems:
        return _search(file, best.rows, options)
    return best


def _places(options: Options) -> Iterator[Place]:
    yield Place(options.image_root)
    yield from places_above(options.image_root)
    if options.searches:
        yield Place("")


def _paths(
    file: str, names: list[str], lines: list[int], reading: Reading, options: Options
) -> list[str]:
    """The paths of all pictures.

    Raises:
        UserError: Some of those that are looked for are not there.
    """
    place, key = reading.place, options.keys[0]
    if place.is_plain and reading.found:
        paths = [place.path(name) for name in names]
        missing = [
            index for index in sampled(len(names)) if place.find(names[index]) is None
        ]
        if not missing and place.is_plain:
            return paths
    found = [place.find(name) for name in names]
    missing = [index for index, path in enumerate(found) if path is None]
    if missing and not reading.found:
        _refuse_root(file, names, options)
    problems = []
    for index in missing[:_SHOWN]:
        path = place.path(names[index])
        unclear = place.unclear.get(path.replace("\\", "/"))
        # Takes any name
        what = "is not a regular file" if os.path.exists(path) else "is not there"  # noqa: PTH110
        text = f"{brief(path, 500)} {what}; correct the line or {key}"
        problems.append((lines[index], unclear or text))
    raise_together(file, problems, len(missing))
    return [path for path in found if path is not None]


def _refuse_root(file: str, names: list[str], options: Options) -> None:
    """Say where the pictures lie, if that is another folder than the one to look in."""
    sample = [
        names[index]
        for index in np.linspace(0, len(names) - 1, min(SAMPLE, len(names))).astype(int)
    ]
    found = [
        folder
        for folder in folders_below(options.image_root)
        if _holds(Place(folder), sample)
    ]
    below = [os.path.normpath(folder) for folder in found]
    if below:
        key = options.keys[0]
        if len(below) > 1:
            remedy = f"give one as {key}"
        else:
            remedy = (
                f"give {key} {below[0]}"
                if key.startswith("-")
                else f"write {key}: {below[0]}"
            )
        raise UserError(
            f"{file}: {brief(names[0])} and the others are not in {options.image_root or 'the working directory'}, "
            f"but in {' and in '.join(below[:_SHOWN])}; {remedy}"
        )


def _holds(place: Place, names: Sequence[str]) -> bool:
    return all(place.find(name) is not None for name in names)


def _search(file: str, rows: Rows, options: Options) -> Reading:
    """The reading in the one folder below `image_root` that holds the pictures, or most of them.

    Raises:
        UserError: No folder or several of them hold these pictures.
    """
    readings = [
        read_at(file, rows, Place(folder), options)
        for folder in folders_below(options.image_root)
    ]
    found = [reading for reading in readings if reading.is_complete]
    if not found:
        found = [reading for reading in readings if reading.found > reading.looked / 2]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UserError(_not_found(file, rows, options))
    folders = " and ".join(reading.place.root for reading in found[:_SHOWN])
    raise UserError(
        f"{file}: pictures of these names are in {folders}; give one of them as {options.keys[0]}"
    )


def _not_found(file: str, rows: Rows, options: Options) -> str:
    """The sentence on a list none of whose pictures are found."""
    last = rows.fields[-1]
    if len(rows.fields) == 1 and is_known(last):
        return only_a_header(file)
    address = next((name for name in last if _ADDRESS.match(name)), None)
    if address:
        return (
            f"{file} names addresses such as {brief(address)}; download the pictures, and write their paths into the "
            "list"
        )
    absolute = next((name for name in last if _ABSOLUTE.match(name)), None)
    if absolute:
        return (
            f"{file}: there is no {brief(absolute)}; its paths are absolute and those of another place, so write them "
            f"relative to a folder, and give this folder as {options.keys[0]}"
        )
    root = options.image_root or "the working directory"
    return (
        f"{file}: neither {root} nor a folder below it holds the pictures of the list (a line is "
        f"{brief(' '.join(last))!r}); give the folder that its paths are relative to as {options.keys[0]}, "
        "or put the pictures into one folder"
    )


def _labels(file: str, labels: list[str], lines: list[int]) -> list[str]:
    """The labels; `1.0`, as pandas writes whole numbers beside missing ones, is 1.

    Raises:
        UserError: A label is missing.
    """
    missing = [line for label, line in zip(labels, lines) if label in _MISSING]
    raise_together(
        file,
        [
            (line, "the label is missing; write it or remove the line")
            for line in missing
        ],
    )
    broken = [
        line for label, line in zip(labels, lines) if "\n" in label or "\r" in label
    ]
    raise_together(
        file,
        [
            (line, "the label holds a line break; write it in one line")
            for line in broken
        ],
    )
    stems = [label.partition(".") for label in labels]
    if all(
        WHOLE_NUMBER.fullmatch(whole) and not rest.strip("0")
        for whole, _, rest in stems
    ):
        return [whole for whole, _, _ in stems]
    return labels


def refuse_two_labels(listed: LabelledList) -> None:
    """Raise UserError for a picture that is listed with two labels; one that is listed twice alike may be meant."""
    names = [
        os.path.normpath(path) if "./" in path or "//" in path else path
        for path in listed.paths
    ]
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


def _notes(columns: Columns, width: int, place: Place, options: Options) -> list[str]:
    """How the list was read, if it is no plain one."""
    notes = []
    header = columns.header
    if header:
        notes.append(
            f"pictures are in the column {brief(header[columns.image])!r}, labels in "
            f"{brief(header[columns.label])!r}"
        )
        notes += (
            []
            if columns.part is None
            else [f"parts in {brief(header[columns.part])!r}"]
        )
        # An index has none
        others = [
            name
            for other, name in enumerate(header)
            if name and other not in columns.read
        ]
        notes += [f"not read: {brief(', '.join(others))}"] if others else []
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
