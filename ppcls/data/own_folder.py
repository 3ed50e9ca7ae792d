"""A user's folder of pictures as two lists: what is learnt from, and what is held out to judge it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ppcls.data.class_folders import pictures_by_class, refuse_empty, refuse_foreign
from ppcls.data.labels import Classes, index_of_names
from ppcls.data.parts import (
    TEST,
    TRAIN,
    VAL,
    join,
    parts_among,
    refuse_flat_parts,
    shown,
)
from ppcls.data.picture_files import NAMES, folders_in
from ppcls.utils.errors import UserError, expect

HELD_OUT_EVERY = 5


# Paths with the numbers of their classes
Numbered = list[tuple[str, int]]


@dataclass(frozen=True)
class OwnFolder:
    """Pictures by their paths relative to a folder, each with its label.

    Attributes:
        source: The folder or list that the user gave.
        root: The folder that paths are relative to.
        class_names: Names of the classes by label.
        train: Pictures to learn from.
        val: Pictures to judge by.
        notes: What a user should know of the division, a sentence each.
    """

    source: str
    root: str
    class_names: list[str]
    train: Numbered
    val: Numbered
    notes: list[str]


def read_own_folder(root: str) -> OwnFolder:
    """Divide a folder that holds one folder per class, or parts of such: `train` and `val`.

    The parts may have any name that `part_of` knows, in any case. `test` is for validation where there is no `val`.
    Without a part for validation every fifth picture of each class, by the order of their paths, is held out. So the
    same folder is divided alike on every machine. Nothing in the folder is changed.

    Raises:
        UserError: There is no such folder, fewer than two classes, a class without pictures, a validation part with a
            class that training has not, or nothing to hold out.
    """
    parts = _parts(root)
    place = join(root, parts.train)
    found = pictures_by_class(place)
    refuse_empty(place, found)
    names = list(found)
    if len(names) < 2:
        raise UserError(
            f"{place} holds one class only ({names[0]}); {_more_classes(place, names[0])}"
        )
    pictures = _relative(root, found)
    if parts.val is None:
        train, val, notes = hold_out(root, pictures)
    else:
        train = _with_labels(pictures, names)
        val, notes = _given(root, parts.val, parts, names)
    notes += _not_read(root, parts)
    return OwnFolder(root, root, names, train, val, notes)


def _with_labels(pictures: dict[str, list[str]], names: Sequence[str]) -> Numbered:
    """The pictures of all classes, each with the number of its class."""
    index = index_of_names(names)
    numbered: Numbered = []
    for name, paths in pictures.items():
        numbered += [(path, index[name]) for path in paths]
    return numbered


@dataclass(frozen=True)
class _Parts:
    """Names of the folders of training and validation; an empty one is the folder itself."""

    train: str = ""
    val: str | None = None
    val_is_test: bool = False


def _parts(root: str) -> _Parts:
    """Find the folders of training and validation within `root`."""
    expect(
        not Path(root).is_file(),
        f"{root} is a file; give the folder that holds one folder of pictures per class",
    )
    expect(
        Path(root).is_dir(),
        f"there is no folder {root}; give the folder that holds one folder of pictures per class",
    )
    folders = folders_in(root)
    # A folder of a class that is named as a part holds pictures, not folders.
    candidates = [name for name in folders if folders_in(join(root, name))]
    found: dict[str, list[str]] = {TRAIN: [], VAL: [], TEST: []}
    for name, part in parts_among(candidates).items():
        found[part].append(name)
    train = _only_one(root, found[TRAIN], "training")
    val = _only_one(root, found[VAL], "validation")
    if val and not train:
        subfolders = {
            name: folders_in(join(root, name)) for name in parts_among(folders)
        }
        refuse_flat_parts(root, subfolders)
        raise UserError(
            f"{root} holds {val} and no train; put the class folders to learn from into {root}/train"
        )
    if not train:
        return _Parts()
    learnt = _unpacked(root, train)
    if val:
        return _Parts(learnt, _unpacked(root, val))
    test = _labelled_test(root, learnt, found[TEST])
    if test is None:
        return _Parts(learnt)
    return _Parts(learnt, test, val_is_test=True)


def _only_one(root: str, names: list[str], purpose: str) -> str | None:
    """The one folder of a part; None if there is none."""
    expect(
        len(names) <= 1,
        f"{root} holds {' and '.join(names)}; leave one of them for {purpose}",
    )
    return names[0] if names else None


def _labelled_test(root: str, train: str, tests: list[str]) -> str | None:
    """The one folder for testing that has classes of the training; None if there is none or several."""
    classes = set(folders_in(join(root, train)))
    labelled = []
    for name in tests:
        folder = _unpacked(root, name)
        # A part of unlabelled pictures has folders, if any, that are not the classes
        if classes.intersection(folders_in(join(root, folder))):
            labelled.append(folder)
    return labelled[0] if len(labelled) == 1 else None


def _unpacked(root: str, name: str) -> str:
    """The folder of a part, or the one of the same name that is alone in it, as in `seg_train/seg_train`."""
    inner = folders_in(join(root, name))
    if [folder.lower() for folder in inner] != [name.lower()]:
        return name
    below = f"{name}/{inner[0]}"
    return below if folders_in(join(root, below)) else name


def _more_classes(place: str, name: str) -> str:
    remedy = "add a folder for each other class"
    if folders_in(join(place, name)):
        return f"give {join(place, name)} if the classes are in there, or {remedy}"
    return remedy


def _not_read(root: str, parts: _Parts) -> list[str]:
    """A note on the other folders beside `train`, such as a `test`."""
    if not parts.train:
        return []
    # A part may be `seg_train/seg_train`
    read = (parts.train.partition("/")[0], (parts.val or "").partition("/")[0])
    others = [name for name in folders_in(root) if name not in read]
    if not others:
        return []
    return [f"{', '.join(others)} beside {parts.train} is not read"]


def _given(
    root: str, folder: str, parts: _Parts, names: list[str]
) -> tuple[Numbered, list[str]]:
    """The pictures of the validation part, and notes for the log."""
    place = join(root, folder)
    found = pictures_by_class(place)
    refuse_foreign(place, list(found), Classes(names, join(root, parts.train)))
    pictures = _relative(root, found)
    val = _with_labels(pictures, names)
    expect(val, f"{place} holds no pictures ({NAMES}); add some or remove the folder")
    notes = []
    if parts.val_is_test:
        notes.append(f"{folder} is for validation, because there is no val")
    lacking = [name for name in names if not found.get(name)]
    if lacking:
        notes.append(
            f"{folder} has no pictures of {shown(lacking)}, so its accuracy leaves them out"
        )
    return val, notes


def hold_out(
    source: str, pictures: dict[str, list[str]]
) -> tuple[Numbered, Numbered, list[str]]:
    """Divide the pictures of each class; return those for training, those for validation, and notes for the log.

    Args:
        source: The folder or list, for the message.
        pictures: Sorted paths by class, the classes in the order of their numbers.

    Raises:
        UserError: No class has enough pictures to hold one out.
    """
    train: Numbered = []
    val: Numbered = []
    notes = [
        f"every {HELD_OUT_EVERY}th picture of each class is held out for validation"
    ]
    for label, (name, paths) in enumerate(pictures.items()):
        for place, path in enumerate(paths, 1):
            part = val if place % HELD_OUT_EVERY == 0 else train
            part.append((path, label))
        if len(paths) < HELD_OUT_EVERY:
            notes.append(f"{name} has {len(paths)} pictures, too few to hold one out")
    if not val:
        remedy = "add pictures"
        if not Path(source).is_file():
            remedy += ", or put some of each class into a folder `val` beside `train`"
        raise UserError(
            f"{source}: no class has {HELD_OUT_EVERY} pictures, so none can be held out; {remedy}"
        )
    return train, val, notes


def _relative(root: str, found: dict[str, list[str]]) -> dict[str, list[str]]:
    """The paths of each class relative to `root`, as a list holds them."""
    relative = {}
    for name, paths in found.items():
        relative[name] = [Path(path).relative_to(root).as_posix() for path in paths]
        refuse_unlistable(root, relative[name])
    return relative


def refuse_unlistable(root: str, paths: list[str]) -> None:
    """Raise a UserError for a path that cannot stand in a list of pictures, which names them from the root."""
    for path in [os.path.abspath(root), *paths]:  # noqa: PTH100 - a text
        expect(
            "\n" not in path and "\r" not in path and _is_utf8(path),
            f"{root}: the name {path!r} cannot stand in a list of pictures; rename the file or folder",
        )


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes of another encoding
        return False
    return True
