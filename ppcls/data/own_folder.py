"""A user's folder of pictures as two lists: what is learnt from, and what is held out to judge it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ppcls.data.image_list import class_folders, pictures_of_class
from ppcls.utils.errors import UserError

HELD_OUT_EVERY = 5
VALIDATION_NAMES = ("val", "valid", "validation")


@dataclass(frozen=True)
class OwnFolder:
    """Pictures by their paths relative to the folder, each with its label.

    Attributes:
        root: The folder.
        class_names: Names of the classes by label.
        train: Pictures to learn from.
        val: Pictures to judge by.
        notes: What a user should know of the division, a sentence each.
    """

    root: str
    class_names: list[str]
    train: list[tuple[str, int]]
    val: list[tuple[str, int]]
    notes: list[str]


def read_own_folder(root: str) -> OwnFolder:
    """Divides a folder that holds a folder a class, or `train` and `val` (`valid`, `validation`) of such.

    Without a part for validation every fifth picture of each class, by the order of their paths, is held out. So the
    same folder is divided alike on every machine. Nothing in the folder is changed.

    Raises:
        UserError: there is no such folder, fewer than two classes, a class without pictures, a validation part with a
            class that training has not, or nothing to hold out.
    """
    train_part, val_part = _parts(root)
    names = class_folders(_join(root, train_part))
    if len(names) < 2:
        raise UserError(f"{_join(root, train_part)} holds one class only ({names[0]}); add a folder for each other one")
    pictures = {name: _pictures(root, train_part, name) for name in names}
    if val_part is not None:
        train = [(path, label) for label, name in enumerate(names) for path in pictures[name]]
        val, notes = _given(root, train_part, val_part, names)
        return OwnFolder(root, names, train, val, notes + _passed_over(root, train_part, val_part))
    train, val, notes = _held_out(names, pictures)
    if not val:
        raise UserError(
            f"{root}: no class has {HELD_OUT_EVERY} pictures, so none can be held out; add pictures, or put some of "
            "each class into a folder `val` beside `train`"
        )
    rule = f"every {HELD_OUT_EVERY}th picture of each class is held out for validation"
    return OwnFolder(root, names, train, val, [rule, *notes, *_passed_over(root, train_part)])


def _parts(root: str) -> tuple[str, str | None]:
    """The folders of training and validation within `root`; an empty name is `root` itself."""
    if Path(root).is_file():
        raise UserError(f"{root} is a file; give the folder that holds a folder of pictures a class")
    if not Path(root).is_dir():
        raise UserError(f"there is no folder {root}; give the folder that holds a folder of pictures a class")
    found = [name for name in VALIDATION_NAMES if _holds_classes(_join(root, name))]
    has_train = _holds_classes(_join(root, "train"))
    if len(found) > 1:
        raise UserError(f"{root} holds {' and '.join(found)}; leave one of them for validation")
    if found and not has_train:
        raise UserError(f"{root} holds {found[0]} and no train; put the class folders to learn from into {root}/train")
    return ("train" if has_train else ""), (found[0] if found else None)


def _holds_classes(folder: str) -> bool:
    """Whether a folder holds folders; one of a class that is named `train` holds pictures."""
    if not Path(folder).is_dir():
        return False
    with os.scandir(folder) as entries:
        return any(entry.is_dir() and not entry.name.startswith(".") for entry in entries)


def _passed_over(root: str, *parts: str) -> list[str]:
    """The other folders beside `train`, such as a `test`."""
    others = [name for name in class_folders(root) if name not in parts] if parts[0] else []
    return [f"{', '.join(others)} beside {parts[0]} is not read"] if others else []


def _given(root: str, train_part: str, val_part: str, names: list[str]) -> tuple[list[tuple[str, int]], list[str]]:
    """The pictures of the validation part, and the classes that it lacks."""
    present = class_folders(_join(root, val_part))
    for name in present:
        if name not in names:
            place = f"{_join(root, val_part)}/{name}"
            raise UserError(f"{place} is no class of {_join(root, train_part)}; remove or rename it")
    val = [(path, names.index(name)) for name in present for path in _pictures(root, val_part, name)]
    lacking = [name for name in names if name not in present]
    notes = [f"{val_part} has no pictures of {', '.join(lacking)}, so nothing is known of how they are told"]
    return val, notes if lacking else []


def _held_out(
    names: list[str], pictures: dict[str, list[str]]
) -> tuple[list[tuple[str, int]], list[tuple[str, int]], list[str]]:
    train: list[tuple[str, int]] = []
    val: list[tuple[str, int]] = []
    notes = []
    for label, name in enumerate(names):
        for place, path in enumerate(pictures[name], 1):
            (val if place % HELD_OUT_EVERY == 0 else train).append((path, label))
        if len(pictures[name]) < HELD_OUT_EVERY:
            notes.append(f"{name} has {len(pictures[name])} pictures, too few to hold one out")
    return train, val, notes


def _pictures(root: str, part: str, name: str) -> list[str]:
    """The pictures of a class, relative to `root`."""
    found = [Path(path).relative_to(root).as_posix() for path in pictures_of_class(_join(root, part), name)]
    for path in found:
        if "\n" in path or "\r" in path or not _is_utf8(path):
            raise UserError(f"{root}: the name {path!r} cannot stand in a list of pictures; rename the file or folder")
    return found


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes of another encoding
        return False
    return True


def _join(root: str, part: str) -> str:
    return f"{root.rstrip('/') or '/'}/{part}" if part else root
