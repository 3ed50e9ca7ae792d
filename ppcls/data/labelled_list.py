"""Lists of pictures with their labels as text: which field is the picture, which the label, and where pictures lie.

Nothing is guessed: a field is the picture's if files of these names are there. What is not that clear is refused with
the key to write.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ppcls.data.list_rows import WHOLE_NUMBER, Rows, possible_rows
from ppcls.data.parts import part_of
from ppcls.data.picture_places import Place, folders_below, places_above
from ppcls.data.text import read_lines
from ppcls.utils.errors import UserError, suggest

Column = str | int

CHECK_ALL = 1000  # so many files are looked for one by one; a network disk takes minutes for a million
_SAMPLE = 64
_SHOWN = 5
_PICTURE_NAMES = (
    "image", "images", "img", "picture", "photo", "filename", "file_name", "file", "filepath", "file_path", "path",
    "image_id", "image_name", "image_path", "imagename", "img_path", "img_name", "id", "name",
)  # fmt: skip
_LABEL_NAMES = ("label", "labels", "class", "classes", "class_name", "classname", "class_id", "category", "target")
_MISSING = ("", "nan", "NaN")


@dataclass(frozen=True)
class Options:
    """What may be said of a list, and by which names a user says it.

    Attributes:
        image_root: What the paths are relative to.
        delimiter: What separates the fields; None finds it.
        image_column: The column of the pictures, by its name or counted from 0; None finds it.
        label_column: The same of the labels.
        searches: Whether pictures are looked for in the folders below `image_root` and in the working directory, too.
        keys: The keys or flags that a user sets: of `image_root`, `image_column` and `label_column`.
    """

    image_root: str
    delimiter: str | None = None
    image_column: Column | None = None
    label_column: Column | None = None
    searches: bool = False
    keys: tuple[str, str, str] = ("image_root", "image_column", "label_column")


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
        notes: How the list was read, where it is no plain `path label` list.
    """

    file: str
    root: str
    paths: list[str]
    labels: list[str]
    are_numbers: bool
    lines: list[int]
    parts: list[str] | None
    notes: list[str]


@dataclass(frozen=True, eq=False)
class _Reading:
    """One way to read a list, and how many of a sample of its pictures are there."""

    rows: Rows
    place: Place
    column: int
    found: int
    looked: int

    @property
    def is_complete(self) -> bool:
        return self.looked > 0 and self.found == self.looked and not self.rows.problems


def read_labelled_list(file: str, options: Options) -> LabelledList:
    """Read a list of pictures and labels.

    Of up to 1,000 files every one is looked for, of more a sample of 64.

    Raises:
        UserError: The file cannot be read, holds no picture, or cannot be understood, or pictures or labels are
            missing. Up to five lines are named.
    """
    lines = read_lines(file)
    if len(lines) == 1:  # some spreadsheets still end lines as old Macintoshes did
        lines = lines[0].split("\r")
    if not any(line.strip() for line in lines):
        raise UserError(f"{file} lists no picture; write one `relative/path label` line per picture")
    reading = _best_reading(file, lines, options)
    raise_together(file, reading.rows.problems)
    rows, column = reading.rows, reading.column
    header = _header(file, reading, options)
    fields, numbers = (rows.fields[1:], rows.lines[1:]) if header else (rows.fields, rows.lines)
    if not fields:
        raise UserError(_only_a_header(file))
    part_column = _part_column(fields, header, column, options)
    label_column = _label_column(file, fields, header, reading, part_column, options)
    names = [row[column] for row in fields]
    paths = _paths(file, names, numbers, reading, options)
    labels = [row[label_column] for row in fields]
    if not rows.is_plain:
        labels = _labels(file, labels, numbers)
    are_numbers = rows.is_plain or all(map(WHOLE_NUMBER.fullmatch, labels))
    parts = None if part_column is None else [part_of(row[part_column]) or "" for row in fields]
    read = [place for place in (column, label_column, part_column) if place is not None]
    notes = _notes(file, header, read, rows.width, reading.place, options)
    return LabelledList(file, reading.place.root, paths, labels, are_numbers, numbers, parts, notes)


def sampled(count: int) -> Sequence[int]:
    """The indices to look at: all of a short list, some of a long one."""
    if count <= CHECK_ALL:
        return range(count)
    return np.linspace(0, count - 1, _SAMPLE).astype(int).tolist()


