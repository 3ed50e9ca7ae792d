"""Folders that divide a data set, as people name them: `train` and `val`, `Training` and `Test`, `TRAIN_SET`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from ppcls.utils.errors import UserError

TRAIN, VAL, TEST = "train", "val", "test"
_WORDS = {
    TRAIN: ("train", "training", "trn"),
    VAL: ("val", "valid", "validate", "validation", "dev", "eval", "evaluation"),
    TEST: ("test", "testing"),
}
_FILLERS = ("", "set", "data", "dataset", "split", "images", "imgs", "pictures", "photos")
_PART_OF_WORD = {word + filler: part for part, words in _WORDS.items() for word in words for filler in _FILLERS}
_SHOWN = 5


def part_of(name: str) -> str | None:
    """`train`, `val` or `test` for a folder that is named as one, in any case; None for any other name."""
    return _PART_OF_WORD.get(re.sub(r"[\W_]+", "", name.lower()))


def refuse_parts(root: str, subfolders: Mapping[str, Sequence[str]], with_pictures: Collection[str] = ()) -> None:
    """Refuses a folder whose "classes" are the parts of a data set.

    Args:
        root: The folder.
        subfolders: Names of the folders in each folder of `root`.
        with_pictures: Those folders of `root` that hold pictures beside their subfolders.

    Raises:
        UserError: the folders are named as parts are and hold folders, or they all hold the same two or more folders.
    """
    parts = {name: part_of(name) for name, held in subfolders.items() if held and part_of(name)}
    kinds = set(parts.values())
    if parts and (len(parts) == len(subfolders) or (TRAIN in kinds and len(kinds) > 1)):
        first = next(iter(parts))
        what = "is a part of a data set, not a class" if len(parts) == 1 else "are parts of a data set, not classes"
        raise UserError(
            f"{root}: {shown(list(parts))} {what} ({first} holds {shown(subfolders[first])}); give "
            f"{join(root, first)}, whose folders are the classes"
        )
    contents = {tuple(sorted(held)) for held in subfolders.values()}
    same = next(iter(contents)) if len(contents) == 1 and len(subfolders) > 1 else ()
    if len(same) > 1 and len(with_pictures) < len(subfolders):
        first = next(iter(subfolders))
        raise UserError(
            f"{root}: {shown(list(subfolders))} all hold the same folders ({shown(same)}), so they look like parts of "
            f"a data set, not like classes; give one of them, such as {join(root, first)}, or put the pictures of "
            "each class into its folder without these subfolders"
        )


def shown(names: Sequence[str]) -> str:
    """The first names, for a sentence."""
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def join(root: str, part: str) -> str:
    """The path of a part; an empty one is the root itself."""
    return f"{root.rstrip('/') or '/'}/{part}" if part else root
