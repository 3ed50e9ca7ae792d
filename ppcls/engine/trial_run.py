"""What a training will need and how long it will take: a few steps of it, measured before it begins."""

from __future__ import annotations

import dataclasses
import math
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import paddle

from ppcls.config import Config
from ppcls.engine import build, device
from ppcls.engine.device import start
from ppcls.engine.lr_finder import batches_of
from ppcls.engine.precision import forget_gradients
from ppcls.utils import hardware
from ppcls.utils.hardware import bytes_text

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

# The first step also makes kernels and buffers
_WARM_UP, _STEPS = 1, 3
_READER_SECONDS = 5.0
_RATE = 1e-6
# Batches that a worker has ready, beside the one that it makes
_AHEAD = 2


@dataclasses.dataclass(frozen=True)
class TrialRun:
    """What was measured.

    Attributes:
        step_images_per_second: Of forward, backward and the optimizer's step, at the configured batch.
        eval_images_per_second: Of the forward pass alone.
        reader_images_per_second: Of reading and transforming the training's pictures.
        peak_memory: Bytes, of this process on a CPU, of the device on a GPU.
        checkpoint_bytes: Of one checkpoint.
        checkpoints: How many are kept.
        disk_free: Bytes, where the run will be.
        shared_needed: Bytes that the workers' batches take in /dev/shm; 0 where they do not use it.
        shared_free: Bytes; None where there is no /dev/shm.
        run_seconds: Of the whole training with its evaluations.
    """

    step_images_per_second: float
    eval_images_per_second: float
    reader_images_per_second: float
    peak_memory: int
    checkpoint_bytes: int
    checkpoints: int
    disk_free: int
    shared_needed: int
    shared_free: int | None
    run_seconds: float

    def problems(self) -> list[tuple[str, str, str]]:
        """Return what will not suffice, as topic, sentence and remedy."""
        found = []
        needed = self.checkpoint_bytes * self.checkpoints
        if needed > self.disk_free:
            found.append((
                "disk",
                f"{self.checkpoints} checkpoints take {bytes_text(needed)}, and {bytes_text(self.disk_free)} are free",
                "make room, lower Global.keep, or give another Global.output_dir",
            ))  # fmt: skip
        if self.shared_free is not None and self.shared_needed > self.shared_free:
            found.append((
                "shared memory",
                f"the workers' batches take {bytes_text(self.shared_needed)} of /dev/shm, which has "
                f"{bytes_text(self.shared_free)} free",
                "start the container with a larger --shm-size, or set DataLoader.Train.loader.use_shared_memory=False",
            ))  # fmt: skip
        total = hardware.usable_memory()
        if total is not None and not device.is_gpu() and self.peak_memory > 0.9 * total:
            found.append((
                "memory",
                f"a step takes {bytes_text(self.peak_memory)} of the {bytes_text(total)} of memory",
                "lower DataLoader.Train.sampler.batch_size, and raise Global.update_freq by the same factor",
            ))  # fmt: skip
        return found

    def facts(self) -> dict[str, str]:
        """Return the measured values with their units, by name."""
        return {
            "training, images/s": f"{self.step_images_per_second:.4g}",
            "reader, images/s": f"{self.reader_images_per_second:.4g}",
            "evaluation, images/s": f"{self.eval_images_per_second:.4g}",
            "peak memory": bytes_text(self.peak_memory),
            "checkpoints": f"{self.checkpoints} of {bytes_text(self.checkpoint_bytes)}",
            "disk free": bytes_text(self.disk_free),
            "shared memory": f"{bytes_text(self.shared_needed)} of {bytes_text(self.shared_free or 0)}",
            "the whole run": str(timedelta(seconds=round(self.run_seconds))),
        }


