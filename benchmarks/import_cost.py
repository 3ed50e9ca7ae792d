"""What importing costs, and how soon a configuration error is said.

    python benchmarks/import_cost.py [--rounds 7]

Fresh processes, interleaved; medians in seconds, and the ratio to `import paddle` alone.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = [sys.executable, "-W", "ignore"]
WAYS: dict[str, list[str]] = {
    "import paddle": [*PYTHON, "-c", "import paddle"],
    "import ppcls.arch": [*PYTHON, "-c", "import ppcls.arch"],
    "import paddle; from ppcls.arch import DLA34": [
        *PYTHON,
        "-c",
        "import paddle; from ppcls.arch import DLA34",
    ],
    "configuration error": [
        *PYTHON,
        "-m",
        "ppcls",
        "train",
        "-c",
        "DLA60",
        "-o",
        "Global.epoch=1",
    ],
}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for number in range(rounds + 1):
        for name, command in WAYS.items():
            began = time.perf_counter()
            subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
            if number:  # the first round fills the disk's cache
                seconds[name].append(time.perf_counter() - began)
    paddle = statistics.median(seconds["import paddle"])
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:52} {median:6.3f} s  {median / paddle:5.2f} times import paddle")


if __name__ == "__main__":
    main()
