"""Occlusion maps of a served model, by a model whose answers are arithmetic."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from ppcls.analysis.heat_maps import occlusion_map, overlaid
from ppcls.data.transforms import NormalizeImage, Pipeline, ToCHWImage
from ppcls.data.transforms.decode import DecodeImage
from ppcls.serving.explanations import explain
from ppcls.serving.refusals import BadRequest, OutOfTime


def probabilities(batch: np.ndarray) -> np.ndarray:
    """Class 1 is as likely as a place of the picture is bright."""
    value = batch[:, :, 10:20, 20:30].mean(axis=(1, 2, 3))
    likely = 1 / (1 + np.exp(-value))
    return np.stack([1 - likely, likely], axis=1).astype(np.float32)


class Model:
    """What an explanation takes of a model that is served."""

    def __init__(self, batch_size: int = 8, seconds: float = 60) -> None:
        self.pipeline = Pipeline([DecodeImage(), NormalizeImage(), ToCHWImage()])
        self.limits = SimpleNamespace(seconds=seconds)
        self.bundle = SimpleNamespace(class_names=["dark", "bright"])
        self.batch_size = batch_size
        self.batches: list[int] = []
        self.hold: asyncio.Event | None = None
        self.refusal: BadRequest | None = None

    async def read(self, content: bytes) -> np.ndarray:
        return self.pipeline(content)

    async def in_reader(self, function: Any, *arguments: Any) -> Any:
        return function(*arguments)

    @contextlib.contextmanager
    def explaining(self) -> Iterator[None]:
        yield

    async def classify_all(self, inputs: list[np.ndarray], topk: int) -> list[Any]:
        self.batches.append(len(inputs))
        if self.hold is not None:
            await self.hold.wait()
        if self.refusal is not None:
            return [self.refusal]
        rows = probabilities(np.stack(inputs))
        return [SimpleNamespace(class_ids=[int(row.argmax())], probabilities=row) for row in rows]


@pytest.fixture
def content() -> bytes:
    pixels = np.full((48, 64, 3), 40, np.uint8)
    pixels[10:20, 20:30] = (60, 120, 240)  # BGR
    return cv2.imencode(".png", pixels)[1].tobytes()


@pytest.mark.parametrize(("class_id", "shown"), [(None, 1), (1, 1), (0, 0)])
def test_the_map_is_that_of_the_analysis(content: bytes, class_id: int | None, shown: int) -> None:
    model: Any = Model(batch_size=7)
    found = asyncio.run(explain(model, content, class_id))
    inputs = model.pipeline(content)
    assert (found.class_id, found.name) == (shown, ["dark", "bright"][shown])
    assert found.score == pytest.approx(float(probabilities(inputs[None])[0, shown]))
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    laid = overlaid(pixels, occlusion_map(probabilities, inputs, shown))
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(found.png, np.uint8), cv2.IMREAD_COLOR), laid[..., ::-1])
    # The picture itself, and then what one batch can take
    assert model.batches[0] == 1
    assert set(model.batches[1:-1]) == {7}


def test_a_map_that_takes_too_long_is_given_up(content: bytes) -> None:
    async def run() -> None:
        model: Any = Model(seconds=0.01)
        model.hold = asyncio.Event()
        await explain(model, content, None)

    with pytest.raises(OutOfTime, match=r"longer than 0\.01 s"):
        asyncio.run(run())


def test_what_the_model_refuses_is_refused(content: bytes) -> None:
    model: Any = Model()
    model.refusal = BadRequest("no such picture")
    with pytest.raises(BadRequest, match="no such picture"):
        asyncio.run(explain(model, content, None))
