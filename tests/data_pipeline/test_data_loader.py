from __future__ import annotations

import errno
import logging
import multiprocessing
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from multiprocessing import queues
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import paddle
import pytest
from paddle.io.dataloader.dataloader_iter import _DataLoaderIterMultiProcess

from helpers.messages import refusal, says
from helpers.new_process import output_of
from helpers.pictures import encoded, noise, save_picture, solid
from ppcls.data import loader as data_loader
from ppcls.data import workers
from ppcls.data.batch_transforms import Cutmix, Mixup
from ppcls.data.labels import ImageList
from ppcls.data.loader import Batch, ImageLoader
from ppcls.data.sampler import epoch_order
from ppcls.data.transforms import (
    CropImage,
    DecodeImage,
    NormalizeImage,
    Pipeline,
    RandCropImage,
    RandFlipImage,
    RandomErasing,
    Transform,
    UnreadableImage,
)
from ppcls.data.workers import WorkerWatch, _end_with_parent, missing_shared_memory, prepare_worker, tidy_orphan
from ppcls.utils.errors import UserError
from ppcls.utils.shortage import shortage

# Python 3.12 and later warn of every fork beside threads; Paddle's workers are forks.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")

RAW = NormalizeImage(scale=1.0, mean=(0, 0, 0), std=(1, 1, 1))
PLAIN = Pipeline([DecodeImage(), CropImage(2), RAW])


@pytest.fixture
def images(tmp_path: Path) -> ImageList:
    """Ten pictures of one value each, their index; the label is 2 * index."""
    paths = [tmp_path / f"{index}.png" for index in range(10)]
    for index, path in enumerate(paths):
        save_picture(path, solid(index, 4, 3))
    return ImageList([str(path) for path in paths], np.arange(0, 20, 2))


@pytest.fixture
def noisy(tmp_path: Path) -> ImageList:
    paths = [tmp_path / f"{index}.png" for index in range(10)]
    for index, path in enumerate(paths):
        save_picture(path, noise(24, 20, index))
    return ImageList([str(path) for path in paths], np.arange(10))


def workers_that_stay() -> list[multiprocessing.process.BaseProcess]:
    """The workers that do not end: one that was asked to takes a moment."""
    until = time.monotonic() + 60
    staying = multiprocessing.active_children()
    while staying and time.monotonic() < until:
        staying[0].join(1)  # returns at once while another thread collects the exit code
        staying = multiprocessing.active_children()
    return staying


def content(batch: Batch) -> tuple:
    return batch.image.numpy().tobytes(), batch.label.numpy().tobytes(), batch.index.tolist()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_batches_hold_what_their_index_says(images: ImageList, num_workers: int) -> None:
    loader = ImageLoader(images, PLAIN, batch_size=4, shuffle=True, seed=3, num_workers=num_workers, class_num=20)
    assert loader.steps_per_epoch == 3
    batches = list(loader.epoch(7))
    assert [batch.image.shape for batch in batches] == [[4, 3, 2, 2], [4, 3, 2, 2], [2, 3, 2, 2]]
    for batch in batches:
        assert batch.image.dtype == paddle.float32 and batch.label.dtype == paddle.int64
        assert batch.index.dtype == np.int64
        assert np.array_equal(batch.image.numpy(), np.ones((1, 3, 2, 2)) * batch.index.reshape(-1, 1, 1, 1))
        assert np.array_equal(batch.label.numpy(), batch.index * 2)
        assert all(images.paths[i].endswith(f"/{i}.png") for i in batch.index)
    assert np.concatenate([batch.index for batch in batches]).tolist() == epoch_order(10, 3, 7, True).tolist()


