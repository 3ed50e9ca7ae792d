"""Where in a picture a served model sees a class.

The map hides one part of the picture after the other, some 170 in all, and each batch of them takes its turn like the
pictures of any request. So it needs no gradient, and other requests wait for one batch at most.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ppcls.analysis.heat_maps import Occlusion, overlaid, seen_by
from ppcls.serving.refusals import OutOfTime, Refusal

if TYPE_CHECKING:  # so that unit tests need no package of the extra
    from ppcls.serving.models import Answer, LoadedModel


@dataclass(frozen=True)
class Explanation:
    """A picture with the map of one class.

    Attributes:
        class_id: The class.
        score: Its probability.
        name: Its name; empty if the bundle has none.
        png: The picture as the model gets it, with the map over it.
    """

    class_id: int
    score: float
    name: str
    png: bytes


async def explain(
    model: LoadedModel, content: bytes, class_id: int | None
) -> Explanation:
    """Compute the occlusion map of a picture.

    Args:
        model: The model.
        content: The bytes of a picture file.
        class_id: The class; None takes the best one.

    Raises:
        Refusal: The picture cannot be read, the model explains another one, or a limit is reached.
    """
    seconds = model.limits.seconds
    with model.explaining():
        try:
            return await asyncio.wait_for(_explained(model, content, class_id), seconds)
        except (asyncio.TimeoutError, TimeoutError) as error:
            raise OutOfTime(
                f"the map took longer than {seconds:g} s; start the server with a longer --timeout"
            ) from error


async def _explained(
    model: LoadedModel, content: bytes, class_id: int | None
) -> Explanation:
    inputs = await model.read(content)
    (answer,) = await _answers(model, inputs[np.newaxis])
    shown = answer.class_ids[0] if class_id is None else class_id
    occlusion = Occlusion(inputs, shown, answer.probabilities)
    for patches in occlusion.batches(model.batch_size):
        hidden = await model.in_reader(occlusion.hidden, patches)
        answers = await _answers(model, hidden)
        occlusion.add(patches, np.stack([each.probabilities for each in answers]))
    png = await model.in_reader(_picture, model, content, occlusion.heat())
    names = model.bundle.class_names
    return Explanation(
        shown,
        float(answer.probabilities[shown]),
        names[shown] if names else "",
        png,
    )


async def _answers(model: LoadedModel, inputs: np.ndarray) -> list[Answer]:
    answers = []
    for answer in await model.classify_all(list(inputs), topk=1):
        if isinstance(answer, Refusal):
            raise answer
        answers.append(answer)
    return answers


def _picture(model: LoadedModel, content: bytes, heat: np.ndarray) -> bytes:
    laid = overlaid(seen_by(model.pipeline, content), heat)
    return cv2.imencode(".png", laid[..., ::-1])[1].tobytes()
