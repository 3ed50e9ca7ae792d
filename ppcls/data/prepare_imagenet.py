"""Lays ImageNet out as the configurations expect it: two lists, and pictures under the paths that stand in them.

    DST/train/n01440764/n01440764_10026.JPEG    DST/train_list.txt    `train/n01440764/n01440764_10026.JPEG 0`
    DST/val/ILSVRC2012_val_00000293.JPEG        DST/val_list.txt      `val/ILSVRC2012_val_00000293.JPEG 0`
                                                DST/class_list.txt    `0 n01440764`

A label is the index of the class's wnid among the sorted wnids.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from ppcls.data.imagenet_archives import extract_class_archives, extract_pictures
from ppcls.data.imagenet_labels import (
    DEVKIT,
    ClassKey,
    Devkit,
    read_labels,
    read_numbers,
)
from ppcls.data.picture_files import folders_in, is_picture_name
from ppcls.data.text import read_lines
from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike, folder_for, naming, write_beside_others
from ppcls.utils.lock import claimed

TRAIN_ARCHIVE = "ILSVRC2012_img_train.tar"
VAL_ARCHIVE = "ILSVRC2012_img_val.tar"
CLASS_LIST = "class_list.txt"
_PARENTS = ("", "ILSVRC/Data/CLS-LOC", "Data/CLS-LOC")  # Kaggle's copy lies deeper
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
        classes = (
            "classes not named" if self.classes is None else f"{self.classes:,} classes"
        )
        return f"{self.folder}: {classes}, {self.train:,} pictures to train on, {self.val:,} to evaluate on"


def prepare_imagenet(
    src: PathLike, dst: PathLike, labels: PathLike | None = None, copy: bool = False
) -> Prepared:
    """Makes the layout in `dst` of what lies in `src`; may be repeated, and goes on where it was interrupted.

    Args:
        src: holds, for each of train and val, the official archive (ILSVRC2012_img_train.tar,
            ILSVRC2012_img_val.tar), or a folder `train`, `val` with one folder per class; `val` may be flat.
        dst: may be `src`.
        labels: the label file of a flat `val`, see `read_labels`; None looks in `src` for the devkit
            and for the usual names.
        copy: copy the pictures of folders; otherwise `dst` gets a link to them.

    Raises:
        UserError: nothing is there, an archive is damaged, or a label is missing or impossible.
    """
    source, target = Path(src), Path(dst)
    if not source.is_dir():
        raise UserError(
            f"{source}: no such folder; give the one that holds the archives, or train and val"
        )
    with claimed(target, "preparing", "wait until it ends, or give another DST"):
        return _prepare(source, target, labels, copy)


def _prepare(
    source: Path, target: Path, labels: PathLike | None, copy: bool
) -> Prepared:
    train, val = (
        _find(source, "train", TRAIN_ARCHIVE),
        _find(source, "val", VAL_ARCHIVE),
    )
    if train is None and val is None:
        raise UserError(
            f"{source}: neither {TRAIN_ARCHIVE}, {VAL_ARCHIVE}, nor a folder train or val is there; give their folder"
        )
    found = [place for place in (train, val) if place is not None]
    for folder in found:
        _check_free(folder, target / _name(folder), copy)
    # Check first: unpacking takes hours, and what is refused leaves no half of a layout behind.
    if all(folder.is_dir() for folder in found):
        layout = _read_layout(train, val, source, labels)
    elif val is not None and val.is_file():
        _check_labels(source, labels)
    with folder_for(target / CLASS_LIST):
        for folder in found:
            _bring(folder, target / _name(folder), copy)
    if copy or not all(folder.is_dir() for folder in found):
        layout = _read_layout(
            train and target / "train", val and target / "val", source, labels
        )
    for name, content in layout.files.items():
        write_beside_others(target / name, content)
    return Prepared(target, layout.classes, layout.train, layout.val)


@dataclass(frozen=True)
class _Layout:
    """The files that are written, by name, and what `Prepared` counts."""

    files: dict[str, bytes]
    classes: int | None
    train: int
    val: int


def _find(source: Path, name: str, archive: str) -> Path | None:
    """The archive of a part, or else its folder."""
    if (source / archive).is_file():
        return source / archive
    for parent in _PARENTS:
        folder = source / parent / name
        if folder.is_dir():
            return folder
    return None


def _name(place: Path) -> str:
    """`train` or `val`, of an archive or a folder."""
    return {TRAIN_ARCHIVE: "train", VAL_ARCHIVE: "val"}.get(place.name, place.name)


def _check_free(folder: Path, place: Path, copy: bool) -> None:
    """Raises a UserError if another thing than the part itself is in its place."""
    if folder.is_file() or (copy and not place.is_symlink()):
        return
    is_there = place.exists() or place.is_symlink()
    if is_there and not _is_same(folder, place, copy):
        raise UserError(
            f"{place} is there already and is not {folder}; remove it, or give another DST"
        )


def _is_same(folder: Path, place: Path, copy: bool) -> bool:
    return (
        place.exists() and place.samefile(folder) and not (copy and place.is_symlink())
    )


def _read_layout(
    train: Path | None, val: Path | None, source: Path, labels: PathLike | None
) -> _Layout:
    """What the lists hold, read from the folders of the parts.

    Raises:
        UserError: a label is missing or impossible.
    """
    pictures = {
        "train": _class_folders(train) if train else [],
        "val": _read_val(val, source, labels) if val else [],
    }
    classes = _classes(source, train or val, pictures["val"])
    files = {
        f"{name}_list.txt": _list(listed, classes)
        for name, listed in pictures.items()
        if listed
    }
    if classes is not None:
        files[CLASS_LIST] = "".join(
            f"{label} {wnid}\n" for label, wnid in enumerate(classes)
        ).encode()
    return _Layout(
        files,
        None if classes is None else len(classes),
        len(pictures["train"]),
        len(pictures["val"]),
    )


def _bring(folder: Path, place: Path, copy: bool) -> None:
    """Makes `place` of an archive, or of a folder."""
    if folder.is_file():
        extract = (
            extract_class_archives if folder.name == TRAIN_ARCHIVE else extract_pictures
        )
        extract(folder, place)
    elif copy and not place.is_symlink() and not _is_same(folder, place, copy):
        _copy(folder, place)
    elif not _is_same(folder, place, copy):
        try:
            place.symlink_to(
                os.path.relpath(folder.resolve(), place.parent.resolve()),
                target_is_directory=True,
            )
        except OSError as error:
            raise UserError(
                f"{place}: no link can be made here ({error.strerror}); copy with --copy"
            ) from error


def _copy(folder: Path, place: Path) -> None:
    files = [
        Path(parent, name) for parent, _, names in os.walk(folder) for name in names
    ]
    for file in tqdm(files, desc=f"copy {folder.name}", unit="picture", disable=None):
        goal = place / file.relative_to(folder)
        if goal.is_file() and goal.stat().st_size == file.stat().st_size:
            continue
        part = goal.with_name(f".{goal.name}.part")
        with folder_for(goal), naming(goal, part):
            try:
                shutil.copyfile(file, part)
                part.replace(goal)
            finally:
                part.unlink(missing_ok=True)


def _class_folders(folder: Path) -> Labelled:
    labelled: Labelled = []
    for wnid in folders_in(str(folder)):
        for name in _pictures(folder / wnid):
            labelled.append((f"{folder.name}/{wnid}/{name}", wnid))
    return labelled


def _read_val(folder: Path, source: Path, labels: PathLike | None) -> Labelled:
    names = _pictures(folder)
    if not names:
        return _class_folders(folder)
    if folders_in(str(folder)):
        raise UserError(
            f"{folder} holds pictures and folders; sort all into class folders, or none"
        )
    return [
        (f"{folder.name}/{name}", key)
        for name, key in zip(names, _flat_labels(names, source, labels))
    ]


def _flat_labels(
    names: list[str], source: Path, labels: PathLike | None
) -> list[ClassKey]:
    devkit = Devkit.find(source)
    if labels is None and devkit is not None:
        return read_numbers(devkit.truth.splitlines(), len(names), devkit.path, devkit)
    return read_labels(_label_file(source, labels), names, devkit)


def _check_labels(source: Path, labels: PathLike | None) -> None:
    """Raises a UserError if labels of pictures that are still in their archive cannot be had."""
    devkit = Devkit.find(source)
    if labels is None and devkit is not None:
        read_numbers(
            devkit.truth.splitlines(),
            len(devkit.truth.splitlines()),
            devkit.path,
            devkit,
        )
    else:
        _label_file(source, labels)


def _label_file(source: Path, labels: PathLike | None) -> Path:
    known = (
        [source / name for name in _LABEL_FILES] if labels is None else [Path(labels)]
    )
    file = next((file for file in known if file.is_file()), None)
    if file is None:
        raise UserError(
            f"{labels or source}: no labels of the pictures in val; put {DEVKIT}.tar.gz or "
            "LOC_val_solution.csv there, or name a label file with --labels"
        )
    return file


def _classes(source: Path, part: Path | None, val: Labelled) -> list[str] | None:
    """The sorted wnids; None if pictures and numbers are all there is."""
    folders = folders_in(str(part)) if part else []
    if folders:
        return folders
    mapping, devkit = source / "LOC_synset_mapping.txt", Devkit.find(source)
    if mapping.is_file():
        return sorted(line.split()[0] for line in read_lines(mapping) if line.strip())
    if devkit is not None:
        return sorted(devkit.wnids.values())
    wnids = {key for _, key in val}
    return (
        sorted(map(str, wnids)) if all(isinstance(key, str) for key in wnids) else None
    )


def _list(pictures: Labelled, classes: Sequence[str] | None) -> bytes:
    labels: dict[ClassKey, int] = {
        wnid: label for label, wnid in enumerate(classes or ())
    }
    lines = []
    for path, key in pictures:
        label: int | str | None = labels.get(key) if isinstance(key, str) else key
        if label is None:
            raise UserError(
                f"{path}: its class {key} is not one of the {len(labels)} known; give them all (train)"
            )
        if classes is not None and int(label) >= len(classes):
            raise UserError(
                f"{path}: label {label}, but there are {len(classes)} classes, counted from 0"
            )
        lines.append(f"{path} {label}\n")
    return "".join(lines).encode()


def _pictures(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    return [name for name in names if is_picture_name(name)]