def test_without_shuffling_the_order_is_the_lists(images: ImageList) -> None:
    loader = ImageLoader(images, PLAIN, batch_size=4, drop_last=True)
    assert loader.steps_per_epoch == 2
    assert [batch.index.tolist() for batch in loader.epoch(5)] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_results_do_not_depend_on_workers(noisy: ImageList) -> None:
    pipeline = Pipeline([DecodeImage(), RandCropImage(8), RandFlipImage(), NormalizeImage()])

    def run(**keys: object) -> list:
        loader = ImageLoader(noisy, pipeline, (Mixup(0.2),), 4, True, seed=1, class_num=10, **keys)
        return [content(batch) for epoch in (0, 1) for batch in loader.epoch(epoch)]

    alone = run()
    assert len({batch[0] for batch in alone}) == 6
    assert run(num_workers=1) == alone
    assert run(num_workers=2) == alone
    assert run(num_workers=2, use_shared_memory=False) == alone


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> list:
    """The types of the pictures that workers hand over, one for each loader."""
    types: list = []
    real = paddle.io.DataLoader

    def noted(batches: Any, **keys: Any) -> Any:
        types.append(batches[0]["arrays"][0].dtype.name)
        return real(batches, **keys)

    monkeypatch.setattr(paddle.io, "DataLoader", noted)
    return types


@pytest.mark.parametrize("gray", [False, True])
def test_workers_hand_over_bytes_that_become_the_same_bits(noisy: ImageList, handed_over: list, gray: bool) -> None:
    normalize = NormalizeImage(mean=(0.449,), std=(0.226,)) if gray else NormalizeImage(1 / 255, (0.4, 0.5, 0.1))
    pipeline = Pipeline([DecodeImage(channels=1 if gray else 3), RandCropImage(8), normalize, RandFlipImage()])
    noisy.paths.insert(3, "/absent.png")
    images = ImageList(noisy.paths, np.arange(11))

    def run(step: int = 0, **keys: object) -> list:
        loader = ImageLoader(images, pipeline, (), 4, True, seed=1, on_error="skip", **keys)
        return [content(batch) for batch in loader.epoch(2, step)]

    alone = run()
    assert sorted(len(batch[2]) for batch in alone) == [3, 3, 4]
    assert run(num_workers=2) == alone
    assert run(num_workers=1, use_shared_memory=False) == alone
    assert run(1, num_workers=1) == alone[1:]
    assert handed_over == ["uint8"] * 3


@dataclass(frozen=True)
class Halved(Transform):
    """A user's own, which gives floats."""

    def __call__(self, image: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        return image.astype(np.float32) / 2


@pytest.mark.parametrize("last", [
    [NormalizeImage(), RandomErasing(EPSILON=1.0)], [NormalizeImage(), NormalizeImage()], [Halved(), NormalizeImage()],
    [RandFlipImage()], [NormalizeImage()],
])  # fmt: skip
def test_workers_hand_over_floats_where_they_cannot_do_otherwise(
    noisy: ImageList, handed_over: list, last: list
) -> None:
    mixes = (Cutmix(),) if last == [NormalizeImage()] else ()
    pipeline = Pipeline([DecodeImage(), RandCropImage(8), *last])
    alone, beside = (
        [content(batch) for batch in ImageLoader(noisy, pipeline, mixes, 4, True, num_workers=number).epoch(0)]
        for number in (0, 1)
    )
    assert beside == alone
    assert handed_over == ["float32"]


def test_bytes_in_another_memory_become_the_same_bits() -> None:
    normalize = NormalizeImage(1 / 255, (0.4, 0.5, 0.1), (0.2, 0.3, 0.1))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16), np.uint8)
    expected = np.stack([normalize.planes(picture.transpose(1, 2, 0)) for picture in pixels])
    tensor = paddle.to_tensor(pixels)
    assert np.array_equal(data_loader._gathered(tensor, normalize.tables).numpy(), expected)
    assert np.array_equal(data_loader._normalized(tensor, normalize).numpy(), expected)


def test_seed_epoch_and_picture_decide_the_augmentation(noisy: ImageList) -> None:
    pipeline = Pipeline([DecodeImage(), RandCropImage(8), NormalizeImage()])

    def pictures(seed: int, epoch: int, batch_size: int) -> dict:
        loader = ImageLoader(noisy, pipeline, batch_size=batch_size, shuffle=True, seed=seed)
        return {
            int(index): image.tobytes()
            for batch in loader.epoch(epoch)
            for index, image in zip(batch.index, batch.image.numpy())
        }

    first = pictures(1, 0, 4)
    assert pictures(1, 0, 3) == first  # the batch it falls into does not matter
    for other in (pictures(2, 0, 4), pictures(1, 1, 4)):
        assert all(other[index] != first[index] for index in range(10))


