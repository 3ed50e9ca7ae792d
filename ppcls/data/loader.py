"""Batches for a model, read by worker processes."""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ppcls.data.labels import ImageList
from ppcls.data.sampler import BatchReader, EpochBatches, steps_in_epoch
from ppcls.data.shards import ShardList, ShardReader
from ppcls.data.transforms import NormalizeImage, Pipeline, UnreadableImage
from ppcls.data.transforms.base import one_of
from ppcls.data.transforms.pipeline import PixelPipeline
from ppcls.data.workers import (
    PREFETCHED,
    WorkerWatch,
    missing_shared_memory,
    prepare_worker,
    start_workers,
)
from ppcls.utils.errors import UserError
from ppcls.utils.fields import require

if TYPE_CHECKING:
    import paddle


@dataclass(frozen=True, eq=False)
class Batch:
    """One step's pictures.

    `image` is float32 [N, C, H, W]; `label` int64 [N], or float32 [N, class_num] where targets are soft; `index`
    int64 [N] says which of the loader's `images` they are, and `paths` how they are called. N is 0 if no picture of
    the batch could be read.
    """

    image: paddle.Tensor
    label: paddle.Tensor
    index: np.ndarray
    paths: Sequence[str] = ()


class ImageLoader:
    """Reads the batches of an epoch.

    The result depends on the arguments, the epoch and the step alone, never on the number of workers, unless the
    pictures come from shards, which the workers of all processes share. An epoch always gives `steps_per_epoch`
    batches, so a caller may count them.

    Args:
        images: what to read: a list, or shards.
        transforms: from a file's bytes to float32 [C, H, W].
        batch_transforms: what acts on a whole batch, in their order.
        batch_size: pictures a step and process.
        shuffle: a new order every epoch.
        drop_last: leave out what does not fill a batch of every process.
        seed: seed of order and augmentation.
        num_workers: processes that read; 0 reads in this one.
        use_shared_memory: workers hand batches over in shared memory, if there is enough of it, and else by pipes.
        on_error: `raise` ends the epoch at a picture that cannot be read; `skip` leaves it out of its batch and notes
            it in `failures`. No other picture takes its place.
        trial_on_error: the same for `trial`; None for `on_error`.
        class_num: number of the model's classes.
        rank: rank of this process.
        world_size: number of processes, which share every step's global batch.

    Attributes:
        images: what is read.
        steps_per_epoch: batches of an epoch.
        num_workers: processes that read; no more than there are batches.
        failures: why a skipped picture could not be read, by path, over all epochs so far.
        order: what the order of an epoch depends on besides seed and pictures, in words.
        reader: what makes the batches.

    Raises:
        UserError: there are too few pictures for one batch.
    """

    def __init__(
        self,
        images: ImageList | ShardList,
        transforms: Pipeline,
        batch_transforms: Sequence[Any] = (),
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int = 0,
        num_workers: int = 0,
        use_shared_memory: bool = True,
        on_error: str = "raise",
        class_num: int = 1000,
        rank: int = 0,
        world_size: int = 1,
        trial_on_error: str | None = None,
    ) -> None:
        one_of("on_error", on_error, ("raise", "skip"))
        one_of("trial_on_error", trial_on_error, (None, "raise", "skip"))
        images = images.ready(shuffle) if isinstance(images, ShardList) else images
        self.images = images
        self.failures: dict[str, str] = {}
        self.steps_per_epoch = steps_in_epoch(
            len(images), batch_size * world_size, drop_last
        )
        self._on_error = on_error
        self._trial_on_error = trial_on_error or on_error
        settings = (
            transforms,
            batch_transforms,
            class_num,
            batch_size,
            shuffle,
            seed,
            rank,
            world_size,
        )
        self.reader: BatchReader | ShardReader
        if isinstance(images, ShardList):
            self.reader = ShardReader(images, *settings, steps=self.steps_per_epoch)
        else:
            self.reader = BatchReader(images, *settings)
        if self.steps_per_epoch == 0:
            raise UserError(
                f"{len(images)} pictures do not fill one batch of {batch_size * world_size}; lower batch_size, or "
                "write drop_last: False"
            )
        self.num_workers = min(num_workers, self.steps_per_epoch)
        self._workers_reader = self._reader_of_workers()
        self._use_shared_memory = use_shared_memory and self._shared_memory_suffices()
        self.order = self.reader.describe_order(max(1, self.num_workers))

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """The batches of `epoch` from `start_step` on; nothing is read for the steps before.

        The workers end with the iterator, also if it is left early.

        Raises:
            UnreadableImage: a picture cannot be read, and `on_error` is `raise`.
            UserError: a picture does not suit the transforms or the other ones of its batch.
            ValueError: there is no such step.
        """
        require(
            0 <= start_step <= self.steps_per_epoch,
            f"start_step is {start_step}, but an epoch has {self.steps_per_epoch} steps",
        )
        steps = range(start_step, self.steps_per_epoch)
        if not steps:
            return
        # Into shared memory a worker copies at once; a pipe takes the arrays themselves, and sends them later.
        copied = self.num_workers > 0 and self._use_shared_memory
        batches = self._workers_reader.batches(
            epoch, steps, max(1, self.num_workers), copied
        )
        with closing(
            self._read_by_workers(batches)
            if self.num_workers
            else self._read_here(batches)
        ) as answers:
            for step in steps:
                answer = next(answers, None)
                if answer is None:
                    raise RuntimeError(
                        f"the workers ended before step {step} of epoch {epoch}"
                    )
                yield self._batch(answer, self._on_error)

    def trial(self, pictures: int = 64, kept: int = 4) -> Batch:
        """A small batch, to find out what is wrong with the pictures before it costs an epoch.

        Of a list, `pictures` spread over all of it are read one after another, and the first `kept` readable ones
        make the batch; of shards it is that of the first step. No worker is started.

        Raises:
            UnreadableImage: a picture cannot be read, and `trial_on_error` is `raise`.
            UserError: a picture does not suit the transforms or the other ones of its batch, or none can be read.
        """
        if isinstance(self.reader, ShardReader):
            return self._first(
                self.reader.batches(0, range(1), max(1, self.num_workers))
            )
        alone = replace(self.reader, batch_size=1, rank=0, world_size=1)
        order = np.unique(
            np.linspace(0, len(self.images) - 1, pictures).round().astype(np.int64)
        )
        readable: list[int] = []
        shapes: list[list[int]] = []
        for place, index in enumerate(order.tolist()):
            single = self._first(EpochBatches(alone, order, 0, range(place, place + 1)))
            if not len(single.index):
                continue
            readable.append(index)
            shapes.append(single.image.shape[1:])
            if shapes[-1] != shapes[0] and self.reader.batch_size > 1:
                raise UserError(
                    self.reader.unequal(readable[0], shapes[0], index, shapes[-1])
                )
        if not readable and len(order) == len(self.images):
            raise UserError(
                f"not one of {len(order)} pictures can be read ({_first_failure(self.failures)})"
            )
        few = np.array(readable[: min(kept, self.reader.batch_size)], np.int64)
        return self._first(
            EpochBatches(replace(alone, batch_size=max(1, len(few))), few, 0, range(1))
        )

    def _first(self, batches: EpochBatches) -> Batch:
        return self._batch(next(self._read_here(batches)), self._trial_on_error)

    def _read_here(
        self, batches: EpochBatches
    ) -> Generator[dict[str, Any], None, None]:
        import paddle

        for place in range(len(batches)):
            answer = batches[place]
            answer["arrays"] = [paddle.to_tensor(array) for array in answer["arrays"]]
            yield answer

    def _read_by_workers(
        self, batches: EpochBatches
    ) -> Generator[dict[str, Any], None, None]:
        from paddle.io import DataLoader

        loader = DataLoader(
            batches,
            batch_size=None,  # an item is a whole batch already
            collate_fn=_unchanged,
            num_workers=min(self.num_workers, len(batches)),
            use_shared_memory=self._use_shared_memory,
            prefetch_factor=PREFETCHED,
            worker_init_fn=partial(prepare_worker, os.getpid()),
        )
        iterator = start_workers(loader)
        watch = WorkerWatch(iterator)
        try:
            yield from iterator
        except (SystemError, RuntimeError) as error:
            if not watch.has_lost_a_worker():
                raise
            raise UserError(watch.reason()) from error
        finally:
            watch.end()

    def _batch(self, answer: dict[str, Any], on_error: str) -> Batch:
        if answer["mistake"]:
            raise UserError(answer["mistake"])
        if answer["crash"]:
            raise RuntimeError(f"reading a batch failed:\n{answer['crash']}")
        failed = dict(answer["failures"])
        for place, reason in failed.items():
            path = answer["paths"][place]
            if on_error == "raise":
                raise UnreadableImage(
                    f"{reason}; replace the file, or write on_error: skip in its dataset",
                    path,
                )
            self.failures[path] = reason
        kept = [place for place in range(len(answer["paths"])) if place not in failed]
        image, label = self._tensors(answer["arrays"]) if kept else self._nothing()
        index = np.array([answer["index"][place] for place in kept], np.int64)
        return Batch(image, label, index, [answer["paths"][place] for place in kept])

    def _tensors(self, tensors: list[Any]) -> list[Any]:
        """Pictures and targets, with what the workers left to be done."""
        import paddle

        image, label = tensors
        transforms = self._workers_reader.transforms
        if isinstance(transforms, PixelPipeline) and image.dtype == paddle.uint8:
            image = _normalized(image, transforms.normalize)
        return [image, label]

    def _reader_of_workers(self) -> BatchReader | ShardReader:
        """What the workers run.

        Where nothing follows the normalisation, it is left to this process: then bytes are handed over, not floats.
        """
        pixels = self.reader.transforms.pixels()
        if pixels is None or not self.num_workers or self.reader.batch_transforms:
            return self.reader
        return replace(self.reader, transforms=pixels)

    def _nothing(self) -> list[Any]:
        import paddle

        transforms = self.reader.transforms
        shape = transforms.output_size or (transforms.channels, 0, 0)
        return [paddle.zeros([0, *shape]), paddle.zeros([0], "int64")]

    def _shared_memory_suffices(self) -> bool:
        """Whether the batches fit; says so if not. Unknown where a picture's size is not known beforehand."""
        reader = self._workers_reader
        size, dtype = reader.transforms.output_size, reader.transforms.dtype
        if self.num_workers == 0 or size is None:
            return True
        batch_bytes = np.dtype(dtype).itemsize * reader.batch_size * prod(size)
        problem = missing_shared_memory(
            batch_bytes, self.num_workers, reader.world_size
        )
        if problem:
            logging.getLogger("ppcls").warning(problem)
        return problem is None


