"""Where the arithmetic runs."""

from __future__ import annotations

from ppcls.utils import cpu
from ppcls.utils.errors import UserError


def select_device(requested: str) -> str:
    """Makes `requested` (auto, cpu or gpu) Paddle's device and returns what was chosen, `cpu` or `gpu`.

    Raises:
        UserError: a GPU is asked for and this build of Paddle, or this machine, has none.
    """
    import paddle

    has_gpu = paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count() > 0
    if requested == "gpu" and not has_gpu:
        missing = "this machine shows no GPU" if paddle.is_compiled_with_cuda() else "this build of Paddle has no CUDA"
        raise UserError(
            f"Global.device is gpu, but {missing}; write -o Global.device=cpu, or install paddlepaddle-gpu "
            "for your CUDA version (requirements-gpu.txt)"
        )
    chosen = "gpu" if has_gpu and requested != "cpu" else "cpu"
    paddle.set_device(chosen)
    return chosen


def describe(device: str) -> str:
    """One line for the head of a log: device, threads, what was prepared, and Paddle's version."""
    import paddle

    prepared = ", ".join(f"{name}={value}" for name, value in cpu.applied().items()) or "nothing"
    return f"device {device}, {threads()} threads, set before Paddle {paddle.__version__} loaded: {prepared}"


def threads() -> int:
    """Threads of the CPU kernels; results are bit-equal only between runs with the same number."""
    import os

    return int(os.environ.get("OMP_NUM_THREADS", "1").split(",")[0])