def test_a_resumed_epoch_is_the_rest_of_the_whole_one(noisy: ImageList) -> None:
    pipeline = Pipeline([DecodeImage(), RandCropImage(8), NormalizeImage()])
    loader = ImageLoader(noisy, pipeline, (Mixup(),), 4, True, seed=1, class_num=10)
    whole = [content(batch) for batch in loader.epoch(2)]
    for step in range(4):
        assert [content(batch) for batch in loader.epoch(2, step)] == whole[step:]
    for step in (-1, 4):
        with pytest.raises(ValueError, match=f"start_step is {step}, but an epoch has 3 steps"):
            next(loader.epoch(2, step))


def test_nothing_is_read_of_the_steps_before(images: ImageList) -> None:
    loader = ImageLoader(images, PLAIN, batch_size=4, shuffle=True)
    for index in epoch_order(10, 0, 0, True)[:4]:
        Path(images.paths[index]).unlink()
    assert sum(len(batch.index) for batch in loader.epoch(0, 1)) == 6


@pytest.mark.parametrize("drop_last", [False, True])
def test_processes_share_the_global_batch(images: ImageList, drop_last: bool) -> None:
    def indices(rank: int, world_size: int) -> list:
        loader = ImageLoader(images, PLAIN, (), 6 // world_size, True, drop_last, rank=rank, world_size=world_size)
        return [batch.index.tolist() for batch in loader.epoch(1)]

    alone = indices(0, 1)
    for world_size in (2, 3):
        shares = [indices(rank, world_size) for rank in range(world_size)]
        assert [list(chain.from_iterable(step)) for step in zip(*shares)] == alone


def test_processes_draw_batches_of_their_own(images: ImageList) -> None:
    same = ImageList(images.paths[:1] * 8, np.array([0, 1] * 4))
    targets = [
        next(ImageLoader(same, PLAIN, (Mixup(),), 4, class_num=2, rank=rank, world_size=2).epoch(0)).label.numpy()
        for rank in (0, 1)
    ]
    assert targets[0].shape == (4, 2) and not np.array_equal(targets[0], targets[1])


def damage(images: ImageList, *indices: int) -> None:
    for index in indices:
        Path(images.paths[index]).write_bytes(b"no picture")


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_unreadable_picture_ends_the_epoch(images: ImageList, num_workers: int) -> None:
    damage(images, 5)
    batches = ImageLoader(images, PLAIN, batch_size=4, num_workers=num_workers).epoch(0)
    assert next(batches).index.tolist() == [0, 1, 2, 3]
    with pytest.raises(UnreadableImage) as caught:
        next(batches)
    assert str(caught.value) == says(
        f"cannot read the picture {images.paths[5]}: ... format; replace the file, or write on_error: skip ..."
    )
    assert workers_that_stay() == []


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_skipped_picture_is_noted_and_not_replaced(images: ImageList, num_workers: int) -> None:
    damage(images, 1, 6, 4, 5, 7)
    Path(images.paths[8]).unlink()
    loader = ImageLoader(images, PLAIN, batch_size=4, num_workers=num_workers, on_error="skip")
    batches = list(loader.epoch(0))
    assert [batch.index.tolist() for batch in batches] == [[0, 2, 3], [], [9]]
    assert batches[0].image.numpy()[:, 0, 0, 0].tolist() == [0, 2, 3]
    assert batches[0].label.numpy().tolist() == [0, 4, 6]
    assert batches[1].image.shape == [0, 3, 2, 2] and batches[1].label.shape == [0]
    missing = {images.paths[8]: "No such file or directory"}
    assert loader.failures == {**{images.paths[i]: "no known picture format" for i in (1, 4, 5, 6, 7)}, **missing}


def test_soft_targets_of_what_is_left(images: ImageList) -> None:
    damage(images, 1)
    batch = next(ImageLoader(images, PLAIN, (Mixup(),), 4, on_error="skip", class_num=20).epoch(0))
    assert batch.label.shape == [3, 20] and batch.label.dtype == paddle.float32
    assert np.allclose(batch.label.numpy().sum(axis=1), 1) and batch.label.numpy()[:, [2, 8]].sum() == 0


@dataclass(frozen=True)
class Fail(Transform):
    def __call__(self, image: np.ndarray, rng: object = None) -> np.ndarray:
        raise RuntimeError("planted")


@dataclass(frozen=True)
class CountThreads(Transform):
    def __call__(self, image: np.ndarray, rng: object = None) -> np.ndarray:
        return np.full_like(image, cv2.getNumThreads())


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_defect_of_ours_shows_its_own_traceback(images: ImageList, num_workers: int) -> None:
    loader = ImageLoader(images, Pipeline([DecodeImage(), Fail()]), num_workers=num_workers, on_error="skip")
    with pytest.raises(RuntimeError, match=r"(?s)reading a batch failed.*in __call__.*RuntimeError: planted"):
        list(loader.epoch(0))


def test_workers_use_one_opencv_thread_each(images: ImageList) -> None:
    batch = next(ImageLoader(images, Pipeline([DecodeImage(), CountThreads()]), num_workers=1).epoch(0))
    assert np.unique(batch.image.numpy()).tolist() == [1]


def test_what_does_not_suit_the_transforms_is_named(images: ImageList) -> None:
    loader = ImageLoader(images, Pipeline([DecodeImage(), CropImage(8)]), on_error="skip")
    with pytest.raises(UserError, match=rf"{re.escape(images.paths[0])}: CropImage cannot cut 8x8 pixels"):
        list(loader.epoch(0))
    Path(images.paths[1]).write_bytes(encoded(noise(5, 6)))
    assert refusal(list, ImageLoader(images, Pipeline([DecodeImage()]), batch_size=2).epoch(0)) == says(
        f"... sizes (width x height): {images.paths[0]} is 4x3 and {images.paths[1]} is 5x6; put "
        "CropImage or ResizeImage with size ..., or write batch_size: 1"
    )
    assert len(list(ImageLoader(images, Pipeline([DecodeImage()]), batch_size=1).epoch(0))) == 10


@pytest.mark.parametrize("use_shared_memory", [True, False])
def test_an_epoch_left_early_leaves_no_workers(images: ImageList, use_shared_memory: bool) -> None:
    loader = ImageLoader(images, PLAIN, batch_size=1, num_workers=2, use_shared_memory=use_shared_memory)
    for _ in loader.epoch(0):
        assert len(multiprocessing.active_children()) == 2
        break
    assert workers_that_stay() == []


def test_workers_that_end_early_are_noticed(images: ImageList, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageLoader, "_read_here", lambda self, batches: (batches[i] for i in range(2)))
    batches = ImageLoader(images, PLAIN).epoch(3)
    next(batches), next(batches)
    with pytest.raises(RuntimeError, match="the workers ended before step 2 of epoch 3"):
        next(batches)


def test_impossible_arguments(images: ImageList) -> None:
    with pytest.raises(ValueError, match="on_error is 'ignore'; write 'raise' or 'skip'"):
        ImageLoader(images, PLAIN, on_error="ignore")
    with pytest.raises(
        UserError, match="10 pictures do not fill one batch of 16; lower batch_size, or write drop_last"
    ):
        ImageLoader(images, PLAIN, batch_size=8, drop_last=True, world_size=2)


Disk = namedtuple("Disk", "total used free")


def test_shared_memory_that_suffices_is_not_mentioned(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = 100 * 2**20 * (2 * 4 + 2) * 3
    for free, said in ((needed, False), (needed - 1, True)):
        monkeypatch.setattr(workers.shutil, "disk_usage", lambda path, free=free: Disk(0, 0, free))
        assert (missing_shared_memory(100 * 2**20, 4, 3) is not None) is said
    assert str(missing_shared_memory(100 * 2**20, 4, 3)).startswith(
        "/dev/shm has 3000 MiB free, and the batches read ahead need 3000 MiB: the workers use pipes"
    )
    monkeypatch.setattr(workers.sys, "platform", "darwin")
    assert missing_shared_memory(100 * 2**20, 4, 3) is None


def test_too_little_shared_memory_is_said_and_pipes_are_used(
    images: ImageList, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    large = Pipeline([DecodeImage(), RandCropImage(512), RAW])  # 0.75 MiB a picture
    monkeypatch.setattr(workers.shutil, "disk_usage", lambda path: Disk(0, 0, 5 * 2**20))
    monkeypatch.setattr(logging.getLogger("ppcls"), "propagate", True)
    used = []
    real = paddle.io.DataLoader
    monkeypatch.setattr(paddle.io, "DataLoader", lambda *a, **k: used.append(k["use_shared_memory"]) or real(*a, **k))
    loader = ImageLoader(images, large, batch_size=2, num_workers=1)
    assert caplog.messages == [
        says(
            "/dev/shm has 5 MiB free, ... need 6 MiB: ... (docker run --shm-size=8g), or lower "
            "batch_size or num_workers"
        )
    ]
    assert np.unique(next(loader.epoch(0)).image.numpy()).tolist() == [0, 1]
    assert used == [False]
    caplog.clear()
    ImageLoader(images, large, batch_size=2, num_workers=1, use_shared_memory=False)
    ImageLoader(images, large, batch_size=2, num_workers=0)
    assert caplog.messages == []


SIGNALS = """
import multiprocessing, os, signal, sys
from pathlib import Path
import numpy as np
import paddle  # sets handlers of its own
from ppcls.data.image_list import ImageList
from ppcls.data.loader import ImageLoader
from ppcls.data.transforms import DecodeImage, NormalizeImage, Pipeline

received = []
for signum in (signal.SIGINT, signal.SIGTERM):
    # One signal may come while the other is being said, which `print` does not bear.
    signal.signal(signum, lambda signum, frame: received.append(os.write(1, b"%d\\n" % signum)))
images = ImageList([sys.argv[1]] * 40, np.zeros(40, np.int64))
loader = ImageLoader(images, Pipeline([DecodeImage(), NormalizeImage()]), num_workers=2)
batches = loader.epoch(0)
next(batches)
print("ready", flush=True)
while len(received) < 2:
    pass
print("left:", len(list(batches)), flush=True)
batches = loader.epoch(1)
next(batches)
print(*[child.pid for child in multiprocessing.active_children()], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_outlive_a_groups_signals_and_not_their_parent(images: ImageList) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SIGNALS, images.paths[0]], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for signum in (signal.SIGTERM, signal.SIGINT):
        os.killpg(process.pid, signum)
    # The pipe ends when the last process that holds it has ended, workers included.
    output, _ = process.communicate(timeout=60)
    assert process.returncode == -9
    *signals, left, pids = output.splitlines()
    assert sorted(signals) == ["15", "2"]  # a worker would say them as well
    assert left == "left: 39"
    assert [path for pid in pids.split() for path in Path("/dev/shm").glob(f"paddle_{pid}_*")] == []


@pytest.mark.parametrize("orphan", [True, False])
def test_a_worker_that_ends_by_itself_tidies_up_after_its_parent_alone(orphan: bool) -> None:
    segment = Path(f"/dev/shm/paddle_{os.getpid()}_9_9")
    segment.write_bytes(b"batch")
    try:
        tidy_orphan(os.getppid() + orphan)
        assert segment.exists() != orphan
    finally:
        segment.unlink(missing_ok=True)


def code_of_fork(work: Callable[[], None]) -> int:
    """The exit code of a forked process; 99 if the work returns or raises."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_worker_that_cannot_watch_its_parent_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def starved(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(signal, "sigtimedwait", starved)
    parent = os.getpid()
    assert code_of_fork(lambda: _end_with_parent(parent)) == 1


def test_a_worker_whose_parent_ended_before_it_began_ends() -> None:
    """The number of the parent is not asked for in the worker, where it may be that of another process already."""
    gone = 2**22 + 1  # more than any process has

    def work() -> None:
        prepare_worker(gone, 0)
        Event().wait(60)

    assert code_of_fork(work) == 0


def test_no_worker_is_left_when_it_cannot_be_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []

    class Worker:
        def kill(self) -> None:
            ended.append("kill")

        def join(self) -> None:
            ended.append("join")

    def refuse(*arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(workers, "RunningThread", refuse)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        WorkerWatch(SimpleNamespace(_workers=[Worker()], _shutdown=False))
    assert ended == ["kill", "join"]


def test_tidying_comes_after_the_queues_last_batch() -> None:
    code = (
        "import os; from multiprocessing import util; from ppcls.data import workers; "
        "workers.tidy_orphan = lambda parent: print('tidied', parent == os.getppid()); "
        "workers.prepare_worker(os.getppid(), 0); "
        "util.Finalize(None, print, ('queue joined',), exitpriority=-5); util._exit_function()"
    )
    assert output_of("-c", code) == "queue joined\ntidied True\n"


@contextmanager
def open_files(more: int) -> Iterator[None]:
    """Lets this process open so many more files."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open(os.devnull, os.O_RDONLY)]
    highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    while taken[-1] < highest:
        taken.append(os.open(os.devnull, os.O_RDONLY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[-1] + 1 + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for descriptor in taken:
            os.close(descriptor)


def workers_of_this_process() -> list[int]:
    return [process.pid for process in multiprocessing.active_children()]


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (signal.SIGKILL, "was killed (signal 9).*; lower num_workers or batch_size"),
        # Paddle itself may fail in its reading thread first.
        pytest.param(signal.SIGBUS, "no space in shared memory.*use_shared_memory: False", marks=pytest.mark.chaos),
        (signal.SIGSEGV, "ended with signal 11; write num_workers: 0"),
    ],
)
@pytest.mark.parametrize("use_shared_memory", [True, False])
# Paddle's reading thread may fail first: a worker's batches in shared memory go before the worker.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_is_killed(images: ImageList, number: int, says: str, use_shared_memory: bool) -> None:
    loader = ImageLoader(images, PLAIN, num_workers=2, use_shared_memory=use_shared_memory)
    batches = loader.epoch(0)
    # One from each worker: a process that is only starting has Paddle's first handlers, which may wait for ever
    next(batches), next(batches)
    os.kill(workers_of_this_process()[0], number)
    with pytest.raises(UserError, match=says.replace("(", r"\(").replace(")", r"\)")):
        list(batches)
    assert workers_that_stay() == []


class KilledAtTwo(Transform):
    """Kills its worker before it has read all."""

    def __call__(self, image: np.ndarray, rng: object = None) -> np.ndarray:
        if image[0, 0, 0] == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return image


def test_a_worker_whose_batches_are_gone_before_it_is(images: ImageList, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paddle's error comes first, and the worker that caused it ends a moment later."""
    batches = ImageLoader(images, PLAIN, num_workers=1).epoch(0)
    next(batches)
    (worker,) = workers_of_this_process()

    def fail(iterator: object) -> None:
        os.kill(worker, signal.SIGKILL)
        raise SystemError("Blocking queue is killed")

    monkeypatch.setattr(_DataLoaderIterMultiProcess, "__next__", fail)
    with pytest.raises(UserError, match="was killed"):
        next(batches)


def test_a_worker_that_is_killed_does_not_disturb_other_code(images: ImageList) -> None:
    """Paddle's own handler of SIGCHLD raises wherever the program is."""
    before = signal.getsignal(signal.SIGCHLD)
    batches = ImageLoader(images, Pipeline([DecodeImage(), KilledAtTwo()]), num_workers=1).epoch(0)
    next(batches)
    worker = multiprocessing.active_children()[0]
    worker.join()
    assert signal.getsignal(signal.SIGCHLD) == before
    with pytest.raises(UserError, match="was killed"):
        list(batches)


@pytest.mark.parametrize(
    ("is_worker", "says"), [(True, "a reading worker ran out of memory; lower num_workers"), (False, "was killed")]
)
def test_a_message_that_is_lost_for_want_of_memory(
    images: ImageList, monkeypatch: pytest.MonkeyPatch, is_worker: bool, says: str
) -> None:
    """The one that should get it would wait for ever."""
    here, dumps = os.getpid(), queues._ForkingPickler.dumps

    def starved(message: object, *arguments: object) -> object:
        if isinstance(message, tuple) and is_worker == (os.getpid() != here):
            raise MemoryError
        return dumps(message, *arguments)

    monkeypatch.setattr(queues._ForkingPickler, "dumps", starved)
    with pytest.raises(UserError, match=says):
        list(ImageLoader(images, PLAIN, num_workers=2).epoch(0))
    assert workers_of_this_process() == []
    assert "_lose" not in queues.Queue._on_queue_feeder_error.__qualname__


@pytest.mark.parametrize(
    ("error", "code"), [(OSError(errno.EMFILE, "no"), 78), (OSError(errno.ENFILE, "no"), 78), (MemoryError(), 77)]
)
def test_a_worker_says_what_it_ran_out_of(error: Exception, code: int) -> None:
    assert workers._code_of(error) == code
    watch = WorkerWatch(SimpleNamespace(_workers=[], _indices_queues=[]))
    watch.exit_code = code
    assert ("file descriptors left; allow more (ulimit -n)" in watch.reason()) == (code == 78)


def test_a_worker_whose_queue_has_lost_its_thread(images: ImageList, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another error of the same thread comes before Python can report the first one."""
    here, feed = os.getpid(), queues.Queue._feed

    def starved(*arguments: object) -> None:
        if os.getpid() != here:
            raise ValueError("semaphore or lock released too many times")
        feed(*arguments)

    monkeypatch.setattr(queues.Queue, "_feed", staticmethod(starved))
    with pytest.raises(UserError, match="a reading worker ran out of memory"):
        list(ImageLoader(images, PLAIN, num_workers=2).epoch(0))
    assert workers_of_this_process() == []


def test_workers_that_nobody_tells_what_to_read_are_killed() -> None:
    over = Event()
    alive, killed = os.pipe()

    class Worker:
        sentinel = alive
        exitcode = None

        def kill(self) -> None:
            self.exitcode = -signal.SIGKILL
            os.close(killed)

        def join(self) -> None:
            pass

    iterator = SimpleNamespace(
        _workers=[Worker()],
        _indices_queues=[SimpleNamespace(_thread=SimpleNamespace(is_alive=lambda: False))],
        _exit_thread_unexpectedly=over.set,
    )
    watch = WorkerWatch(iterator)
    assert over.wait(60)
    assert watch.exit_code == -signal.SIGKILL
    os.close(alive)


def test_a_worker_that_does_not_learn_of_its_end_is_killed() -> None:
    ended: list[object] = []

    class Worker:
        sentinel = 0

        def is_alive(self) -> bool:
            return True

        def kill(self) -> None:
            ended.append("kill")

        def join(self) -> None:
            ended.append("join")

    iterator = SimpleNamespace(_workers=[], _indices_queues=[], _try_shutdown_all=lambda timeout: ended.append(timeout))
    watch = WorkerWatch(iterator)
    iterator._workers.append(Worker())
    watch.end()
    assert ended == [10.0, "kill", "join"]


@pytest.mark.chaos  # a process short of descriptors may hang within Paddle
@pytest.mark.parametrize("more", range(0, 14, 2))
def test_few_file_descriptors(images: ImageList, more: int) -> None:
    """Either all is read, or one sentence says what is missing; it never hangs."""
    with open_files(more):
        try:
            assert len(list(ImageLoader(images, PLAIN, num_workers=2).epoch(0))) == 10
        except OSError as error:
            assert more < 12
            assert "no file descriptors left" in shortage(error)
        except UserError as error:
            assert "a reading worker had no file descriptors left" in str(error)
    assert workers_that_stay() == []


def test_without_descriptors_a_picture_is_not_called_unreadable(images: ImageList) -> None:
    loader = ImageLoader(images, PLAIN, on_error="skip")
    batches = loader.epoch(0)
    next(batches)
    with open_files(0), pytest.raises(UserError, match=r"no file descriptors left.*\(ulimit -n\)"):
        next(batches)
    assert loader.failures == {}
