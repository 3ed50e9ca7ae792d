"""What a training step costs: as Paddle comes, with the CPU prepared, and inside the engine.

    python benchmarks/train_step.py [--model DLA34] [--size 224] [--batch 16] [--rounds 5] [--steps 10]

The bare loop is forward, cross entropy with the soft targets that mixup gives, backward, Momentum and nothing else, on
one mixed batch in memory. `as installed` is that loop in a process without `ppcls.utils.cpu`. The engine's steps are
taken by `Trainer.fit`, a round being an epoch, and each is followed by a bare one of another network of the same
weights:

    plain   the trainer alone, on the same batch
    full    with the moving average, mixup of a new batch for every step (in this process: no worker helps), its copy
            into a tensor, top-1 and top-5, and a log line every 10 steps

    python benchmarks/train_step.py --compare PPCLS_CPU_KERNELS paddle onednn [...]
    python benchmarks/train_step.py --compare MKL_DEBUG_CPU_TYPE 5 7 [...]

compares bare steps under two values of an environment variable instead, each in a process of its own; they take turns.

    python benchmarks/train_step.py --against torch --python .venv-torch/bin/python --model all|DLA34,DPN68 [...]

compares bare steps by Paddle's operators (MKL's AVX2 kernels), by those of `ppcls.kernels` and by PyTorch's
channels-last, in processes that take turns: in float32, and in bfloat16 where the processor multiplies it. The Python
is that of an environment with `benchmarks/requirements-torch.txt`. On a crowded machine set `OMP_NUM_THREADS=1` and
leave `--by processor`.

A figure is the median of the rounds, a ratio that of the rounds' own ratios, with the least and the greatest. Where
other programs run beside it, the ratio of the processor's time (all threads) is the steadier one.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from prediction.rounds import SETTLE_SECONDS

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
PREPARED = ("OMP_NUM_THREADS", "MKL_DEBUG_CPU_TYPE")
CLASSES = 1000


def now() -> Any:
    """Seconds of the clock and of the processor, all threads of this process together."""
    import numpy as np

    return np.array([time.perf_counter(), time.process_time()])


@dataclass
class TakingTurns:
    """A loader whose every batch is followed by a bare step, once the engine is done with it; what both took."""

    make: Callable[[int], Any]  # the batch of a step, in the engine's time
    bare: Callable[[], None]
    steps_per_epoch: int
    engine_cost: Any = 0.0  # as of `now`
    bare_cost: Any = 0.0
    num_workers: int = 0
    failures: dict[str, str] = field(default_factory=dict)

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Any]:
        """Yields the batches; the engine's time ends when it asks for the next one."""
        for step in range(start_step, self.steps_per_epoch):
            began = now()
            yield self.make(epoch * self.steps_per_epoch + step)
            done = now()
            self.bare()
            self.engine_cost, self.bare_cost = (
                self.engine_cost + done - began,
                self.bare_cost + now() - done,
            )


def network(name: str) -> tuple[Any, Any]:
    """The same network each time, and its optimizer."""
    import paddle

    from ppcls.arch import build_model

    paddle.seed(0)
    model = build_model(name)
    model.train()
    return model, paddle.optimizer.Momentum(
        0.01, 0.9, parameters=model.parameters(), weight_decay=1e-4
    )


def batches(arguments: argparse.Namespace) -> tuple[Any, Callable[[int], Any]]:
    """A mixed batch in memory, and a function that mixes a new one of the same pictures for each step."""
    import numpy as np
    import paddle

    from ppcls.data.batch_transforms import Mixup

    rng = np.random.default_rng(0)
    images = rng.normal(
        size=(arguments.batch, 3, arguments.size, arguments.size)
    ).astype("float32")
    labels = rng.integers(0, CLASSES, arguments.batch)
    mixup = Mixup(alpha=0.2)

    def make(step: int) -> Any:
        mixed, targets = mixup(images, labels, np.random.default_rng(step), CLASSES)
        return SimpleNamespace(
            image=paddle.to_tensor(mixed),
            label=paddle.to_tensor(targets),
            index=labels,
            paths=(),
        )

    return make(0), make


def bare_step(arguments: argparse.Namespace, batch: Any) -> Callable[[], None]:
    """Network, loss and optimizer."""
    from paddle.nn import functional as F

    model, optimizer = network(arguments.model)

    from ppcls.kernels import selection

    def step() -> None:
        with selection.bfloat16(arguments.bfloat16):
            logits = model(batch.image)
        F.cross_entropy(logits, batch.label, soft_label=True).backward()
        optimizer.step()
        optimizer.clear_grad(set_to_zero=False)

    return step


