"""Pictures through preprocessing, a model and the choice of the best classes, whatever runs the model."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Deque, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np

from ppcls.data.postprocess import Topk
from ppcls.data.transforms import Pipeline, UnreadableImage
from ppcls.inference.backends import Backend
from ppcls.inference.pictures import Picture, pictures_of
from ppcls.utils.cpu import usable_cores
from ppcls.utils.errors import UserError


@dataclass(frozen=True)
class Result:
    """What was found in one picture, best class first; `error` says why nothing was.

    Attributes:
        source: the picture's path, or its index in the list that was given.
        class_ids: at most `topk` of them.
        scores: their probabilities.
        names: their names; empty where the bundle has none.
        error: None, or why the picture could not be read.
    """

    source: Union[str, int]
    class_ids: List[int] = field(default_factory=list)
    scores: List[float] = field(default_factory=list)
    names: List[str] = field(default_factory=list)
    error: Optional[str] = None


class Prediction:
    """Classifies pictures by a backend; see `ppcls.inference.Classifier` for the arguments they share.

    Args:
        pipeline: from a picture's bytes to the backend's input.
        backend: gives the scores.
        class_names: one name a class, or None.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        backend: Backend,
        class_names: Optional[Sequence[str]] = None,
        batch_size: int = 8,
        topk: int = 5,
        threads: Optional[int] = None,
    ) -> None:
        self.pipeline = pipeline
        self.backend = backend
        self.class_names = class_names
        self.batch_size = batch_size
        self._best = Topk(topk)
        self._readers = ThreadPoolExecutor(threads or usable_cores(), thread_name_prefix="ppcls-read")

    def predict(self, source: Any, color: Optional[str] = None) -> Iterator[Result]:
        """Classifies pictures; see `Classifier.predict`."""
        return self._predict(pictures_of(source, color), color)

    def _predict(self, pictures: List[Picture], color: Optional[str]) -> Iterator[Result]:
        """The next batch is read while the present one runs."""
        waiting: Deque[Tuple[List[Picture], List[Future]]] = deque()
        for start in range(0, len(pictures), self.batch_size):
            batch = pictures[start : start + self.batch_size]
            waiting.append((batch, [self._readers.submit(self._read, picture, color) for picture in batch]))
            if len(waiting) > 1:
                yield from self._classify(*waiting.popleft())
        if waiting:
            yield from self._classify(*waiting.popleft())

    def _classify(self, pictures: List[Picture], readings: List[Future]) -> Iterator[Result]:
        tensors = [reading.result() for reading in readings]
        readable = [tensor for tensor in tensors if not isinstance(tensor, str)]
        if len({tensor.shape for tensor in readable}) > 1:
            raise UserError(_unequal([(p.source, t) for p, t in zip(pictures, tensors) if not isinstance(t, str)]))
        scores = iter(self.backend.run(np.stack(readable)) if readable else ())
        for picture, tensor in zip(pictures, tensors):
            if isinstance(tensor, str):
                yield Result(picture.source, error=tensor)
            else:
                yield self._result(picture, next(scores))

    def _read(self, picture: Picture, color: Optional[str]) -> Union[np.ndarray, str]:
        """The input tensor [C, H, W], or why there is none."""
        content = picture.content
        try:
            if isinstance(content, Path):
                return self.pipeline.from_file(content)
            if isinstance(content, bytes):
                return self.pipeline(content)
            assert color is not None  # pictures_of asks for it
            return self.pipeline.from_array(content, color)
        except UnreadableImage as error:
            return error.reason
        except UserError as error:
            return str(error)

    def _result(self, picture: Picture, scores: np.ndarray) -> Result:
        try:
            (best,) = self._best(scores[np.newaxis], self.class_names)
        except ValueError as error:
            raise UserError(f"{picture.source}: {error}") from error
        class_ids, probabilities, names = (list(column) for column in zip(*best))
        return Result(picture.source, class_ids, probabilities, names if self.class_names else [])


def _unequal(tensors: List[Tuple[Union[str, int], np.ndarray]]) -> str:
    (first, one), (other, two) = next((tensors[0], pair) for pair in tensors if pair[1].shape != tensors[0][1].shape)
    return (
        f"{first} and {other} have different sizes after the transforms, {list(one.shape)} and {list(two.shape)}; put "
        "CropImage or ResizeImage with size into them, or take a batch size of 1"
    )
