"""A folder of JPEGs to a CSV file: `ppcls predict` against a loop that reads, transforms and runs batch after batch.

The serial loop has the bundle's preprocessing, and the bare engine on every core. `ppcls predict` runs one batch per
core for a long folder if neither configuration nor bundle sets the number of requests.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.config import DeployConfig
from ppcls.config.deploy_schema import DeployGlobalSection
from ppcls.data.picture_files import find_pictures
from ppcls.engine.predict import open_classifier
from ppcls.engine.result_files import open_results
from ppcls.inference import Bundle, Result
from prediction.bare import Run, engines, open_bare
from prediction.rounds import ratio, run_rounds

TOPK = 5
GOAL = 1.8


def measure(bundle: Bundle, source: Path, count: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = linked(find_pictures(source), Path(folder), count)
        output = Path(folder) / "out.csv"
        ways: dict[str, Callable[[], object]] = {}
        for engine in engines(bundle):
            bare = open_bare(bundle, engine)
            for batch in (1, 8):
                ways[f"{engine}, serial, batch {batch}"] = _serial(
                    bundle, bare, files, batch, output
                )
                ways[f"{engine}, ours, batch {batch}"] = _ours(
                    bundle, engine, files, batch, output
                )
        spent = run_rounds(ways, rounds)
    serial = spent["paddle, serial, batch 1"].seconds
    print(
        f"{len(files)} files of {source}; ratios to Paddle's serial loop at batch 1, goal at least {GOAL}"
    )
    for name, each in spent.items():
        print(f"{name:28} {each.per(len(files))}; x {ratio(serial, each.seconds):.2f}")


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
    bundle: Bundle, engine: Any, files: list[str], batch_size: int, output: Path
) -> Callable[[], None]:
    asked = DeployGlobalSection(
        str(bundle.folder), files[0], batch_size, backend=engine, precision="float32"
    )
    classifier = open_classifier(DeployConfig(asked), len(files))

    def work() -> None:
        with open_results(output, TOPK) as rows:
            for result in classifier.predict(files):
                rows.write(result)

    return work
