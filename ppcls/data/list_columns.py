"""Which column of a list is the picture's, which the label's: by what is there, and by the names of a header."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ppcls.data.list_rows import Rows
from ppcls.data.parts import part_of
from ppcls.data.picture_places import Place
from ppcls.data.text import brief
from ppcls.utils.errors import UserError, suggest

Column = str | int

SAMPLE = 64
_LOOKED_FOR = 2048  # files, where a table is so wide that each column is tried
_PICTURE_NAMES = (
    "image", "images", "img", "picture", "photo", "filename", "file_name", "file", "filepath", "file_path", "path",
    "image_id", "image_name", "image_path", "imagename", "img_path", "img_name", "id", "name",
)  # fmt: skip
_SHOWN = 5
_LABEL_NAMES = (
    "label",
    "labels",
    "class",
    "classes",
    "class_name",
    "classname",
    "class_id",
    "category",
    "target",
)

# What a user writes to say where the pictures are, and which column holds pictures and labels: keys or flags.
KEYS = ("image_root", "image_column", "label_column")
FLAGS = ("--image-root", "--image-column", "--label-column")


@dataclass(frozen=True)
class Options:
    """What may be said of a list, and by which names a user says it.

    Attributes:
        image_root: What the paths are relative to.
        delimiter: What separates the fields; None finds it.
        image_column: The column of the pictures, by its name or counted from 0; None finds it.
        label_column: The same of the labels.
        searches: Whether pictures are looked for in the folders below `image_root` and in the working directory, too.
        keys: The keys or flags that a user sets: of `image_root`, `image_column` and `label_column`; empty ones where
            there are none.
    """

    image_root: str
    delimiter: str | None = None
    image_column: Column | None = None
    label_column: Column | None = None
    searches: bool = False
    keys: tuple[str, str, str] = KEYS


@dataclass(frozen=True, eq=False)
class Reading:
    """One way to read a list, and how many of a sample of its pictures are there.

    Attributes:
        rows: The rows.
        place: The folder of the pictures.
        column: The column of the pictures.
        found: How many of a sample of the pictures are there.
        looked: The size of the sample.
    """

    rows: Rows
    place: Place
    column: int
    found: int
    looked: int

    @property
    def is_complete(self) -> bool:
        """Whether every line is a row, and every picture of the sample is there."""
        return self.looked > 0 and self.found == self.looked and not self.rows.problems


@dataclass(frozen=True)
class Columns:
    """What the columns of a list are.

    Attributes:
        header: Their names, if the first row holds them.
        image: The place of the pictures.
        label: The place of the labels.
        part: The place of `train`, `val` or `test`, if there is such a column.
    """

    header: list[str] | None
    image: int
    label: int
    part: int | None

    @property
    def read(self) -> list[int]:
        """The places of all that is read."""
        return [self.image, self.label] + ([] if self.part is None else [self.part])


def read_at(file: str, rows: Rows, place: Place, options: Options) -> Reading:
    """Choose the column whose fields are found most often; of several alike the one that names each picture once."""
    fields = rows.fields[1:] or rows.fields  # the first row may be a header
    size = min(SAMPLE, len(fields), max(4, _LOOKED_FOR // rows.width))
    places = np.linspace(0, len(fields) - 1, size).astype(int)
    sample = [fields[index] for index in places]
    found: dict[int, int] = {}
    for column in _candidates(file, rows, options):
        found[column] = 0
        for row in sample:
            found[column] += place.find(row[column]) is not None
    most = max(found.values())
    best = [column for column, count in found.items() if count == most]
    # A name as it stands is better than a number that a suffix makes one
    if len(best) > 1:
        best = _that_name_files(best, sample, place) or best
    if most and len(best) > 1:
        best = _tell_apart(file, rows, best, place, options)
    fresh = Place(place.root, place.prefix)  # knows of this column's names only
    for row in sample:
        fresh.find(row[best[0]])
    return Reading(rows, fresh, best[0], most, len(sample))


def _candidates(file: str, rows: Rows, options: Options) -> list[int]:
    """The columns that may be the pictures'."""
    if options.image_column is not None:
        return [_column(file, options.image_column, rows, options.keys[1])]
    if rows.is_plain:
        return [0]
    columns = []
    for column in range(rows.width):
        if not _is_index(rows, column):
            columns.append(column)
    return columns or [0]


def _that_name_files(
    columns: list[int], sample: list[list[str]], place: Place
) -> list[int]:
    """Those of the columns whose fields are all names of files as they stand."""
    chosen = []
    for column in columns:
        if all(place.has(row[column]) for row in sample):
            chosen.append(column)
    return chosen


def columns_of(file: str, reading: Reading, options: Options) -> Columns:
    """Tell the columns of a list apart.

    Raises:
        UserError: The list holds a header alone or no labels, or it is not clear which column they are.
    """
    header = _header(reading, options)
    fields = reading.rows.fields[1:] if header else reading.rows.fields
    if not fields:
        raise UserError(only_a_header(file))
    part = _part_column(fields, header, reading.column, options)
    label = _label_column(file, fields, header, reading, part, options)
    return Columns(header, reading.column, label, part)


def has_columns(rows: Rows, options: Options) -> bool:
    """Whether the first row has the columns that a user names."""
    wanted = [
        name
        for name in (options.image_column, options.label_column)
        if isinstance(name, str)
    ]
    return not rows.fields or set(wanted) <= set(rows.fields[0])


