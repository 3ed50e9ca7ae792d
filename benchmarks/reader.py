"""What reading training pictures costs on one core, from files, from shards, and by other libraries.

    taskset -c 0 python benchmarks/reader.py --list val_list.txt --root pictures [--rounds 15] [--parts files shards]
    taskset -c 0 python benchmarks/reader.py --parts shards --against torchvision webdataset [--python PYTHON]

Without --list and --root, `imagenet_200` below the folder PPCLS_TEST_DATA is read. Printed are medians in images/s of
processor time, and medians of the rounds' ratios; the ways take turns.

`files`: the pipeline of `configs/_base_`, and a loop of OpenCV by hand. Both read the same files, draw the same crops
and flips, and give float32 batches [N, 3, 224, 224], each in fresh memory and in the memory of the batch before (as a
worker process does, whose batches are copied into shared memory at once). Then where the loop's time goes, and how far
the pictures are from those of `Pipeline.plain` (the operations one after the other, on the whole picture), in levels of
255.

`shards`: the pipeline from files, and from shards that `ppcls pack` wrote: the files as they are, and reduced to
shorter sides with --reencode. `--against` adds torchvision's transforms on the same files, by Pillow and by tensors,
and a plain loop of WebDataset on the first of the shards, in the environment of --python, which has
`benchmarks/requirements-torch.txt`.

`workers`: one worker process that hands over bytes, and floats: bytes of shared memory, and processor time of both
processes.
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
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import simplejpeg
import yaml

from ppcls.data.image_list import read_list_file
from ppcls.data.labels import ImageList
from ppcls.data.loader import ImageLoader
from ppcls.data.sampler import BatchReader, sample_generator
from ppcls.data.shards import ShardReader, open_shards
from ppcls.data.shards.pack import PackOptions, pack
from ppcls.data.transforms import NormalizeImage, Pipeline, RandCropImage, RandFlipImage
from ppcls.utils import cpu

ROOT = Path(__file__).resolve().parents[1]
GOAL = 1.25
CLASSES = 1000
PARTS = ("files", "shards", "workers")


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


def listed(arguments: argparse.Namespace) -> tuple[str, str]:
    """The list file, and the folder that its paths are relative to."""
    data = os.environ.get("PPCLS_TEST_DATA")
    if not arguments.list and not data:
        raise SystemExit(
            "no pictures: give --list and --root, or a folder with imagenet_200 in PPCLS_TEST_DATA"
        )
    folder = Path(data or "") / "imagenet_200"
    return arguments.list or str(folder / "val_list.txt"), arguments.root or str(folder)


def packed(
    root: str, list_file: str, folder: str, short: int | None, quality: int = 95
) -> Path:
    """Pack the pictures into one shard, in their order; the manifest."""
    options = PackOptions(
        shard_size=1 << 20,
        resize_short=short,
        quality=None if short is None else quality,
        reencode=short is not None,
        keep_order=True,
    )
    place = Path(folder) / f"short-{short}"
    return pack(root, place, list_file, options, workers=1).manifest


def shard_reader(manifest: Path, batch: int = 64) -> ShardReader:
    """What reads shuffled training batches of shards."""
    shards = open_shards(str(manifest), CLASSES, 1000, None).ready(True)
    steps = -(-len(shards) // batch)
    return ShardReader(
        shards, training_pipeline(), (), CLASSES, batch, True, 0, 0, 1, steps
    )


def files(images: ImageList, pipeline: Pipeline, batch: int, rounds: int) -> None:
    """The pipeline against the loop by hand."""
    reader = BatchReader(images, pipeline, (), CLASSES, batch, False, 0, 0, 1)
    order, by_hand = reader.order(0), ByHand(images, pipeline)
    steps = max(len(images) // batch, 1)
    places = [reader.indices(order, step).tolist() for step in range(steps)]
    ours, theirs = (np.empty((batch, 3, 224, 224), np.float32) for _ in range(2))
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
    seconds = compare(list(ways.values()), rounds, steps)
    count = sum(map(len, places))
    print(f"{count} pictures a round, {rounds} rounds; goal: {GOAL} times by hand")
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


class Other:
    """A loop of another library, in a process of its own that reads an epoch when it is asked to."""

    def __init__(self, python: str, way: str, source: str, root: str) -> None:
        script = Path(__file__).with_name("torch_reader.py")
        command = [python, str(script), way, source, root]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, epoch: int) -> float:
        """Seconds of processor time per picture."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(epoch, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the process of the other library ended")
        return float(line)

    def close(self) -> None:
        """Let the process end."""
        self._process.communicate()


