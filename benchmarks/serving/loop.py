"""The loop without a server, for compare.py: `loop.py BUNDLE PICTURES COUNT WARM_UP` prints its figures as JSON."""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path

from ppcls import Classifier


def proportional_set_size() -> float:
    """MiB of this process."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("Pss:")]
    return int(line.split()[1]) / 1024


def main(bundle: str, folder: str, count: str, warm_up: str) -> None:
    """Classify pictures one by one."""
    files = sorted(Path(folder).rglob("*.[jJ][pP]*[gG]"))
    pictures = itertools.cycle([file.read_bytes() for file in files])
    classifier = Classifier(bundle, backend="onnxruntime")
    for _ in range(int(warm_up)):
        list(classifier.predict([next(pictures)]))
    latencies = []
    began, processor = time.perf_counter(), time.process_time()
    for _ in range(int(count)):
        start = time.perf_counter()
        list(classifier.predict([next(pictures)]))
        latencies.append(time.perf_counter() - start)
    found = {
        "latencies": latencies,
        "seconds": time.perf_counter() - began,
        "processor": time.process_time() - processor,
        "memory": proportional_set_size(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