def raise_together(file: str, problems: Sequence[tuple[int, str]]) -> None:
    """Raise the first five (line, what is wrong) in one error, and count the others."""
    if not problems:
        return
    shown = [f"{file}:{line}: {text}" for line, text in problems[:_SHOWN]]
    more = [f"... and {len(problems) - _SHOWN} lines more"] if len(problems) > _SHOWN else []
    raise UserError("\n".join([*shown, *more]))


def _best_reading(file: str, lines: Sequence[str], options: Options) -> _Reading:
    """The first reading whose pictures are all there; else the one with the most of them."""
    readings: list[_Reading] = []
    for rows in possible_rows(lines, options.delimiter):
        if not rows.fields:
            readings.append(_Reading(rows, Place(options.image_root), 0, 0, 0))
            continue
        for place in _places(options):
            reading = _read_at(file, rows, place, options)
            if reading.is_complete:
                return reading
            readings.append(reading)
    best = max(readings, key=lambda reading: (reading.found / max(reading.looked, 1), not reading.rows.problems))
    if options.searches and not best.found and not best.rows.problems:
        return _search(file, best.rows, options)
    return best


def _places(options: Options) -> Iterator[Place]:
    yield Place(options.image_root)
    yield from places_above(options.image_root)
    if options.searches:
        yield Place("")


def _read_at(file: str, rows: Rows, place: Place, options: Options) -> _Reading:
    """Choose the column whose fields are found most often; of several alike the one that names each picture once."""
    fields = rows.fields[1:] or rows.fields  # the first row may be a header
    sample = [fields[index] for index in np.linspace(0, len(fields) - 1, min(_SAMPLE, len(fields))).astype(int)]
    if options.image_column is not None:
        columns = [_column(file, options.image_column, rows, options.keys[1])]
    elif rows.is_plain:
        columns = [0]
    else:
        columns = [column for column in range(rows.width) if not _is_index(rows, column)] or [0]
    found = {column: sum(place.find(row[column]) is not None for row in sample) for column in columns}
    most = max(found.values())
    best = [column for column in columns if found[column] == most]
    if len(best) > 1:  # a name as it stands is better than a number that a suffix makes one
        best = [column for column in best if all(place.has(row[column]) for row in sample)] or best
    if most and len(best) > 1:
        best = _tell_apart(file, rows, best, place, options)
    fresh = Place(place.root, place.prefix)  # knows of this column's names only
    for row in sample:
        fresh.find(row[best[0]])
    return _Reading(rows, fresh, best[0], most, len(sample))


def _tell_apart(file: str, rows: Rows, columns: list[int], place: Place, options: Options) -> list[int]:
    """The column of the pictures, of several that name files."""
    fields = rows.fields[1:] or rows.fields
    if all(len({place.find(row[column]) for column in columns}) == 1 for row in fields[:_SAMPLE]):
        return columns[:1]  # the same picture, by its name and by its path
    distinct = [column for column in columns if len({row[column] for row in fields}) == len(fields)]
    named = [column for column in columns if rows.fields[0][column].lower() in _PICTURE_NAMES]
    for chosen in (distinct, named):
        if len(chosen) == 1:
            return chosen
    which = " and ".join(_called(rows, column) for column in columns)
    raise UserError(f"{file}: the columns {which} both name pictures; write which one as {options.keys[1]}")


def _is_index(rows: Rows, column: int) -> bool:
    """Whether a column is the index that pandas writes, which has no name or is called `Unnamed: 0`."""
    if rows.width < 3:
        return False
    name = rows.fields[0][column]
    if name == "" or name.startswith("Unnamed:"):
        return True
    return column == 0 and all(row[0] == str(index) for index, row in enumerate(rows.fields))


def _called(rows: Rows, column: int) -> str:
    return f"{column} ({rows.fields[0][column]!r})"


def _column(file: str, wanted: Column, rows: Rows, key: str) -> int:
    """The place of a column that a user names."""
    if isinstance(wanted, int):
        if 0 <= wanted < rows.width:
            return wanted
        raise UserError(f"{file}: {key} is {wanted}, but the list has {rows.width} columns; count them from 0")
    names = rows.fields[0]
    if names.count(wanted) == 1:
        return names.index(wanted)
    raise UserError(
        f"{file}: no column is called {wanted!r}{suggest(wanted, names)}, which {key} names; the columns are "
        f"{', '.join(names)}"
    )


