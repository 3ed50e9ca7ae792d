"""The processes of a run that `paddle.distributed.launch` has started: their numbers, and what they agree on.

Every process computes its share of a global batch. Sums go through one collective a step, so that all processes
know the same losses, counts and requests to stop, and decide alike. With one process nothing here does anything.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.utils.errors import UserError, expect

# Host, process id and log of every process, by rank
_PEERS: list[tuple[str, int, str]] = []

# Gradients travel in pieces of about this many numbers: few messages, and little memory beside the gradients.
_BUCKET = 8 << 20


def rank() -> int:
    """Number of this process, from 0, which the launcher sets in the environment."""
    return int(os.environ.get("PADDLE_TRAINER_ID", "0"))


def world_size() -> int:
    """Number of processes that share the work, on all machines."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))


def is_first() -> bool:
    """Whether this is the process that writes checkpoints and logs."""
    return rank() == 0


def refuse_several() -> None:
    """Refuse to run a command that only one process can run.

    Raises:
        UserError: the launcher has started more.
    """
    expect(
        world_size() <= 1,
        "only training and evaluation run on several processes; start this one without the launcher",
    )


def connect() -> None:
    """Join the other processes, by NCCL on GPUs and by gloo on CPUs."""
    if world_size() > 1:
        import paddle

        paddle.distributed.init_parallel_env()
        _PEERS[:] = gather((socket.gethostname(), os.getpid(), _own_log()))


@contextlib.contextmanager
def peer_failures_reported() -> Iterator[None]:
    """Report the end of another process, which a collective notices, by a sentence that names it.

    Raises:
        UserError: with the last lines of that process's log, where it ran on this machine.
    """
    try:
        yield
    except RuntimeError as error:
        dead = _ended()
        if dead is None:
            raise
        raise UserError(_peer_failure(*dead)) from error


def check_all_live() -> None:
    """Check, where this process is asked to stop, that the launcher did not ask because another one has died.

    Raises:
        UserError: another process of this machine has ended; the sentence is that of `peer_failures_reported`.
    """
    dead = _ended(seconds=0)
    if dead is not None:
        raise UserError(_peer_failure(*dead))


def _peer_failure(number: int, log: str) -> str:
    place = log or f"log/workerlog.{number}"
    return (
        f"process {number} of {world_size()} has ended, so this one ends too; look into its log "
        f"({place}), then start again, a training with "
        f"-o Global.checkpoints=RUN{_last_lines(log)}"
    )


def _ended(seconds: float = 10.0) -> tuple[int, str] | None:
    """Number and log of a process of this machine that has ended, or ends within some seconds."""
    peers = _local_peers()
    end = time.monotonic() + seconds
    while True:
        for number, pid, log in peers:
            if not _is_running(pid):
                return number, log
        if not peers or time.monotonic() > end:
            return None
        time.sleep(0.1)


def _local_peers() -> list[tuple[int, int, str]]:
    """Number, process id and log of each other process of this machine."""
    peers = []
    for number, (host, pid, log) in enumerate(_PEERS):
        if host == socket.gethostname() and number != rank():
            peers.append((number, pid, log))
    return peers


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        fields = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    # The name of the program, in brackets, may contain blanks and brackets
    state = fields.rpartition(")")[2].split()[0]
    # A zombie has ended; its parent has not noticed yet
    return state != "Z"


def _own_log() -> str:
    """The file that the launcher directs this process's output to; empty if it goes elsewhere."""
    path = Path("/proc/self/fd/1")
    target = path.resolve() if path.exists() else path
    return str(target) if target.is_file() else ""


def _last_lines(log: str, count: int = 10) -> str:
    # Another machine of the same name has its logs elsewhere
    if not Path(log).is_file():
        return ""
    lines = Path(log).read_text(errors="replace").splitlines()
    return "".join(f"\n  {line}" for line in lines[-count:])


def gather(value: Any) -> list[Any]:
    """Collect a plain value from every process, in the order of ranks."""
    if world_size() == 1:
        return [value]
    import paddle

    gathered: list[Any] = []
    paddle.distributed.all_gather_object(gathered, value)
    return gathered


def merged(values: dict[str, str]) -> dict[str, str]:
    """Merge the entries of all processes; every process must call it."""
    entries: dict[str, str] = {}
    for own in gather(values):
        entries.update(own)
    return entries


def total(values: Sequence[float]) -> list[float]:
    """Add up float64 numbers over all processes; every process must pass the same number of them."""
    if world_size() == 1:
        return list(values)
    import paddle

    tensor = paddle.to_tensor(np.asarray(values, "float64"))
    paddle.distributed.all_reduce(tensor)
    return tensor.numpy().tolist()


def same_as_first(tensors: Iterable[Any]) -> None:
    """Copy the first process's values to every process, in place."""
    if world_size() == 1:
        return
    import paddle

    with paddle.no_grad():
        for tensor in tensors:
            paddle.distributed.broadcast(tensor, src=0)


def same_statistics(model: Any) -> None:
    """Copy the first process's statistics of its pictures, which are not learnt, to every process."""
    # Batch norm's means and variances are parameters in Paddle, without a gradient
    fixed = [each for each in model.parameters() if each.stop_gradient]
    same_as_first([*model.buffers(), *fixed])


def sum_gradients(parameters: Sequence[Any], factor: float = 1.0) -> None:
    """Replace each gradient by `factor` times its sum over the processes.

    A process without a gradient (none of its pictures could be read) adds nothing.
    """
    several = world_size() > 1
    if not several and factor == 1.0:
        return
    import paddle

    trained = [parameter for parameter in parameters if not parameter.stop_gradient]
    with paddle.no_grad():
        if several:
            for bucket in _buckets(trained):
                _sum_bucket(paddle, bucket, factor)
        else:
            _scale_gradients(trained, factor)


def _scale_gradients(parameters: Sequence[Any], factor: float) -> None:
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.scale_(factor)


def _sum_bucket(paddle: Any, parameters: Sequence[Any], factor: float) -> None:
    """Sum the gradients of some parameters of one type in one message."""
    gradients = []
    for parameter in parameters:
        gradient = parameter.grad
        if gradient is None:
            gradient = paddle.zeros_like(parameter)
        gradients.append(gradient.flatten())
    flat = paddle.concat(gradients)
    paddle.distributed.all_reduce(flat)
    flat.scale_(factor)
    pieces = paddle.split(flat, [parameter.size for parameter in parameters])
    for parameter, piece in zip(parameters, pieces):
        parameter.grad = piece.reshape(parameter.shape)


def _buckets(parameters: Sequence[Any]) -> list[list[Any]]:
    """Group neighbouring parameters of one type, up to `_BUCKET` numbers per group."""
    buckets: list[list[Any]] = []
    size, dtype = 0, None
    for parameter in parameters:
        is_full = size + parameter.size > _BUCKET
        if not buckets or is_full or parameter.dtype != dtype:
            buckets.append([])
            size, dtype = 0, parameter.dtype
        buckets[-1].append(parameter)
        size += parameter.size
    return buckets