def _first_failure(failures: dict[str, str]) -> str:
    path, reason = next(iter(failures.items()))
    return f"{path}: {reason}"


def _normalized(pixels: paddle.Tensor, normalize: NormalizeImage) -> paddle.Tensor:
    """Float32 of pixels uint8 [N, C, H, W]: the bits that a worker would have made of them."""
    import paddle

    if not (pixels.place.is_cpu_place() and paddle.get_device() == "cpu"):
        return _gathered(pixels, normalize.tables)
    result = paddle.empty(pixels.shape, "float32")
    normalize.looked_up(
        _memory_of(pixels, ctypes.c_uint8), _memory_of(result, ctypes.c_float)
    )
    return result


def _gathered(pixels: paddle.Tensor, tables: np.ndarray) -> paddle.Tensor:
    """The same where the pixels are in another memory than the processor's."""
    import paddle

    channels, length = tables.shape
    starts = np.arange(0, tables.size, length, dtype=np.int32)
    places = pixels.astype("int32") + paddle.to_tensor(starts.reshape(channels, 1, 1))
    values = paddle.gather(paddle.to_tensor(tables.ravel()), places.flatten())
    return values.reshape(pixels.shape)


def _memory_of(tensor: paddle.Tensor, kind: Any) -> np.ndarray:
    """The values of a tensor on the processor, without a copy; valid as long as the tensor lives."""
    memory = (kind * prod(tensor.shape)).from_address(tensor.data_ptr())
    return np.ctypeslib.as_array(memory).reshape(tensor.shape)


def _unchanged(batch: Any) -> Any:
    return batch
