"""Lay ImageNet out as the configurations expect it: two lists, and pictures under the paths that stand in them.

    DST/train/n01440764/n01440764_10026.JPEG    DST/train_list.txt    `train/n01440764/n01440764_10026.JPEG 0`
    DST/val/ILSVRC2012_val_00000293.JPEG        DST/val_list.txt      `val/ILSVRC2012_val_00000293.JPEG 0`
                                                DST/class_list.txt    `0 n01440764`

A label is the index of the class's wnid among the sorted wnids.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppcls.data.imagenet_labels import (
    DEVKIT,
    ClassKey,
    Devkit,
    read_labels,
    read_numbers,
)
from ppcls.data.imagenet_parts import Archive, ImageNetPart, find_parts
from ppcls.data.labels import dump_class_names, index_of_names
from ppcls.data.picture_files import folders_in, is_picture_name
from ppcls.data.text import read_lines
from ppcls.utils.errors import UserError, expect
from ppcls.utils.files import PathLike, folder_for, write_beside_others
from ppcls.utils.lock import claimed

CLASS_LIST = "class_list.txt"
_LABEL_FILES = (
    "LOC_val_solution.csv",
    "val.txt",
    "ILSVRC2012_validation_ground_truth.txt",
    "val_list.txt",
)
Labelled = list[tuple[str, ClassKey]]  # path relative to DST, class


@dataclass(frozen=True)
class Prepared:
    """What was found: classes (None if only labels are known), pictures to train on, pictures to evaluate on."""

    folder: Path
    classes: int | None
    train: int
    val: int

    def __str__(self) -> str:
        classes = "classes not named"
        if self.classes is not None:
            classes = f"{self.classes:,} classes"
        return f"{self.folder}: {classes}, {self.train:,} pictures to train on, {self.val:,} to evaluate on"


def prepare_imagenet(
    src: PathLike, dst: PathLike, labels: PathLike | None = None, copy: bool = False
) -> Prepared:
    """Make the layout in `dst` of what lies in `src`; an interrupted run continues when it is repeated.

    Args:
        src: Holds, for each of train and val, the official archive (ILSVRC2012_img_train.tar,
            ILSVRC2012_img_val.tar), or a folder `train`, `val` with one folder per class; `val` may be flat.
        dst: May be `src`.
        labels: The label file of a flat `val`, see `read_labels`; None looks in `src` for the devkit
            and for the usual names.
        copy: Copy the pictures of folders; otherwise `dst` gets a link to them.

    Raises:
        UserError: Nothing is there, an archive is damaged, or a label is missing or impossible.
    """
    source, target = Path(src), Path(dst)
    expect(
        source.is_dir(),
        f"{source}: no such folder; give the one that holds the archives, or train and val",
    )
    with claimed(target, "preparing", "wait until it ends, or give another DST"):
        return _prepare(source, target, labels, copy)


def _prepare(
    source: Path, target: Path, labels: PathLike | None, copy: bool
) -> Prepared:
    parts = find_parts(source, target, copy)
    for part in parts.values():
        part.check_free()
    archives = {name for name, part in parts.items() if isinstance(part, Archive)}
    # Check first: unpacking takes hours, and what is refused leaves no half of a layout behind.
    if not archives:
        layout = _read_layout(_found(parts), source, labels)
    elif "val" in archives:
        _check_labels(source, labels)
    with folder_for(target / CLASS_LIST):
        for part in parts.values():
            part.bring()
    if copy or archives:
        layout = _read_layout(_places(parts), source, labels)
    for name, content in layout.files.items():
        write_beside_others(target / name, content)
    return Prepared(target, layout.classes, layout.train, layout.val)


def _found(parts: Mapping[str, ImageNetPart]) -> dict[str, Path]:
    """Where each part was found."""
    return {name: part.found for name, part in parts.items()}


def _places(parts: Mapping[str, ImageNetPart]) -> dict[str, Path]:
    """Where each part is put."""
    return {name: part.place for name, part in parts.items()}


@dataclass(frozen=True)
class _Lists:
    """The files that are written, by name, and what `Prepared` counts."""

    files: dict[str, bytes]
    classes: int | None
    train: int
    val: int


def _read_layout(
    folders: Mapping[str, Path], source: Path, labels: PathLike | None
) -> _Lists:
    """Read what the lists hold from the folders of the parts.

    Raises:
        UserError: A label is missing or impossible.
    """
    pictures: dict[str, Labelled] = {"train": [], "val": []}
    if "train" in folders:
        pictures["train"] = _class_folders(folders["train"])
    if "val" in folders:
        pictures["val"] = _read_val(folders["val"], source, labels)
    first = next(iter(folders.values()))
    classes = _classes(source, first, pictures["val"])
    files = {}
    for name, listed in pictures.items():
        if listed:
            files[f"{name}_list.txt"] = _list(listed, classes)
    count = None
    if classes is not None:
        count = len(classes)
        files[CLASS_LIST] = dump_class_names(classes).encode()
    return _Lists(files, count, len(pictures["train"]), len(pictures["val"]))


def _class_folders(folder: Path) -> Labelled:
    """The pictures of one folder per class, each with the name of its folder."""
    labelled: Labelled = []
    for wnid in folders_in(str(folder)):
        for name in _pictures(folder / wnid):
            labelled.append((f"{folder.name}/{wnid}/{name}", wnid))
    return labelled


def _read_val(folder: Path, source: Path, labels: PathLike | None) -> Labelled:
    """The pictures of a flat folder with their labels, or those of one folder per class."""
    names = _pictures(folder)
    if not names:
        return _class_folders(folder)
    expect(
        not folders_in(str(folder)),
        f"{folder} holds pictures and folders; sort all into class folders, or none",
    )
    paths = [f"{folder.name}/{name}" for name in names]
    return list(zip(paths, _flat_labels(names, source, labels)))


def _flat_labels(
    names: list[str], source: Path, labels: PathLike | None
) -> list[ClassKey]:
    devkit = Devkit.find(source)
    if labels is None and devkit is not None:
        return read_numbers(devkit.truth.splitlines(), len(names), devkit.path, devkit)
    return read_labels(_label_file(source, labels), names, devkit)


def _check_labels(source: Path, labels: PathLike | None) -> None:
    """Raise a UserError if labels of pictures that are still in their archive cannot be had."""
    devkit = Devkit.find(source)
    if labels is None and devkit is not None:
        numbers = devkit.truth.splitlines()
        read_numbers(numbers, len(numbers), devkit.path, devkit)
    else:
        _label_file(source, labels)


def _label_file(source: Path, labels: PathLike | None) -> Path:
    """The file of the labels that a user gives, or the first of the usual names."""
    known = [source / name for name in _LABEL_FILES]
    if labels is not None:
        known = [Path(labels)]
    for file in known:
        if file.is_file():
            return file
    raise UserError(
        f"{labels or source}: no labels of the pictures in val; put {DEVKIT}.tar.gz or LOC_val_solution.csv there, or "
        "name a label file with --labels"
    )


def _classes(source: Path, part: Path, val: Labelled) -> list[str] | None:
    """The sorted wnids; None if pictures and numbers are all there is."""
    folders = folders_in(str(part))
    if folders:
        return folders
    mapping = source / "LOC_synset_mapping.txt"
    if mapping.is_file():
        lines = filter(str.strip, read_lines(mapping))
        return sorted(line.split()[0] for line in lines)
    devkit = Devkit.find(source)
    if devkit is not None:
        return sorted(devkit.wnids.values())
    wnids = set()
    for _, key in val:
        if not isinstance(key, str):
            return None
        wnids.add(key)
    return sorted(wnids)


def _list(pictures: Labelled, classes: Sequence[str] | None) -> bytes:
    """The content of a list of pictures and labels."""
    labels: dict[Any, int] = {**index_of_names(classes or ())}
    # Numbers are labels already
    most = len(labels) if classes is not None else math.inf
    lines = []
    for path, key in pictures:
        label = labels.get(key, key)
        if isinstance(label, str):
            raise UserError(
                f"{path}: its class {key} is not one of the {len(labels)} known; give them all (train)"
            )
        expect(
            label < most,
            f"{path}: label {label}, but there are {most} classes, counted from 0",
        )
        lines.append(f"{path} {label}\n")
    return "".join(lines).encode()


def _pictures(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    return [name for name in names if is_picture_name(name)]
