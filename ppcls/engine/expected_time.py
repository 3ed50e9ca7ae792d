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
from ppcls.engine.frozen import FrozenBackbone

_PICTURES = 4


def expected_times(
    backbone: FrozenBackbone,
    losses: Callable[[Any, Any], dict[str, Any]],
    loader: ImageLoader,
    batch_size: int,
    epochs: int,
    evaluated: int,
) -> str:
    """A sentence with the time of a training of the whole network and of its head alone, on this machine.

    The model is left as it is: it is tried in evaluation mode but for the head's dropouts, and its gradients are freed.

    Args:
        backbone: The model, and what would compute its features.
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
    model = backbone.model
    frozen, was_training = model.params.freeze, model.training
    model.freeze(0)
    model.eval()

    def step() -> None:
        losses(model(batch.image), batch.label)["loss"].backward()
        model.clear_gradients(set_to_zero=False)

    def forward() -> None:
        with paddle.no_grad():
            model(batch.image).sum().item()

    training, computing = _seconds_of(step), _seconds_of(forward)
    model.freeze("backbone")
    extracting = _seconds_of(lambda: backbone.run(batch.image))
    learning = _seconds_of_head(backbone, losses, batch, batch_size)
    model.freeze(frozen)
    if was_training:
        model.train()
    pictures = len(loader.images)
    each_epoch = pictures * (training + reading) + evaluated * (computing + reading)
    # Evaluating the features of a batch costs no more than learning from them
    steps = sum(math.ceil(number / batch_size) for number in (pictures, evaluated))
    once = (pictures + evaluated) * (extracting + reading) / count
    whole, head = epochs * each_epoch / count, once + epochs * steps * learning
    return (
        f"expected time, from a trial of {count} pictures: {_text(whole)} for the whole network, {_text(head)} for the "
        "head alone (--freeze backbone), both without the start of Python and Paddle"
    )


def _seconds_of_head(
    backbone: FrozenBackbone,
    losses: Callable[[Any, Any], dict[str, Any]],
    batch: Any,
    batch_size: int,
) -> float:
    """Seconds of a forward and a backward pass of the head behind a frozen backbone.

    They cost a small head much the same for few pictures as for many, so they get a whole batch. No optimizer steps:
    Paddle counts the optimizers of a parameter, and the training's checkpoints would have names that no other process
    gives.
    """
    model = backbone.model
    features = paddle.to_tensor(backbone.run(batch.image))
    times = math.ceil(batch_size / len(batch.index))
    features = paddle.concat([features] * times)[:batch_size]
    labels = paddle.concat([batch.label] * times)[:batch_size]
    dropouts = [layer for layer in model.sublayers() if isinstance(layer, nn.Dropout)]
    for layer in dropouts:
        layer.train()

    def step() -> None:
        loss = losses(model.forward_head(features), labels)["loss"]
        loss.backward()
        model.clear_gradients(set_to_zero=False)
        loss.item()

    seconds = _seconds_of(step)
    for layer in dropouts:
        layer.eval()
    return seconds


def _seconds_of(step: Callable[[], object]) -> float:
    """Seconds of the second call; the first makes plans and buffers."""
    step()
    return _timed(step)[1]


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.perf_counter()
    result = call()
    return result, time.perf_counter() - begin


def _text(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return str(timedelta(seconds=round(seconds)))
