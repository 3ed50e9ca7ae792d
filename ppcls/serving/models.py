"""A bundle that is served: preprocessing, queue, batches, engine, and the best classes of each picture.

The steps of a picture, which `ppcls.inference.Prediction` takes too:

    queue               until there is memory for its input tensor
    reading threads     decode and transform; one that cannot be read is refused here, before it is in a batch
    queue               until its batch is full, or it has waited long enough
    batch threads       run the engine
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ppcls.data.postprocess import Topk
from ppcls.data.transforms import DecodeImage, UnreadableImage
from ppcls.data.transforms.base import SystemShortage
from ppcls.inference.bundle import Bundle
from ppcls.inference.settings import Settings
from ppcls.serving import metrics
from ppcls.serving.batching import Batcher, Queue, Tensors
from ppcls.serving.engines import open_engine
from ppcls.serving.options import Batching, Limits
from ppcls.serving.refusals import (
    BadRequest,
    Busy,
    NotReady,
    OutOfTime,
    Refusal,
    ServerFault,
    UnknownModel,
)
from ppcls.utils.cpu import return_freed_memory, usable_cores
from ppcls.utils.errors import UserError

TOPK = 5
_LONGEST_SIDE = 65_535  # that of JPEG


@dataclass(frozen=True)
class Source:
    """Where a model comes from, and how it is run.

    Attributes:
        name: Its name in addresses.
        bundle: Loads the bundle; called again for each reload.
        settings: Gives how the bundle is run.
        batching: How batches are made.
        limits: Bounds on requests.
    """

    name: str
    bundle: Callable[[], Bundle]
    settings: Callable[[Bundle], Settings]
    batching: Batching
    limits: Limits


@dataclass(frozen=True)
class Answer:
    """The classes of one picture, the best first.

    Attributes:
        class_ids: At most `topk` of them.
        scores: Their probabilities.
        names: Their names; empty if the bundle has none.
        probabilities: Those of all classes, float32 [class_num].
    """

    class_ids: list[int]
    scores: list[float]
    names: list[str]
    probabilities: np.ndarray


class LoadedModel:
    """A bundle with its engine, ready to answer.

    Args:
        source: Where it comes from.
        readers: The threads that decode.
        say: Gets lines for the log.

    Attributes:
        batch_size: Pictures that share one batch and that the queue can hold.

    Raises:
        UserError: The bundle cannot be used.
    """

    def __init__(
        self, source: Source, readers: ThreadPoolExecutor, say: Callable[[str], None]
    ) -> None:
        self.name = source.name
        self.bundle = source.bundle()
        self.settings = source.settings(self.bundle)
        self.limits = source.limits
        self.pipeline = self.bundle.pipeline
        self._readers = readers
        self._metrics = metrics.of_model(self.name)
        self._engine = open_engine(
            self.bundle,
            self.settings,
            source.batching,
            self._metrics.engine_replaced,
            lambda line: say(f"{source.name}: {line}"),
        )
        self._queue = Queue(self.limits.queue)
        self._metrics.queue_length.set_function(lambda: self._queue.length)
        batching = source.batching
        if self.pipeline.output_size is None:  # pictures of any size share no batch
            batching = Batching(1, 0)
        in_flight = self.settings.requests
        self._batcher = Batcher(self._run, batching, in_flight)
        # Those of the batches that run, and of the next one
        self._tensors = Tensors(
            batching.size * (in_flight + 1), self.pipeline.output_size
        )
        self.batch_size = min(batching.size, self.limits.queue)
        self._in_use = 0
        self._is_explaining = False
        self._is_closing = False
        self._warm_up(batching.size)
        return_freed_memory()  # of what loading has taken

    @property
    def is_healthy(self) -> bool:
        """Whether it can answer now."""
        return not self._is_closing and self._engine.is_healthy

    async def classify_all(
        self, inputs: Sequence[bytes | np.ndarray], topk: int
    ) -> list[Answer | BadRequest]:
        """Classify pictures, each one's bytes, or preprocessed inputs, float32 [C, H, W].

        Returns:
            Answers in the order of the inputs; a picture that cannot be read has its refusal there.

        Raises:
            Refusal: There is no answer for another reason.
        """
        self._in_use += 1
        try:
            with self._queue.places(len(inputs)) as leave:
                steps = [
                    self._classify(each, topk, leave_one)
                    for each, leave_one in zip(inputs, leave)
                ]
                return await asyncio.wait_for(_all(steps), self.limits.seconds)
        except (asyncio.TimeoutError, TimeoutError) as error:
            raise OutOfTime(
                f"the request took longer than {self.limits.seconds:g} s; try again later, or send fewer pictures"
            ) from error
        finally:
            self._in_use -= 1

    async def classify(self, content: bytes, topk: int) -> Answer:
        """Classify one picture.

        Raises:
            Refusal: It cannot be read, or there is no answer for another reason.
        """
        (answer,) = await self.classify_all([content], topk)
        if isinstance(answer, Refusal):
            raise answer
        return answer

    async def read(self, content: bytes) -> np.ndarray:
        """Return a picture's input tensor, float32 [C, H, W].

        Raises:
            Refusal: It cannot be read.
        """
        return (await self.in_reader(self._read, content, None))[0]

    async def in_reader(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what a function gives that takes too long for the event loop."""
        return await asyncio.get_running_loop().run_in_executor(
            self._readers, function, *arguments
        )

    @contextlib.contextmanager
    def explaining(self) -> Iterator[None]:
        """Keep the model open for one explanation, and refuse a second one meanwhile.

        Raises:
            Busy: It explains another picture.
        """
        if self._is_explaining:
            raise Busy("this model explains another picture; try again later")
        self._is_explaining = True
        self._in_use += 1
        try:
            yield
        finally:
            self._is_explaining = False
            self._in_use -= 1

    def check_class(self, given: str | None) -> int | None:
        """The class that a request names by its number; None if it names none.

        Raises:
            BadRequest: There is no such class.
        """
        if given is None:
            return None
        is_number = given.isascii() and given.isdigit() and len(given) <= 9
        if not is_number or int(given) >= self.bundle.class_num:
            raise BadRequest(
                f"class_id is {given[:50]!r}; write a number from 0 to {self.bundle.class_num - 1}"
            )
        return int(given)

    def check_topk(self, topk: object) -> int:
        """The number of classes that a request asks for.

        Raises:
            BadRequest: It is not a number of classes.
        """
        if topk is None:
            return min(TOPK, self.bundle.class_num)
        if not isinstance(topk, (int, str)) or isinstance(topk, bool):
            topk = repr(topk)[:50]
        text = str(topk)
        if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
            raise BadRequest(f"topk is {text[:50]!r}; write a whole number from 1")
        return min(int(text), self.bundle.class_num)

    def check_count(self, count: int) -> None:
        """Refuse requests of no picture or too many.

        Raises:
            BadRequest: It is such a request.
        """
        most = self.limits.pictures
        if not 1 <= count <= most:
            raise BadRequest(
                f"the request has {count} pictures; send 1 to {most} per request"
            )

    async def answered(self) -> None:
        """Wait until the last accepted request has its answer."""
        while self._in_use:
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        """End the engine; a request that still waits fails."""
        self._is_closing = True
        self._batcher.close()
        await asyncio.get_running_loop().run_in_executor(None, self._engine.close)

    async def _classify(
        self, each: bytes | np.ndarray, topk: int, leave: Callable[[], None]
    ) -> Answer:
        accepted = time.perf_counter()
        async with self._tensors.place() as memory:
            seconds = 0.0
            if isinstance(each, bytes):
                each, seconds = await self.in_reader(self._read, each, memory)

            def begun() -> None:
                leave()
                self._metrics.queue_seconds(time.perf_counter() - accepted - seconds)

            scores = await self._batcher.submit(each, begun)
        return self._answer(scores, topk)

    def _read(
        self, content: bytes, memory: np.ndarray | None
    ) -> tuple[np.ndarray, float]:
        """A picture's input tensor, float32 [C, H, W], in this memory if there is one, and the seconds that it took."""
        began = time.perf_counter()
        try:
            self._check_size(content)
            tensor = self.pipeline(content, out=memory)
            return tensor, time.perf_counter() - began
        except SystemShortage as error:
            raise NotReady(str(error)) from error
        except UserError as error:
            raise BadRequest(str(error)) from error
        except MemoryError as error:
            raise NotReady(
                "the server has too little memory for this picture now; try again later"
            ) from error
        finally:
            self._metrics.decode_seconds(time.perf_counter() - began)

    def _check_size(self, content: bytes) -> None:
        decode = self.pipeline.ops[0]
        assert isinstance(decode, DecodeImage)
        header = decode.admit(content)
        size = f"{header.width}x{header.height} pixels"
        pixels, most = header.width * header.height, self.limits.pixels
        if pixels > most:
            raise UnreadableImage(
                f"it has {size} ({pixels:,}), but this server takes {most:,}; reduce the picture"
            )
        if max(header.width, header.height) > _LONGEST_SIDE:
            raise UnreadableImage(
                f"it has {size}, but this server takes {_LONGEST_SIDE:,} to a side; cut the picture"
            )

    def _run(self, tensors: list[np.ndarray]) -> Sequence[Any]:
        """The scores of each input, float32 [class_num], or what went wrong."""
        self._metrics.batch_size(len(tensors))
        began = time.perf_counter()
        try:
            return list(self._engine.run(np.stack(tensors)))
        except Refusal:
            raise
        except Exception as error:
            if len(tensors) == 1:
                raise ServerFault(f"the model has failed: {error}") from error
            # One of them may be the reason, and fails alone
            return [self._alone(tensor) for tensor in tensors]
        finally:
            self._metrics.inference_seconds(time.perf_counter() - began)

    def _alone(self, tensor: np.ndarray) -> Any:
        try:
            return self._engine.run(tensor[np.newaxis])[0]
        except Refusal as refusal:
            return refusal
        except Exception as error:
            return ServerFault(f"the model has failed: {error}")

    def _answer(self, scores: np.ndarray, topk: int) -> Answer:
        names = self.bundle.class_names
        try:
            (best,) = Topk(topk)(scores[np.newaxis], names)
        except ValueError as error:  # scores that are not numbers
            raise ServerFault(f"the model has failed: {error}") from error
        class_ids, values, named = (list(column) for column in zip(*best))
        return Answer(class_ids, values, named if names else [], scores)

    def _warm_up(self, batch_size: int) -> None:
        """Run the smallest and the largest batch once, so that no request waits for what an engine prepares."""
        shape = self.bundle.input.shape[1:]
        for count in sorted({1, batch_size}):
            self._engine.run(np.zeros((count, *shape), np.float32))