def engines(arguments: argparse.Namespace) -> dict[str, Any]:
    """Trainers by name, whose loaders take turns with one bare loop."""
    from ppcls.engine.callbacks import ConsoleLog
    from ppcls.engine.ema import MovingAverage
    from ppcls.engine.trainer import Trainer
    from ppcls.loss import CELoss, weighted_sum
    from ppcls.metric import TopkAcc

    fixed, make = batches(arguments)
    bare = bare_step(arguments, fixed)

    def trainer(of_step: Callable[[int], Any], **keywords: Any) -> Trainer:
        model, optimizer = network(arguments.model)
        loader = TakingTurns(of_step, bare, arguments.steps)
        made = Trainer(
            model, lambda logits, target: weighted_sum((CELoss(),), logits, target), optimizer, lambda step: 0.01,
            loader, epochs=0, seed=0, **keywords,
        )  # fmt: skip
        return made

    full = trainer(
        make, metrics=[TopkAcc((1, 5)).accumulator()], callbacks=[ConsoleLog(10)]
    )
    full.ema = MovingAverage(full.model, 0.9999)
    return {"plain": trainer(lambda step: fixed), "full": full}


def measure(trainers: dict[str, Any], rounds: int) -> dict[str, list[tuple[Any, Any]]]:
    """What the bare loop and the engine took in each round, after one round to warm up."""
    costs: dict[str, list[tuple[Any, Any]]] = {name: [] for name in trainers}
    for number in range(rounds + 1):
        for name, trainer in trainers.items():
            loader, trainer.epochs = trainer.loader, number + 1
            loader.bare_cost = loader.engine_cost = 0.0
            trainer.fit()
            if number:
                costs[name].append((loader.bare_cost, loader.engine_cost))
    return costs


def as_installed(arguments: argparse.Namespace) -> float:
    """Seconds of a bare step in a process of its own, without the preparation."""
    environment = {
        key: value for key, value in os.environ.items() if key not in PREPARED
    }
    command = [
        sys.executable,
        __file__,
        "--child",
        "--model",
        arguments.model,
        "--size",
        str(arguments.size),
    ]
    command += ["--batch", str(arguments.batch)]
    output = subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    return float(json.loads(output.splitlines()[-1]))


def time_bare_steps(arguments: argparse.Namespace) -> float:
    """The median of two steps after one to warm up."""
    step, seconds = bare_step(arguments, batches(arguments)[0]), []
    for _ in range(3):
        began = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


class Turns:
    """A process that takes training steps whenever it is asked to.

    Args:
        arguments: Those of this program.
        variables: Environment variables of that process.
        words: More words of its command line.
        python: The Python that runs `torch_step.py`; None for this program's own steps.
    """

    def __init__(
        self,
        arguments: argparse.Namespace,
        variables: dict[str, str],
        words: Sequence[str] = (),
        python: str | None = None,
    ) -> None:
        if python is None:
            command = [sys.executable, __file__, "--turns"]
        else:
            command = [python, str(Path(__file__).with_name("torch_step.py"))]
        for name in ("model", "size", "batch", "steps"):
            command += [f"--{name}", str(getattr(arguments, name))]
        self._command = [*command, *words]
        self._process = subprocess.Popen(
            self._command,
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def take(self) -> tuple[float, float, float]:
        """Seconds of a step, by the clock and by the processor (all threads); the most memory so far, in MB."""
        assert self._process.stdin is not None and self._process.stdout is not None
        time.sleep(SETTLE_SECONDS)
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(
                f"{' '.join(self._command)} ended; all processes together may need more memory than there is: lower "
                "--batch"
            )
        clock, processor, megabytes = json.loads(line)
        return clock, processor, megabytes

    def end(self) -> None:
        """Ends the process."""
        self._process.communicate()


def serve_turns(arguments: argparse.Namespace) -> None:
    """Takes a bare step and `--steps` more for every line of standard input, and prints what one of these took."""
    from ppcls.utils.load_paddle import load_paddle

    load_paddle()
    step = bare_step(arguments, batches(arguments)[0])
    for _ in sys.stdin:
        step()  # some systems take memory from processes that wait, and the first step fetches it again
        began = now()
        for _ in range(arguments.steps):
            step()
        costs = (now() - began) / arguments.steps
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([*costs.tolist(), megabytes]), flush=True)


def taken_in_turns(
    turns: dict[str, Turns], rounds: int
) -> dict[str, list[tuple[float, float, float]]]:
    """What every process took in each round, after one to warm up; every second round goes backwards."""
    costs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in turns}
    for number in range(rounds + 1):
        names = list(turns)
        for name in names if number % 2 else reversed(names):
            cost = turns[name].take()
            if number:
                costs[name].append(cost)
    for turn in turns.values():
        turn.end()
    return costs


