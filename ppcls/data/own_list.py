"""A user's list of pictures and labels, divided as a folder of pictures is."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePath

from ppcls.data.label_numbers import class_names_of
from ppcls.data.labelled_list import LabelledList, read_labelled_list, refuse_two_labels
from ppcls.data.list_columns import FLAGS, KEYS, Column, Options
from ppcls.data.own_folder import (
    OwnFolder,
    hold_out,
    read_own_folder,
    refuse_unlistable,
)
from ppcls.data.parts import TEST, TRAIN, VAL, shown
from ppcls.data.picture_files import is_picture_name
from ppcls.data.text import brief
from ppcls.utils.errors import UserError

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
_LISTS = (".csv", ".tsv", ".txt")
_SHEETS = (".xlsx", ".xls", ".ods")
_FRACTION = re.compile(r"-?[0-9]*\.[0-9]+")


@dataclass(frozen=True)
class ListOptions:
    """What a user may say of a list.

    Attributes:
        image_root: The folder that its paths are relative to; None looks in the list's folder, those below, and the
            working directory.
        image_column: The column of the pictures, by its name or counted from 0; None finds it.
        label_column: The same of the labels.
    """

    image_root: str | None = None
    image_column: Column | None = None
    label_column: Column | None = None


def read_own_pictures(source: str, options: ListOptions | None = None) -> OwnFolder:
    """Read and divide a user's pictures: a folder, see `read_own_folder`, or a list with labels.

    Raises:
        UserError: The folder or list cannot be learnt from, or there are options for a list, but `source` is none.
    """
    options = options or ListOptions()
    if Path(source).is_file():
        refuse_other_files(source)
        return _read_own_list(source, options)
    if not Path(source).exists() and Path(source).suffix.lower() in _LISTS:
        raise UserError(
            f"there is no file {source}; give a list of pictures and labels, or a folder of pictures"
        )
    for key, flag in zip(KEYS, FLAGS):
        if getattr(options, key) is not None:
            raise UserError(
                f"{flag} is for a list, but {source} is not a file; leave it out"
            )
    return read_own_folder(source)


def refuse_other_files(source: str) -> None:
    """Raise a UserError for a file that is not a list: an archive, a spreadsheet or a picture."""
    name = source.lower()
    if name.endswith(_ARCHIVES):
        raise UserError(
            f"{source} is a packed file; give the folder that it unpacks to"
        )
    if name.endswith(_SHEETS):
        raise UserError(
            f"{source} is a spreadsheet; save it as .csv and give that file"
        )
    if is_picture_name(name):
        raise UserError(
            f"{source} is a picture; give the folder that holds one folder of pictures per class, or a list"
        )


def _read_own_list(file: str, options: ListOptions) -> OwnFolder:
    listed = _read(file, options)
    if all(map(_FRACTION.fullmatch, listed.labels)):
        raise UserError(
            f"{file}: the labels are fractions such as {brief(listed.labels[0])}, not classes; give classes"
        )
    root = listed.root or "."
    paths = [_relative(path, root) for path in listed.paths]
    refuse_unlistable(root, paths)
    learnt, given, notes = _parts_of(listed, paths)
    held_out = _list_beside(file) if given is None else None
    if held_out is not None:
        others = _read(held_out, options)
        given = [
            (_relative(path, root), label)
            for path, label in zip(others.paths, others.labels)
        ]
        refuse_unlistable(root, [path for path, _ in given])
        notes = [*_said(others), f"{held_out} is for validation"]
    names = class_names_of([label for _, label in learnt])
    if len(names) < 2:
        raise UserError(
            f"{file} names one class only ({brief(names[0])}); add pictures of other classes"
        )
    notes = [*_said(listed), *notes, *_remarks(listed, names, learnt)]
    if given is not None:
        train = _numbered(learnt, names)
        val, lacking = _validation(held_out or file, given, names)
        return OwnFolder(file, root, names, train, val, [*notes, *lacking])
    unique: dict[str, set[str]] = {name: set() for name in names}
    for path, label in learnt:
        unique[label].add(path)
    pictures = {name: sorted(paths) for name, paths in unique.items()}
    train, val, rule = hold_out(file, pictures)
    return OwnFolder(file, root, names, train, val, [*notes, *rule])


def _read(file: str, options: ListOptions) -> LabelledList:
    # Empty for the working directory, so paths stay short
    folder = os.path.dirname(file)  # noqa: PTH120
    listed = read_labelled_list(
        file,
        Options(
            folder if options.image_root is None else options.image_root,
            image_column=options.image_column,
            label_column=options.label_column,
            searches=options.image_root is None,
            keys=FLAGS,
        ),
    )
    refuse_two_labels(listed)
    return listed


def _said(listed: LabelledList) -> list[str]:
    return [f"{listed.file}: {'; '.join(listed.notes)}"] if listed.notes else []


def _list_beside(file: str) -> str | None:
    """The list of validation beside `train.csv` or `train_list.txt`: the same name with `val` for `train`.

    Raises:
        UserError: There are several.
    """
    path = Path(file)
    found = []
    for word in ("val", "valid", "validation"):
        name = re.sub("train", word, path.name, count=1)
        if name != path.name and (path.parent / name).is_file():
            found.append(name)
    if len(found) > 1:
        raise UserError(
            f"{path.parent} holds {' and '.join(found)}; leave one of them for validation"
        )
    return str(path.parent / found[0]) if found else None


def _relative(path: str, root: str) -> str:
    """A path relative to the folder, or an absolute one if it lies elsewhere."""
    return (
        str(PurePath(path).relative_to(root))
        if PurePath(path).is_relative_to(root)
        else str(Path(path).absolute())
    )


_Labelled = list[tuple[str, str]]


def _parts_of(
    listed: LabelledList, paths: list[str]
) -> tuple[_Labelled, _Labelled | None, list[str]]:
    """The pictures to learn from, those to judge by if a column of the list says so, and what to say of it."""
    pairs = list(zip(paths, listed.labels))
    if listed.parts is None:
        return pairs, None, []
    by_part: dict[str, _Labelled] = {TRAIN: [], VAL: [], TEST: []}
    for pair, part in zip(pairs, listed.parts):
        if part in by_part:
            by_part[part].append(pair)
    if not by_part[TRAIN]:
        raise UserError(
            f"{listed.file} has no lines of the part {TRAIN}, so there is nothing to learn from"
        )
    if by_part[VAL]:
        others = [f"its part {TEST} is not read"] if by_part[TEST] else []
        return by_part[TRAIN], by_part[VAL], others
    return (
        by_part[TRAIN],
        by_part[TEST],
        [f"its part {TEST} is for validation, because there is no {VAL}"],
    )


def _remarks(listed: LabelledList, names: list[str], learnt: _Labelled) -> list[str]:
    remarks = []
    if listed.are_numbers and [int(name) for name in names] != list(range(len(names))):
        remarks.append(
            f"labels are taken as names, not as numbers of classes: class 0 is {brief(names[0])!r}"
        )
    folded: dict[str, list[str]] = {}
    for name in names:
        folded.setdefault(name.casefold(), []).append(name)
    alike = [" and ".join(same) for same in folded.values() if len(same) > 1]
    if alike:
        remarks.append(
            f"{shown(alike)} differ by their case alone, and are classes of their own"
        )
    twice = len(learnt) - len({path for path, _ in learnt})
    if twice:
        remarks.append(
            f"{twice} lines name a picture that another line names too; it counts once"
        )
    return remarks


def _numbered(pairs: _Labelled, names: list[str]) -> list[tuple[str, int]]:
    index = {name: number for number, name in enumerate(names)}
    return [(path, index[label]) for path, label in dict.fromkeys(pairs)]


def _validation(
    file: str, given: _Labelled, names: list[str]
) -> tuple[list[tuple[str, int]], list[str]]:
    present = set(class_names_of([label for _, label in given]))
    foreign = sorted(present - set(names))
    if foreign:
        raise UserError(
            f"{file}: the pictures for validation have classes that those for training lack ({shown(foreign)}); remove "
            "their lines, or add pictures to learn from"
        )
    lacking = [name for name in names if name not in present]
    notes = (
        [
            f"no picture for validation is of {shown(lacking)}, so nothing is known of them"
        ]
        if lacking
        else []
    )
    return _numbered(given, names), notes
