"""Batches of shards, each by its step, read one after another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ppcls.data.labels import ImageList
from ppcls.data.sampler import BatchReader, EpochBatches, Reader, sample_generator
from ppcls.data.shards.archive import Sample, samples_of
from ppcls.data.shards.manifest import ShardList
from ppcls.data.shards.order import (
    Division,
    ShardPart,
    buffer_generator,
    parts,
    shard_order,
    shuffled,
    still_needed,
)
from ppcls.data.transforms import UnreadableImage
from ppcls.utils.errors import UserError, expect


@dataclass(frozen=True, eq=False)
class ShardReader(Reader):
    """The pictures of shards, which are read quickly if the steps of a reader are asked for in order.

    With counts every picture comes once per pass, however many readers share it; two read a shard across a border.
    Without, each reader goes round shards of its own until an epoch's pictures are full.
    """

    images: ShardList
    steps: int

    def batches(
        self, epoch: int, steps: range, readers: int, copied: bool = False
    ) -> EpochBatches:
        """The batches of some steps of `epoch`, which `readers` workers of this process share."""
        return EpochBatches(
            self,
            EpochStreams(self, epoch, self.division(readers)),
            epoch,
            steps,
            copied,
        )

    def division(self, readers: int) -> Division:
        """How an epoch is shared by all processes, each of `readers` workers.

        Raises:
            UserError: there is not a shard for each, and no counts to divide them by.
        """
        shards, needed = len(self.images.addresses), self.world_size * readers
        if self.images.counts is None and shards < needed:
            raise UserError(
                f"{shards} shards are too few for {needed} workers of all processes, for without a manifest each needs "
                "one of its own; lower num_workers, or give the manifest.json of `ppcls pack`"
            )
        length = min(len(self.images), self.steps * self.batch_size * self.world_size)
        return Division(length, self.steps, self.batch_size, self.world_size, readers)

    def describe_order(self, readers: int) -> str:
        """What the order depends on besides seed and shards."""
        self.division(readers)  # says at once what is impossible
        buffer = self.images.shuffle_buffer if self.shuffle else 1
        return f"read from shards (processes {self.world_size}, workers {readers}, shuffle_buffer {buffer})"

    def names(self, streams: EpochStreams, step: int) -> tuple[list[int], list[str]]:
        """Index and path of each picture of `step`."""
        samples = streams.samples(step)
        return [sample.number for sample in samples], [
            sample.path for sample in samples
        ]

    def read(
        self,
        streams: EpochStreams,
        epoch: int,
        step: int,
        room: np.ndarray | None = None,
    ) -> tuple[list[np.ndarray], list[tuple[int, str]]]:
        """The arrays of a batch, and what could not be read; see `BatchReader.read`."""
        samples = streams.samples(step)
        for sample in samples:
            expect(
                sample.label < self.class_num,
                f"{sample.path}: the label {sample.label} is outside 0 to {self.class_num - 1}; correct it or "
                f"Arch.class_num ({self.class_num})",
            )
        labels = np.array([sample.label for sample in samples], np.int64)
        images = ImageList([sample.path for sample in samples], labels)
        settings = (
            self.transforms,
            self.batch_transforms,
            self.class_num,
            self.batch_size,
            self.shuffle,
            self.seed,
        )
        batch = _BatchInMemory(images, *settings, self.rank, self.world_size, samples)
        return batch.read(np.arange(len(samples)), epoch, step, room)


@dataclass(frozen=True, eq=False)
class _BatchInMemory(BatchReader):
    """A batch whose bytes are there; its indices are places in `samples`."""

    samples: list[Sample]

    def indices(self, order: np.ndarray, step: int) -> np.ndarray:
        return order

    def _picture(self, epoch: int, index: int, out: np.ndarray | None) -> np.ndarray:
        sample = self.samples[index]
        rng = (
            sample_generator(self.seed, epoch, sample.number)
            if self.transforms.draws
            else None
        )
        try:
            return self.transforms(sample.data, rng, out)
        except UnreadableImage:
            raise
        except UserError as error:
            raise UserError(f"{sample.path}: {error}") from error


class EpochStreams:
    """The samples of an epoch by step. Steps of one worker read on where the one before ended; any other way is slow.

    Args:
        reader: whose shards, and which process.
        epoch: its number.
        division: among all readers.
    """

    def __init__(self, reader: ShardReader, epoch: int, division: Division) -> None:
        self._reader, self._epoch, self._division = reader, epoch, division
        # By worker: the step it stands before, and the rest
        self._open: dict[int, tuple[int, Iterator[Sample]]] = {}
        self._last: tuple[int, list[Sample]] = (-1, [])

    def samples(self, step: int) -> list[Sample]:
        """The samples of a step, not decoded."""
        if self._last[0] != step:
            self._last = (step, self._read(step))
        return self._last[1]

    def _read(self, step: int) -> list[Sample]:
        division, rank = self._division, self._reader.rank
        worker = step % division.workers
        before, stream = self._open.pop(worker, (-1, iter(())))
        if before != step:
            stream = self._stream(worker, division.quota(rank, worker, before=step))
        samples = list(itertools.islice(stream, division.size(step, rank)))
        self._open[worker] = (step + division.workers, stream)
        return samples

    def _stream(self, worker: int, taken: int) -> Iterator[Sample]:
        """The samples of a worker behind its first `taken`, of which those that no buffer holds are not even kept."""
        reader, division = self._reader, self._division
        quota, counts = division.quota(reader.rank, worker), reader.images.counts
        size = reader.images.shuffle_buffer if reader.shuffle else 1
        address = (reader.seed, self._epoch, reader.rank, worker)
        source: Iterator[Sample | None]
        if counts is None:
            source = itertools.islice(self._own_shards(worker), quota)
        else:
            start = self._epoch * len(reader.images) + division.start(
                reader.rank, worker
            )
            needed = still_needed(quota, taken, size, buffer_generator(*address))
            source = self._parts(
                parts(counts, reader.seed, reader.shuffle, start, start + quota), needed
            )
        rest = itertools.islice(
            shuffled(source, size, buffer_generator(*address)), taken, None
        )
        return rest  # what is not needed has been passed over

    def _own_shards(self, worker: int) -> Iterator[Sample]:
        reader, workers = self._reader, self._division.workers
        addresses = reader.images.addresses
        order = shard_order(len(addresses), reader.seed, self._epoch, reader.shuffle)
        own = order[reader.rank * workers + worker :: reader.world_size * workers]
        while True:
            found = False
            for shard in own:
                for sample in samples_of(addresses[shard], shard):
                    found = True
                    yield sample
            if not found:
                raise UserError(
                    f"{addresses[own[0]]} and the other shards of a worker hold no picture; leave them out"
                )

    def _parts(
        self, chosen: Iterator[ShardPart], needed: np.ndarray
    ) -> Iterator[Sample | None]:
        """The samples of `chosen`, None for those that `needed` does not want; a shard of such alone is not opened."""
        begin = 0
        for part in chosen:
            wanted = np.ones(part.stop - part.start, bool)
            known = needed[begin : begin + len(wanted)]
            wanted[: len(known)] = known
            begin += len(wanted)
            samples = (
                self._part(part)
                if wanted.any()
                else itertools.repeat(None, len(wanted))
            )
            for is_wanted, sample in zip(wanted.tolist(), samples):
                yield sample if is_wanted else None
            next(iter(samples), None)  # lets the shard be checked to its end

    def _part(self, part: ShardPart) -> Iterator[Sample]:
        images = self._reader.images
        assert images.counts is not None
        address, count = images.addresses[part.shard], int(images.counts[part.shard])
        seen = 0
        for seen, sample in enumerate(samples_of(address, part.shard), 1):
            if part.start < seen <= part.stop:
                yield sample
            if seen == part.stop and part.stop < count:
                return
        expect(
            seen == count,
            f"{address} holds {seen} pictures, but its manifest says {count}; pack it again",
        )
