"""What networks learn by Paddle's kernels, by oneDNN's, and by oneDNN's in bfloat16.

    python benchmarks/kernels_accuracy.py --weights squeezenet1_1.pth --seeds 3 [--trainings fine-tuning demo]

On scikit-learn's handwritten digits, of which every fifth is held out: a fine-tuning of SqueezeNet1_1 from published
weights, and the recipe of `make demo`, DLA46_c from initial weights, over fewer epochs. Runs that are in the results
already are not run again, so an interrupted program continues. docs/speed.md has the table.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

DIGITS, RUNS, RESULTS = Path("demo/digits"), Path("runs"), Path("results.json")
EPOCHS = 3  # of the fine-tuning
SIZE = 64  # pixels; of the fine-tuning
DEMO_EPOCHS = 6  # a third of what `make demo` takes
KERNELS: dict[str, dict[str, Any]] = {
    "Paddle": {"Global.cpu_kernels": "paddle"},
    "oneDNN": {"Global.cpu_kernels": "onednn"},
    "oneDNN, bfloat16": {
        "Global.cpu_kernels": "onednn",
        "AMP.use_amp": True,
        "AMP.dtype": "bfloat16",
    },
}


def finetuned(keys: dict[str, Any], seed: int, weights: Path) -> float:
    """Fine-tune SqueezeNet1_1; the share of held-out pictures that it classifies right after the last epoch."""
    from ppcls import finetune

    transforms = [
        {"DecodeImage": {}},
        {"ResizeImage": {"size": SIZE}},
        {"NormalizeImage": {}},
    ]
    result = finetune(
        DIGITS,
        "SqueezeNet1_1",
        pretrained=weights,
        epochs=EPOCHS,
        output_dir=RUNS,
        device="cpu",
        seed=seed,
        overrides={
            "Global.image_shape": [3, SIZE, SIZE],
            "Global.eval_interval": EPOCHS,
            "Global.report": False,
            "DataLoader.Train.dataset.transform_ops": transforms,
            "DataLoader.Eval.dataset.transform_ops": transforms,
            "DataLoader.Train.loader.num_workers": 0,
            "DataLoader.Eval.loader.num_workers": 0,
            **keys,
        },
        console="quiet",
    )
    return result.metrics["top1"]


def trained(keys: dict[str, Any], seed: int, weights: Path) -> float:
    """Train by the recipe of `make demo`; the share of held-out pictures that are classified right at the end."""
    from ppcls import train

    result = train(
        ROOT / "configs" / "demo" / "digits.yaml",
        epochs=DEMO_EPOCHS,
        output_dir=RUNS,
        seed=seed,
        overrides={
            "Global.eval_interval": DEMO_EPOCHS,
            "Global.report": False,
            **keys,
        },
        console="quiet",
    )
    return result.metrics["top1"]


TRAININGS: dict[str, Callable[[dict[str, Any], int, Path], float]] = {
    "fine-tuning": finetuned,
    "demo": trained,
}


def main() -> None:
    """Run what has not been run yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, help="of SqueezeNet1_1")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folder", default="kernels_accuracy", help="of all files")
    parser.add_argument(
        "--trainings", nargs="+", choices=TRAININGS, default=list(TRAININGS)
    )
    parsed = parser.parse_args()
    weights, folder = Path(parsed.weights).resolve(), Path(parsed.folder)
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)

    from demo_steps import write_digits

    found: dict[str, float] = {}
    if RESULTS.exists():
        found = json.loads(RESULTS.read_text(encoding="utf-8"))
    _, measured = write_digits(DIGITS)
    for training in parsed.trainings:
        for seed in range(parsed.seeds):
            for kernels, keys in KERNELS.items():
                name = f"{training}/{kernels}/{seed}"
                if name in found:
                    continue
                found[name] = TRAININGS[training](dict(keys), seed, weights)
                RESULTS.write_text(json.dumps(found, indent=1), encoding="utf-8")
                print(name, found[name], flush=True)
    print_table(found, parsed.trainings, parsed.seeds, measured)


def print_table(
    found: dict[str, float], trainings: list[str], seeds: int, measured: int
) -> None:
    """Print the mean top-1 over the seeds, and that of each seed."""
    print(f"\nTop-1 (%) on {measured} pictures; in brackets by seed\n")
    print("| | " + " | ".join(KERNELS) + " |\n" + "| --- " * (len(KERNELS) + 1) + "|")
    for training in trainings:
        cells = [training]
        for kernels in KERNELS:
            top1 = [
                100 * found[f"{training}/{kernels}/{seed}"] for seed in range(seeds)
            ]
            by_seed = ", ".join(f"{value:.1f}" for value in top1)
            cells.append(f"{statistics.mean(top1):.2f} ({by_seed})")
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
