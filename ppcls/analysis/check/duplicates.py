"""Pictures that are the same: exactly, by their bytes, or nearly, by their outlines, shapes and colours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from ppcls.analysis.check.scan import Facts

# Bits by which the outlines of near copies may differ. Of four bands of 16 bits at least one is then equal.
MOST_BITS = 3
_BANDS = 4
# Of the ratio of width and height, and of mean colours from 0 to 255
_SAME_SHAPE, _SAME_COLOUR = 0.05, 12.0
# A picture of one colour has no outline, and small ones that are not the same share theirs
_LEAST_DEVIATION, _SMALLEST_SIDE = 4.0, 32
_BLOCK = 2048
_ONES = np.array([bin(value).count("1") for value in range(256)], np.uint8)


def exact_groups(facts: Sequence[Facts]) -> list[list[int]]:
    """Return groups of at least two files with the same bytes, as indices in order."""
    by_digest: dict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(facts):
        if one.digest:
            by_digest[one.digest].append(index)
    return [group for group in by_digest.values() if len(group) > 1]


def near_groups(facts: Sequence[Facts]) -> list[list[int]]:
    """Return groups of at least two pictures that look alike and are not all of the same bytes.

    Pictures belong together if their outlines differ in at most three bits, and shapes and mean colours hardly: copies
    in another size, format or quality.
    """
    # One of each content stands for the others
    first: dict[str, int] = {}
    for index, one in enumerate(facts):
        if _has_outline(one):
            first.setdefault(one.digest, index)
    chosen = np.array(list(first.values()), np.int64)
    if len(chosen) < 2:
        return []
    # All pictures of a group are like its first one: likeness that is handed on joins what is not alike
    groups: dict[int, list[int]] = {}
    members: set[int] = set()
    for leader, other in sorted(set(_pairs(facts, chosen))):
        if leader in members or other in members or other in groups:
            continue
        groups.setdefault(leader, [leader]).append(other)
        members.add(other)
    return [[int(chosen[place]) for place in group] for group in groups.values()]


def _has_outline(one: Facts) -> bool:
    """Whether a picture has enough detail to be told from others by its outline."""
    if one.error or min(one.width, one.height) < _SMALLEST_SIDE:
        return False
    return max(one.deviation) >= _LEAST_DEVIATION


def _pairs(facts: Sequence[Facts], chosen: np.ndarray) -> Iterable[tuple[int, int]]:
    """Yield places in `chosen` of two pictures that look alike."""
    outlines = np.array([facts[index].outline for index in chosen], np.uint64)
    shapes = np.log([facts[index].width / facts[index].height for index in chosen])
    colours = np.array([facts[index].mean for index in chosen], np.float32)
    for band in range(_BANDS):
        values = (outlines >> np.uint64(16 * band)) & np.uint64(0xFFFF)
        order = np.argsort(values, kind="stable")
        ends = np.flatnonzero(np.diff(values[order])) + 1
        for members in np.split(order, ends):
            if len(members) > 1:
                yield from _pairs_among(members, outlines, shapes, colours)


def _pairs_among(
    members: np.ndarray, outlines: np.ndarray, shapes: np.ndarray, colours: np.ndarray
) -> Iterable[tuple[int, int]]:
    for begin in range(0, len(members), _BLOCK):
        block = members[begin : begin + _BLOCK]
        others = members[begin:]
        differing = outlines[block][:, None] ^ outlines[others][None, :]
        bits = _ONES[differing.view(np.uint8)].reshape(*differing.shape, 8).sum(axis=2)
        for row, column in zip(*np.nonzero(bits <= MOST_BITS)):
            one, other = int(block[row]), int(others[column])
            if one >= other:
                continue
            is_alike = abs(shapes[one] - shapes[other]) <= _SAME_SHAPE
            if is_alike and np.abs(colours[one] - colours[other]).max() <= _SAME_COLOUR:
                yield one, other
