"""One shard: keys, pictures as they are stored, and the tar around them."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import cv2
import numpy as np

from ppcls.data.picture_files import SUFFIXES, read_file
from ppcls.data.transforms import DecodeImage, ResizeImage, UnreadableImage
from ppcls.utils.errors import translated
from ppcls.utils.files import written_aside

# A manifest's entry: name, pictures, bytes, sha256, and unreadable: reason by path
Shard = dict[str, Any]
_DECODE = DecodeImage(to_rgb=False)
_SPELLED = {".jpeg": ".jpg", ".jfif": ".jpg"}


class Entry(NamedTuple):
    """A picture to pack."""

    key: str
    path: str
    label: int


class Stopped(Exception):
    """The shard is not wanted any more."""


@dataclass(frozen=True)
class Encoding:
    """How a picture is stored.

    Attributes:
        resize_short: pixels to which a longer shorter side is reduced, by area; None reduces nothing.
        quality: JPEG quality of reduced pictures.
        reencode: whether the others are stored as such a JPEG too.
        skip: whether a picture that cannot be read is left out.
    """

    resize_short: int | None = None
    quality: int = 95
    skip: bool = True
    reencode: bool = False

    def encode(self, path: str) -> tuple[str, bytes]:
        """Suffix and bytes: the file's own, or those of the reduced picture.

        Raises:
            UnreadableImage: the file cannot be opened, or holds no whole picture.
        """
        with translated(
            OSError, lambda error: UnreadableImage(error.strerror or str(error), path)
        ):
            data = read_file(path)
        with translated(
            UnreadableImage, lambda error: UnreadableImage(error.reason, path)
        ):
            pixels = _DECODE(data)
        short = self.resize_short
        if short is not None and min(pixels.shape[:2]) > short:
            resize = ResizeImage(resize_short=short, interpolation="area")
            return ".jpg", self._jpeg(resize(pixels))
        if self.reencode:
            return ".jpg", self._jpeg(pixels)
        suffix = PurePosixPath(path).suffix.lower()
        if suffix not in SUFFIXES:
            return ".jpg", data
        return _SPELLED.get(suffix, suffix), data

    def _jpeg(self, pixels: np.ndarray) -> bytes:
        options = [cv2.IMWRITE_JPEG_QUALITY, self.quality]
        # A restart marker behind every unit of blocks: readers decode the units that a crop needs, and no others
        options += [cv2.IMWRITE_JPEG_RST_INTERVAL, 1]
        return cv2.imencode(".jpg", pixels, options)[1].tobytes()


def keys_of(paths: Sequence[str], root: Path) -> list[str]:
    """A key for each picture, each once: its path below `root` without suffix, and without what WebDataset minds.

    The first dot of a file's name ends its key there, and names that begin with two underscores are passed over.
    """
    keys: dict[str, None] = {}  # in their order
    for path in paths:
        relative = PurePosixPath(os.path.relpath(path, root)).with_suffix("")
        parts = [
            re.sub("^__+", "_", part)
            for part in relative.parts
            if part not in ("..", "/")
        ]
        key = unique = "/".join([*parts[:-1], parts[-1].replace(".", "_")])
        number = 1
        while unique in keys:
            number += 1
            unique = f"{key}-{number}"
        keys[unique] = None
    return list(keys)


def write_shard(
    path: Path, entries: Sequence[Entry], encoding: Encoding, stop: threading.Event
) -> Shard:
    """Writes `path` aside and renames it; its bytes depend on the entries and their encoding alone.

    Raises:
        UnreadableImage: a picture cannot be read, and the encoding does not skip it.
        Stopped: `stop` was set.
    """
    unreadable: dict[str, str] = {}
    # The next run of `ppcls pack` deletes files of this name that a killed one left.
    part = path.with_name(f".{path.name}.part")
    with written_aside(path, part) as aside, aside.open("wb") as file:
        hashed = _Hashed(file)
        with tarfile.open(fileobj=hashed, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
            for entry in entries:
                if stop.is_set():
                    raise Stopped
                try:
                    suffix, data = encoding.encode(entry.path)
                except UnreadableImage as error:
                    if not encoding.skip:
                        raise refusal(entry.path, error.reason) from error
                    unreadable[entry.path] = error.reason
                    continue
                _add(tar, entry.key + suffix, data)
                _add(tar, f"{entry.key}.cls", str(entry.label).encode())
    return {
        "name": path.name,
        "pictures": len(entries) - len(unreadable),
        "bytes": hashed.size,
        "sha256": hashed.digest.hexdigest(),
        "unreadable": unreadable,
    }


def refusal(path: str, reason: str) -> UnreadableImage:
    """What ends a packing that skips nothing."""
    return UnreadableImage(
        f"{reason}; replace the file, or pack with --on-error skip", path
    )


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    # Owner, times and rights are the defaults, the same everywhere
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


class _Hashed:
    """A file that is written and hashed at once."""

    def __init__(self, file: Any) -> None:
        self.file, self.digest, self.size = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.size += len(data)
        return self.file.write(data)
