"""What is wrong, or worth knowing, of a data set whose pictures have been read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ppcls.analysis.check.data import DataSet
from ppcls.analysis.check.duplicates import exact_groups, near_groups
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