def epoch_of(reader: Any, epoch: int) -> float:
    """Seconds of processor time per picture of an epoch."""
    steps = range(-(-len(reader.images) // reader.batch_size))
    batches = reader.batches(epoch, steps, 1, copied=True)
    begin, count = time.process_time(), 0
    for place in steps:
        answer = batches[place]
        assert not (answer["mistake"] or answer["crash"] or answer["failures"])
        count += len(answer["paths"])
    return (time.process_time() - begin) / count


def shards(arguments: argparse.Namespace, list_file: str, root: str) -> None:
    """Files and shards, and other libraries beside them."""
    images = read_list_file(list_file, root, CLASSES)
    settings = ((), CLASSES, arguments.batch, True, 0, 0, 1)
    reader: Any = BatchReader(images, training_pipeline(), *settings)
    ways: dict[str, Callable[[int], float]] = {"files": partial(epoch_of, reader)}
    others: list[Other] = []
    with tempfile.TemporaryDirectory() as folder:
        for short in (None, *arguments.short):
            manifest = packed(root, list_file, folder, short)
            name = "shards, as the files" if short is None else f"shards, {short}"
            reader = shard_reader(manifest, arguments.batch)
            ways[name] = partial(epoch_of, reader)
        for library in arguments.against:
            for way, source in _loops(library, list_file, folder, arguments.short):
                others.append(Other(arguments.python, way, source, root))
                ways[way] = others[-1]
        spent: dict[str, list[float]] = {name: [] for name in ways}
        for epoch in range(-1, arguments.rounds):  # epoch -1 warms up
            names = list(ways)
            for turn in range(len(names)):
                name = names[(epoch + turn) % len(names)]
                seconds = ways[name](epoch + 1)
                if epoch >= 0:
                    spent[name].append(seconds)
        for other in others:
            other.close()
    print(f"{len(images)} pictures a round, {arguments.rounds} rounds")
    for name, column in spent.items():
        ratios = [files / own for files, own in zip(spent["files"], column)]
        print(
            f"{name:36} {1 / statistics.median(column):6.0f} images/s  x {statistics.median(ratios):.2f} of files"
        )


def _loops(
    library: str, list_file: str, folder: str, short: Sequence[int]
) -> list[tuple[str, str]]:
    """Loops of another library: name, and what it reads."""
    if library == "torchvision":
        return [("torchvision, Pillow", list_file), ("torchvision, tensors", list_file)]
    place = Path(folder, f"short-{short[0]}")
    return [(f"webdataset, {short[0]}", str(next(place.glob("*.tar"))))]


def as_it_is(
    images: np.ndarray, targets: np.ndarray, *_: object
) -> tuple[np.ndarray, np.ndarray]:
    """A transform of batches, with which workers hand over floats."""
    return images, targets


def workers(images: ImageList, batch: int, rounds: int) -> None:
    """What a worker hands over, as bytes and as floats."""
    cpu.keep_freed_memory()  # as a training does
    for name, mixes in {"bytes": (), "floats": (as_it_is,)}.items():
        loader = ImageLoader(
            images, training_pipeline(), mixes, batch, True, num_workers=1
        )
        rows = []
        for epoch in range(rounds + 1):
            before = _used()
            sizes = [_shared_bytes() for _ in loader.epoch(epoch)]
            spent = (_used() - before) / len(images) * 1000
            rows.append((*spent, max(sizes)))
        main, worker, shared = np.median(rows[1:], axis=0)
        print(
            f"{name:7} {main:.2f} ms here and {worker:.2f} ms in the worker per picture; "
            f"{shared / 1e6:.1f} MB of shared memory in use at most"
        )


def _used() -> np.ndarray:
    """Processor seconds of this process, and of those that have ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return np.array([sum(resource.getrusage(kind)[:2]) for kind in kinds])


def _shared_bytes() -> int:
    return sum(path.stat().st_size for path in Path("/dev/shm").glob("paddle_*"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", help="list file: a path and a label a line")
    parser.add_argument("--root", help="folder that the paths are relative to")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument(
        "--short", type=int, nargs="+", default=[352, 400, 320, 288, 256],
        help="shorter sides to pack; other libraries read the first",
    )  # fmt: skip
    parser.add_argument(
        "--against", nargs="+", choices=("torchvision", "webdataset"), default=[]
    )
    parser.add_argument(
        "--python", default=".venv-torch/bin/python", help="the Python with PyTorch"
    )
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    list_file, root = listed(arguments)
    images = read_list_file(list_file, root, CLASSES)
    print(versions())
    if "files" in arguments.parts:
        files(images, training_pipeline(), arguments.batch, arguments.rounds)
    if "shards" in arguments.parts:
        shards(arguments, list_file, root)
    if "workers" in arguments.parts:
        workers(images, arguments.batch, arguments.rounds)


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
