"""What packing pictures smaller costs in accuracy, and what it saves.

    python benchmarks/packing.py BUNDLE [--list val_list.txt --root pictures] [--short 400 352 320 288 256 224]

The pictures are packed as they are, and by `ppcls pack --resize-short N --reencode`, and an exported model classifies
them: with its own preprocessing, and as training shows them, cut out and mirrored at random by `configs/_base_`, with
the same random numbers for every packing. Printed are kilobytes and images/s of the training pipeline (of processor
time, one core, batches of 64), how many of the crops are enlarged, top-1 and top-5, how many answers differ from those
on the files, and the mean distance of the true class's probability. Without --list and --root, `imagenet_200` below the
folder PPCLS_TEST_DATA is read.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
from reader import listed, packed, shard_reader, training_pipeline

from ppcls.data.sampler import sample_generator
from ppcls.data.shards.archive import Sample, samples_of
from ppcls.data.transforms import DecodeImage, Pipeline, RandCropImage
from ppcls.inference.backends import Backend, open_backend
from ppcls.inference.bundle import Bundle
from ppcls.inference.settings import Settings

BATCH = 64


class Answers(NamedTuple):
    """The model's probabilities, float32 [N, classes], and the labels, int64 [N]."""

    scores: np.ndarray
    labels: np.ndarray

    @property
    def ranks(self) -> np.ndarray:
        """How many classes are more probable than the true one."""
        return (self.scores > self.true[:, None]).sum(axis=1)

    @property
    def true(self) -> np.ndarray:
        """The probability of the true class."""
        return self.scores[np.arange(len(self.labels)), self.labels]

    def compared(self, files: Answers) -> str:
        """Cells of the table: top-1, top-5, other answers, distance."""
        top1, top5 = (self.ranks < 1).mean(), (self.ranks < 5).mean()
        others = (self.scores.argmax(1) != files.scores.argmax(1)).mean()
        distance = np.abs(self.true - files.true).mean()
        return f"{top1:.1%} | {top5:.1%} | {others:.1%} | {distance:.3f}"


def answers(
    backend: Backend, pipeline: Pipeline, samples: list[Sample], epochs: int
) -> Answers:
    """What the model says of the samples, shown so many times."""
    scores, labels = [], []
    for epoch in range(epochs):
        for start in range(0, len(samples), BATCH):
            batch = samples[start : start + BATCH]
            pictures = [
                pipeline(one.data, sample_generator(0, epoch, one.number))
                for one in batch
            ]
            scores.append(backend.run(np.stack(pictures)))
            labels += [one.label for one in batch]
    return Answers(np.concatenate(scores), np.array(labels))


def images_per_second(manifest: Path, rounds: int) -> float:
    """Images of the training pipeline per second of processor time."""
    reader = shard_reader(manifest)
    speeds = []
    for epoch in range(rounds + 1):
        batches = reader.batches(epoch, range(reader.steps), 1, copied=True)
        begin = time.process_time()
        count = sum(len(batches[place]["paths"]) for place in range(len(batches)))
        speeds.append(count / (time.process_time() - begin))
    return statistics.median(speeds[1:])


def enlarged(samples: list[Sample], crop: RandCropImage) -> float:
    """How many crops have fewer pixels than they are resized to."""
    few = 0
    for sample in samples:
        height, width = DecodeImage()(sample.data).shape[:2]
        box = crop.box(width, height, sample_generator(0, 0, sample.number))
        few += box[2] * box[3] < 224 * 224
    return few / len(samples)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", help="folder that `ppcls export` wrote")
    parser.add_argument("--list", help="list file: a path and a label a line")
    parser.add_argument("--root", help="folder that the paths are relative to")
    parser.add_argument(
        "--short", type=int, nargs="+", default=[400, 352, 320, 288, 256, 224]
    )
    parser.add_argument("--quality", type=int, default=95)
    parser.add_argument("--epochs", type=int, default=5, help="of training crops")
    parser.add_argument("--rounds", type=int, default=9, help="of reading")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    list_file, root = listed(arguments)
    bundle = Bundle.load(arguments.bundle)
    backend = open_backend(bundle, Settings("paddle"))
    training = training_pipeline()
    crop = training.ops[1]
    assert isinstance(crop, RandCropImage)
    first: list[Answers] = []
    print("| shorter side | kB | images/s | enlarged crops | top-1 | top-5 | other answers | distance | "
          "training crops: top-1 | top-5 | other answers | distance |")  # fmt: skip
    print("| --- " * 12 + "|")
    for short in [None, *arguments.short]:
        with tempfile.TemporaryDirectory() as folder:
            manifest = packed(root, list_file, folder, short, arguments.quality)
            samples = list(samples_of(str(next(manifest.parent.glob("*.tar")))))
            found = [
                answers(backend, bundle.pipeline, samples, 1),
                answers(backend, training, samples, arguments.epochs),
            ]
            first = first or found
            size = statistics.mean(len(one.data) for one in samples) / 1000
            cells = [
                "files" if short is None else str(short),
                f"{size:.0f}",
                f"{images_per_second(manifest, arguments.rounds):.0f}",
                f"{enlarged(samples, crop):.0%}",
                *(one.compared(files) for one, files in zip(found, first)),
            ]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