def _header(file: str, reading: _Reading, options: Options) -> list[str] | None:
    """The names of the columns, if the first row holds names and no picture."""
    rows = reading.rows
    first, others = rows.fields[0], rows.fields[1:]
    if isinstance(options.image_column, str) or isinstance(options.label_column, str):
        return first
    if rows.is_plain or reading.place.find(first[reading.column]) is not None:
        return None
    is_known = _is_known(first)
    if not others:
        return first if is_known else None
    if not is_known and (not reading.found or _could_be_picture(first, reading, others)):
        return None
    return first


def _is_known(first: list[str]) -> bool:
    """Whether a row has a name that columns of pictures or labels often have."""
    return any(name.lower() in (*_PICTURE_NAMES, *_LABEL_NAMES) for name in first)


def _only_a_header(file: str) -> str:
    return f"{file} lists no picture below its header; write one line per picture"


def _could_be_picture(first: list[str], reading: _Reading, others: list[list[str]]) -> bool:
    """Whether the first row is a picture that is missing: it ends as the others do, or its label is that of others."""
    ends = {row[reading.column].rpartition(".")[2] for row in others[:_SAMPLE] if "." in row[reading.column]}
    if first[reading.column].rpartition(".")[2] in ends:
        return True
    labels = [{row[column] for row in others} for column in range(len(first)) if column != reading.column]
    texts = [text for column, text in enumerate(first) if column != reading.column]
    return any(text in column for text, column in zip(texts, labels))


def _part_column(fields: list[list[str]], header: list[str] | None, column: int, options: Options) -> int | None:
    """The column that says which part of the data set a picture belongs to, such as `split`."""
    for other, name in enumerate(header or ()):
        taken = other == column or options.label_column in (other, name)
        if not taken and all(part_of(row[other]) for row in fields) and len({row[other] for row in fields}) > 1:
            return other
    return None


def _label_column(
    file: str,
    fields: list[list[str]],
    header: list[str] | None,
    reading: _Reading,
    part_column: int | None,
    options: Options,
) -> int:
    """The column of the labels.

    Raises:
        UserError: There is none, or it is not clear which.
    """
    rows, column = reading.rows, reading.column
    if options.label_column is not None:
        return _column(file, options.label_column, rows, options.keys[2])
    others = [other for other in range(rows.width) if other not in (column, part_column) and not _is_index(rows, other)]
    others = [other for other in others if any(row[other] for row in fields)]
    if len(others) > 1:
        place = Place(reading.place.root, reading.place.prefix)
        sample = fields[:_SAMPLE]
        # A column that names the same pictures, as a path beside a file's name, is no label.
        others = [other for other in others if any(place.find(row[other]) != place.find(row[column]) for row in sample)]
    if header and len(others) > 1:
        named = [other for other in others if header[other].lower() in _LABEL_NAMES]
        others = named if len(named) == 1 else others
    if len(others) == 1:
        return others[0]
    if not others:
        raise UserError(f"{file} has no column of labels beside the pictures; write a label for each picture")
    names = ", ".join(header[other] if header else str(other) for other in others)
    if all(sorted(row[other] for other in others) == ["0"] * (len(others) - 1) + ["1"] for row in fields):
        raise UserError(
            f"{file}: the columns {names} mark a picture's class by a 1, one column per class; write the name of the "
            "class into one column instead"
        )
    raise UserError(f"{file}: any of the columns {names} may be the label; write which one as {options.keys[2]}")


def _paths(file: str, names: list[str], lines: list[int], reading: _Reading, options: Options) -> list[str]:
    """The paths of all pictures.

    Raises:
        UserError: Some of those that are looked for are not there.
    """
    place, key = reading.place, options.keys[0]
    if place.is_plain and reading.found:
        paths = [place.path(name) for name in names]
        missing = [index for index in sampled(len(names)) if place.find(names[index]) is None]
        if not missing and place.is_plain:
            return paths
    found = [place.find(name) for name in names]
    missing = [index for index, path in enumerate(found) if path is None]
    if missing and not reading.found:
        _refuse_root(file, names, options)
    problems = []
    for index in missing:
        path = place.path(names[index])
        unclear = place.unclear.get(path.replace("\\", "/"))
        problems.append((lines[index], unclear or f"{path} is not there; correct the line or {key}"))
    raise_together(file, problems)
    return [path for path in found if path is not None]


