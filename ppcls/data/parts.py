"""Folders that divide a data set, as people name them: `train` and `val`, `Training` and `Test`, `TRAIN_SET`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from ppcls.data.text import brief
from ppcls.utils.errors import UserError

TRAIN, VAL, TEST = "train", "val", "test"
_WORDS = {
    TRAIN: ("train", "training", "trn", "trainval"),
    VAL: ("val", "valid", "validate", "validation", "dev", "eval", "evaluation"),
    TEST: ("test", "testing"),
}
_FILLERS = (
    "",
    "set",
    "data",
    "dataset",
    "split",
    "images",
    "imgs",
    "pictures",
    "photos",
)
_PART_OF_WORD = {
    word + filler: part
    for part, words in _WORDS.items()
    for word in words
    for filler in _FILLERS
}
_YEAR = re.compile(r"(?<![0-9])20[0-9]{2}$")
_SHOWN = 5


def part_of(name: str) -> str | None:
    """`train`, `val` or `test` for a folder that is named as one, in any case; None for any other name."""
    part, rest = _part_and_rest(name)
    return None if rest else part


def parts_among(names: Iterable[str]) -> dict[str, str]:
    """The part that each of the names stands for that are the parts of one data set.

    They are those that `part_of` knows; where there are none, names such as `seg_train` and `seg_test`, which have the
    rest in common.
    """
    plain = {}
    for name in names:
        known = part_of(name)
        if known:
            plain[name] = known
    if plain:
        return plain
    groups: dict[str, dict[str, str]] = {}
    for name in names:
        part, rest = _part_and_rest(name)
        if part:
            groups.setdefault(rest, {})[name] = part
    whole = []
    for group in groups.values():
        kinds = set(group.values())
        if TRAIN in kinds and len(kinds) > 1:
            whole.append(group)
    return whole[0] if len(whole) == 1 else {}


def _part_and_rest(name: str) -> tuple[str | None, str]:
    """The part that a name speaks of, and its other words."""
    words = [_YEAR.sub("", word) for word in re.split(r"[\W_]+", name.lower())]
    words = [word for word in words if word not in _FILLERS]
    parts = [_PART_OF_WORD[word] for word in words if word in _PART_OF_WORD]
    if len(parts) != 1:
        return None, name
    return parts[0], " ".join(word for word in words if word not in _PART_OF_WORD)


def refuse_parts(
    root: str,
    subfolders: Mapping[str, Sequence[str]],
    with_pictures: Collection[str] = (),
    to_train: bool = True,
) -> None:
    """Refuses a folder whose "classes" are the parts of a data set.

    Args:
        root: The folder.
        subfolders: Names of the folders in each folder of `root`.
        with_pictures: Those folders of `root` that hold pictures beside their subfolders.
        to_train: Whether the pictures are for training, and not for evaluation.

    Raises:
        UserError: the folders are named as parts are and hold folders, or all of them are named so, training among
            them, or they all hold the same two or more folders.
    """
    refuse_flat_parts(root, subfolders)
    parts = parts_among([name for name, held in subfolders.items() if held])
    kinds = set(parts.values())
    if parts and (len(parts) == len(subfolders) or (TRAIN in kinds and len(kinds) > 1)):
        first = _the_one_for(
            parts, (TRAIN, VAL, TEST) if to_train else (VAL, TEST, TRAIN)
        )
        what = (
            "is a part of a data set, not a class"
            if len(parts) == 1
            else "are parts of a data set, not classes"
        )
        raise UserError(
            f"{root}: {shown(list(parts))} {what} ({first} holds {shown(subfolders[first])}); give "
            f"{join(root, first)}, whose folders are the classes"
        )
    contents = {tuple(sorted(held)) for held in subfolders.values()}
    same = next(iter(contents)) if len(contents) == 1 and len(subfolders) > 1 else ()
    if len(same) > 1 and len(with_pictures) < len(subfolders):
        first = next(iter(subfolders))
        if len(parts_among(same)) == len(same):
            raise UserError(
                f"{root}: every class folder holds the parts of the data set ({shown(same)}); put the parts above the "
                f"classes: {join(root, same[0])}/{first}, {join(root, same[1])}/{first} and so on"
            )
        raise UserError(
            f"{root}: {shown(list(subfolders))} all hold the same folders ({shown(same)}), so they look like parts of "
            f"a data set, not like classes; give one of them, such as {join(root, first)}, or put the pictures of "
            "each class into its folder without these subfolders"
        )


def refuse_flat_parts(root: str, subfolders: Mapping[str, Sequence[str]]) -> None:
    """Refuses a `train` beside a `val` that holds pictures where it should hold class folders.

    Args:
        root: The folder.
        subfolders: Names of the folders in each folder of `root`.

    Raises:
        UserError: All folders are named as parts are, and that for training holds no folder.
    """
    parts = parts_among(subfolders)
    kinds = set(parts.values())
    flat = [
        name for name, part in parts.items() if part == TRAIN and not subfolders[name]
    ]
    if flat and len(kinds) > 1 and len(parts) == len(subfolders):
        raise UserError(
            f"{root}: {shown(list(parts))} are parts of a data set, not classes, but {join(root, flat[0])} holds no "
            "class folders; put the pictures of each class into a folder of its name in there"
        )


def _the_one_for(parts: Mapping[str, str], wanted: Sequence[str]) -> str:
    return min(parts, key=lambda name: wanted.index(parts[name]))


def shown(names: Sequence[str]) -> str:
    """The first names, for a sentence."""
    text = ", ".join(brief(name) for name in names[:_SHOWN])
    if len(names) > _SHOWN:
        text += f" and {len(names) - _SHOWN} more"
    return text


def join(root: str, part: str) -> str:
    """The path of a part; an empty one is the root itself."""
    return f"{root.rstrip('/') or '/'}/{part}" if part else root
