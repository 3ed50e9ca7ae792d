"""Chooses the way to read a list of pictures: the one by which its pictures are found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ppcls.data.list_columns import (
    Reading,
    has_columns,
    is_known,
    only_a_header,
    read_at,
)
from ppcls.data.list_rows import ReadingOptions, Rows, possible_rows
from ppcls.data.picture_places import Place, folders_below, places_above
from ppcls.data.text import read_lines
from ppcls.utils.errors import UserError, brief, expect

_SHOWN = 5
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?')
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_ABSOLUTE = re.compile(r"[\\/]|[a-z]:[\\/]", re.IGNORECASE)


def read_rows(file: str, options: ReadingOptions) -> tuple[Reading, ReadingOptions]:
    """Read a list in the way by which its pictures are found.

    Returns:
        The rows and the place of the pictures, and the options with the delimiter that the list itself states.

    Raises:
        UserError: The list cannot be read or holds no picture, or no folder or several of them hold its pictures.
    """
    lines = read_lines(file)
    if len(lines) == 1:  # some spreadsheets still end lines as old Macintoshes did
        lines = lines[0].split("\r")
    separator = _SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
    if separator:  # which Excel writes and reads
        lines = ["", *lines[1:]]
        options = replace(options, delimiter=options.delimiter or separator[1])
    if not any(map(str.strip, lines)):
        raise UserError(_no_picture(file))
    return _best_reading(file, lines, options), options


def _no_picture(file: str) -> str:
    return f"{file} lists no picture; write one `relative/path label` line per picture"


def _best_reading(file: str, lines: Sequence[str], options: ReadingOptions) -> Reading:
    """The first reading whose pictures are all there; else the one with the most of them."""
    readings: list[Reading] = []
    for rows in possible_rows(lines, options.delimiter):
        if readings and not has_columns(rows, options):
            continue
        for reading in _readings(file, rows, options):
            if reading.is_complete:
                return reading
            readings.append(reading)
    expect(readings, _no_picture(file))
    best = max(readings, key=_quality)
    if options.searches and not best.found and not best.rows.problems:
        return _search(file, best.rows, options)
    return best


def _readings(file: str, rows: Rows, options: ReadingOptions) -> Iterator[Reading]:
    """Read the rows with the pictures in each folder where they may lie."""
    if rows.fields:
        for place in _places(options):
            yield read_at(file, rows, place, options)
    elif rows.problems:
        yield Reading(rows, Place(options.image_root), column=0, found=0, looked=0)


def _quality(reading: Reading) -> tuple[float, bool]:
    """What the best reading has most of."""
    share_found = reading.found / max(reading.looked, 1)
    return share_found, not reading.rows.problems


def _places(options: ReadingOptions) -> Iterator[Place]:
    yield Place(options.image_root)
    yield from places_above(options.image_root)
    if options.searches:
        yield Place("")


def _search(file: str, rows: Rows, options: ReadingOptions) -> Reading:
    """The reading in the one folder below `image_root` that holds the pictures, or most of them.

    Raises:
        UserError: No folder or several of them hold these pictures.
    """
    complete = []
    with_most = []
    for folder in folders_below(options.image_root):
        reading = read_at(file, rows, Place(folder), options)
        if reading.is_complete:
            complete.append(reading)
        if reading.found > reading.looked / 2:
            with_most.append(reading)
    found = complete or with_most
    if not found:
        raise UserError(_not_found(file, rows, options))
    if len(found) > 1:
        folders = " and ".join(reading.place.root for reading in found[:_SHOWN])
        raise UserError(
            f"{file}: pictures of these names are in {folders}; give one of them as {options.keys[0]}"
        )
    return found[0]


def _not_found(file: str, rows: Rows, options: ReadingOptions) -> str:
    """The message about a list none of whose pictures are found."""
    last = rows.fields[-1]
    if len(rows.fields) == 1 and is_known(last):
        return only_a_header(file)
    addresses = list(filter(_ADDRESS.match, last))
    if addresses:
        return (
            f"{file} names addresses such as {brief(addresses[0])}; download the pictures, and write their paths into "
            "the list"
        )
    absolute = list(filter(_ABSOLUTE.match, last))
    if absolute:
        return (
            f"{file}: there is no {brief(absolute[0])}; its paths are absolute and those of another place, so write "
            f"them relative to a folder, and give this folder as {options.keys[0]}"
        )
    root = options.image_root or "the working directory"
    return (
        f"{file}: neither {root} nor a folder below it holds the pictures of the list (a line is "
        f"{brief(' '.join(last))!r}); give the folder that its paths are relative to as {options.keys[0]}, "
        "or put the pictures into one folder"
    )