def try_training(config: Config) -> TrialRun:
    """Measure a few steps of a training. Nothing is written, and no weights are downloaded.

    Args:
        config: The configuration, with a training part.

    Raises:
        UserError: The training would be refused.
    """
    # Load_config requires both
    assert config.Optimizer is not None and config.DataLoader.Train is not None
    section = config.DataLoader.Train
    config = _without_weights(config)
    start(config)
    precision = build.precision(config)
    pictures = build.images(section, config.Arch.class_num)
    reader = build.loader(section, pictures, config, on_error="skip")
    with closing(batches_of(reader)) as batches:
        # Its workers start, and are not counted
        batch = next(batches)
        reading = _reading_rate(batches)
    model, config = build.model(config, training=True)
    assert config.Optimizer is not None
    optimizer = config.Optimizer.build(_RATE, list(model.named_parameters()))
    model, optimizer = precision.prepare(model, optimizer)
    losses = build.losses(config.Loss.Train)

    def step() -> None:
        with precision.context():
            loss = losses(model(batch.image), batch.label)["loss"]
        precision.backward(loss)
        precision.step(optimizer)
        forget_gradients(optimizer)
        loss.item()

    def forward() -> None:
        with paddle.no_grad(), precision.evaluation_context():
            model(batch.image).sum().item()

    images = len(batch.index)
    model.train()
    training = images / _seconds_of(step)
    model.eval()
    evaluating = images / _seconds_of(forward)
    checkpoint = _bytes_of(model.state_dict().values())
    checkpoint *= 2 if config.EMA else 1
    checkpoint += _bytes_of(optimizer.state_dict().values())
    settings = config.Global
    workers = reader.num_workers if section.loader.use_shared_memory else 0
    return TrialRun(
        step_images_per_second=training,
        eval_images_per_second=evaluating,
        reader_images_per_second=reading,
        peak_memory=_peak_memory(),
        checkpoint_bytes=checkpoint,
        checkpoints=_kept(config),
        disk_free=hardware.free_space(Path(settings.output_dir)),
        shared_needed=workers * (1 + _AHEAD) * _bytes_of([batch.image, batch.label]),
        shared_free=hardware.shared_memory(),
        run_seconds=_run_seconds(
            config, len(pictures), min(training, reading), evaluating
        ),
    )


def _without_weights(config: Config) -> Config:
    """The same configuration with random weights, which take the same time and memory."""
    arch = config.Arch
    if hasattr(arch, "pretrained"):
        arch = dataclasses.replace(arch, pretrained=False)
    settings = dataclasses.replace(config.Global, pretrained_model=None)
    return dataclasses.replace(config, Arch=arch, Global=settings)


def _reading_rate(batches: Iterator[Any]) -> float:
    """Images per second of a reader that has started."""
    begun, images = time.perf_counter(), 0
    for batch in islice(batches, 1000):
        images += len(batch.index)
        if time.perf_counter() - begun >= _READER_SECONDS:
            break
    return images / (time.perf_counter() - begun)


def _seconds_of(call: Any) -> float:
    """Seconds of a call that has been made before: the fastest of a few."""
    for _ in range(_WARM_UP):
        call()
    fastest = math.inf
    for _ in range(_STEPS):
        begun = time.perf_counter()
        call()
        fastest = min(fastest, time.perf_counter() - begun)
    return fastest


def _bytes_of(values: Iterable[Any]) -> int:
    """Bytes of the tensors among some values; of lists of them, too."""
    total = 0
    for value in values:
        if isinstance(value, (list, tuple)):
            total += _bytes_of(value)
        elif isinstance(value, paddle.Tensor):
            total += value.size * value.element_size()
    return total


def _peak_memory() -> int:
    """The most bytes so far: of the device, or of this process."""
    if device.is_gpu():
        return int(paddle.device.cuda.max_memory_allocated())
    if resource is None:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def _kept(config: Config) -> int:
    """How many checkpoints a run keeps at its end, and one that is being written."""
    settings = config.Global
    kept = settings.epochs // settings.save_interval
    if settings.keep is not None:
        kept = min(kept, settings.keep)
    return kept + 2 + int(settings.eval_during_train)


def _run_seconds(
    config: Config, pictures: int, rate: float, evaluating: float
) -> float:
    """Seconds of all epochs and their evaluations."""
    settings = config.Global
    seconds = settings.epochs * pictures / rate
    if not settings.eval_during_train or config.DataLoader.Eval is None:
        return seconds
    evaluated = len(build.images(config.DataLoader.Eval, config.Arch.class_num))
    evaluations = max(
        (settings.epochs - settings.start_eval_epoch) // settings.eval_interval, 1
    )
    return seconds + evaluations * evaluated / evaluating
