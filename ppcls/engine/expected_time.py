"""How long a fine-tuning will take in each of its ways, from a trial of a few pictures before it starts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import paddle
from paddle import nn

from ppcls.data.loader import ImageLoader
from ppcls.engine.frozen import FeatureNetwork
from ppcls.engine.precision import forget_gradients

_PICTURES = 4


def expected_times(
    model: Any,
    losses: Callable[[Any, Any], dict[str, Any]],
    loader: ImageLoader,
    batch_size: int,
    epochs: int,
    evaluated: int,
) -> str:
    """A sentence with the time of a training of the whole network and of its head alone, on this machine.

    The model is left as it is: its batch norms are tried in evaluation mode, and the optimizer's rate is 0.

    Args:
        model: The backbone.
        losses: From logits and labels to named losses, of which `loss` is differentiated.
        loader: Reads the pictures to learn from.
        batch_size: Pictures per step.
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

    # A step of a small head costs much the same for few pictures as for many, so this one has a whole batch
    times = math.ceil(batch_size / count)
    features = paddle.concat([features] * times)[:batch_size]
    labels = paddle.concat([batch.label] * times)[:batch_size]
    optimizer = paddle.optimizer.Momentum(0.0, parameters=model.parameters())
    dropouts = [layer for layer in model.sublayers() if isinstance(layer, nn.Dropout)]

    def head_step() -> None:
        for layer in dropouts:
            layer.train()
        loss = losses(model.forward_head(features), labels)["loss"]
        loss.backward()
        optimizer.step()
        forget_gradients(optimizer)
        loss.item()

    for call in (step, forward, head_step):  # makes plans and buffers
        call()
    _, training = _timed(step)
    _, computing = _timed(forward)
    _, learning = _timed(head_step)
    forget_gradients(optimizer)
    model.freeze(frozen)
    if was_training:
        model.train()
    pictures = len(loader.images)
    each_epoch = pictures * (training + reading) + evaluated * (computing + reading)
    # Evaluating the features of a batch costs no more than learning from them
    steps = sum(math.ceil(number / batch_size) for number in (pictures, evaluated))
    once = (pictures + evaluated) * (computing + reading) / count
    whole, head = epochs * each_epoch / count, once + epochs * steps * learning
    return (
        f"expected time, from a trial of {count} pictures: {_text(whole)} for the whole network, {_text(head)} for the "
        "head alone (--freeze backbone), both without the start of Python and Paddle"
    )


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.perf_counter()
    result = call()
    return result, time.perf_counter() - begin


def _text(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return str(timedelta(seconds=round(seconds)))
