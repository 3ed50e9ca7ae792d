"""Folders that divide a data set, as people name them: `train` and `val`, `Training` and `Test`, `TRAIN_SET`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import product

from ppcls.utils.errors import UserError, brief

TRAIN, VAL, TEST = "train", "val", "test"
_WORDS = {
    TRAIN: ("train", "training", "trn", "trainval"),
    VAL: ("val", "valid", "validate", "validation", "dev", "eval", "evaluation"),
    TEST: ("test", "testing"),
}
_FILLERS = (
    "", "set", "data", "dataset", "split", "images", "imgs", "pictures", "photos",
)  # fmt: skip


def _parts_by_word() -> dict[str, str]:
    """The part that a word stands for, alone or with a filler after it, such as `trainset`."""
    parts = {}
    for part, words in _WORDS.items():
        for word, filler in product(words, _FILLERS):
            parts[word + filler] = part
    return parts


_PART_OF_WORD = _parts_by_word()
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
    plain: dict[str, str] = {}
    groups: dict[str, dict[str, str]] = {}
    for name in names:
        part, rest = _part_and_rest(name)
        if part and rest:
            groups.setdefault(rest, {})[name] = part
        elif part:
            plain[name] = part
    if plain:
        return plain
    whole = list(filter(_has_training_and_another, groups.values()))
    return whole[0] if len(whole) == 1 else {}


def _has_training_and_another(parts: Mapping[str, str]) -> bool:
    kinds = set(parts.values())
    return TRAIN in kinds and len(kinds) > 1


def _part_and_rest(name: str) -> tuple[str | None, str]:
    """The part that a name speaks of, and its other words."""
    parts = []
    rest = []
    for word in re.split(r"[\W_]+", name.lower()):
        word = _YEAR.sub("", word)
        if word in _PART_OF_WORD:
            parts.append(_PART_OF_WORD[word])
        elif word not in _FILLERS:
            rest.append(word)
    if len(parts) != 1:
        return None, name
    return parts[0], " ".join(rest)


def refuse_parts(
    root: str,
    subfolders: Mapping[str, Sequence[str]],
    with_pictures: Collection[str] = (),
    to_train: bool = True,
) -> None:
    """Refuse a folder whose "classes" are the parts of a data set.

    Args:
        root: The folder.
        subfolders: Names of the folders in each folder of `root`.
        with_pictures: Those folders of `root` that hold pictures beside their subfolders.
        to_train: Whether the pictures are for training, and not for evaluation.

    Raises:
        UserError: The folders are named as parts are and hold folders, or all of them are named so, training among
            them, or they all hold the same two or more folders.
    """
    refuse_flat_parts(root, subfolders)
    _refuse_parts_by_name(root, subfolders, to_train)
    if len(with_pictures) < len(subfolders):
        _refuse_same_subfolders(root, subfolders)


def _refuse_parts_by_name(
    root: str, subfolders: Mapping[str, Sequence[str]], to_train: bool
) -> None:
    parts = parts_among([name for name, held in subfolders.items() if held])
    if not parts:
        return
    if len(parts) < len(subfolders) and not _has_training_and_another(parts):
        return
    what = "are parts of a data set, not classes"
    if len(parts) == 1:
        what = "is a part of a data set, not a class"
    wanted = (VAL, TEST, TRAIN)
    if to_train:
        wanted = (TRAIN, VAL, TEST)
    first = min(parts, key=lambda name: wanted.index(parts[name]))
    raise UserError(
        f"{root}: {shown(list(parts))} {what} ({first} holds {shown(subfolders[first])}); give "
        f"{join(root, first)}, whose folders are the classes"
    )


def _refuse_same_subfolders(root: str, subfolders: Mapping[str, Sequence[str]]) -> None:
    """Refuse several folders that all hold the same two or more folders."""
    contents = set(map(frozenset, subfolders.values()))
    if len(contents) != 1 or len(subfolders) < 2:
        return
    same = sorted(contents.pop())
    if len(same) < 2:
        return
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
    """Refuse a `train` beside a `val` that holds pictures where it should hold class folders.

    Args:
        root: The folder.
        subfolders: Names of the folders in each folder of `root`.

    Raises:
        UserError: All folders are named as parts are, and that for training holds no folder.
    """
    parts = parts_among(subfolders)
    if len(parts) < len(subfolders) or len(set(parts.values())) < 2:
        return
    for name, part in parts.items():
        if part == TRAIN and not subfolders[name]:
            raise UserError(
                f"{root}: {shown(list(parts))} are parts of a data set, not classes, but {join(root, name)} holds no "
                "class folders; put the pictures of each class into a folder of its name in there"
            )


def shown(names: Sequence[str]) -> str:
    """The first names, for a sentence."""
    text = ", ".join(brief(name) for name in names[:_SHOWN])
    if len(names) > _SHOWN:
        text += f" and {len(names) - _SHOWN} more"
    return text


def join(root: str, part: str) -> str:
    """The path of a part; an empty one is the root itself."""
    return f"{root.rstrip('/') or '/'}/{part}" if part else root
