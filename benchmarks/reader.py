"""What reading training pictures costs on one core: the pipeline of `configs/_base_`, and a loop of OpenCV by hand.

    taskset -c 0 python benchmarks/reader.py --list val_list.txt --root pictures [--batch 64] [--rounds 15]

Both read the same files, draw the same crops and flips, and give float32 batches [N, 3, 224, 224], each in fresh memory
and in the memory of the batch before (as a worker process does, whose batches are copied into shared memory at once).
The four take turns batch by batch. Printed are the medians in images/s of processor time, the medians of the rounds'
ratios to the loop, where the loop's time goes, and how far the pictures are from those of `Pipeline.plain` (the
operations one after the other, on the whole picture), in levels of 255. Without --list and --root, `imagenet_200` below
the folder PPCLS_TEST_DATA is read.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import simplejpeg
import yaml

from ppcls.data.image_list import ImageList, read_list_file
from ppcls.data.sampler import BatchReader, sample_generator
from ppcls.data.transforms import NormalizeImage, Pipeline, RandCropImage, RandFlipImage

ROOT = Path(__file__).resolve().parents[1]
GOAL = 1.25


def training_pipeline() -> Pipeline:
    """The transforms of the recipes at 224 pixels."""
    text = (ROOT / "configs" / "_base_" / "pictures_224.yaml").read_text(
        encoding="utf-8"
    )
    return Pipeline.from_list(
        yaml.safe_load(text)["DataLoader"]["Train"]["dataset"]["transform_ops"]
    )


class ByHand:
    """A loop over OpenCV and numpy, its batch written once: decode, crop, resize, flip, normalise plane by plane."""

    def __init__(self, images: ImageList, pipeline: Pipeline) -> None:
        self.images = images
        crop, flip, normalize = pipeline.ops[1:]
        assert isinstance(crop, RandCropImage) and isinstance(flip, RandFlipImage)
        assert isinstance(normalize, NormalizeImage)
        self.crop, self.flip, self.size = crop, flip, (224, 224)
        self.mean = [np.float32(mean / normalize.scale) for mean in normalize.mean]
        self.factor = [np.float32(normalize.scale / std) for std in normalize.std]
        self.seconds = dict.fromkeys(
            ("read and decode", "crop and resize", "flip and normalise"), 0.0
        )

    def __call__(
        self, epoch: int, indices: Sequence[int], room: np.ndarray | None = None
    ) -> np.ndarray:
        """A batch of float32 [N, 3, 224, 224]."""
        batch = (
            np.empty((len(indices), 3, *self.size), np.float32)
            if room is None
            else room[: len(indices)]
        )
        for planes, index in zip(batch, indices):
            rng = sample_generator(0, epoch, index)
            begin = time.process_time()
            image: Any = cv2.imdecode(
                np.fromfile(self.images.paths[index], np.uint8), cv2.IMREAD_COLOR
            )
            decoded = time.process_time()
            height, width = image.shape[:2]
            left, top, box_width, box_height = self.crop.box(width, height, rng)
            image = cv2.resize(
                image[top : top + box_height, left : left + box_width], self.size
            )
            resized = time.process_time()
            if rng.random() < self.flip.prob:
                image = cv2.flip(image, self.flip.flip_code)
            for plane, channel, mean, factor in zip(
                planes, cv2.split(image)[::-1], self.mean, self.factor
            ):
                np.subtract(channel, mean, out=plane)
                plane *= factor
            times = (begin, decoded, resized, time.process_time())
            for name, before, after in zip(self.seconds, times, times[1:]):
                self.seconds[name] += after - before
        return batch


def compare(
    ways: Sequence[Callable[[int, int], object]], rounds: int, steps: int
) -> list[list[float]]:
    """Seconds of each way in each round; the ways take turns batch by batch, each first every other time."""
    seconds: list[list[float]] = [[] for _ in ways]
    for number in range(-1, rounds):  # round -1 warms up
        spent = [0.0] * len(ways)
        for step in range(steps):
            for turn in range(len(ways)):
                place = (number + step + turn) % len(ways)
                begin = time.process_time()
                ways[place](number + 1, step)
                spent[place] += time.process_time() - begin
        if number >= 0:
            for column, value in zip(seconds, spent):
                column.append(value)
    return seconds


def deviation(pipeline: Pipeline, images: ImageList) -> tuple[float, float]:
    """Mean and largest distance from the plain path over all pictures, in levels of 255."""
    normalize = pipeline.ops[-1]
    assert isinstance(normalize, NormalizeImage)
    level = np.array(
        [std / normalize.scale for std in normalize.std], np.float32
    ).reshape(3, 1, 1)
    means, largest = [], 0.0
    for index, path in enumerate(images.paths):
        data = Path(path).read_bytes()
        fast, plain = (
            way(data, sample_generator(0, 0, index))
            for way in (pipeline, pipeline.plain)
        )
        distance = np.abs(fast - plain) * level
        means.append(float(distance.mean()))
        largest = max(largest, float(distance.max()))
    return statistics.mean(means), largest


def opened(arguments: argparse.Namespace) -> ImageList:
    data = os.environ.get("PPCLS_TEST_DATA")
    if not arguments.list and not data:
        raise SystemExit(
            "no pictures: give --list and --root, or a folder with imagenet_200 in PPCLS_TEST_DATA"
        )
    folder = Path(data or "") / "imagenet_200"
    return read_list_file(
        arguments.list or str(folder / "val_list.txt"),
        arguments.root or str(folder),
        1000,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", help="list file: a path and a label a line")
    parser.add_argument("--root", help="folder that the paths are relative to")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    images, pipeline = opened(arguments), training_pipeline()
    reader = BatchReader(images, pipeline, (), 1000, arguments.batch, False, 0, 0, 1)
    order, by_hand = reader.order(0), ByHand(images, pipeline)
    steps = max(len(images) // arguments.batch, 1)
    places = [reader.indices(order, step).tolist() for step in range(steps)]
    ours, theirs = (
        np.empty((arguments.batch, 3, 224, 224), np.float32) for _ in range(2)
    )
    ways: dict[str, Callable[[int, int], object]] = {
        "by hand": lambda epoch, step: by_hand(epoch, places[step]),
        "by hand, memory used again": lambda epoch, step: by_hand(
            epoch, places[step], theirs
        ),
        "pipeline": lambda epoch, step: reader.read(order, epoch, step),
        "pipeline, memory used again": lambda epoch, step: reader.read(
            order, epoch, step, ours
        ),
    }
    seconds = compare(list(ways.values()), arguments.rounds, steps)
    count = sum(map(len, places))
    print(
        f"{count} pictures a round, {arguments.rounds} rounds; {versions()}; goal: {GOAL} times by hand"
    )
    for name, column in zip(ways, seconds):
        ratios = [hand / mine for hand, mine in zip(seconds[0], column)]
        print(
            f"{name:28} {count / statistics.median(column):6.1f} images/s  x {statistics.median(ratios):.3f}"
        )
    shares(by_hand.seconds)
    mean, largest = deviation(pipeline, images)
    print(
        f"distance from the plain path: {mean:.6f} levels on average, {largest:.6f} at most"
    )


def versions() -> str:
    decoder = f"simplejpeg {simplejpeg.__version__}"
    return f"OpenCV {cv2.__version__}, numpy {np.__version__}, {decoder}"


def shares(seconds: dict[str, float]) -> None:
    total = sum(seconds.values())
    print(
        "by hand: "
        + ", ".join(f"{name} {value / total:.0%}" for name, value in seconds.items())
    )


if __name__ == "__main__":
    main()
