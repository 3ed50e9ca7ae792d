"""How long a fine-tuning will take in each of its ways, from a trial of a few pictures before it starts."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import paddle

from ppcls.data.loader import ImageLoader
from ppcls.engine.frozen import FeatureNetwork

_PICTURES = 4


def expected_times(
    model: Any,
    losses: Callable[[Any, Any], dict[str, Any]],
    loader: ImageLoader,
    epochs: int,
    evaluated: int,
) -> str:
    """A sentence with the time of a training of the whole network and of its head alone, on this machine.

    The model is left as it is: it is tried in evaluation mode, with gradients that are dropped.

    Args:
        model: The backbone.
        losses: From logits and labels to named losses, of which `loss` is differentiated.
        loader: Reads the pictures to learn from.
        epochs: Passes over them.
        evaluated: Pictures of the evaluation after each epoch.
    """
    batch, reading = _timed(lambda: loader.trial(_PICTURES, _PICTURES))
    count = len(batch.index)
    if not count:
        return "expected time: unknown, for none of the first pictures can be read"
    frozen, was_training = model.params.freeze, model.training
    model.freeze(0)
    model.eval()

    def step() -> None:
        losses(model(batch.image), batch.label)["loss"].backward()

    def forward() -> None:
        with paddle.no_grad():
            model(batch.image).sum().item()

    with paddle.no_grad():
        features = FeatureNetwork(model)(batch.image)

    def head_step() -> None:
        losses(model.forward_head(features), batch.label)["loss"].backward()

    for call in (step, forward, head_step):  # makes plans and buffers
        call()
    _, training = _timed(step)
    _, computing = _timed(forward)
    _, learning = _timed(head_step)
    for parameter in model.parameters():
        parameter.clear_gradient(set_to_zero=False)
    model.freeze(frozen)
    if was_training:
        model.train()
    pictures = len(loader.images)
    each_epoch = pictures * (training + reading) + evaluated * (computing + reading)
    # Evaluating a picture's features costs no more than learning from them
    head = (pictures + evaluated) * (computing + reading + epochs * learning)
    return (
        f"expected time, from a trial of {count} pictures: {_text(epochs * each_epoch / count)} for the whole network, "
        f"{_text(head / count)} for the head alone (--freeze backbone), both without the start of Python and Paddle"
    )


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.perf_counter()
    result = call()
    return result, time.perf_counter() - begin


def _text(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return str(timedelta(seconds=round(seconds)))