def _refuse_root(file: str, names: list[str], options: Options) -> None:
    """Say where the pictures lie, if that is another folder than the one to look in."""
    sample = [names[index] for index in np.linspace(0, len(names) - 1, min(_SAMPLE, len(names))).astype(int)]
    found = [folder for folder in folders_below(options.image_root) if _holds(Place(folder), sample)]
    below = [os.path.normpath(folder) for folder in found]
    if below:
        remedy = f"write {options.keys[0]}: {below[0]}" if len(below) == 1 else f"write one as {options.keys[0]}"
        raise UserError(
            f"{file}: {names[0]} and the others are not in {options.image_root or 'the working directory'}, but in "
            f"{' and in '.join(below[:_SHOWN])}; {remedy}"
        )


def _holds(place: Place, names: Sequence[str]) -> bool:
    return all(place.find(name) is not None for name in names)


def _search(file: str, rows: Rows, options: Options) -> _Reading:
    """The reading in the one folder below `image_root` that holds the pictures.

    Raises:
        UserError: No folder or several of them hold these pictures.
    """
    found = []
    for folder in folders_below(options.image_root):
        reading = _read_at(file, rows, Place(folder), options)
        if reading.is_complete:
            found.append(reading)
    key, root = options.keys[0], options.image_root or "."
    if len(found) == 1:
        return found[0]
    if not found and len(rows.fields) == 1 and _is_known(rows.fields[0]):
        raise UserError(_only_a_header(file))
    if not found:
        raise UserError(
            f"{file}: none of the pictures that it names are in {root} or the folders below it (a line is "
            f"{' '.join(rows.fields[-1])!r}); give the folder that its paths are relative to as {key}"
        )
    folders = " and ".join(reading.place.root for reading in found[:_SHOWN])
    raise UserError(f"{file}: pictures of these names are in {folders}; give one of them as {key}")


def _labels(file: str, labels: list[str], lines: list[int]) -> list[str]:
    """The labels; `1.0`, as pandas writes whole numbers beside missing ones, is 1.

    Raises:
        UserError: A label is missing.
    """
    missing = [line for label, line in zip(labels, lines) if label in _MISSING]
    raise_together(file, [(line, "the label is missing; write it or remove the line") for line in missing])
    broken = [line for label, line in zip(labels, lines) if "\n" in label or "\r" in label]
    raise_together(file, [(line, "the label holds a line break; write it in one line") for line in broken])
    stems = [label.partition(".") for label in labels]
    if all(WHOLE_NUMBER.fullmatch(whole) and not rest.strip("0") for whole, _, rest in stems):
        return [whole for whole, _, _ in stems]
    return labels


def refuse_two_labels(listed: LabelledList) -> None:
    """Raise UserError for a picture that is listed with two labels; one that is listed twice alike may be meant."""
    names = [os.path.normpath(path) if "./" in path or "//" in path else path for path in listed.paths]
    if len(set(names)) == len(names):
        return
    first: dict[str, tuple[str, int]] = {}
    problems = []
    for name, path, label, line in zip(names, listed.paths, listed.labels, listed.lines):
        before, before_line = first.setdefault(name, (label, line))
        if before != label:
            text = f"{path} has the label {label!r} here and {before!r} in line {before_line}; keep one of the lines"
            problems.append((line, text))
    raise_together(listed.file, problems)


def _notes(
    file: str, header: list[str] | None, read: Sequence[int], width: int, place: Place, options: Options
) -> list[str]:
    """A sentence on how the list was read, if it is no plain one; `read` are the columns of pictures, labels, parts."""
    parts = []
    if header:
        parts.append(f"pictures are in the column {header[read[0]]!r}, labels in {header[read[1]]!r}")
        parts += [f"parts in {header[other]!r}" for other in read[2:]]
        others = [name for other, name in enumerate(header) if name and other not in read]  # an index has no name
        parts += [f"not read: {', '.join(others)}"] if others else []
    elif tuple(read) != (0, 1) or width > 2:
        parts.append(f"pictures are in column {read[0]}, labels in column {read[1]} (counted from 0)")
    if place.suffixes:
        parts.append(f"names are completed by {' or '.join(sorted(place.suffixes))}")
    if place.backslashes:
        parts.append("backslashes in paths are read as slashes")
    if place.root != options.image_root:
        parts.append(f"paths are relative to {place.root or 'the working directory'}")
    return [f"{file}: {'; '.join(parts)}"] if parts else []
