"""Which column of a list is the picture's, which the label's: by what is there, and by the names of a header."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from ppcls.data.list_rows import Column, ReadingOptions, Rows
from ppcls.data.parts import part_of
from ppcls.data.picture_places import Place
from ppcls.utils.errors import UserError, brief, expect, suggest

SAMPLE = 64
_LOOKED_FOR = 2048  # files, where a table is so wide that each column is tried
_PICTURE_NAMES = (
    "image", "images", "img", "picture", "photo", "filename", "file_name", "file", "filepath", "file_path", "path",
    "image_id", "image_name", "image_path", "imagename", "img_path", "img_name", "id", "name",
)  # fmt: skip
_SHOWN = 5
_LABEL_NAMES = (
    "label", "labels", "class", "classes", "class_name", "classname", "class_id", "category", "target",
)  # fmt: skip
_KNOWN_NAMES = frozenset((*_PICTURE_NAMES, *_LABEL_NAMES))


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
        read = [self.image, self.label]
        if self.part is not None:
            read.append(self.part)
        return read


def read_at(file: str, rows: Rows, place: Place, options: ReadingOptions) -> Reading:
    """Choose the column whose fields are found most often; of several alike the one that names each picture once."""
    fields = _below_header(rows)
    size = min(SAMPLE, len(fields), max(4, _LOOKED_FOR // rows.width))
    places = np.linspace(0, len(fields) - 1, size).astype(int)
    sample = [fields[index] for index in places]
    found = {}
    for column in _candidates(file, rows, options):
        found[column] = _count_found(place, values_of(sample, column))
    most = max(found.values())
    best = [column for column, count in found.items() if count == most]
    # A name as it stands is better than a number that a suffix makes one
    best = _with_all(place, sample, best) or best
    chosen = best[0]
    if most and len(best) > 1:
        chosen = _tell_apart(file, rows, best, place, options)
    fresh = Place(place.root, place.prefix)  # knows of this column's names only
    _count_found(fresh, values_of(sample, chosen))
    return Reading(rows, fresh, chosen, most, len(sample))


def _with_all(place: Place, sample: list[list[str]], columns: list[int]) -> list[int]:
    """The columns whose fields are all names of files as they stand."""
    return [
        column for column in columns if all(map(place.has, values_of(sample, column)))
    ]


def values_of(rows: Iterable[Sequence[str]], column: int) -> list[str]:
    """The fields of one column."""
    return [row[column] for row in rows]


def _below_header(rows: Rows) -> list[list[str]]:
    """The rows without the first, which may be a header; all if there is only one."""
    return rows.fields[1:] or rows.fields


def _candidates(file: str, rows: Rows, options: ReadingOptions) -> list[int]:
    """The columns that may be the picture's."""
    if options.image_column is not None:
        return [_column(file, options.image_column, rows, options.keys[1])]
    if rows.is_plain:
        return [0]
    return _without_index(rows) or [0]


def _count_found(place: Place, names: Sequence[str]) -> int:
    """How many of the names are those of pictures that are there."""
    return sum(place.find(name) is not None for name in names)


def columns_of(file: str, reading: Reading, options: ReadingOptions) -> Columns:
    """Find out which columns of a list are the pictures, the labels and the parts.

    Raises:
        UserError: The list holds a header alone or no labels, or it is not clear which column they are.
    """
    header = _header(reading, options)
    fields = reading.rows.fields
    if header:
        fields = fields[1:]
    if not fields:
        raise UserError(only_a_header(file))
    part = _part_column(fields, header, reading.column, options)
    label = _label_column(file, fields, header, reading, part, options)
    return Columns(header, reading.column, label, part)


def has_columns(rows: Rows, options: ReadingOptions) -> bool:
    """Whether the first row has the columns that a user names."""
    if not rows.fields:
        return True
    names = rows.fields[0]
    for wanted in (options.image_column, options.label_column):
        if isinstance(wanted, str) and wanted not in names:
            return False
    return True


def is_known(first: list[str]) -> bool:
    """Whether a row has a name that columns of pictures or labels often have."""
    return not _KNOWN_NAMES.isdisjoint(map(str.lower, first))


def only_a_header(file: str) -> str:
    """The sentence on a list without lines."""
    return f"{file} lists no picture below its header; write one line per picture"


def _tell_apart(
    file: str, rows: Rows, columns: list[int], place: Place, options: ReadingOptions
) -> int:
    """Choose the column of the pictures, of several that name files."""
    fields = _below_header(rows)
    first = columns[0]
    same = [
        column
        for column in columns
        if _name_the_same(place, fields[:SAMPLE], first, column)
    ]
    if same == columns:
        return first  # the same picture, by its name and by its path
    distinct = [
        column
        for column in columns
        if len(set(values_of(fields, column))) == len(fields)
    ]
    if len(distinct) == 1:
        return distinct[0]
    named = _called_one_of(rows.fields[0], columns, _PICTURE_NAMES)
    if len(named) == 1:
        return named[0]
    which = " and ".join(_called(rows, column) for column in columns[:_SHOWN])
    raise UserError(
        f"{file}: the columns {which} both name pictures; {_which(options.keys[1])}"
    )


def _name_the_same(
    place: Place, rows: Sequence[Sequence[str]], one: int, other: int
) -> bool:
    """Whether two columns name the same pictures, as a path and a file's name do."""
    ones = map(place.find, values_of(rows, one))
    others = map(place.find, values_of(rows, other))
    return list(ones) == list(others)


