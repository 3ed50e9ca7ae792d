"""A folder of JPEGs to a CSV file: `ppcls predict` against a loop that reads, transforms and runs batch after batch.

The serial loop has the bundle's preprocessing, and the bare engine on every core. `ppcls predict` runs one batch per
core for a long folder if neither configuration nor bundle sets the number of requests. With a list of labelled
pictures, `ppcls predict` runs with the settings that `ppcls benchmark backends --allow bfloat16,int8` chooses, and the
accuracy of both is printed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.config import DeployConfig
from ppcls.config.deploy_schema import DeployGlobalSection
from ppcls.data.image_list import read_list_file
from ppcls.data.picture_files import find_pictures
from ppcls.engine.predict import open_classifier
from ppcls.engine.result_files import open_results
from ppcls.inference import Bundle, Classifier, Result
from prediction.bare import Run, engines, open_bare
from prediction.rounds import ratio, run_rounds

TOPK = 5
GOAL, GOAL_OF_CHOSEN = 1.8, 3.0
SERIAL = "paddle, serial, batch 1"


def measure(
    bundle: Bundle, source: Path, count: int, rounds: int, data: Path | None = None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        files = linked(find_pictures(source), place, count)
        output = place / "out.csv"
        best = None if data is None else chosen(bundle, data, place / "bundle")
        if best is None:
            ways = _ways_of_engines(bundle, files, output)
        else:
            print(f"chosen: {best.settings}")
            bare = open_bare(bundle, "paddle")
            ways = {
                SERIAL: _serial(bundle, bare, files, 1, output),
                "chosen, ours, batch 8": _ours(best, files, 8, output),
            }
        spent = run_rounds(ways, rounds)
        if data is not None and best is not None:
            exact, found = top1(bundle, "paddle", data), top1(best, None, data)
            print(f"top-1 on {data}: paddle, float32 {exact:.1%}, chosen {found:.1%}")
    serial = spent[SERIAL]
    print(
        f"{len(files)} files of {source}; ratios to Paddle's serial loop at batch 1 by the clock, goal at least "
        f"{GOAL if data is None else GOAL_OF_CHOSEN}, and by processor time"
    )
    for name, each in spent.items():
        by_clock = ratio(serial.seconds, each.seconds)
        by_processor = ratio(serial.processor, each.processor)
        print(
            f"{name:28} {each.per(len(files))}; x {by_clock:.2f}, x {by_processor:.2f}"
        )


def _ways_of_engines(
    bundle: Bundle, files: list[str], output: Path
) -> dict[str, Callable[[], None]]:
    """The serial loop and ours by each engine in float32."""
    ways = {}
    for engine in engines(bundle):
        bare = open_bare(bundle, engine)
        for batch in (1, 8):
            ways[f"{engine}, serial, batch {batch}"] = _serial(
                bundle, bare, files, batch, output
            )
            ways[f"{engine}, ours, batch {batch}"] = _ours(
                bundle, files, batch, output, engine
            )
    return ways


def chosen(bundle: Bundle, data: Path, place: Path) -> Bundle:
    """A copy of the bundle with the settings that `ppcls benchmark backends` chooses."""
    from ppcls.cli import main as ppcls

    shutil.copytree(bundle.folder, place)
    words = ["benchmark", "backends", str(place), "--allow", "bfloat16,int8"]
    if ppcls([*words, "--data", str(data), "--requests", "1,2"]) != 0:
        raise SystemExit("no backend was chosen")
    return Bundle.load(place)


def top1(bundle: Bundle, backend: str | None, data: Path) -> float:
    """The share of the labelled pictures that a bundle classifies right; its settings choose where None is given."""
    images = read_list_file(str(data), str(data.parent), bundle.class_num)
    classifier = Classifier(bundle, batch_size=8, topk=1, backend=backend)
    found = [result.class_ids[0] for result in classifier.predict(images.paths)]
    return float(np.mean(np.array(found) == images.labels))


def linked(pictures: list[Path], folder: Path, count: int) -> list[str]:
    """Link so many files to the pictures, repeating them."""
    files = [
        folder / f"{index:06d}{pictures[index % len(pictures)].suffix}"
        for index in range(count)
    ]
    for index, file in enumerate(files):
        file.symlink_to(pictures[index % len(pictures)].resolve())
    return [str(file) for file in files]


def _serial(
    bundle: Bundle, run: Run, files: list[str], batch_size: int, output: Path
) -> Callable[[], None]:
    names = bundle.class_names or [""] * bundle.class_num

    def work() -> None:
        with open_results(output, TOPK) as rows:
            for start in range(0, len(files), batch_size):
                batch = files[start : start + batch_size]
                tensors = np.stack([bundle.pipeline.from_file(file) for file in batch])
                for file, scores in zip(batch, run(tensors)):
                    best = np.argsort(-scores)[:TOPK]
                    rows.write(
                        Result(
                            file,
                            best.tolist(),
                            scores[best].tolist(),
                            [names[i] for i in best],
                        )
                    )

    return work


def _ours(
    bundle: Bundle,
    files: list[str],
    batch_size: int,
    output: Path,
    engine: Any = None,
) -> Callable[[], None]:
    asked = DeployGlobalSection(
        str(bundle.folder),
        files[0],
        batch_size,
        backend=engine,
        precision=None if engine is None else "float32",
    )
    classifier = open_classifier(DeployConfig(asked), len(files))

    def work() -> None:
        with open_results(output, TOPK) as rows:
            for result in classifier.predict(files):
                rows.write(result)

    return work