def compare(arguments: argparse.Namespace) -> None:
    """Prints what a bare step takes under each of two values of a variable, and the ratio."""
    variable, first, second = arguments.compare
    turns = {value: Turns(arguments, {variable: value}) for value in (first, second)}
    costs = taken_in_turns(turns, arguments.rounds)
    print(
        f"{arguments.model}, {arguments.size} px, batch {arguments.batch}, {arguments.rounds} rounds"
    )
    for value, taken in costs.items():
        clock, processor, megabytes = (statistics.median(kind) for kind in zip(*taken))
        print(
            f"{variable}={value}  {clock:7.3f} s a step, {processor:.3f} s of the processor, {megabytes:.0f} MB"
        )
    for kind, name in enumerate(("the clock", "the processor's time")):
        ratios = sorted(
            one[kind] / other[kind] for one, other in zip(costs[first], costs[second])
        )
        print(
            f"{second} is {statistics.median(ratios):.3f} ({ratios[0]:.3f}-{ratios[-1]:.3f}) times as fast as {first} "
            f"by {name}"
        )


def against_torch(arguments: argparse.Namespace) -> None:
    """Prints a table: a row for each model, a column for each way; the first way is what the others are compared to."""
    from ppcls.arch import list_models
    from ppcls.utils import cpu

    # MKL's AVX2 kernels, which every processor with AVX2 runs alike
    paddle = {"PPCLS_CPU_KERNELS": "paddle", "MKL_DEBUG_CPU_TYPE": "5"}
    onednn = {"PPCLS_CPU_KERNELS": "onednn"}
    names = ["Paddle", "oneDNN", "PyTorch"]
    if cpu.has_bfloat16():
        names += ["oneDNN, bfloat16", "PyTorch, bfloat16"]
    measured = "the processor" if arguments.by == "processor" else "the clock"
    print(
        f"{arguments.size} px, batches of {arguments.batch}, {arguments.rounds} rounds, "
        f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}: seconds of {measured} (times as fast as "
        f"Paddle; peak memory in MB)\n"
    )
    print("| Model | " + " | ".join(names) + " |")
    print("| --- " * (len(names) + 1) + "|", flush=True)
    models = list_models() if arguments.model == "all" else arguments.model.split(",")
    for arguments.model in models:
        turns = {}
        for name in names:
            half = ["--bfloat16"] if name.endswith("bfloat16") else []
            if name.startswith("PyTorch"):
                turns[name] = Turns(arguments, {}, half, arguments.python)
            elif name == "Paddle":
                turns[name] = Turns(arguments, paddle)
            else:
                turns[name] = Turns(arguments, onednn, half)
        costs = taken_in_turns(turns, arguments.rounds)
        kind = 1 if arguments.by == "processor" else 0
        cells = [arguments.model]
        for name in names:
            seconds = statistics.median(cost[kind] for cost in costs[name])
            pairs = zip(costs["Paddle"], costs[name])
            ratio = statistics.median(one[kind] / other[kind] for one, other in pairs)
            cells.append(f"{seconds:.3f} ({ratio:.2f}; {costs[name][-1][2]:.0f})")
        print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Parses the command line, measures, prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="DLA34")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument(
        "--compare",
        nargs=3,
        metavar=("VARIABLE", "FIRST", "SECOND"),
        help="compare two values of an environment variable",
    )
    parser.add_argument("--against", choices=["torch"], help="compare with PyTorch")
    parser.add_argument(
        "--python", default=".venv-torch/bin/python", help="the Python with PyTorch"
    )
    parser.add_argument("--by", choices=["clock", "processor"], default="processor")
    parser.add_argument(
        "--bfloat16", action="store_true", help="bare steps in bfloat16"
    )
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--turns", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.turns:
        serve_turns(arguments)
        return
    if arguments.compare:
        compare(arguments)
        return
    if arguments.against:
        against_torch(arguments)
        return
    if arguments.child:
        print(json.dumps(time_bare_steps(arguments)))
        return
    slow = as_installed(arguments)
    from ppcls.utils.load_paddle import load_paddle
    from ppcls.utils.logging import setup_logging

    load_paddle()
    with tempfile.TemporaryDirectory() as folder:
        setup_logging(Path(folder) / "train.log", console=False)
        costs = measure(engines(arguments), arguments.rounds)
    bare = (
        statistics.median(bare[0] for pairs in costs.values() for bare, _ in pairs)
        / arguments.steps
    )
    print(
        f"{arguments.model}, {arguments.size} px, batch {arguments.batch}, {arguments.rounds} rounds"
    )
    print(f"as installed  {slow:7.3f} s a step")
    print(
        f"bare          {bare:7.3f} s a step, {slow / bare:.2f} times as fast as installed"
    )
    for name, pairs in costs.items():
        cost = statistics.median(engine[0] for _, engine in pairs) / arguments.steps
        ratios = [
            sorted(engine[kind] / bare[kind] for bare, engine in pairs)
            for kind in (0, 1)
        ]
        clock, processor = (
            f"{statistics.median(r):.3f} ({r[0]:.3f}-{r[-1]:.3f})" for r in ratios
        )
        print(
            f"{name:13} {cost:7.3f} s a step, times the bare one: {clock}; by the processor's time: {processor}"
        )


if __name__ == "__main__":
    main()
