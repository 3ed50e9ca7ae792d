"""Starts commands as `python -m paddle.distributed.launch` does for a user."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60  # seconds; a job that takes longer hangs


def launch(folder, name, count, script, *words, options=()):
    """A job of `count` processes, whose logs go to `folder/name`."""
    command = [
        sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", str(count), "--log_dir",
        str(folder / name), *options, str(ROOT / script), *words,
    ]  # fmt: skip
    return subprocess.Popen(
        command, cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(job):
    """Its exit code and output."""
    try:
        output, _ = job.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        job.terminate()  # the launcher takes its processes along
        raise
    return job.returncode, output


def finish_well(job, folder, name, count):
    """The log of each process of a job that must end well."""
    code, output = finish(job)
    texts = [(folder / name / f"workerlog.{rank}").read_text() for rank in range(count)]
    assert code == 0, "\n".join([output, *texts])
    return texts


def wait_for(path, text, job):
    """Returns when a log says it."""
    end = time.monotonic() + PATIENCE
    while not (path.is_file() and text in path.read_text()):
        assert job.poll() is None, f"{path} never said {text!r}:\n{job.stdout.read()}"
        assert time.monotonic() < end, f"{path} does not say {text!r}"
        time.sleep(0.01)


def process_of(job, rank):
    """The number of the launcher's process of a rank."""
    children = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
    for child in children:
        if f"PADDLE_TRAINER_ID={rank}\0" in Path(f"/proc/{child}/environ").read_text():
            return int(child)
    raise AssertionError(f"no process of rank {rank} among {children}")
