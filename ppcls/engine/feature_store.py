"""Features of pictures, kept from one run to the next in a bounded folder."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

import numpy as np

from ppcls.utils.download import cache_home

LIMIT = 4 << 30  # bytes of all features together
_IN_MEMORY = 256 << 20  # bytes that are read once; every epoch needs them
_ALL = "features"


def feature_home() -> Path:
    """The folder of all features: `~/.cache/ppcls/features`, or that in PPCLS_HOME."""
    return cache_home() / _ALL


class FeatureStore:
    """Features of one network, transforms included; each lies in a file named after the digest of its picture's file.

    Args:
        folder: The network's folder, named after its digest. The folders beside it share the limit: those used longest
            ago go first, and when only this one is left nothing more is kept.
        limit: Bytes of all of them.
    """

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        self._room = limit - _make_room(folder, limit)
        self._loaded: dict[str, np.ndarray] = {}
        self._room_in_memory = _IN_MEMORY

    def __contains__(self, digest: str) -> bool:
        return digest in self._loaded or (bool(digest) and self._file(digest).is_file())

    def get(self, digest: str) -> np.ndarray:
        """The features of a picture.

        Raises:
            OSError: There are none.
            ValueError: The file is damaged.
        """
        if digest in self._loaded:
            return self._loaded[digest]
        features = np.load(self._file(digest), allow_pickle=False)
        if features.nbytes <= self._room_in_memory:
            self._room_in_memory -= features.nbytes
            self._loaded[digest] = features
        return features

    def put(self, digest: str, features: np.ndarray) -> None:
        """Keep the features of a picture, if there is room."""
        if not digest or features.nbytes > self._room or digest in self:
            return
        self._room -= features.nbytes
        file = self._file(digest)
        file.parent.mkdir(exist_ok=True)
        aside = file.with_name(f".{uuid.uuid4().hex}")
        with aside.open("wb") as opened:
            np.save(opened, features)
        aside.replace(file)

    def _file(self, digest: str) -> Path:
        return self._folder / digest[:2] / f"{digest}.npy"


def _make_room(kept: Path, limit: int) -> int:
    """Delete folders, those used longest ago first, until the rest takes at most half of the limit; give its bytes."""
    folders = sorted(
        kept.parent.iterdir(), key=lambda each: (each == kept, each.stat().st_mtime)
    )
    sizes = {folder: _size(folder) for folder in folders}
    total = sum(sizes.values())
    for folder in folders:
        if total <= limit // 2 or folder == kept:
            break
        shutil.rmtree(folder)
        total -= sizes[folder]
    return total


def _size(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.rglob("*.npy"))
