"""A command that is short of memory, descriptors, threads or disk space ends with one sentence."""

import _thread
import errno
import os
import resource
import shutil
from pathlib import Path

import numpy as np
import paddle
import pytest

from helpers.messages import says
from helpers.starving import descriptors, file_size, memory, run_starved
from helpers.tiny_run import enter_own
from ppcls.engine import checkpoint
from ppcls.engine.callbacks.checkpoints import Background
from ppcls.engine.precision import Precision
from ppcls.inference import manifest
from ppcls.inference.golden import GOLDEN_PICTURE
from ppcls.utils.shortage import shortage


@pytest.fixture
def predict(exported, tmp_path, monkeypatch):
    """The words that predict forty pictures."""
    monkeypatch.chdir(tmp_path)
    Path("pictures").mkdir()
    for number in range(40):
        shutil.copy(GOLDEN_PICTURE, f"pictures/{number}.png")
    return ["predict", "-o", f"Global.inference_model_dir={exported}", "-o", "Global.infer_imgs=pictures"]


@pytest.mark.parametrize("name", ["rows.csv", "rows.json"])
def test_a_full_disk_at_predict_names_the_file(predict, name):
    code, text = run_starved([*predict, "-o", f"Global.output={name}"], file_size(500))
    assert code == 2
    assert text.endswith(f"\n{name}: {os.strerror(errno.EFBIG)}; make room or choose another place and run again\n")


def test_a_full_disk_behind_standard_output_is_named(predict):
    with Path("/dev/full").open("w") as full:
        code, text = run_starved(predict, stdout=full)
    said = says(f"standard output: {os.strerror(errno.ENOSPC)}; make room or ...\n")
    assert (code, text) == (2, said)


def test_reading_without_memory(predict, exported, monkeypatch):
    """It is not said that the file is damaged."""

    def parse(*arguments, **keywords):
        raise MemoryError

    monkeypatch.setattr(manifest, "read_yaml", parse)
    code, text = run_starved(predict)
    assert (code, text) == (
        2,
        says(
            f"{exported}/inference.yml: out of memory ...; give the process more memory, "
            "or copy the bundle again, or export again\n"
        ),
    )


@pytest.fixture
def train(tmp_path, monkeypatch):
    """The words of a tiny training into `output`."""
    enter_own(tmp_path, monkeypatch)
    return ["train", "-c", "own.yaml", "-o", "Global.epochs=2"]


@pytest.mark.chaos
def test_training_without_memory(train, monkeypatch):
    """Paddle's own error, of an allocation in a step."""

    def backward(self, loss):
        paddle.empty([3 * 10**9])

    monkeypatch.setattr(Precision, "backward", backward)
    code, text = run_starved(train, memory(2000))
    assert code == 2
    assert text.splitlines()[-1].startswith("out of memory (")
    assert text.endswith(" GB of address space; raise the limit (ulimit -v), or lower the batch size and num_workers\n")
    assert "Traceback" not in text


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (
            lambda: descriptors(0)(),
            f"{os.strerror(errno.EMFILE)}); no checkpoint is there; raise the limit (ulimit -n)",
        ),
        (lambda: file_size(1000)(), f"{os.strerror(errno.EFBIG)}); no checkpoint is there; make room"),
    ],
)
def test_a_checkpoint_that_cannot_be_written(train, monkeypatch, limit, said):
    """The first is written short of descriptors, or of space on the disk; the run's folder is there already."""
    write = checkpoint.write

    def starved(*arguments):
        limit()
        write(*arguments)

    monkeypatch.setattr(checkpoint, "write", starved)
    code, text = run_starved(train)
    assert code == 2
    assert f"latest: cannot be written ({said} and begin again\n" in text
    assert "Traceback" not in text


@pytest.mark.chaos
def test_a_checkpoint_without_memory_for_it(train, monkeypatch):
    def write(*arguments):
        raise MemoryError

    monkeypatch.setattr(checkpoint, "write", write)
    code, text = run_starved(train)
    assert code == 2
    assert "latest: cannot be written (out of memory); no checkpoint is there; " in text
    assert "Traceback" not in text


def test_what_is_short_is_told_from_the_exception():
    with pytest.raises(MemoryError) as by_numpy:
        np.empty(10**16)
    with pytest.raises(MemoryError) as by_paddle:
        paddle.empty([10**15])
    for caught in (by_numpy, by_paddle):
        assert shortage(caught.value).endswith("; lower the batch size and num_workers, or end other programs")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert shortage(OSError(errno.EMFILE, "x", "a.png")) == says(
        f"a.png: no file descriptors left, ... {limit}; raise the limit (ulimit -n), or lower num_workers"
    )
    assert shortage(RuntimeError("can't start new thread")) == says(
        "... (can't start new thread); raise the limit (ulimit -u), lower num_workers, or end other programs"
    )
    by_cpp = RuntimeError(os.strerror(errno.EAGAIN))  # a C++ library that starts a thread
    assert shortage(by_cpp).startswith("the system gives this process no more threads")
    assert shortage(BlockingIOError(errno.EAGAIN, "fork")).startswith("the system gives this process no more threads")
    for other in (OSError(errno.ENOSPC, "full"), RuntimeError("shape"), ValueError("out of memory"), KeyError("x")):
        assert shortage(other) is None


def test_without_threads_a_job_runs_at_once(monkeypatch):
    def start(run, arguments):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", start)
    background, done = Background(), []
    background.submit(lambda: done.append(1))
    assert done == [1]
    background.submit(lambda: done.remove(2))
    with pytest.raises(ValueError):
        background.wait()
    background.wait()


def test_a_job_that_was_lost_with_its_thread_is_an_error():
    background = Background()
    background.start()
    background._jobs.put(None)  # the thread ends, as one does for want of memory
    background._thread.join()
    background.submit(list)
    with pytest.raises(MemoryError):
        background.wait()
    background.submit(list)
    background.wait()
    background.close()
