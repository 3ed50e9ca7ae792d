"""The pictures that `ppcls check` looks at: a user's folder or list, or the parts of a configuration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ppcls.analysis.check.finding import ERROR, NOTE, Finding
from ppcls.analysis.check.scan import Facts
from ppcls.data.datasets import ImageNetDataset
from ppcls.data.labelled_list import read_labelled_list
from ppcls.data.labels import Classes, ImageList
from ppcls.data.list_rows import ReadingOptions
from ppcls.data.own_list import read_own_pictures
from ppcls.data.parts import join
from ppcls.utils.errors import UserError

TRAINING, EVALUATION = "training", "evaluation"


@dataclass
class Part:
    """One part of a data set.

    Attributes:
        paths: The pictures.
        labels: The name of each one's class; its number where the classes have no names.
        facts: What was read of each picture; empty before the scan.
    """

    paths: list[str]
    labels: list[str]
    facts: list[Facts] = field(default_factory=list)

    def counts(self) -> Counter[str]:
        """Return the number of pictures by class."""
        return Counter(self.labels)


@dataclass
class DataSet:
    """Pictures with labels, in parts.

    Attributes:
        source: What the user gave.
        classes: The names of the classes in the order of their labels.
        parts: `training` and `evaluation`, as far as they are there.
        findings: What was found wrong before any picture was read.
    """

    source: str
    classes: list[str] = field(default_factory=list)
    parts: dict[str, Part] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        """All pictures, the parts one after the other."""
        return [path for part in self.parts.values() for path in part.paths]

    def take(self, facts: Sequence[Facts]) -> None:
        """Take what was read of `paths`."""
        begin = 0
        for part in self.parts.values():
            part.facts = list(facts[begin : begin + len(part.paths)])
            begin += len(part.paths)


def of_source(source: str) -> DataSet:
    """Read a user's folder or list, divided as `ppcls finetune` divides it.

    Raises:
        UserError: `source` is neither such a folder nor such a list.
    """
    own = read_own_pictures(source)
    made = DataSet(source, own.class_names)
    for name, pictures in ((TRAINING, own.train), (EVALUATION, own.val)):
        paths = [join(own.root, path) for path, _ in pictures]
        made.parts[name] = Part(
            paths, [own.class_names[label] for _, label in pictures]
        )
    made.findings += [Finding(NOTE, "division", note) for note in own.notes]
    return made


def of_config(config: Any, source: str) -> DataSet:
    """Open DataLoader.Train and DataLoader.Eval of a configuration.

    Args:
        config: The configuration.
        source: Its file, for the page.
    """
    made = DataSet(source)
    class_num = config.Arch.class_num
    learned: Classes | None = None
    sections = {TRAINING: config.DataLoader.Train, EVALUATION: config.DataLoader.Eval}
    for name, section in sections.items():
        if section is None:
            continue
        try:
            pictures = section.dataset.open(class_num, learned)
        except UserError as error:
            made.findings.append(_refused(name, error))
            pictures = _as_written(section.dataset)
        if not isinstance(pictures, ImageList):
            what = "is not read here" if pictures else "could not be opened"
            made.findings.append(Finding(NOTE, "data", f"the {name} part {what}"))
            continue
        if name == TRAINING and pictures.class_names:
            learned = Classes(pictures.class_names, source)
        names = pictures.class_names or [str(label) for label in range(class_num)]
        made.classes = made.classes or names
        made.parts[name] = Part(pictures.paths, _names_of(pictures.labels, names))
    return made


def _refused(part: str, error: UserError) -> Finding:
    lines = str(error).splitlines()
    text = f"the {part} part is refused: {lines[0]}"
    return Finding(ERROR, "labels", text, items=tuple(lines[1:]))


def _as_written(dataset: Any) -> ImageList | None:
    """Return the pictures of a list whose labels are impossible, with these labels; None if it cannot be read."""
    if not isinstance(dataset, ImageNetDataset):
        return None
    try:
        listed = read_labelled_list(
            dataset.cls_label_path,
            ReadingOptions(
                dataset.image_root,
                dataset.delimiter,
                dataset.image_column,
                dataset.label_column,
            ),
        )
    except UserError:
        return None
    return ImageList(listed.paths, listed.labels)  # type: ignore[arg-type]


def _names_of(labels: Any, names: Sequence[str]) -> list[str]:
    """Return the name of each label; an impossible label is its own name."""
    known = dict(zip(map(str, range(len(names))), names))
    return [known.get(str(label), str(label)) for label in labels]
