"""A user's folder of pictures as two lists: what is learnt from, and what is held out to judge it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ppcls.data.class_folders import pictures_by_class, refuse_empty, refuse_foreign
from ppcls.data.labels import Classes
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
from ppcls.utils.errors import UserError

HELD_OUT_EVERY = 5


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
    train: list[tuple[str, int]]
    val: list[tuple[str, int]]
    notes: list[str]


def read_own_folder(root: str) -> OwnFolder:
    """Divides a folder that holds one folder per class, or parts of such: `train` and `val`.

    The parts may have any name that `part_of` knows, in any case. `test` is for validation where there is no `val`.
    Without a part for validation every fifth picture of each class, by the order of their paths, is held out. So the
    same folder is divided alike on every machine. Nothing in the folder is changed.

    Raises:
        UserError: there is no such folder, fewer than two classes, a class without pictures, a validation part with a
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
    pictures = {name: _relative(root, found[name]) for name in names}
    if parts.val is not None:
        train = [
            (path, label) for label, name in enumerate(names) for path in pictures[name]
        ]
        val, notes = _given(root, parts, names)
        return OwnFolder(
            root, root, names, train, val, notes + _passed_over(root, parts)
        )
    train, val, notes = hold_out(root, pictures)
    return OwnFolder(
        root, root, names, train, val, [*notes, *_passed_over(root, parts)]
    )


@dataclass(frozen=True)
class _Parts:
    """Names of the folders of training and validation; an empty one is the folder itself."""

    train: str = ""
    val: str | None = None
    val_is_test: bool = False


def _parts(root: str) -> _Parts:
    """The folders of training and validation within `root`."""
    if Path(root).is_file():
        raise UserError(
            f"{root} is a file; give the folder that holds one folder of pictures per class"
        )
    if not Path(root).is_dir():
        raise UserError(
            f"there is no folder {root}; give the folder that holds one folder of pictures per class"
        )
    # A folder of a class that is named as a part holds pictures, not folders.
    candidates = [name for name in folders_in(root) if folders_in(join(root, name))]
    parts = parts_among(candidates)
    found = {
        part: [name for name in parts if parts[name] == part]
        for part in (TRAIN, VAL, TEST)
    }
    for part, names in found.items():
        if len(names) > 1 and part != TEST:
            purpose = "training" if part == TRAIN else "validation"
            raise UserError(
                f"{root} holds {' and '.join(names)}; leave one of them for {purpose}"
            )
    train, val, test = (found[part] for part in (TRAIN, VAL, TEST))
    if val and not train:
        refuse_flat_parts(
            root,
            {
                name: folders_in(join(root, name))
                for name in parts_among(folders_in(root))
            },
        )
        raise UserError(
            f"{root} holds {val[0]} and no train; put the class folders to learn from into {root}/train"
        )
    if not train:
        return _Parts()
    learnt = _unpacked(root, train[0])
    if val:
        return _Parts(learnt, _unpacked(root, val[0]))
    # A test part of unlabelled pictures has folders, if any, that are not the classes.
    classes = set(folders_in(join(root, learnt)))
    labelled = [
        name
        for name in (_unpacked(root, name) for name in test)
        if classes & set(folders_in(join(root, name)))
    ]
    return (
        _Parts(learnt, labelled[0], val_is_test=True)
        if len(labelled) == 1
        else _Parts(learnt)
    )


def _unpacked(root: str, name: str) -> str:
    """The folder of a part, or the one of the same name that is alone in it, as in `seg_train/seg_train`."""
    inner = folders_in(join(root, name))
    if (
        len(inner) == 1
        and inner[0].lower() == name.lower()
        and folders_in(join(root, f"{name}/{inner[0]}"))
    ):
        return f"{name}/{inner[0]}"
    return name


def _more_classes(place: str, name: str) -> str:
    if folders_in(join(place, name)):
        return f"give {join(place, name)} if the classes are in there, or add a folder for each other class"
    return "add a folder for each other class"


def _passed_over(root: str, parts: _Parts) -> list[str]:
    """The other folders beside `train`, such as a `test`."""
    if not parts.train:
        return []
    read = [name.partition("/")[0] for name in (parts.train, parts.val) if name]
    others = [name for name in folders_in(root) if name not in read]
    return [f"{', '.join(others)} beside {parts.train} is not read"] if others else []


def _given(
    root: str, parts: _Parts, names: list[str]
) -> tuple[list[tuple[str, int]], list[str]]:
    """The pictures of the validation part, and what to say of it."""
    assert parts.val is not None
    place = join(root, parts.val)
    found = pictures_by_class(place)
    refuse_foreign(place, list(found), Classes(names, join(root, parts.train)))
    val = [
        (path, names.index(name))
        for name in found
        for path in _relative(root, found[name])
    ]
    if not val:
        raise UserError(
            f"{place} holds no pictures ({NAMES}); add some or remove the folder"
        )
    notes = []
    if parts.val_is_test:
        notes.append(f"{parts.val} is for validation, because there is no val")
    lacking = [name for name in names if not found.get(name)]
    if lacking:
        notes.append(
            f"{parts.val} has no pictures of {shown(lacking)}, so its accuracy leaves them out"
        )
    return val, notes


def hold_out(
    source: str, pictures: dict[str, list[str]]
) -> tuple[list[tuple[str, int]], list[tuple[str, int]], list[str]]:
    """Divide the pictures of each class; gives those to learn from, those to judge by, and what to say of it.

    Args:
        source: The folder or list, for the message.
        pictures: Sorted paths by class, the classes in the order of their numbers.

    Raises:
        UserError: No class has enough pictures to hold one out.
    """
    train: list[tuple[str, int]] = []
    val: list[tuple[str, int]] = []
    notes = [
        f"every {HELD_OUT_EVERY}th picture of each class is held out for validation"
    ]
    for label, (name, paths) in enumerate(pictures.items()):
        for place, path in enumerate(paths, 1):
            (val if place % HELD_OUT_EVERY == 0 else train).append((path, label))
        if len(paths) < HELD_OUT_EVERY:
            notes.append(f"{name} has {len(paths)} pictures, too few to hold one out")
    if not val:
        remedy = (
            ""
            if Path(source).is_file()
            else ", or put some of each class into a folder `val` beside `train`"
        )
        raise UserError(
            f"{source}: no class has {HELD_OUT_EVERY} pictures, so none can be held out; add pictures{remedy}"
        )
    return train, val, notes


def _relative(root: str, pictures: list[str]) -> list[str]:
    """Paths relative to `root`, as a list holds them."""
    found = [Path(path).relative_to(root).as_posix() for path in pictures]
    refuse_unlistable(root, found)
    return found


def refuse_unlistable(root: str, paths: list[str]) -> None:
    """Raise a UserError for a path that cannot stand in a list of pictures, which names them from the root."""
    for path in [os.path.abspath(root), *paths]:  # noqa: PTH100 - a text
        if "\n" in path or "\r" in path or not _is_utf8(path):
            raise UserError(
                f"{root}: the name {path!r} cannot stand in a list of pictures; rename the file or folder"
            )


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes of another encoding
        return False
    return True
