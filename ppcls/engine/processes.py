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

from ppcls.utils.errors import UserError

# Host, process id and log of every process, by rank
_PEERS: list[tuple[str, int, str]] = []

# Gradients travel in pieces of about this many numbers: few messages, and little memory beside the gradients.
_BUCKET = 8 << 20


def rank() -> int:
    """Number of this process, from 0; the launcher says it in the environment."""
    return int(os.environ.get("PADDLE_TRAINER_ID", "0"))


def world_size() -> int:
    """How many processes share the work, on all machines."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))


def is_first() -> bool:
    """Whether this is the process that writes checkpoints and logs."""
    return rank() == 0


def refuse_several() -> None:
    """For commands that one process runs.

    Raises:
        UserError: the launcher has started more.
    """
    if world_size() > 1:
        raise UserError(
            "only training and evaluation run on several processes; start this one without the launcher"
        )


def connect() -> None:
    """Joins the other processes, by NCCL on GPUs and by gloo on CPUs."""
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
    return (
        f"process {number} of {world_size()} has ended, so this one ends too; look into its log "
        f"({log or 'log/workerlog.' + str(number)}), then start again, a training with "
        f"-o Global.checkpoints=RUN{_last_lines(log)}"
    )


def _ended(seconds: float = 10.0) -> tuple[int, str] | None:
    """Number and log of a process of this machine that is gone, or goes within some seconds."""
    here = []
    for number, (host, pid, log) in enumerate(_PEERS):
        if host == socket.gethostname() and number != rank():
            here.append((number, pid, log))
    end = time.monotonic() + seconds
    while here:
        for number, pid, log in here:
            if not _lives(pid):
                return number, log
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        )
    except OSError:
        return False


def _own_log() -> str:
    """The file that the launcher directs this process's output to; empty if it goes elsewhere."""
    path = Path("/proc/self/fd/1")
    target = path.resolve() if path.exists() else path
    return str(target) if target.is_file() else ""


def _last_lines(log: str, count: int = 10) -> str:
    # Another machine of the same name has its logs elsewhere.
    lines = (
        Path(log).read_text(errors="replace").splitlines()[-count:]
        if Path(log).is_file()
        else []
    )
    return "".join(f"\n  {line}" for line in lines)


def gather(value: Any) -> list[Any]:
    """What every process gives, by rank: plain values."""
    if world_size() == 1:
        return [value]
    import paddle

    gathered: list[Any] = []
    paddle.distributed.all_gather_object(gathered, value)
    return gathered


def merged(values: dict[str, str]) -> dict[str, str]:
    """The entries of every process; every process must ask."""
    return {key: value for one in gather(values) for key, value in one.items()}


def total(values: Sequence[float]) -> list[float]:
    """The sums over all processes of float64 numbers; every process must give as many."""
    if world_size() == 1:
        return list(values)
    import paddle

    tensor = paddle.to_tensor(np.asarray(values, "float64"))
    paddle.distributed.all_reduce(tensor)
    return tensor.numpy().tolist()


def same_as_first(tensors: Iterable[Any]) -> None:
    """Gives every process the first one's values, in place."""
    if world_size() == 1:
        return
    import paddle

    with paddle.no_grad():
        for tensor in tensors:
            paddle.distributed.broadcast(tensor, src=0)


def same_statistics(model: Any) -> None:
    """Gives every process what the first one's model has gathered of its own pictures and does not learn.

    Batch norm's means and variances are among Paddle's parameters, without a gradient.
    """
    same_as_first(
        [
            *model.buffers(),
            *(parameter for parameter in model.parameters() if parameter.stop_gradient),
        ]
    )


def sum_gradients(parameters: Sequence[Any], factor: float = 1.0) -> None:
    """Replaces each gradient by `factor` times its sum over the processes.

    A process without a gradient (none of its pictures could be read) adds nothing.
    """
    trained = [parameter for parameter in parameters if not parameter.stop_gradient]
    if world_size() == 1 and factor == 1.0:
        return
    import paddle

    with paddle.no_grad():
        if world_size() == 1:
            for parameter in trained:
                if parameter.grad is not None:
                    parameter.grad.scale_(factor)
            return
        for bucket in _buckets(trained):
            gradients = []
            for parameter in bucket:
                own = parameter.grad
                gradient = paddle.zeros_like(parameter) if own is None else own
                gradients.append(gradient.flatten())
            flat = paddle.concat(gradients)
            paddle.distributed.all_reduce(flat)
            flat.scale_(factor)
            pieces = paddle.split(flat, [parameter.size for parameter in bucket])
            for parameter, piece in zip(bucket, pieces):
                parameter.grad = piece.reshape(parameter.shape)


def _buckets(parameters: Sequence[Any]) -> Iterable[list[Any]]:
    bucket: list[Any] = []
    for parameter in parameters:
        if bucket and (
            sum(p.size for p in bucket) + parameter.size > _BUCKET
            or bucket[0].dtype != parameter.dtype
        ):
            yield bucket
            bucket = []
        bucket.append(parameter)
    if bucket:
        yield bucket
