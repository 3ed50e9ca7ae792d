"""What `ppcls-classify` costs beside Python: `python benchmarks/cpp.py --program build/cpp/program/ppcls-classify`.

    start      one picture in a new process, against `ppcls predict`
    latency    the engine at batch 1 and 8, against the backend in Python
    folder     a folder of JPEGs to classes without the start, against `Classifier`

Ways take turns; the output has medians of wall and processor time, and the ratio beside its goal. Without BUNDLE,
DLA34 and SqueezeNet1_1 are exported untrained. OpenVINO runs in both, and needs `paddle2onnx` for the export.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from predict import exported, pictures
from prediction.folder import linked

from ppcls.config import DeployConfig
from ppcls.config.deploy_schema import DeployGlobalSection
from ppcls.data.picture_files import find_pictures
from ppcls.engine.predict import open_classifier
from ppcls.inference import Bundle
from ppcls.inference.backends import open_backend
from ppcls.inference.settings import Settings
from ppcls.utils import cpu

ENGINE: Final = "openvino"
MODELS = ("DLA34", "SqueezeNet1_1")
# Of the C++ program's time to Python's; the folder's goals are of images per second
START, LATENCY = 1 / 3, 1.05
FOLDER = {"SqueezeNet1_1": 1.1}
LEAST_FOLDER = 0.98
RUNS = 40  # of the engine in a round


class Cost(NamedTuple):
    """Wall and processor milliseconds, of one picture or one process."""

    wall: float
    processor: float


def in_a_process(*words: object) -> Cost:
    """The cost of a command."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([*map(str, words)], capture_output=True, check=True)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(1000 * wall, 1000 * processor)


def in_this_process(work: Callable[[], object], count: int) -> Cost:
    """The cost of each of `count` pictures."""
    began, processor = time.perf_counter(), time.process_time()
    work()
    wall, processor = time.perf_counter() - began, time.process_time() - processor
    return Cost(1000 * wall / count, 1000 * processor / count)


def said(program: Path, bundle: Bundle, row: str, *words: object) -> Cost:
    """What `ppcls-classify --benchmark` prints in a row, of one picture."""
    command = [program, bundle.folder, "--backend", ENGINE, "--benchmark", *words]
    text = subprocess.check_output([*map(str, command)], text=True)
    (line,) = (line for line in text.splitlines() if line.startswith(row))
    _, _, speed, processor = line[len(row) :].split()
    return Cost(1000 / float(speed), float(processor))


def compared(
    ways: dict[str, Callable[[], Cost]], rounds: int
) -> tuple[dict[str, Cost], Cost]:
    """Medians of both ways, and of the rounds' ratios of C++ to Python."""
    spent: dict[str, list[Cost]] = {name: [] for name in ways}
    for number in range(-1, rounds):  # round -1 warms up
        for name in sorted(ways, reverse=number % 2 == 0):
            cost = ways[name]()
            if number >= 0:
                spent[name].append(cost)
    pairs = list(zip(spent["C++"], spent["Python"]))
    medians = {
        name: Cost(*map(statistics.median, zip(*costs)))
        for name, costs in spent.items()
    }
    walls = statistics.median(ours.wall / theirs.wall for ours, theirs in pairs)
    processors = (ours.processor / theirs.processor for ours, theirs in pairs)
    return medians, Cost(walls, statistics.median(processors))


def start(program: Path, bundle: Bundle, picture: str) -> dict[str, Callable[[], Cost]]:
    words = (bundle.folder, picture, "--backend", ENGINE)
    python = (sys.executable, "-m", "ppcls", "predict")
    return {
        "C++": lambda: in_a_process(program, *words),
        "Python": lambda: in_a_process(*python, *words),
    }


def latency(
    program: Path, bundle: Bundle, batch_size: int
) -> dict[str, Callable[[], Cost]]:
    settings = Settings(
        backend=ENGINE, precision="float32", threads=cpu.usable_cores(), requests=1
    )
    run = open_backend(bundle, settings).run
    batch = np.random.default_rng(0).random(
        (batch_size, *bundle.input.shape[1:]), np.float32
    )

    def loop() -> None:
        for _ in range(RUNS):
            run(batch)

    row = f"engine, batch {batch_size}"
    words = ("--batch-size", batch_size, "--requests", 1)
    return {
        "C++": lambda: said(program, bundle, row, *words),
        "Python": lambda: in_this_process(loop, RUNS * batch_size),
    }


def folder(
    program: Path, bundle: Bundle, files: list[str]
) -> dict[str, Callable[[], Cost]]:
    asked = DeployGlobalSection(
        str(bundle.folder), files[0], 8, backend=ENGINE, precision="float32"
    )
    classifier = open_classifier(DeployConfig(asked), len(files))
    place = Path(files[0]).parent

    def work() -> None:
        for _ in classifier.predict(files):
            pass

    return {
        "C++": lambda: said(program, bundle, "files to classes", place),
        "Python": lambda: in_this_process(work, len(files)),
    }


def report(
    what: str, ways: dict[str, Callable[[], Cost]], rounds: int, goal: str
) -> None:
    medians, ratio = compared(ways, rounds)
    columns = [f"{what:18}"]
    for name in ("Python", "C++"):
        cost = medians[name]
        columns.append(f"{name} {cost.wall:8.2f} ms, processor {cost.processor:7.2f}")
    columns.append(f"x {ratio.wall:.3f}, processor {ratio.processor:.3f} ({goal})")
    print("; ".join(columns))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundles", nargs="*", metavar="BUNDLE")
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--pictures", default="", help="folder of JPEGs")
    parser.add_argument("--count", type=int, default=400, help="pictures of `folder`")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    program = arguments.program.resolve()
    found = find_pictures(pictures(arguments.pictures))
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    cpu.prepare()  # Paddle is imported after this
    with tempfile.TemporaryDirectory() as place:
        given = [Path(name).resolve() for name in arguments.bundles]
        place_of_pictures = Path(place, "pictures")
        place_of_pictures.mkdir()
        files = linked(found, place_of_pictures, arguments.count)
        for path in given or [exported(model, Path(place)) for model in MODELS]:
            bundle = Bundle.load(path)
            print(f"{bundle.architecture}, {ENGINE}, {cpu.usable_cores()} threads")
            report(
                "start",
                start(program, bundle, str(found[0])),
                arguments.rounds,
                f"goal at most {START:.2f}",
            )
            for batch_size in (1, 8):
                report(
                    f"latency, batch {batch_size}",
                    latency(program, bundle, batch_size),
                    arguments.rounds,
                    f"goal at most {LATENCY}",
                )
            least = FOLDER.get(bundle.architecture, LEAST_FOLDER)
            report(
                "folder",
                folder(program, bundle, files),
                arguments.rounds,
                f"goal at most {1 / least:.3f}",
            )


if __name__ == "__main__":
    main()
