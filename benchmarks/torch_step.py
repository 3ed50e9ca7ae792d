"""Training steps of PyTorch, for `train_step.py --against torch`.

It runs in an environment with `benchmarks/requirements-torch.txt`:

    python benchmarks/torch_step.py --model DLA34 --size 224 --batch 8 --steps 1 [--bfloat16]

Takes a step and `--steps` more for every line of standard input and prints, as JSON, the seconds of one of these, by
the clock and by the processor (all threads), and the most memory that the process has had, in MB. A step is forward,
cross entropy with soft targets, backward and SGD with momentum, channels-last; `--bfloat16` is autocast's.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

CLASSES = 1000
# The names of timm, where they are not the lower-case ones; two families are torchvision's alone
TIMM = {"SENet154_vd": "senet154"}
TORCHVISION = {
    "AlexNet": "alexnet",
    "SqueezeNet1_0": "squeezenet1_0",
    "SqueezeNet1_1": "squeezenet1_1",
}


def network(name: str) -> Any:
    """A network with PyTorch's initial weights."""
    if name in TORCHVISION:
        from torchvision import models

        return models.get_model(TORCHVISION[name], num_classes=CLASSES)
    import timm

    return timm.create_model(TIMM.get(name, name.lower()), num_classes=CLASSES)


def training_step(arguments: argparse.Namespace) -> Callable[[], None]:
    """Network, loss and optimizer on one batch in memory."""
    torch.manual_seed(0)
    model = network(arguments.model).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(
        model.parameters(), 0.01, momentum=0.9, weight_decay=1e-4
    )
    rng = np.random.default_rng(0)
    shape = (arguments.batch, 3, arguments.size, arguments.size)
    images = torch.from_numpy(rng.normal(size=shape).astype("float32"))
    images = images.to(memory_format=torch.channels_last)
    targets = torch.from_numpy(
        rng.dirichlet([1.0] * CLASSES, arguments.batch).astype("float32")
    )

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bfloat16):
            logits = model(images)
        F.cross_entropy(logits.float(), targets).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def main() -> None:
    """Takes steps when asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--bfloat16", action="store_true")
    arguments = parser.parse_args()
    step = training_step(arguments)
    for _ in sys.stdin:
        step()  # as in train_step.py
        clock, processor = time.perf_counter(), time.process_time()
        for _ in range(arguments.steps):
            step()
        taken = time.perf_counter() - clock, time.process_time() - processor
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        costs = [seconds / arguments.steps for seconds in taken]
        print(json.dumps([*costs, megabytes]), flush=True)


if __name__ == "__main__":
    main()
