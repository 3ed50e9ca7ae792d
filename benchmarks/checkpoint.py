"""What saving costs a training: how long the loop is held, and how long the writing takes beside it.

    python benchmarks/checkpoint.py [--model DLA34] [--size 224] [--batch 16] [--saves 5] [--steps 2] [--folder FOLDER]

A training with momentum and a moving average, on a batch in memory, saves every some steps. The loop is held while the
state is copied and looked through for values that are not finite; then a thread writes it, digests it and waits for
the disk, while the next steps go on. Figures are medians; that the writer is done before the next save is in no figure.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
EPOCH = 100  # steps, of which the time held is a share


@dataclass
class Seconds:
    """What was measured."""

    step: list[float] = field(default_factory=list)  # while nothing is written
    beside: list[float] = field(default_factory=list)  # a step, while something is
    held: list[float] = field(default_factory=list)  # the loop, by a save
    write: list[float] = field(default_factory=list)  # beside the loop, of a save
    size: int = 0  # of a checkpoint, in bytes


@dataclass
class UntilWritten:
    """A loader of one batch in memory, which ends when enough checkpoints are written."""

    batch: Any
    seconds: Seconds
    saves: int
    steps_per_epoch: int = 1_000_000
    num_workers: int = 0
    failures: dict[str, str] = field(default_factory=dict)

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Any]:
        """Yields the batch."""
        while len(self.seconds.write) < self.saves:
            yield self.batch


def measure(arguments: argparse.Namespace, folder: Path) -> Seconds:
    """Trains and saves into `folder`."""
    import numpy as np
    import paddle

    from ppcls.arch import build_model
    from ppcls.engine.callbacks import SaveCheckpoints
    from ppcls.engine.ema import MovingAverage
    from ppcls.engine.trainer import Callback, Trainer
    from ppcls.loss import CELoss, weighted_sum

    seconds = Seconds()

    class TimedSaver(SaveCheckpoints):
        def _write(self, *given: Any) -> None:
            began = time.perf_counter()
            super()._write(*given)
            seconds.write.append(time.perf_counter() - began)

    class Timer(Callback):
        def __init__(self) -> None:
            self.mark = time.perf_counter()

        def step_end(self, trainer: Trainer) -> None:
            is_alone = len(seconds.write) == len(seconds.held)
            (seconds.step if is_alone else seconds.beside).append(
                time.perf_counter() - self.mark
            )
            if is_alone and len(seconds.step) % arguments.steps == 0:
                saver.wait()
                began = time.perf_counter()
                saver.step_end(trainer)
                seconds.held.append(time.perf_counter() - began)
            self.mark = time.perf_counter()

    rng = np.random.default_rng(0)
    image = rng.normal(
        size=(arguments.batch, 3, arguments.size, arguments.size)
    ).astype("float32")
    label = rng.integers(0, 1000, arguments.batch)
    batch = SimpleNamespace(
        image=paddle.to_tensor(image),
        label=paddle.to_tensor(label),
        index=label,
        paths=(),
    )
    model = build_model(arguments.model)
    saver = TimedSaver(folder, interval_epochs=1, interval_steps=1, keep=None, facts={})
    Trainer(
        model=model,
        losses=lambda logits, target: weighted_sum((CELoss(),), logits, target),
        optimizer=paddle.optimizer.Momentum(
            0.001, 0.9, parameters=model.parameters(), weight_decay=1e-4
        ),
        lr_at=lambda step: 0.001,
        loader=UntilWritten(batch, seconds, arguments.saves),
        epochs=1,
        seed=0,
        callbacks=[Timer()],
        ema=MovingAverage(model, 0.9999),
    ).fit()
    saver.wait()
    seconds.size = sum(file.stat().st_size for file in (folder / "latest").iterdir())
    return seconds


def main() -> None:
    """Parses the command line, measures, prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="DLA34")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--saves", type=int, default=5)
    parser.add_argument(
        "--steps", type=int, default=2, help="between a writing and the next save"
    )
    parser.add_argument(
        "--folder",
        help="where to write: the disk to be measured; else the system's temporary one",
    )
    arguments = parser.parse_args()
    from ppcls.utils.load_paddle import load_paddle

    load_paddle()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        seconds = measure(arguments, Path(folder))
    step, held = statistics.median(seconds.step), statistics.median(seconds.held)
    print(
        f"{arguments.model}, {arguments.size} px, batch {arguments.batch}, {seconds.size / 1e6:.0f} MB a checkpoint"
    )
    print(f"a step                 {step:7.3f} s")
    if seconds.beside:
        print(f"a step beside writing  {statistics.median(seconds.beside):7.3f} s")
    print(
        f"the loop is held       {held:7.3f} s, {100 * held / (EPOCH * step):.2f} % of {EPOCH} steps"
    )
    print(
        f"writing                {statistics.median(seconds.write):7.3f} s, beside the steps"
    )


if __name__ == "__main__":
    main()
