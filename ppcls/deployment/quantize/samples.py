"""Which pictures a bundle is calibrated on, and which ones it is compared on: never the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ppcls.data.picture_list import PictureList, balanced, read_picture_list
from ppcls.data.read_ahead import InputBatch, read_batches, read_or_reason
from ppcls.deployment.npz.files import read_datalist
from ppcls.deployment.npz.inputs import DATALIST_FILE, LABELS_FILE, read_input
from ppcls.inference.bundle import Bundle
from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike, sha256_of

CALIBRATED = 256
COMPARED = 1000
_BATCH = 8


class Samples:
    """Inputs for a bundle: pictures, which go through its preprocessing, or arrays that are preprocessed already.

    Args:
        bundle: Gives the preprocessing and the shape of inputs.
        source: A list file, a folder of pictures, or a folder that `ppcls npz make` wrote.
        image_root: What a list's paths are relative to; its own folder by default.

    Attributes:
        list: The names and labels.
        unreadable: The names of those that could not be read so far, each with the reason.

    Raises:
        UserError: There is nothing, or a line of the list is wrong.
    """

    def __init__(
        self, bundle: Bundle, source: PathLike, image_root: PathLike | None = None
    ) -> None:
        self.source = Path(source)
        self.unreadable: dict[str, str] = {}
        self._is_stored = (self.source / DATALIST_FILE).is_file()
        if self._is_stored:
            self.list = _stored(self.source, bundle.class_num)
            self._read = partial(read_or_reason, partial(read_input, bundle=bundle))
        else:
            self.list = read_picture_list(
                self.source, bundle.class_num, image_root, bundle.class_names
            )
            self._read = partial(read_or_reason, bundle.pipeline.from_file)

    def __len__(self) -> int:
        return len(self.list)

    @property
    def digest(self) -> str:
        """SHA-256 of the list file, or of the names in the folder."""
        if self._is_stored:
            return sha256_of(self.source / DATALIST_FILE)
        if self.source.is_file():
            return sha256_of(self.source)
        names = "\n".join([*self.list.names, ""])
        return hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()

    def inputs(self, indices: Sequence[int]) -> np.ndarray:
        """Read inputs, float32 [N, C, H, W], all into memory: 600 kB for a picture of 224 pixels.

        Raises:
            UserError: None can be read.
        """
        found = [batch.inputs for batch in self._batches(indices, _BATCH)]
        if not found:
            raise UserError(self.none_readable(len(indices)))
        return np.concatenate(found)

    def batches(
        self, indices: Sequence[int], size: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Read inputs [N, C, H, W], with their labels [N] if the list has labels."""
        chosen = self.list.take(indices)
        for batch in self._batches(indices, size):
            labels = None if chosen.labels is None else chosen.labels[batch.indices]
            yield batch.inputs, labels

    def none_readable(self, count: int) -> str:
        """The message if none of so many pictures can be read."""
        name, reason = next(iter(self.unreadable.items()))
        return f"{self.source}: none of {count} pictures can be read ({name}: {reason}); give others"

    def _batches(self, indices: Sequence[int], size: int) -> Iterator[InputBatch]:
        """Read the chosen items; those that cannot be read are noted in `unreadable`."""
        chosen = self.list.take(indices)
        for batch in read_batches(self._read, chosen.paths, size):
            for index, reason in batch.unreadable.items():
                self.unreadable[chosen.names[index]] = reason
            if batch.indices:
                yield batch


def _stored(folder: Path, class_num: int) -> PictureList:
    """The inputs that `ppcls npz make` wrote, with labels if it wrote them."""
    if (folder / LABELS_FILE).is_file():
        return read_picture_list(folder / LABELS_FILE, class_num)
    files = read_datalist(folder / DATALIST_FILE)
    return PictureList(folder, [file.name for file in files])


def choose(pictures: PictureList, count: int) -> list[int]:
    """Choose pictures by a fixed rule: with balanced classes if there are labels, otherwise evenly spaced."""
    if pictures.labels is not None:
        return balanced(pictures.labels, count)
    return evenly_spaced(len(pictures), count)


def evenly_spaced(length: int, count: int) -> list[int]:
    """`count` indices below `length`, each in the middle of its part; all indices if there are not so many."""
    count = min(count, length)
    return [(2 * index + 1) * length // (2 * count) for index in range(count)]


@dataclass(frozen=True)
class Split:
    """The samples for calibration and for comparison.

    Attributes:
        calibrated: Indices of `calibration`.
        comparison: The samples to compare on; they may be the calibration samples.
        compared: Indices of `comparison`.
    """

    calibrated: list[int]
    comparison: Samples
    compared: list[int]


def split(
    calibration: Samples,
    data: Samples | None,
    count: int | None = None,
    compared: int = COMPARED,
) -> Split:
    """Choose both sets.

    Args:
        calibration: Samples to calibrate on.
        data: Samples to compare on; by default those of `calibration` that are not calibrated on.
        count: How many to calibrate on; by default 256, and at most half of a list that is compared on too.
        compared: How many to compare on, at most.

    Raises:
        UserError: None is left to compare on.
    """
    if count is None:
        count = CALIBRATED
        if data is None:
            count = max(1, min(CALIBRATED, len(calibration) // 2))
    calibrated = choose(calibration.list, count)
    taken = {os.path.realpath(path) for path in calibration.list.take(calibrated).paths}
    other = data or calibration
    rest = [
        index
        for index, path in enumerate(other.list.paths)
        if os.path.realpath(path) not in taken
    ]
    if not rest:
        remedy = f"calibrate on fewer than {len(calibration)}, or give --data"
        if data is not None:
            remedy = "give others with --data"
        raise UserError(
            f"{other.source}: the model is calibrated on every picture there, so none is left to compare on; {remedy}"
        )
    chosen = choose(other.list.take(rest), compared)
    return Split(calibrated, other, [rest[index] for index in chosen])
