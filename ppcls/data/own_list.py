"""A user's list of pictures and labels, divided as a folder of pictures is."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from ppcls.data.image_list import class_names_of
from ppcls.data.labelled_list import LabelledList, read_labelled_list, refuse_two_labels
from ppcls.data.labels import index_of_names
from ppcls.data.list_rows import FLAGS, KEYS, Column, ReadingOptions
from ppcls.data.own_folder import (
    Numbered,
    OwnFolder,
    hold_out,
    read_own_folder,
    refuse_unlistable,
)
from ppcls.data.parts import TEST, TRAIN, VAL, shown
from ppcls.data.picture_files import is_picture_name
from ppcls.utils.errors import UserError, brief, expect

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
_LISTS = (".csv", ".tsv", ".txt")
_SHEETS = (".xlsx", ".xls", ".ods")
_FRACTION = re.compile(r"-?[0-9]*\.[0-9]+")


# Paths with their labels
_Labelled = list[tuple[str, str]]


@dataclass(frozen=True)
class _Divided:
    """The pictures for training, those for validation if a column of the list names them, and notes for the log."""

    train: _Labelled
    val: _Labelled | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ListOptions:
    """Options for a list.

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
    expect(
        not name.endswith(_ARCHIVES),
        f"{source} is a packed file; give the folder that it unpacks to",
    )
    expect(
        not name.endswith(_SHEETS),
        f"{source} is a spreadsheet; save it as .csv and give that file",
    )
    expect(
        not is_picture_name(name),
        f"{source} is a picture; give the folder that holds one folder of pictures per class, or a list",
    )


def _read_own_list(file: str, options: ListOptions) -> OwnFolder:
    listed = _read(file, options)
    if all(map(_FRACTION.fullmatch, listed.labels)):
        raise UserError(
            f"{file}: the labels are fractions such as {brief(listed.labels[0])}, not classes; give classes"
        )
    root = listed.root or "."
    divided = _divide(listed, _pairs(listed, root))
    judge, val_file = divided.val, file
    notes = divided.notes
    if judge is None:
        beside = _list_beside(file)
        if beside is not None:
            others = _read(beside, options)
            judge, val_file = _pairs(others, root), beside
            notes = [*_notes_with_file(others), f"{beside} is for validation"]
    names = class_names_of([label for _, label in divided.train])
    if len(names) < 2:
        raise UserError(
            f"{file} names one class only ({brief(names[0])}); add pictures of other classes"
        )
    remarks = _remarks(listed, names, divided.train)
    notes = [*_notes_with_file(listed), *notes, *remarks]
    if judge is None:
        train, val, more = hold_out(file, _by_class(divided.train, names))
    else:
        train = _numbered(divided.train, names)
        val, more = _validation(val_file, judge, names)
    return OwnFolder(file, root, names, train, val, [*notes, *more])


def _pairs(listed: LabelledList, root: str) -> _Labelled:
    """The pictures of a list by their paths relative to the folder, with their labels.

    Raises:
        UserError: A path cannot stand in a list of pictures.
    """
    paths = [_relative(path, root) for path in listed.paths]
    refuse_unlistable(root, paths)
    return list(zip(paths, listed.labels))


def _by_class(pairs: _Labelled, names: list[str]) -> dict[str, list[str]]:
    """The different paths of each class, sorted."""
    unique: dict[str, set[str]] = {name: set() for name in names}
    for path, label in pairs:
        unique[label].add(path)
    return {name: sorted(paths) for name, paths in unique.items()}


def _read(file: str, options: ListOptions) -> LabelledList:
    root = options.image_root
    if root is None:
        # Empty for the working directory, so paths stay short
        root = os.path.dirname(file)  # noqa: PTH120
    listed = read_labelled_list(
        file,
        ReadingOptions(
            root,
            image_column=options.image_column,
            label_column=options.label_column,
            searches=options.image_root is None,
            keys=FLAGS,
        ),
    )
    refuse_two_labels(listed)
    return listed


def _notes_with_file(listed: LabelledList) -> list[str]:
    """How a list was read, in one note; nothing of a plain one."""
    if not listed.notes:
        return []
    return [f"{listed.file}: {'; '.join(listed.notes)}"]


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
    expect(
        len(found) <= 1,
        f"{path.parent} holds {' and '.join(found)}; leave one of them for validation",
    )
    return str(path.parent / found[0]) if found else None


def _relative(path: str, root: str) -> str:
    """A path relative to the folder, or an absolute one if it lies elsewhere."""
    if PurePath(path).is_relative_to(root):
        return str(PurePath(path).relative_to(root))
    return str(Path(path).absolute())


def _divide(listed: LabelledList, pairs: _Labelled) -> _Divided:
    """Divide the pictures of a list by the parts that a column of it names."""
    if listed.parts is None:
        return _Divided(pairs)
    by_part: dict[str, _Labelled] = {TRAIN: [], VAL: [], TEST: []}
    for pair, part in zip(pairs, listed.parts):
        if part in by_part:
            by_part[part].append(pair)
    train, val, test = by_part[TRAIN], by_part[VAL], by_part[TEST]
    expect(
        train,
        f"{listed.file} has no lines of the part {TRAIN}, so there is nothing to learn from",
    )
    if not val:
        note = f"its part {TEST} is for validation, because there is no {VAL}"
        return _Divided(train, test, [note])
    notes = [f"its part {TEST} is not read"] if test else []
    return _Divided(train, val, notes)


def _remarks(listed: LabelledList, names: list[str], learnt: _Labelled) -> list[str]:
    """What a user should know of the labels and pictures of a list."""
    remarks = []
    if listed.are_numbers and list(map(int, names)) != list(range(len(names))):
        remarks.append(
            f"labels are taken as names, not as numbers of classes: class 0 is {brief(names[0])!r}"
        )
    alike = _alike_but_for_case(names)
    if alike:
        remarks.append(
            f"{shown(alike)} differ by their case alone, and are classes of their own"
        )
    paths, _ = zip(*learnt)
    twice = len(paths) - len(set(paths))
    if twice:
        remarks.append(
            f"{twice} lines name a picture that another line names too; it counts once"
        )
    return remarks


def _alike_but_for_case(names: list[str]) -> list[str]:
    """Groups of names that differ by their case alone, joined by "and"."""
    folded: dict[str, list[str]] = {}
    for name in names:
        folded.setdefault(name.casefold(), []).append(name)
    return [" and ".join(same) for same in folded.values() if len(same) > 1]


def _numbered(pairs: _Labelled, names: list[str]) -> Numbered:
    """The pictures with the numbers of their classes, each once."""
    index = index_of_names(names)
    return [(path, index[label]) for path, label in dict.fromkeys(pairs)]


def _validation(
    file: str, given: _Labelled, names: list[str]
) -> tuple[Numbered, list[str]]:
    """The pictures for validation, and notes for the log."""
    present = {label for _, label in given}
    foreign = sorted(present - set(names))
    if foreign:
        raise UserError(
            f"{file}: the pictures for validation have classes that those for training lack ({shown(foreign)}); remove "
            "their lines, or add pictures to learn from"
        )
    val = _numbered(given, names)
    lacking = [name for name in names if name not in present]
    if not lacking:
        return val, []
    note = (
        f"no picture for validation is of {shown(lacking)}, so nothing is known of them"
    )
    return val, [note]