def is_known(first: list[str]) -> bool:
    """Whether a row has a name that columns of pictures or labels often have."""
    return any(name.lower() in (*_PICTURE_NAMES, *_LABEL_NAMES) for name in first)


def only_a_header(file: str) -> str:
    """The sentence on a list without lines."""
    return f"{file} lists no picture below its header; write one line per picture"


def _tell_apart(
    file: str, rows: Rows, columns: list[int], place: Place, options: Options
) -> list[int]:
    """The column of the pictures, of several that name files."""
    fields = rows.fields[1:] or rows.fields
    if all(
        len({place.find(row[column]) for column in columns}) == 1
        for row in fields[:SAMPLE]
    ):
        return columns[:1]  # the same picture, by its name and by its path
    distinct = [
        column
        for column in columns
        if len({row[column] for row in fields}) == len(fields)
    ]
    named = [
        column for column in columns if rows.fields[0][column].lower() in _PICTURE_NAMES
    ]
    for chosen in (distinct, named):
        if len(chosen) == 1:
            return chosen
    which = " and ".join(_called(rows, column) for column in columns[:_SHOWN])
    raise UserError(
        f"{file}: the columns {which} both name pictures; {_which(options.keys[1])}"
    )


def _is_index(rows: Rows, column: int) -> bool:
    """Whether a column is the index that pandas writes, which has no name or is called `Unnamed: 0`."""
    if rows.width < 3:
        return False
    name = rows.fields[0][column]
    if name == "" or name.startswith("Unnamed:"):
        return True
    return column == 0 and all(
        row[0] == str(index) for index, row in enumerate(rows.fields)
    )


def _called(rows: Rows, column: int) -> str:
    return f"{column} ({brief(rows.fields[0][column])!r})"


def _column(file: str, wanted: Column, rows: Rows, key: str) -> int:
    """The place of a column that a user names."""
    if isinstance(wanted, int):
        if 0 <= wanted < rows.width:
            return wanted
        raise UserError(
            f"{file}: {key} is {wanted}, but the list has {rows.width} columns; count them from 0"
        )
    names = rows.fields[0]
    if names.count(wanted) == 1:
        return names.index(wanted)
    raise UserError(
        f"{file}: no column is called {wanted!r}{suggest(wanted, names)}, which {key} names; the columns are "
        f"{brief(', '.join(names), 500)}"
    )


def _header(reading: Reading, options: Options) -> list[str] | None:
    """The names of the columns, if the first row holds names and no picture."""
    rows = reading.rows
    first, others = rows.fields[0], rows.fields[1:]
    if isinstance(options.image_column, str) or isinstance(options.label_column, str):
        return first
    if rows.is_plain or reading.place.find(first[reading.column]) is not None:
        return None
    has_names = is_known(first)
    if not others:
        return first if has_names else None
    if not has_names and (
        not reading.found or _could_be_picture(first, reading, others)
    ):
        return None
    return first


def _could_be_picture(
    first: list[str], reading: Reading, others: list[list[str]]
) -> bool:
    """Whether the first row is a picture that is missing: it ends as the others do, or its label is that of others."""
    ends = set()
    for row in others[:SAMPLE]:
        _, dot, end = row[reading.column].rpartition(".")
        if dot:
            ends.add(end)
    if first[reading.column].rpartition(".")[2] in ends:
        return True
    for column, text in enumerate(first):
        if column == reading.column:
            continue
        if any(row[column] == text for row in others):
            return True
    return False


def _part_column(
    fields: list[list[str]], header: list[str] | None, column: int, options: Options
) -> int | None:
    """The column that says which part of the data set a picture belongs to, such as `split`."""
    for other, name in enumerate(header or ()):
        if other == column or options.label_column in (other, name):
            continue
        names = {row[other] for row in fields}
        if len(names) > 1 and all(map(part_of, names)):
            return other
    return None


def _label_column(
    file: str,
    fields: list[list[str]],
    header: list[str] | None,
    reading: Reading,
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
    others = []
    for other in range(rows.width):
        if other in (column, part_column) or _is_index(rows, other):
            continue
        if any(row[other] for row in fields):
            others.append(other)
    if len(others) > 1:
        place = Place(reading.place.root, reading.place.prefix)
        sample = fields[:SAMPLE]
        # A column that names the same pictures, as a path beside a file's name, is no label.
        others = [
            other
            for other in others
            if any(place.find(row[other]) != place.find(row[column]) for row in sample)
        ]
    if header and len(others) > 1:
        named = [other for other in others if header[other].lower() in _LABEL_NAMES]
        others = named if len(named) == 1 else others
    if len(others) == 1:
        return others[0]
    if not others:
        raise UserError(
            f"{file} has no column of labels beside the pictures; write a label for each picture"
        )
    names = ", ".join(header[other] if header else str(other) for other in others)
    if all(
        sorted(row[other] for other in others) == ["0"] * (len(others) - 1) + ["1"]
        for row in fields
    ):
        raise UserError(
            f"{file}: the columns {brief(names)} mark a picture's class by a 1, one column per class; write the name "
            "of the class into one column instead"
        )
    raise UserError(
        f"{file}: any of the columns {brief(names)} may be the label; {_which(options.keys[2])}"
    )


def _which(key: str) -> str:
    return (
        f"write which one as {key}"
        if key
        else "give a list of pictures and labels alone"
    )
