"""The start of every command of the engine: its log, and the device that computes, with its threads and kernels."""

from __future__ import annotations

import os

import paddle
from paddle.base import core

from ppcls.config import Config
from ppcls.engine import processes
from ppcls.kernels import selection
from ppcls.utils import cpu, user_code
from ppcls.utils.errors import UserError, expect
from ppcls.utils.load_paddle import missing_gpu
from ppcls.utils.logging import get_logger, on_console, setup_logging


def start(config: Config, parallel: bool = False, keep_log: bool = False) -> None:
    """Set up the log, the device, the connection to other processes and the seed.

    Args:
        config: The configuration.
        parallel: Whether several processes may share the work.
        keep_log: Whether the first process keeps the log's lines for the file of a run.

    Raises:
        UserError: the launcher has started several processes, or there is no GPU.
    """
    if not parallel:
        processes.refuse_several()
    setup_logging(
        keep_lines=keep_log and processes.is_first(), style=config.Global.console
    )
    chosen = select_device(config.Global.device)
    get_logger().info(describe(chosen), extra=on_console(describe_briefly(chosen)))
    if chosen == "cpu":
        get_logger().info(select_kernels(config.Global.cpu_kernels))
    user_code.log()
    processes.connect()
    paddle.seed(config.Global.seed)


def select_device(requested: str) -> str:
    """Set Paddle's device to `requested` (auto, cpu or gpu) and return the choice, `cpu` or `gpu`.

    Raises:
        UserError: a GPU is asked for and this build of Paddle, or this machine, has none.
    """
    missing = missing_gpu()
    if requested == "gpu" and missing:
        raise UserError(
            f"Global.device is gpu, but {missing}; write -o Global.device=cpu, or install paddlepaddle-gpu "
            "for your CUDA version (requirements-gpu.txt)"
        )
    chosen = "cpu" if missing or requested == "cpu" else "gpu"
    _take_threads()
    # The launcher gives each process a GPU of its own
    if chosen == "gpu" and processes.world_size() > 1:
        paddle.set_device(f"gpu:{paddle.distributed.ParallelEnv().device_id}")
    else:
        paddle.set_device(chosen)
    return chosen


def _take_threads() -> None:
    """Compute with the threads of the environment, whatever a predictor in this process has chosen.

    Paddle's predictor sets the number for the whole process when it is made, and sets it to one after each batch. The
    order in which MKL adds depends on it, so a training would end on other bits.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if wanted.isdigit() and int(wanted):
        core.set_num_threads(int(wanted))


def is_gpu() -> bool:
    """Whether the device is a GPU."""
    return str(paddle.device.get_device()).startswith("gpu")


def select_kernels(choice: str) -> str:
    """Set the kernels that compute on a CPU, and return a line for the log.

    Args:
        choice: Global.cpu_kernels; `auto` leaves the choice to PPCLS_CPU_KERNELS, and without it to the processor.

    Raises:
        UserError: the kernels are not available.
    """
    if choice == "auto":
        selected = selection.selected()
    else:
        selected = selection.use(choice)
    return f"convolutions by {selected.title} ({selected.reason})"


def needs_gpu(what: str, remedy: str) -> None:
    """Check that the device is a GPU.

    Raises:
        UserError: the device is a CPU.
    """
    expect(is_gpu(), f"{what} has no effect in Paddle on a CPU; {remedy}")


def of_mixed_precision(level: str, dtype: str) -> str:
    """Return the device, `cpu` or `gpu`, after a check that it computes in a mixed precision.

    Args:
        level: AMP.level.
        dtype: AMP.dtype.

    Raises:
        UserError: it does not.
    """
    if is_gpu():
        return "gpu"
    without = "remove the AMP section or write -o AMP.use_amp=false"
    expect(
        cpu.has_bfloat16(),
        "mixed precision (AMP) needs a GPU, or a processor that multiplies bfloat16 numbers (avx512_bf16 or amx_bf16 "
        f"in /proc/cpuinfo); {without}",
    )
    expect(
        (level, dtype) == ("O1", "bfloat16"),
        f"AMP.level {level} with AMP.dtype {dtype} needs a GPU; on this processor write -o AMP.level=O1 "
        f"-o AMP.dtype=bfloat16, or {without}",
    )
    selected = selection.selected()
    expect(
        selected.name == "onednn",
        f"mixed precision (AMP) on a CPU is computed by oneDNN, but convolutions are by {selected.title} "
        f"({selected.reason}); write -o Global.cpu_kernels=onednn, or {without}",
    )
    return "cpu"


def describe(device: str) -> str:
    """One line for the head of a log: device, threads, what was prepared, and Paddle's version."""
    applied = [f"{name}={value}" for name, value in cpu.applied().items()]
    prepared = ", ".join(applied) or "nothing"
    return f"device {device}, {threads()} threads, set before Paddle {paddle.__version__} loaded: {prepared}"


def describe_briefly(device: str) -> str:
    """The same for a console."""
    return f"{device}, {threads()} threads, Paddle {paddle.__version__}"


def kernels() -> dict[str, str]:
    """The settings that choose kernels: results are bit-equal only between runs with the same ones."""
    if is_gpu():
        return {"device": paddle.device.cuda.get_device_name()}
    # Empty: MKL chooses by itself
    mkl_type = os.environ.get("MKL_DEBUG_CPU_TYPE", "")
    used = {"device": "cpu", "MKL_DEBUG_CPU_TYPE": mkl_type}
    selected = selection.selected()
    if selected.name == "onednn":
        used["convolutions"] = selected.version
    return used


def threads() -> int:
    """Threads of the CPU kernels; results are bit-equal only between runs with the same number."""
    return int(os.environ.get("OMP_NUM_THREADS", "1").split(",")[0])
