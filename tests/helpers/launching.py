"""Starts commands as `python -m paddle.distributed.launch` does for a user."""

import os

from helpers.checkout import ROOT
from helpers.forks import Fork, run_launcher


class Job(Fork):
    """The launcher, in a fork of the tests' process, whose output goes to a file."""

    def __init__(self, folder, name, words):
        self.output = folder / f"{name}.launcher"
        with self.output.open("w") as file:
            super().__init__(lambda: run_launcher(words), file, prepare=lambda: os.chdir(folder))


def launch(folder, name, count, script, *words, options=()):
    """A job of `count` processes, whose logs go to `folder/name`."""
    logs = ["--nproc_per_node", str(count), "--log_dir", str(folder / name)]
    return Job(folder, name, [*logs, *options, str(ROOT / script), *words])


def finish(job):
    """Its exit code and output."""
    try:
        job.wait()
    finally:
        job.terminate()  # a launcher that hangs takes its processes along
    return job.returncode, job.output.read_text()


def finish_well(job, folder, name, count):
    """The log of each process of a job that must end well."""
    code, output = finish(job)
    texts = [(folder / name / f"workerlog.{rank}").read_text() for rank in range(count)]
    assert code == 0, "\n".join([output, *texts])
    return texts


def process_of(logs, rank):
    """The number of the launcher's process of a rank."""
    return int((logs / f"process.{rank}").read_text())
