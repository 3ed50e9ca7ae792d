"""What `ppcls check` reads beside a bare decoder on all cores, which should be at least 0.6 of its images/s.

    python benchmarks/check_rate.py [--root FOLDER] [--pictures 1000] [--rounds 5]

The decoder reads the same files and decodes them by simplejpeg, with a thread per core. Both take turns; printed are
the medians in images/s of the clock and of processor time, and of the rounds' ratios. Without --root, the JPEGs
of `imagenet_200` below the folder PPCLS_TEST_DATA are read, again and again until there are enough.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import simplejpeg

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ppcls.analysis.check.scan import scan
from ppcls.utils.cpu import usable_cores

WANTED = 0.6
PER_TASK = 16  # as many as `scan` gives a thread at once


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parsed = parser.parse_args()
    root = parsed.root or Path(os.environ["PPCLS_TEST_DATA"]) / "imagenet_200"
    found = sorted(
        path for path in root.rglob("*") if path.suffix.lower() in (".jpeg", ".jpg")
    )
    with tempfile.TemporaryDirectory() as name:
        paths = linked(found, Path(name), parsed.pictures)
        readers: dict[str, Callable[[Sequence[str]], object]] = {
            "bare decoder": decode_all,
            "ppcls check": scan,
        }
        for read in readers.values():
            read(paths)  # fills the disk's cache
        rows: dict[str, list[tuple[float, float]]] = {name: [] for name in readers}
        for _ in range(parsed.rounds):
            for name, read in readers.items():
                rows[name].append(rates(read, paths))
    print(f"{len(paths)} pictures, {usable_cores()} cores, {parsed.rounds} rounds\n")
    print("| | images/s | images per processor second |\n| --- | --- | --- |")
    for name, measured in rows.items():
        clock, processor = (
            statistics.median(row[place] for row in measured) for place in (0, 1)
        )
        print(f"| {name} | {clock:.0f} | {processor:.0f} |")
    ratios = [
        statistics.median(
            ours[place] / bare[place]
            for ours, bare in zip(rows["ppcls check"], rows["bare decoder"])
        )
        for place in (0, 1)
    ]
    print(f"| ratio (wanted: {WANTED}) | {ratios[0]:.2f} | {ratios[1]:.2f} |")


def linked(found: Sequence[Path], folder: Path, count: int) -> list[str]:
    """Links to files, each under names of its own, until there are enough: `scan` reads a path once."""
    paths = []
    for index in range(count):
        path = folder / f"{index:06}.jpg"
        path.symlink_to(found[index % len(found)].resolve())
        paths.append(str(path))
    return paths


def decode_all(paths: Sequence[str]) -> None:
    """Decode files by a thread per core."""
    parts = [
        paths[first : first + PER_TASK] for first in range(0, len(paths), PER_TASK)
    ]
    with ThreadPoolExecutor(usable_cores()) as pool:
        for _ in pool.map(decode, parts):
            pass


def decode(paths: Sequence[str]) -> None:
    """Read files and decode them."""
    for path in paths:
        simplejpeg.decode_jpeg(Path(path).read_bytes())


def rates(
    read: Callable[[Sequence[str]], object], paths: Sequence[str]
) -> tuple[float, float]:
    """Images/s of the clock, and of processor time."""
    clock, processor = time.perf_counter(), time.process_time()
    read(paths)
    return len(paths) / (time.perf_counter() - clock), len(paths) / (
        time.process_time() - processor
    )


if __name__ == "__main__":
    main()
