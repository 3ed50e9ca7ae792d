"""Which pictures a step reads, where its random numbers come from, and the arrays that a worker makes of them.

Everything here is decided by an address alone: the order by (seed, epoch), a sample's generator by (seed, epoch,
index), a batch's by (seed, epoch, step, rank). So nothing depends on the number of workers, and a resumed run has no
state to restore.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ppcls.data.labels import ImageList
from ppcls.data.transforms import Pipeline, UnreadableImage
from ppcls.data.transforms.base import NotEnoughMemory, SystemShortage
from ppcls.utils.errors import UserError
from ppcls.utils.fields import CheckedFields, PositiveInt
from ppcls.utils.registry import Registry
from ppcls.utils.shortage import shortage

SAMPLERS = Registry("sampler")

# The first word of every address. Without it some would coincide, since numpy pads addresses with zeros.
_ORDER, _SAMPLE, _BATCH = 1, 2, 3


@SAMPLERS.register("DistributedBatchSampler", "BatchSampler")
@dataclass(frozen=True)
class DistributedBatchSampler(CheckedFields):
    """How an epoch is cut into batches, in one process or many.

    Args:
        batch_size: pictures a step and process.
        drop_last: leave out the last pictures of an epoch if they do not fill a batch of every process.
        shuffle: a new order every epoch.
    """

    batch_size: PositiveInt = 1
    drop_last: bool = False
    shuffle: bool = False


def epoch_order(length: int, seed: int, epoch: int, shuffle: bool) -> np.ndarray:
    """Indices of the pictures in the order of an epoch, int64 [length]."""
    if not shuffle:
        return np.arange(length, dtype=np.int64)
    rng = np.random.default_rng((_ORDER, seed, epoch))
    return rng.permutation(length).astype(np.int64)


def steps_in_epoch(length: int, global_batch: int, drop_last: bool) -> int:
    """Steps that `length` pictures make."""
    if drop_last:
        return length // global_batch
    return -(-length // global_batch)


def positions(
    length: int, step: int, batch_size: int, rank: int = 0, world_size: int = 1
) -> slice:
    """Positions in the epoch's order that `rank` reads in `step`.

    The processes' slices lie side by side in the global batch, so together they read the same pictures however many
    they are. An incomplete last batch is shared out evenly; its slices differ by one picture at most.
    """
    start = step * batch_size * world_size
    count = min(batch_size * world_size, length - start)
    first = start + count * rank // world_size
    end = start + count * (rank + 1) // world_size
    return slice(first, end)


def sample_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """Random numbers of one picture in one epoch."""
    return np.random.default_rng((_SAMPLE, seed, epoch, index))


def batch_generator(seed: int, epoch: int, step: int, rank: int) -> np.random.Generator:
    """Random numbers of one process's batch."""
    return np.random.default_rng((_BATCH, seed, epoch, step, rank))


@dataclass(frozen=True, eq=False)
class Reader:
    """What reads whole batches, each by its step, for one of several processes."""

    images: Any
    transforms: Pipeline
    batch_transforms: Sequence[Any]
    class_num: int
    batch_size: int
    shuffle: bool
    seed: int
    rank: int
    world_size: int


