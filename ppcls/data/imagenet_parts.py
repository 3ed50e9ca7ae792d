"""The parts of ImageNet, `train` and `val`, as they are found: where they lie, and how they get into the layout."""

from __future__ import annotations

import os
import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from ppcls.data.imagenet_archives import extract_class_archives, extract_pictures
from ppcls.utils.errors import UserError, expect, translated
from ppcls.utils.files import folder_for, naming, resolved

TRAIN_ARCHIVE = "ILSVRC2012_img_train.tar"
VAL_ARCHIVE = "ILSVRC2012_img_val.tar"
_ARCHIVES = {"train": TRAIN_ARCHIVE, "val": VAL_ARCHIVE}
_PARENTS = ("", "ILSVRC/Data/CLS-LOC", "Data/CLS-LOC")  # Kaggle's copy lies deeper


@dataclass(frozen=True)
class ImageNetPart(ABC):
    """A part of the data set, `train` or `val`.

    Attributes:
        found: Its archive, or its folder.
        place: The folder that it gets in the layout.
    """

    found: Path
    place: Path

    @property
    def is_in_place(self) -> bool:
        """Whether its folder, or a link to it, is in its place already."""
        return self.place.exists() and self.place.samefile(self.found)

    @abstractmethod
    def check_free(self) -> None:
        """Raise a UserError if another thing is in its place."""

    @abstractmethod
    def bring(self) -> None:
        """Extract, copy or link it to its place."""

    def _refuse_place(self) -> NoReturn:
        raise UserError(
            f"{self.place} is there already and is not {self.found}; remove it, or give another DST"
        )


class Archive(ImageNetPart):
    """An archive, whose pictures are added to what is there."""

    def check_free(self) -> None:
        """Do nothing: extracting continues where it was interrupted."""

    def bring(self) -> None:
        """Extract it."""
        if self.found.name == TRAIN_ARCHIVE:
            extract_class_archives(self.found, self.place)
        else:
            extract_pictures(self.found, self.place)


class Copied(ImageNetPart):
    """A folder whose pictures are copied to what is there."""

    def check_free(self) -> None:
        """Raise a UserError for a link, through which the copies would come to lie elsewhere."""
        if self.place.is_symlink():
            self._refuse_place()

    def bring(self) -> None:
        """Copy it."""
        if not self.is_in_place:
            _copy(self.found, self.place)


class Linked(ImageNetPart):
    """A folder that gets a link."""

    def check_free(self) -> None:
        """Raise a UserError for anything but the folder itself or a link to it."""
        is_taken = self.place.exists() or self.place.is_symlink()
        if is_taken and not self.is_in_place:
            self._refuse_place()

    def bring(self) -> None:
        """Link it."""
        if not self.is_in_place:
            _link(self.found, self.place)


def find_parts(source: Path, target: Path, copy: bool) -> dict[str, ImageNetPart]:
    """Find the parts of the data set by their names.

    Raises:
        UserError: There is none.
    """
    parts = {}
    for name, archive in _ARCHIVES.items():
        found = _find(source, name, archive)
        if found is not None:
            parts[name] = _part(found, target / name, copy)
    expect(
        parts,
        f"{source}: neither {TRAIN_ARCHIVE}, {VAL_ARCHIVE}, nor a folder train or val is there; give their folder",
    )
    return parts


def _part(found: Path, place: Path, copy: bool) -> ImageNetPart:
    if found.is_file():
        return Archive(found, place)
    if copy:
        return Copied(found, place)
    return Linked(found, place)


def _find(source: Path, name: str, archive: str) -> Path | None:
    """The archive of a part, or else its folder."""
    if (source / archive).is_file():
        return source / archive
    for parent in _PARENTS:
        folder = source / parent / name
        if folder.is_dir():
            return folder
    return None


def _link(folder: Path, place: Path) -> None:
    """Link a folder to its place, by a relative path."""
    way = os.path.relpath(resolved(folder), resolved(place.parent))
    with translated(
        OSError,
        lambda error: UserError(
            f"{place}: no link can be made here ({error.strerror}); copy with --copy"
        ),
    ):
        place.symlink_to(way, target_is_directory=True)


def _copy(folder: Path, place: Path) -> None:
    """Copy the files of a folder; those of the same size that are there stay."""
    files: list[Path] = []
    for parent, _, names in os.walk(folder):
        files += map(Path(parent).joinpath, names)
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