def _called_one_of(
    header: Sequence[str], columns: Sequence[int], names: Collection[str]
) -> list[int]:
    """The columns whose names are among those, in any case."""
    return [column for column in columns if header[column].lower() in names]


def _without_index(rows: Rows) -> list[int]:
    """The columns without the index that pandas writes."""
    return [column for column in range(rows.width) if not _is_index(rows, column)]


def _is_index(rows: Rows, column: int) -> bool:
    """Whether a column is the index that pandas writes, which has no name or is called `Unnamed: 0`."""
    if rows.width < 3:
        return False
    name = rows.fields[0][column]
    if name == "" or name.startswith("Unnamed:"):
        return True
    counted = map(str, range(len(rows.fields)))
    return column == 0 and values_of(rows.fields, 0) == list(counted)


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


def _header(reading: Reading, options: ReadingOptions) -> list[str] | None:
    """The names of the columns, if the first row holds names and no picture."""
    rows = reading.rows
    first = rows.fields[0]
    if str in map(type, (options.image_column, options.label_column)):
        return first
    if rows.is_plain or reading.place.find(first[reading.column]) is not None:
        return None
    if is_known(first) or _differs_from_others(reading):
        return first
    return None


def _differs_from_others(reading: Reading) -> bool:
    """Whether the first row is unlike the others, whose pictures are there."""
    first, *others = reading.rows.fields
    if not others or not reading.found:
        return False
    return not _could_be_picture(first, reading.column, others)


def _could_be_picture(
    first: list[str], image_column: int, others: list[list[str]]
) -> bool:
    """Whether the first row is a picture that is missing: it ends as the others do, or its label is that of others."""
    names = values_of(others[:SAMPLE], image_column)
    if _ends_as_one_of(first[image_column], names):
        return True
    return any(
        text in values_of(others, column)
        for column, text in enumerate(first)
        if column != image_column
    )


def _ends_as_one_of(name: str, others: Sequence[str]) -> bool:
    """Whether one of the other names has this name's suffix."""
    suffix = name.rpartition(".")[2]
    for other in others:
        _, dot, other_suffix = other.rpartition(".")
        if dot and other_suffix == suffix:
            return True
    return False


def _part_column(
    fields: list[list[str]],
    header: list[str] | None,
    column: int,
    options: ReadingOptions,
) -> int | None:
    """The column that says which part of the data set a picture belongs to, such as `split`."""
    for other, name in enumerate(header or ()):
        is_taken = other == column or options.label_column in (other, name)
        if not is_taken and _are_parts(values_of(fields, other)):
            return other
    return None


def _are_parts(names: Iterable[str]) -> bool:
    """Whether these are names of two or more parts, as people write them."""
    different = set(names)
    return len(different) > 1 and all(map(part_of, different))


def _label_column(
    file: str,
    fields: list[list[str]],
    header: list[str] | None,
    reading: Reading,
    part_column: int | None,
    options: ReadingOptions,
) -> int:
    """The column of the labels.

    Raises:
        UserError: There is none, or it is not clear which.
    """
    if options.label_column is not None:
        return _column(file, options.label_column, reading.rows, options.keys[2])
    columns = _possible_labels(fields, reading, part_column)
    if header and len(columns) > 1:
        named = _called_one_of(header, columns, _LABEL_NAMES)
        columns = named if len(named) == 1 else columns
    expect(
        columns,
        f"{file} has no column of labels beside the pictures; write a label for each picture",
    )
    if len(columns) == 1:
        return columns[0]
    names = header or list(map(str, range(reading.rows.width)))
    shown = brief(", ".join(names[column] for column in columns))
    expect(
        not _is_one_hot(fields, columns),
        f"{file}: the columns {shown} mark a picture's class by a 1, one column per class; write the name of the "
        "class into one column instead",
    )
    raise UserError(
        f"{file}: any of the columns {shown} may be the label; {_which(options.keys[2])}"
    )


def _possible_labels(
    fields: list[list[str]], reading: Reading, part_column: int | None
) -> list[int]:
    """The columns that are filled, and are neither the picture's nor the part's nor an index."""
    columns = []
    for column in _without_index(reading.rows):
        is_taken = column in (reading.column, part_column)
        if not is_taken and any(values_of(fields, column)):
            columns.append(column)
    if len(columns) > 1:
        return _not_pictures(columns, fields[:SAMPLE], reading)
    return columns


def _not_pictures(
    columns: list[int], sample: Sequence[Sequence[str]], reading: Reading
) -> list[int]:
    """The columns without those that name the same pictures, as a path beside a file's name does."""
    place = Place(reading.place.root, reading.place.prefix)
    return [
        column
        for column in columns
        if not _name_the_same(place, sample, reading.column, column)
    ]


def _is_one_hot(fields: Sequence[Sequence[str]], columns: Sequence[int]) -> bool:
    """Whether of these columns each row has one 1 and else 0."""
    one_hot = ["0"] * (len(columns) - 1) + ["1"]
    in_columns = itemgetter(*columns)
    return all(sorted(in_columns(row)) == one_hot for row in fields)


def _which(key: str) -> str:
    if key:
        return f"write which one as {key}"
    return "give a list of pictures and labels alone"
