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
from ppcls.data.imagenet_labels import DEVKIT, ClassKey, Devkit, read_labels, read_numbers
from ppcls.data.text import read_lines
from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike, write_atomically
from ppcls.utils.lock import claimed
from ppcls.utils.picture_files import is_picture_name

TRAIN_ARCHIVE = "ILSVRC2012_img_train.tar"
VAL_ARCHIVE = "ILSVRC2012_img_val.tar"
CLASS_LIST = "class_list.txt"
_PARENTS = ("", "ILSVRC/Data/CLS-LOC", "Data/CLS-LOC")  # Kaggle's copy lies deeper
_LABEL_FILES = ("LOC_val_solution.csv", "val.txt", "ILSVRC2012_validation_ground_truth.txt", "val_list.txt")
Labelled = list[tuple[str, ClassKey]]  # path relative to DST, class


@dataclass(frozen=True)
class Prepared:
    """What was found: classes (None if only labels are known), pictures to train on, pictures to evaluate on."""

    folder: Path
    classes: int | None
    train: int
    val: int

    def __str__(self) -> str:
        classes = "classes not named" if self.classes is None else f"{self.classes:,} classes"
        return f"{self.folder}: {classes}, {self.train:,} pictures to train on, {self.val:,} to evaluate on"


def prepare_imagenet(src: PathLike, dst: PathLike, labels: PathLike | None = None, copy: bool = False) -> Prepared:
    """Makes the layout in `dst` of what lies in `src`; may be repeated, and goes on where it was interrupted.

    Args:
        src: holds, for each of train and val, the official archive (ILSVRC2012_img_train.tar,
            ILSVRC2012_img_val.tar), or a folder `train`, `val` with a folder a class; `val` may be flat.
        dst: may be `src`.
        labels: the label file of a flat `val`, see `read_labels`; None looks in `src` for the devkit
            and for the usual names.
        copy: copy the pictures of folders; otherwise `dst` gets a link to them.

    Raises:
        UserError: nothing is there, an archive is damaged, or a label is missing or impossible.
    """
    source, target = Path(src), Path(dst)
    if not source.is_dir():
        raise UserError(f"{source}: no such folder; give the one that holds the archives, or train and val")
    with claimed(target, "preparing", "wait until it ends, or give another DST"):
        return _prepare(source, target, labels, copy)


def _prepare(source: Path, target: Path, labels: PathLike | None, copy: bool) -> Prepared:
    is_new = not target.exists()
    target.mkdir(parents=True, exist_ok=True)
    has_train = _bring(source, target / "train", TRAIN_ARCHIVE, copy)
    has_val = _bring(source, target / "val", VAL_ARCHIVE, copy)
    if not (has_train or has_val):
        if is_new:
            target.rmdir()
        raise UserError(
            f"{source}: neither {TRAIN_ARCHIVE}, {VAL_ARCHIVE}, nor a folder train or val is there; give their folder"
        )
    train = _class_folders(target / "train") if has_train else []
    val = _read_val(target / "val", source, labels) if has_val else []
    classes = _classes(source, target, has_train, val)
    for name, pictures in (("train", train), ("val", val)):
        if pictures:
            _write_list(target / f"{name}_list.txt", pictures, classes)
    if classes is not None:
        lines = "".join(f"{label} {wnid}\n" for label, wnid in enumerate(classes))
        write_atomically(target / CLASS_LIST, lines.encode())
    return Prepared(target, None if classes is None else len(classes), len(train), len(val))


def _bring(source: Path, place: Path, archive: str, copy: bool) -> bool:
    """Makes `place` of the archive, or of the folder of the same name; False if neither is there."""
    if (source / archive).is_file():
        extract = extract_class_archives if archive == TRAIN_ARCHIVE else extract_pictures
        extract(source / archive, place)
        return True
    folder = next((found for parent in _PARENTS if (found := source / parent / place.name).is_dir()), None)
    if folder is None:
        return False
    if place.exists() and place.samefile(folder) and not (copy and place.is_symlink()):
        return True
    if copy and not place.is_symlink():
        _copy(folder, place)
        return True
    if place.exists() or place.is_symlink():
        raise UserError(f"{place} is there already and is not {folder}; remove it, or give another DST")
    try:
        place.symlink_to(os.path.relpath(folder.resolve(), place.parent.resolve()), target_is_directory=True)
    except OSError as error:
        raise UserError(f"{place}: no link can be made here ({error.strerror}); copy with --copy") from error
    return True


def _copy(folder: Path, place: Path) -> None:
    files = [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]
    for file in tqdm(files, desc=f"copy {folder.name}", unit="picture", disable=None):
        goal = place / file.relative_to(folder)
        if goal.is_file() and goal.stat().st_size == file.stat().st_size:
            continue
        goal.parent.mkdir(parents=True, exist_ok=True)
        part = goal.with_name(f".{goal.name}.part")
        shutil.copyfile(file, part)
        part.replace(goal)


def _class_folders(folder: Path) -> Labelled:
    return [
        (f"{folder.name}/{wnid}/{name}", wnid)
        for wnid in _subfolders(folder)
        for name in _pictures(folder / wnid)
    ]  # fmt: skip


def _read_val(folder: Path, source: Path, labels: PathLike | None) -> Labelled:
    names = _pictures(folder)
    if not names:
        return _class_folders(folder)
    if _subfolders(folder):
        raise UserError(f"{folder} holds pictures and folders; sort all into class folders, or none")
    return [(f"{folder.name}/{name}", key) for name, key in zip(names, _flat_labels(names, source, labels))]


def _flat_labels(names: list[str], source: Path, labels: PathLike | None) -> list[ClassKey]:
    devkit = Devkit.find(source)
    if labels is None and devkit is not None:
        return read_numbers(devkit.truth.splitlines(), len(names), devkit.path, devkit)
    known = [source / name for name in _LABEL_FILES] if labels is None else [Path(labels)]
    file = next((file for file in known if file.is_file()), None)
    if file is None:
        raise UserError(
            f"{labels or source}: no labels of the {len(names)} pictures in val; put {DEVKIT}.tar.gz or "
            "LOC_val_solution.csv there, or name a label file with --labels"
        )
    return read_labels(file, names, devkit)


def _classes(source: Path, target: Path, has_train: bool, val: Labelled) -> list[str] | None:
    """The sorted wnids; None if pictures and numbers are all there is."""
    folders = _subfolders(target / ("train" if has_train else "val"))
    if folders:
        return folders
    mapping, devkit = source / "LOC_synset_mapping.txt", Devkit.find(source)
    if mapping.is_file():
        return sorted(line.split()[0] for line in read_lines(mapping) if line.strip())
    if devkit is not None:
        return sorted(devkit.wnids.values())
    wnids = {key for _, key in val}
    return sorted(map(str, wnids)) if all(isinstance(key, str) for key in wnids) else None


def _write_list(file: Path, pictures: Labelled, classes: Sequence[str] | None) -> None:
    labels: dict[ClassKey, int] = {wnid: label for label, wnid in enumerate(classes or ())}
    lines = []
    for path, key in pictures:
        label: int | str | None = labels.get(key) if isinstance(key, str) else key
        if label is None:
            raise UserError(f"{path}: its class {key} is not one of the {len(labels)} known; give them all (train)")
        if classes is not None and int(label) >= len(classes):
            raise UserError(f"{path}: label {label}, but there are {len(classes)} classes, counted from 0")
        lines.append(f"{path} {label}\n")
    write_atomically(file, "".join(lines).encode())


def _subfolders(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _pictures(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    return [name for name in names if is_picture_name(name)]
