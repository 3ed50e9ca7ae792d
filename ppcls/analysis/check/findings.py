"""What is wrong, or worth knowing, of a data set whose pictures have been read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ppcls.analysis.check.data import DataSet
from ppcls.analysis.check.finding import (
    ERROR,
    EXIT_CODES,
    NOTE,
    WARNING,
    Finding,
)
from ppcls.analysis.check.scan import Facts

_SMALLEST_SIDE = 32
_LONGEST_SHAPE = 5.0  # times as long as wide
_IMBALANCE = 20.0  # pictures of the largest class for one of the smallest


@dataclass(frozen=True)
class Group:
    """Pictures that are the same.

    Attributes:
        places: The part and the index in it of each.
        is_exact: Whether their bytes are the same; else they look alike.
    """

    places: tuple[tuple[str, int], ...]
    is_exact: bool

    @property
    def parts(self) -> set[str]:
        """The parts that have some of them."""
        return {part for part, _ in self.places}


def groups_of(data: DataSet) -> list[Group]:
    """Find pictures that are the same, in one part or in several."""
    places: list[tuple[str, int]] = []
    facts: list[Facts] = []
    for name, part in data.parts.items():
        places += [(name, index) for index in range(len(part.paths))]
        facts += part.facts
    made = []
    for found, is_exact in ((exact_groups(facts), True), (near_groups(facts), False)):
        for group in found:
            made.append(Group(tuple(places[index] for index in group), is_exact))
    return made


def examine(
    data: DataSet, groups: Sequence[Group], least_per_class: int
) -> list[Finding]:
    """Return everything that is found of a data set, the gravest first.

    Args:
        data: The data set, whose pictures have been read.
        groups: Its pictures that are the same.
        least_per_class: Training pictures of a class, below which it counts as too small.
    """
    findings = [
        *data.findings,
        *_unreadable(data),
        *_same(data, groups),
        *_classes(data, least_per_class),
        *_shapes(data),
    ]
    order = (ERROR, WARNING, NOTE)
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def exit_code(findings: Sequence[Finding]) -> int:
    """Return the exit code of the gravest finding."""
    return max((EXIT_CODES[finding.severity] for finding in findings), default=0)


def _unreadable(data: DataSet) -> list[Finding]:
    found = []
    for name, part in data.parts.items():
        lines = [f"{one.path}: {one.error}" for one in part.facts if one.error]
        if not lines:
            continue
        text = f"{_counted(len(lines), 'picture')} of the {name} part cannot be read"
        remedy = "replace or remove them: a training leaves them out, and `ppcls eval` stops at them"
        severity = (
            ERROR if len(lines) == len(part.facts) or name != "training" else WARNING
        )
        found.append(Finding(severity, "unreadable", text, remedy, tuple(lines)))
    return found


def _same(data: DataSet, groups: Sequence[Group]) -> list[Finding]:
    """Leaks between the parts, contradicting labels, and pictures that are there twice."""
    leaks: dict[bool, list[str]] = {True: [], False: []}
    contradictions: dict[bool, list[str]] = {True: [], False: []}
    twice: dict[bool, list[str]] = {True: [], False: []}
    for group in groups:
        paths, labels = [], set()
        for part, index in group.places:
            paths.append(data.parts[part].paths[index])
            labels.add(data.parts[part].labels[index])
        line = " = ".join(paths)
        if len(labels) > 1:
            contradictions[group.is_exact].append(
                f"{line} ({', '.join(sorted(labels))})"
            )
        if len(group.parts) > 1:
            leaks[group.is_exact].append(line)
        elif len(labels) == 1:
            twice[group.is_exact].append(line)
    return [
        *_found(ERROR, "leak", leaks[True],
                "{} in the training part and, with the same bytes, in the evaluation part",
                "remove them from one of the two: the accuracy is too good with them"),
        *_found(WARNING, "leak", leaks[False],
                "{} in the training part and, nearly the same, in the evaluation part",
                "look at them, and keep copies of one picture in one part"),
        *_found(ERROR, "labels", contradictions[True],
                "{} with the same bytes and different labels", "give each its one right label"),
        *_found(WARNING, "labels", contradictions[False],
                "{} nearly the same and with different labels", "look whether the labels are right"),
        *_found(WARNING, "duplicate", twice[True],
                "{} there more than once, with the same bytes", "keep one of each: copies count several times"),
        *_found(NOTE, "duplicate", twice[False], "{} there more than once, nearly the same", ""),
    ]  # fmt: skip


def _found(
    severity: str, topic: str, items: list[str], text: str, remedy: str
) -> list[Finding]:
    """Return a finding about some items; none without any."""
    if not items:
        return []
    verb = "is" if len(items) == 1 else "are"
    subject = f"{_counted(len(items), 'picture')} {verb}"
    return [Finding(severity, topic, text.format(subject), remedy, tuple(items))]


def _classes(data: DataSet, least: int) -> list[Finding]:
    """Classes that are empty, too small, unknown, or absent from the evaluation."""
    found: list[Finding] = []
    known = set(data.classes)
    for name, part in data.parts.items():
        unknown = Counter(label for label in part.labels if label not in known)
        if unknown:
            items = tuple(
                f"label {label}: {_counted(count, 'picture')}"
                for label, count in sorted(unknown.items())
            )
            text = f"{_counted(sum(unknown.values()), 'picture')} of the {name} part with labels out of range"
            remedy = f"write labels from 0 to {len(data.classes) - 1}, or a larger Arch.class_num"
            found.append(Finding(ERROR, "labels", text, remedy, items))
    training = data.parts.get("training")
    if training is None or not data.classes:
        return found
    counts = {name: training.counts()[name] for name in data.classes}
    empty = tuple(name for name, count in counts.items() if not count)
    if empty:
        text = f"{_counted(len(empty), 'class')} of {len(counts)} without a training picture"
        remedy = "add pictures, or lower Arch.class_num: these classes cannot be learnt"
        found.append(Finding(ERROR, "classes", text, remedy, empty))
    small = [(name, count) for name, count in counts.items() if 0 < count < least]
    if small:
        items = tuple(
            f"{name}: {count}"
            for name, count in sorted(small, key=lambda pair: pair[1])
        )
        text = (
            f"{_counted(len(small), 'class')} with fewer than {least} training pictures"
        )
        remedy = "add pictures of them, or merge classes"
        found.append(Finding(WARNING, "classes", text, remedy, items))
    largest, smallest = (
        max(counts.values()),
        min(filter(None, counts.values()), default=0),
    )
    if smallest and largest > _IMBALANCE * smallest:
        text = f"the largest class has {largest} training pictures and the smallest {smallest}"
        remedy = "judge by balanced accuracy (`ppcls eval --report`), and weigh or add pictures of small classes"
        found.append(Finding(WARNING, "balance", text, remedy))
    evaluation = data.parts.get("evaluation")
    if evaluation is not None:
        there = evaluation.counts()
        absent = tuple(
            name for name, count in counts.items() if count and not there[name]
        )
        if absent:
            text = f"{_counted(len(absent), 'class')} without a picture in the evaluation part"
            found.append(
                Finding(
                    WARNING,
                    "classes",
                    text,
                    "add some, or their accuracy stays unknown",
                    absent,
                )
            )
    return found


def _shapes(data: DataSet) -> list[Finding]:
    """Pictures that are very small or very long."""
    tiny, long, flat = [], [], []
    for part in data.parts.values():
        for one in part.facts:
            if one.error:
                continue
            size = f"{one.path}: {one.width}x{one.height}"
            sides = sorted((one.width, one.height))
            if sides[0] < _SMALLEST_SIDE:
                tiny.append(size)
            if sides[1] > _LONGEST_SHAPE * sides[0]:
                long.append(size)
            if max(one.deviation) < 1:
                flat.append(one.path)
    return [
        *_found(NOTE, "sizes", tiny, f"{{}} smaller than {_SMALLEST_SIDE} pixels on a side", ""),
        *_found(WARNING, "sizes", long, f"{{}} over {_LONGEST_SHAPE:g} times as long as wide",
                "look at them: a crop shows little of such a picture"),
        *_found(WARNING, "content", flat, "{} of one colour only", "look at them, and remove what shows nothing"),
    ]  # fmt: skip


def _counted(number: int, word: str) -> str:
    if number == 1:
        return f"1 {word}"
    return f"{number:,} {word}{'es' if word.endswith('s') else 's'}"


# Bits by which the outlines of near copies may differ. Of four bands of 16 bits at least one is then equal.
MOST_BITS = 3
_BANDS = 4
# Of the ratio of width and height, and of mean colours from 0 to 255
_SAME_SHAPE, _SAME_COLOUR = 0.05, 12.0
# A picture of one colour has no outline, and small ones that are not the same share theirs
_LEAST_DEVIATION, _LEAST_SIDE = 4.0, 32
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
    if one.error or min(one.width, one.height) < _LEAST_SIDE:
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
