"""What a report adds to an evaluation of 1,000 pictures by DLA34, which should be at most a tenth.

    python benchmarks/report_cost.py

It writes photo-sized JPEGs, runs `ppcls eval` without and with `--report` in turn, each in a process of its own, and
prints the processor seconds and the wall-clock seconds of both, the least of the rounds.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
CLASSES = 20
SIDES = (500, 375)  # pixels


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="DLA34")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pictures(folder / "pictures", parsed.pictures)
        command = prepare(folder, parsed.model)
        found: dict[str, list[tuple[float, float]]] = {"without": [], "with": []}
        for _ in range(parsed.rounds):
            found["without"].append(timed(command))
            found["with"].append(timed([*command, "--report", str(folder / "report")]))
    print("| | processor seconds | seconds |\n| --- | --- | --- |")
    least = {}
    for name, rows in found.items():
        least[name] = [min(row[place] for row in rows) for place in (0, 1)]
        print(f"| {name} report | {least[name][0]:.1f} | {least[name][1]:.1f} |")
    added = [
        f"{100 * (one / other - 1):.1f} %"
        for one, other in zip(least["with"], least["without"])
    ]
    print(f"| added | {added[0]} | {added[1]} |")


def write_pictures(folder: Path, count: int) -> None:
    """Write smooth noise, which decodes as photos do, in one folder per class."""
    rng = np.random.default_rng(0)
    for index in range(count):
        place = folder / f"class_{index % CLASSES:02}" / f"{index:04}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 255, (SIDES[1] // 4, SIDES[0] // 4, 3), np.uint8)
        cv2.imwrite(str(place), cv2.resize(small, SIDES, interpolation=cv2.INTER_CUBIC))


def prepare(folder: Path, model: str) -> list[str]:
    """Write weights and a configuration; the command that evaluates them."""
    import paddle

    from ppcls.arch import build_model

    weights = folder / "weights.pdparams"
    paddle.save(build_model(model, class_num=CLASSES).state_dict(), str(weights))
    config = folder / "config.yaml"
    config.write_text(
        f"base: [{model}, _base_/image_folder.yaml]\n"
        f"Global: {{device: cpu, pretrained_model: {weights}}}\n"
        f"Arch: {{class_num: {CLASSES}}}\n"
        f"DataLoader: {{Eval: {{dataset: {{image_root: {folder / 'pictures'}}}}}}}\n",
        encoding="utf-8",
    )
    return [sys.executable, "-m", "ppcls", "eval", "-c", str(config)]


def timed(command: list[str]) -> tuple[float, float]:
    """Run a command; its processor seconds, with those of its children, and its seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=environment,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, seconds


if __name__ == "__main__":
    main()