async def _all(steps: list[Any]) -> list[Any]:
    """The results of coroutines; a refusal of a picture stands in its place, and one of the request is raised."""
    found: list[Any] = await asyncio.gather(*steps, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException) and not isinstance(each, BadRequest):
            raise each
    return found


class Models:
    """The models that are served, by name.

    Args:
        sources: Where they come from.
        say: Gets lines for the log.
    """

    def __init__(self, sources: Sequence[Source], say: Callable[[str], None]) -> None:
        self.sources = {source.name: source for source in sources}
        self.loaded: dict[str, LoadedModel] = {}
        self.is_starting = True
        self.is_draining = False
        self._say = say
        self._readers = ThreadPoolExecutor(usable_cores(), "read")
        self._changing: dict[str, asyncio.Lock] = {}

    @property
    def is_ready(self) -> bool:
        """Whether every loaded model can answer, and the server is not about to end."""
        loaded = self.loaded.values()
        return (
            bool(loaded)
            and not self.is_starting
            and not self.is_draining
            and all(model.is_healthy for model in loaded)
        )

    def get(self, name: str) -> LoadedModel:
        """The model of a name.

        Raises:
            UnknownModel: There is none.
            NotReady: It was unloaded.
        """
        if name in self.loaded:
            return self.loaded[name]
        self.source(name)
        state = "is still loading" if self.is_starting else "was unloaded"
        raise NotReady(f"model {name} {state}")

    def source(self, name: str) -> Source:
        """Where the model of a name comes from.

        Raises:
            UnknownModel: There is none.
        """
        if name not in self.sources:
            raise UnknownModel(
                f"there is no model {name[:100]!r}; this server has {', '.join(self.sources)}"
            )
        return self.sources[name]

    def index(self) -> list[dict[str, str]]:
        """Every model and its state, as the extension for model repositories lists them."""
        states = []
        for name in self.sources:
            model = self.loaded.get(name)
            if model is None:
                states.append(
                    {"name": name, "state": "UNAVAILABLE", "reason": "unloaded"}
                )
            elif model.is_healthy:
                states.append({"name": name, "state": "READY", "reason": ""})
            else:
                reason = "a process of Paddle is being replaced"
                states.append({"name": name, "state": "LOADING", "reason": reason})
        return states

    async def load(self, name: str) -> None:
        """Load a model, or load it again; requests go to the old one until the new one is ready.

        Raises:
            UnknownModel: There is none of that name.
            UserError: The bundle cannot be used; the old one goes on.
        """
        source = self.source(name)
        async with self._lock(name):
            old = self.loaded.get(name)
            self.loaded[name] = await asyncio.get_running_loop().run_in_executor(
                None, LoadedModel, source, self._readers, self._say
            )
            self._say(f"{name}: loaded {self.loaded[name].bundle.folder}")
            if old is not None:
                await old.answered()
                await old.close()

    async def unload(self, name: str) -> None:
        """Unload a model, when its last accepted request has its answer.

        Raises:
            UnknownModel: There is none of that name.
        """
        self.source(name)
        async with self._lock(name):
            old = self.loaded.pop(name, None)
            if old is not None:
                await old.answered()
                await old.close()
                self._say(f"{name}: unloaded")

    async def load_all(self) -> None:
        """Load every model, one after the other.

        Raises:
            UserError: A bundle cannot be used.
        """
        for name in self.sources:
            await self.load(name)
        self.is_starting = False

    async def close(self) -> None:
        """End all engines, when the listeners have no more requests."""
        await asyncio.gather(*[model.close() for model in self.loaded.values()])
        self._readers.shutdown(wait=False, cancel_futures=True)

    def _lock(self, name: str) -> asyncio.Lock:
        return self._changing.setdefault(name, asyncio.Lock())