@dataclass(frozen=True, eq=False)
class BatchReader(Reader):
    """The pictures of a list, of which any batch is read as quickly as any other."""

    images: ImageList

    def order(self, epoch: int) -> np.ndarray:
        """Indices of all pictures in the order of `epoch`."""
        return epoch_order(len(self.images), self.seed, epoch, self.shuffle)

    def indices(self, order: np.ndarray, step: int) -> np.ndarray:
        """Indices of the pictures of `step`, int64 [N]."""
        return order[
            positions(len(order), step, self.batch_size, self.rank, self.world_size)
        ]

    def batches(
        self, epoch: int, steps: range, readers: int, copied: bool = False
    ) -> EpochBatches:
        """The batches of some steps of `epoch`; any of the `readers`, the processes that share them, may make any.

        `copied` is that of `EpochBatches`.
        """
        return EpochBatches(self, self.order(epoch), epoch, steps, copied)

    def describe_order(self, readers: int) -> str:
        """What the order depends on besides seed and pictures: here nothing."""
        return "read from a list"

    def names(self, order: np.ndarray, step: int) -> tuple[list[int], list[str]]:
        """Index and path of each picture of `step`."""
        indices = self.indices(order, step).tolist()
        return indices, [self.images.paths[index] for index in indices]

    def read(
        self, order: np.ndarray, epoch: int, step: int, room: np.ndarray | None = None
    ) -> tuple[list[np.ndarray], list[tuple[int, str]]]:
        """The arrays of a batch, pictures and targets (none if no picture could be read), and what could not be read.

        What could not be read is listed as (place in the batch, reason). `room`, [batch_size, C, H, W] of the
        transforms' type, is where the pictures may be put.

        Raises:
            UserError: a picture does not suit the transforms or the others of its batch; names it.
        """
        indices = self.indices(order, step)
        dtype = self.transforms.dtype
        pictures = np.empty((0,), dtype) if room is None else room[: len(indices)]
        kept: list[int] = []
        failures: list[tuple[int, str]] = []
        for place, index in enumerate(indices.tolist()):
            try:
                picture = self._picture(
                    epoch, index, pictures[len(kept)] if len(pictures) else None
                )
            except UnreadableImage as error:
                failures.append((place, error.reason))
                continue
            if not kept and picture.shape != pictures.shape[1:]:
                pictures = np.empty((len(indices), *picture.shape), dtype)
            if picture.shape != pictures.shape[1:]:
                raise UserError(
                    self.unequal(kept[0], pictures[0].shape, index, picture.shape)
                )
            if not np.shares_memory(picture, pictures):
                pictures[len(kept)] = picture
            kept.append(index)
        if not kept:
            return [], failures
        batch, targets = pictures[: len(kept)], self.images.labels[kept]
        rng = batch_generator(self.seed, epoch, step, self.rank)
        for transform in self.batch_transforms:
            batch, targets = transform(batch, targets, rng, self.class_num)
        return [batch, targets], failures

    def _picture(self, epoch: int, index: int, out: np.ndarray | None) -> np.ndarray:
        path = self.images.paths[index]
        if self.transforms.draws:
            rng = sample_generator(self.seed, epoch, index)
        else:
            rng = None
        try:
            return self.transforms.from_file(path, rng, out)
        except (UnreadableImage, NotEnoughMemory, SystemShortage):
            raise
        except UserError as error:
            raise UserError(f"{path}: {error}") from error

    def unequal(
        self,
        first: int,
        first_shape: Sequence[int],
        other: int,
        other_shape: Sequence[int],
    ) -> str:
        """The sentence for two pictures of a batch, by index and shape [C, H, W], that have different sizes."""
        sizes = [
            f"{self.images.paths[index]} is {shape[2]}x{shape[1]}"
            for index, shape in ((first, first_shape), (other, other_shape))
        ]
        return (
            f"the pictures of a batch have different sizes (width x height): {' and '.join(sizes)}; put CropImage or "
            "ResizeImage with size into the transforms, or write batch_size: 1"
        )


@dataclass(eq=False)
class EpochBatches:
    """Batches of some steps of an epoch, by place; whatever goes wrong is an answer, not an exception.

    An exception in Paddle's worker would reach the main process as a traceback of Paddle's, without its own.

    `copied` says that who takes a batch copies it before asking for the next one, which may then have its memory:
    fresh memory for a batch of 38 MB costs a tenth of a millisecond a picture.
    """

    reader: Any  # BatchReader or ShardReader
    order: Any  # what the reader reads by
    epoch: int
    steps: range
    copied: bool = False
    _room: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, place: int) -> dict[str, Any]:
        # Paddle takes an answer without arrays for the end of the epoch, so there is always one.
        answer: dict[str, Any] = {
            "arrays": [np.zeros(1, np.float32)],
            "failures": [],
            "mistake": "",
            "crash": "",
        }
        step = self.steps[place]
        try:
            answer["index"], answer["paths"] = self.reader.names(self.order, step)
            arrays, answer["failures"] = self.reader.read(
                self.order, self.epoch, step, self._memory()
            )
            answer["arrays"] = arrays or answer["arrays"]
        except UserError as error:
            answer["mistake"] = str(error)
        except Exception as error:
            answer["mistake"] = shortage(error) or ""
            answer["crash"] = traceback.format_exc()
        return answer

    def _memory(self) -> np.ndarray | None:
        transforms = self.reader.transforms
        size = transforms.output_size
        if self._room is None and self.copied and size is not None:
            self._room = np.empty((self.reader.batch_size, *size), transforms.dtype)
        return self._room
