"""What a training step costs: as Paddle comes, with the CPU prepared, and inside the engine.

    python benchmarks/train_step.py [--model DLA34] [--size 224] [--batch 16] [--rounds 5] [--steps 2]

Three processes' worth of the same step (forward, loss, backward, Momentum) on the same batch in memory:
`as installed` is a bare loop without `ppcls.utils.cpu`, `bare` the same loop with it, `engine` the `Trainer` with
metrics and log. Rounds are interleaved; each figure is the median of its rounds, in images/s.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
PREPARED = ("OMP_NUM_THREADS", "MKL_DEBUG_CPU_TYPE")


class FixedLoader:
    """One batch in memory, again and again."""

    def __init__(self, image: Any, label: Any, steps: int) -> None:
        self.batch = SimpleNamespace(image=image, label=label, index=label.numpy())
        self.steps_per_epoch = steps
        self.failures: Dict[str, str] = {}
        self.num_workers = 0

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Any]:
        """Yields the batch `steps_per_epoch` times."""
        for _ in range(start_step, self.steps_per_epoch):
            yield self.batch


def steps_of(arguments: argparse.Namespace) -> Dict[str, Callable[[], None]]:
    """Both ways to take `arguments.steps` steps, on networks of the same weights."""
    import numpy as np
    import paddle

    from ppcls.arch import build_model
    from ppcls.engine.callbacks import ConsoleLog
    from ppcls.engine.trainer import Trainer
    from ppcls.loss import CELoss, weighted_sum
    from ppcls.metric import TopkAcc

    rng = np.random.default_rng(0)
    shape = (arguments.batch, 3, arguments.size, arguments.size)
    image = paddle.to_tensor(rng.normal(size=shape).astype("float32"))
    label = paddle.to_tensor(rng.integers(0, 1000, arguments.batch))

    def make() -> Any:
        paddle.seed(0)
        model = build_model(arguments.model)
        return model, paddle.optimizer.Momentum(0.01, 0.9, parameters=model.parameters(), weight_decay=1e-4)

    bare_model, bare_optimizer = make()
    bare_model.train()

    def bare() -> None:
        for _ in range(arguments.steps):
            loss = paddle.nn.functional.cross_entropy(bare_model(image), label)
            loss.backward()
            bare_optimizer.step()
            bare_optimizer.clear_grad()
            loss.item()

    model, optimizer = make()
    trainer = Trainer(
        model=model,
        losses=lambda logits, target: weighted_sum((CELoss(),), logits, target),
        optimizer=optimizer,
        lr_at=lambda step: 0.01,
        loader=FixedLoader(image, label, arguments.steps),
        epochs=0,
        seed=0,
        metrics=[TopkAcc((1, 5)).accumulator()],
        callbacks=[ConsoleLog(10)],
    )

    def engine() -> None:
        trainer.epochs += 1
        trainer.fit()

    return {"bare": bare, "engine": engine}


def measure(ways: Dict[str, Callable[[], None]], rounds: int, images: int) -> Dict[str, List[float]]:
    """Images/s of each way in each round, after one round to warm up."""
    figures: Dict[str, List[float]] = {name: [] for name in ways}
    for round_number in range(rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if round_number:
                figures[name].append(images / (time.perf_counter() - began))
    return figures


def as_installed(arguments: argparse.Namespace) -> float:
    """The bare loop's images/s in a process of its own, without the preparation."""
    environment = {key: value for key, value in os.environ.items() if key not in PREPARED}
    command = [sys.executable, __file__, "--child", "--model", arguments.model, "--size", str(arguments.size)]
    command += ["--batch", str(arguments.batch), "--rounds", "2", "--steps", "1"]
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    return float(json.loads(output.splitlines()[-1]))


def main() -> None:
    """Parses the command line, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="DLA34")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        figures = measure({"bare": steps_of(arguments)["bare"]}, arguments.rounds, arguments.steps * arguments.batch)
        print(json.dumps(statistics.median(figures["bare"])))
        return
    slow = as_installed(arguments)
    from ppcls.utils.load_paddle import load_paddle

    load_paddle()
    figures = measure(steps_of(arguments), arguments.rounds, arguments.steps * arguments.batch)
    bare, engine = (statistics.median(figures[name]) for name in ("bare", "engine"))
    ratio = statistics.median(b / e for b, e in zip(figures["bare"], figures["engine"]))
    print(f"{arguments.model}, {arguments.size} px, batch {arguments.batch}, medians of {arguments.rounds} rounds")
    print(f"as installed  {slow:7.2f} images/s")
    print(f"bare          {bare:7.2f} images/s  {bare / slow:5.2f} times as installed")
    print(f"engine        {engine:7.2f} images/s  a step costs {ratio:.3f} times the bare one")


if __name__ == "__main__":
    main()
