"""Pictures through preprocessing, a model and the choice of the best classes, whatever runs the model.

Reading, the model and the caller's use of the results run at the same time, each one batch behind the other:

    reading threads    decode and transform the pictures of the batches ahead
    running threads    one a request; each waits for a batch's pictures, and gives them to the backend
    the caller         takes the batches' scores in their order, and so begins others
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ppcls.data.picture_items import Address, NoPicture, Picture
from ppcls.data.picture_sources import pictures_of
from ppcls.data.postprocess import ThreshOutput, Topk
from ppcls.data.read_ahead import Unreadable, batch_of_readings, read_or_reason
from ppcls.data.transforms import Pipeline, UnreadableImage
from ppcls.inference.backends import Backend
from ppcls.inference.results import Result, Results
from ppcls.utils.cpu import usable_cores
from ppcls.utils.errors import UserError, translated
from ppcls.utils.forks import PerProcess
from ppcls.utils.threads import ThreadPool

_RECENT = 4  # pictures that stay in memory, for a notebook to show the last results by


class _Pools(NamedTuple):
    """The threads that read pictures, and those that give batches to the backend."""

    readers: ThreadPool
    runners: ThreadPool

    @classmethod
    def start(cls, readers: int, runners: int) -> _Pools:
        return cls(ThreadPool(readers), ThreadPool(runners))


class _Batch(NamedTuple):
    """A batch on its way: its pictures, their tensors (or why there is none), and its rows of scores (or why)."""

    pictures: list[Picture]
    readings: list[Future]
    scores: Future
    process: int  # whose threads work at it

    @property
    def is_ours(self) -> bool:
        """Whether this process's threads work at it; those of the process that this one was forked from do not."""
        return self.process == os.getpid()

    def cancel(self) -> None:
        """Nothing of it begins any more; what has begun ends by itself."""
        if self.is_ours:
            for future in (self.scores, *self.readings):
                future.cancel()


class Prediction:
    """Classifies pictures by a backend; see `ppcls.inference.Classifier` for the arguments they share.

    Args:
        pipeline: from a picture's bytes to the backend's input.
        backend: gives the scores.
        class_names: one name a class, or None.
        threads: that read; None takes one a core that this process may use.
        requests: batches that the backend runs at the same time.
        postprocess: what is made of the scores; None takes the best `topk` classes.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        backend: Backend,
        class_names: Sequence[str] | None = None,
        batch_size: int = 8,
        topk: int = 5,
        threads: int | None = None,
        requests: int = 1,
        postprocess: Topk | ThreshOutput | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.backend = backend
        self.class_names = class_names
        self.batch_size = batch_size
        self._best = postprocess or Topk(topk)
        self._pools = PerProcess(
            partial(_Pools.start, threads or usable_cores(), requests)
        )
        self._ahead = 2 * requests  # batches: as many as run are read meanwhile
        self._recent: deque[Picture] = deque(maxlen=_RECENT)

    def predict(self, source: Any, color: str | None = None) -> Results:
        """Classifies pictures; see `Classifier.predict`."""
        return Results(pictures_of(source, color), self.classify)

    def classify(self, pictures: Iterable[Picture]) -> Iterator[Result]:
        """Begins a batch for every one that is taken, so that no more than `_ahead` wait, however slow the caller."""
        waiting: deque[_Batch] = deque()
        source = iter(pictures)
        try:
            while batch := list(islice(source, self.batch_size)):
                waiting.append(self._begin(batch))
                if len(waiting) > self._ahead:
                    yield from self._results(waiting[0])
                    waiting.popleft()
            while waiting:
                yield from self._results(waiting[0])
                waiting.popleft()
        finally:  # after an error, or when the caller has seen enough
            for begun in waiting:
                begun.cancel()

    def _begin(self, pictures: list[Picture]) -> _Batch:
        size = self.pipeline.output_size
        buffer, places = None, [None] * len(pictures)
        if size:
            buffer = np.empty((len(pictures), *size), np.float32)
            places = list(buffer)
        pools = self._pools.get()
        readings = [
            pools.readers.submit(read_or_reason, self._read, *job)
            for job in zip(pictures, places)
        ]
        scores = pools.runners.submit(self._run, pictures, readings, buffer)
        return _Batch(pictures, readings, scores, os.getpid())

    def _run(
        self, pictures: list[Picture], readings: list[Future], buffer: np.ndarray | None
    ) -> list[np.ndarray | Unreadable]:
        """Each picture's scores [class_num], or why there are none."""
        names = [picture.source for picture in pictures]
        found = [reading.result() for reading in readings]
        batch = batch_of_readings(names, found, room=buffer)
        if batch.indices:
            for index, scores in zip(batch.indices, self.backend.run(batch.inputs)):
                found[index] = scores
        return found

    def _results(self, batch: _Batch) -> Iterator[Result]:
        if not batch.is_ours:  # there was a fork since it was begun
            batch = self._begin(batch.pictures)
        for picture, scores in zip(batch.pictures, batch.scores.result()):
            self._recent.append(picture)
            if isinstance(scores, Unreadable):
                result = Result(picture.source, error=scores.reason)
            else:
                result = self._result(picture, scores)
            yield result.of(picture)

    def _read(self, picture: Picture, place: np.ndarray | None) -> np.ndarray:
        """The input tensor [C, H, W], if possible in its `place` of the batch."""
        content = picture.content
        if isinstance(content, NoPicture):
            raise UnreadableImage(content.reason)
        if isinstance(content, Address):
            content = content.load()
        if isinstance(content, Path):
            return self.pipeline.from_file(content, out=place)
        if isinstance(content, bytes):
            return self.pipeline(content, out=place)
        return self.pipeline.from_array(content, picture.color)

    def _result(self, picture: Picture, scores: np.ndarray) -> Result:
        with translated(
            ValueError, lambda error: UserError(f"{picture.source}: {error}")
        ):
            (best,) = self._best(scores[np.newaxis], self.class_names)
        class_ids, probabilities, names = (list(column) for column in zip(*best))
        return Result(
            picture.source, class_ids, probabilities, names if self.class_names else []
        )
