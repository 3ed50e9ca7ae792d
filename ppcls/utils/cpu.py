"""Prepares the process for fast arithmetic on a Linux CPU. It runs before Paddle is imported.

Paddle's wheel contains an old MKL that uses its AVX2 and AVX-512 kernels on AMD processors only if `MKL_DEBUG_CPU_TYPE`
says so (5 is AVX2, 7 is AVX-512), and one OpenMP thread unless `OMP_NUM_THREADS` is set. Both are read when the library
loads, so they must be set before. What the user has set is never overridden.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
from pathlib import Path

# MKL's kernels for AVX-512 use all of these, and without one of them they end the process.
_AVX512 = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}
# Either of them multiplies bfloat16 numbers
_BFLOAT16 = {"avx512_bf16", "amx_bf16"}
# Zen 4 runs AVX-512 instructions in two halves: no faster than AVX2, and training by MKL's AVX-512 kernels is slower
# (benchmarks/README.md). Zen 5, which is family 26, runs them whole.
_ZEN4_FAMILY = "25"
# More readers than this wait for the disk rather than for a core.
_MOST_WORKERS = 16
_APPLIED: dict[str, str] = {}
# Parameters of glibc's mallopt (malloc.h), and what a user sets them by
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_MALLOC_VARIABLES = (
    "GLIBC_TUNABLES",
    "MALLOC_ARENA_MAX",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_MMAP_THRESHOLD_",
)
_LARGEST_KEPT_BLOCK = 1 << 30
_MOST_KEPT = (1 << 31) - 1  # mallopt takes an int


def prepare() -> dict[str, str]:
    """Set the missing variables and return those that this process has set; it can be called repeatedly."""
    if sys.platform != "linux" or "paddle" in sys.modules:
        return dict(_APPLIED)
    wanted = {"OMP_NUM_THREADS": str(threads_for_this_process())}
    mkl_type = _mkl_type(_read_cpuinfo())
    if mkl_type is not None:
        wanted["MKL_DEBUG_CPU_TYPE"] = mkl_type
    for name, value in wanted.items():
        if name not in os.environ:
            os.environ[name] = _APPLIED[name] = value
    return dict(_APPLIED)


def keep_freed_memory() -> bool:
    """Let this process keep up to 2 GiB of the memory that it frees, for its next allocations.

    Every training step allocates and frees the same tensors. glibc returns those of more than 32 MiB to the system at
    once, which has to clear the pages again for the next step: a tenth to a quarter of a step of a small network.

    Returns:
        Whether it does; not on other systems, nor where the user has set how memory is allocated.
    """
    return _set_malloc(
        {_MMAP_THRESHOLD: _LARGEST_KEPT_BLOCK, _TRIM_THRESHOLD: _MOST_KEPT}
    )


def spare_freed_memory() -> bool:
    """Let this process hold little of the memory that it frees, and its threads share it.

    By itself glibc keeps freed blocks of up to 32 MiB, for each thread apart.

    Returns:
        Whether it does; not on other systems, nor where the user has set how memory is allocated.
    """
    return _set_malloc(
        {_ARENA_MAX: 1, _MMAP_THRESHOLD: 1 << 22, _TRIM_THRESHOLD: 1 << 22}
    )


def return_freed_memory() -> None:
    """Return the memory that this process has freed to the system, where that is glibc's."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _set_malloc(parameters: dict[int, int]) -> bool:
    if sys.platform != "linux" or any(name in os.environ for name in _MALLOC_VARIABLES):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library
        return False
    accepted = [mallopt(*parameter) for parameter in parameters.items()]
    return all(accepted)


def applied() -> dict[str, str]:
    """Return the variables that `prepare` has set in this process."""
    return dict(_APPLIED)


def usable_cores() -> int:
    """Return the number of cores that this process may use, by its affinity and its control group's quota."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = _cgroup_quota()
    if quota is None:
        return cores
    return max(1, min(cores, int(quota)))


def threads_for_this_process() -> int:
    """Return the usable cores per training process that Paddle's launcher has started on this machine."""
    processes = max(1, int(os.environ.get("PADDLE_LOCAL_SIZE", "1")))
    return max(1, usable_cores() // processes)


def workers_for_this_process(on_gpu: bool) -> int:
    """Return how many processes should read pictures for this training process, by the cores that it may use.

    Where the CPU trains, the model's threads take nearly all of the time, and more readers slow them down.
    """
    cores = threads_for_this_process()
    wanted = cores - 1 if on_gpu else cores // 4
    return min(max(1, wanted), _MOST_WORKERS)


def threads_for_inference() -> int:
    """Return the threads that an engine takes where nothing else is asked for: `OMP_NUM_THREADS`, or one per core."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(wanted) if wanted.isdigit() and int(wanted) else usable_cores()


def _cgroup_quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Return the cores that a control group of version 2 or 1 allows; None without a limit."""
    v2 = root / "cpu.max"
    if v2.is_file():
        allowed, period = v2.read_text().split()
        if allowed == "max":
            return None
        return int(allowed) / int(period)
    v1 = root / "cpu" / "cpu.cfs_quota_us"
    if not v1.is_file():
        return None
    quota = int(v1.read_text())
    if quota <= 0:
        return None
    return quota / int((root / "cpu" / "cpu.cfs_period_us").read_text())


def _read_cpuinfo(path: Path = Path("/proc/cpuinfo")) -> str:
    """Return the text in which Linux describes its processors; empty on other systems."""
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""


def has_avx512() -> bool:
    """Return whether every processor has the AVX-512 instructions that kernels for matrices use."""
    return common_flags() >= _AVX512


def common_flags() -> set[str]:
    """Return the instructions that every processor has, in Linux's names; empty on other systems."""
    return _common_flags(_read_cpuinfo())


def best_mkl_type() -> str | None:
    """Return the value of `MKL_DEBUG_CPU_TYPE` that suits this machine; None if it should not be set."""
    return _mkl_type(_read_cpuinfo())


def has_bfloat16() -> bool:
    """Return whether every processor multiplies bfloat16 numbers: by AVX-512 or by AMX."""
    flags = _common_flags(_read_cpuinfo())
    return flags >= _AVX512 and bool(flags & _BFLOAT16)


def _common_flags(cpuinfo: str) -> set[str]:
    flags = [set(line.split()) for line in _values(cpuinfo, "flags")]
    return set.intersection(*flags) if flags else set()


def _mkl_type(cpuinfo: str) -> str | None:
    """Return the value of `MKL_DEBUG_CPU_TYPE` for the best kernels that every processor of an AMD machine can run.

    Args:
        cpuinfo: The text of /proc/cpuinfo.

    Returns:
        "7" with AVX-512 at full width, "5" with AVX2, None for others. (8 ends the process with an illegal instruction,
        6 is for a Xeon Phi.)
    """
    if set(_values(cpuinfo, "vendor_id")) != {"AuthenticAMD"}:
        return None
    common = _common_flags(cpuinfo)
    if "avx2" not in common:
        return None
    if _ZEN4_FAMILY in _values(cpuinfo, "cpu family") or not common >= _AVX512:
        return "5"
    return "7"


def _values(cpuinfo: str, key: str) -> list[str]:
    """Return what /proc/cpuinfo states for a key, one value per processor."""
    return re.findall(rf"^{key}[ \t]*:[ \t]*(.*)$", cpuinfo, re.MULTILINE)
