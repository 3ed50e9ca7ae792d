"""Which pictures a bundle is calibrated on, and which it is compared on: never the same ones."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ppcls.data.picture_list import PictureList, balanced, read_picture_list
from ppcls.data.read_ahead import parallel
from ppcls.data.transforms import UnreadableImage
from ppcls.deployment.npz.folders import (
    DATALIST_FILE,
    LABELS_FILE,
    read_datalist,
    read_input,
)
from ppcls.inference.bundle import Bundle
from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike, sha256_of

CALIBRATED = 256
COMPARED = 1000


class Samples:
    """Inputs for a bundle: pictures, which go through its preprocessing, or arrays that already have.

    Args:
        bundle: whose pipeline and input shape count.
        source: a list file, a folder of pictures, or a folder that `ppcls npz make` wrote.
        image_root: what a list's paths are relative to; its own folder by default.

    Raises:
        UserError: there is nothing, or a line of the list is wrong.
    """

    def __init__(
        self, bundle: Bundle, source: PathLike, image_root: PathLike | None = None
    ) -> None:
        self.bundle = bundle
        self.source = Path(source)
        self.stored = (self.source / DATALIST_FILE).is_file()
        if self.stored:
            self.list = _stored(self.source, bundle.class_num)
        else:
            self.list = read_picture_list(
                self.source, bundle.class_num, image_root, bundle.class_names
            )
        self.unreadable: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.list)

    @property
    def digest(self) -> str:
        """SHA-256 of the list file, or of the names in the folder."""
        if self.stored:
            return sha256_of(self.source / DATALIST_FILE)
        if self.source.is_file():
            return sha256_of(self.source)
        names = "".join(f"{name}\n" for name in self.list.names)
        return hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()

    def read(self, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        """The index and the input [C, H, W] of each, in order; those that cannot be read go to `unreadable`."""
        chosen = self.list.take(indices)
        for index, name, tensor in zip(
            indices, chosen.names, parallel(self._read, chosen.paths)
        ):
            if isinstance(tensor, str):
                self.unreadable[name] = tensor
            else:
                yield index, tensor

    def batches(
        self, indices: Sequence[int], size: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Inputs [N, C, H, W], and their labels [N] where the list has labels."""
        waiting: list[tuple[int, np.ndarray]] = []
        for pair in self.read(indices):
            waiting.append(pair)
            if len(waiting) == size:
                yield self._stacked(waiting)
                waiting = []
        if waiting:
            yield self._stacked(waiting)

    def none_readable(self, count: int) -> str:
        """The sentence for it."""
        name, reason = next(iter(self.unreadable.items()))
        return f"{self.source}: none of {count} pictures could be read ({name}: {reason}); give others"

    def _stacked(
        self, pairs: list[tuple[int, np.ndarray]]
    ) -> tuple[np.ndarray, np.ndarray | None]:
        labels = self.list.labels
        inputs = np.stack([tensor for _, tensor in pairs])
        return inputs, None if labels is None else labels[[index for index, _ in pairs]]

    def _read(self, path: Path) -> np.ndarray | str:
        try:
            if self.stored:
                return read_input(path, self.bundle)
            return self.bundle.pipeline.from_file(path)
        except UnreadableImage as error:
            return error.reason
        except UserError as error:
            return str(error)


def _stored(folder: Path, class_num: int) -> PictureList:
    """What `ppcls npz make` wrote, with labels if it wrote them."""
    if (folder / LABELS_FILE).is_file():
        return read_picture_list(folder / LABELS_FILE, class_num)
    return PictureList(
        folder, [file.name for file in read_datalist(folder / DATALIST_FILE)]
    )


def choose(samples: PictureList, count: int) -> list[int]:
    """Indices of `count` pictures by a fixed rule: classes balanced where there are labels, else evenly spaced."""
    if samples.labels is not None:
        return balanced(samples.labels, count)
    return evenly_spaced(len(samples), count)


def evenly_spaced(length: int, count: int) -> list[int]:
    """`count` indices below `length`, each in the middle of its part; all where there are not so many."""
    count = min(count, length)
    return [(2 * index + 1) * length // (2 * count) for index in range(count)]


@dataclass(frozen=True)
class Chosen:
    """What is calibrated on and what is compared on.

    Attributes:
        calibration: where the calibrated inputs are from.
        calibrated: their indices.
        comparison: where the compared inputs are from; may be the same.
        compared: their indices.
    """

    calibration: Samples
    calibrated: list[int]
    comparison: Samples
    compared: list[int]


def split(
    calibration: Samples,
    data: Samples | None,
    count: int | None = None,
    compared: int = COMPARED,
) -> Chosen:
    """Chooses both sets.

    Args:
        calibration: to calibrate on.
        data: to compare on; what remains of `calibration` without it.
        count: inputs to calibrate on; 256 by default, and at most half of a list that is compared on too.
        compared: inputs to compare on, at most.

    Raises:
        UserError: nothing is left to compare on.
    """
    if count is None:
        count = (
            CALIBRATED
            if data is not None
            else max(1, min(CALIBRATED, len(calibration) // 2))
        )
    calibrated = choose(calibration.list, count)
    taken = {os.path.realpath(path) for path in calibration.list.take(calibrated).paths}
    other = data or calibration
    rest = [
        index
        for index, path in enumerate(other.list.paths)
        if os.path.realpath(path) not in taken
    ]
    if not rest:
        remedy = (
            "give others by --data"
            if data
            else f"calibrate on fewer than {len(calibration)}, or give --data"
        )
        raise UserError(
            f"{other.source}: the model is calibrated on every picture there, so none is left to compare on; {remedy}"
        )
    chosen = choose(other.list.take(rest), compared)
    return Chosen(calibration, calibrated, other, [rest[index] for index in chosen])


def calibration_inputs(samples: Samples, indices: Sequence[int]) -> np.ndarray:
    """Float32 [N, C, H, W], all in memory: 600 kB for a picture of 224 pixels.

    Raises:
        UserError: none could be read.
    """
    inputs = [tensor for _, tensor in samples.read(indices)]
    if not inputs:
        raise UserError(samples.none_readable(len(indices)))
    return np.stack(inputs)
