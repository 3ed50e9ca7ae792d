"""Prepares the process for fast arithmetic on a Linux CPU; runs before Paddle is imported.

Paddle's wheel carries an old MKL that takes its AVX2 and AVX-512 kernels on AMD processors only if
`MKL_DEBUG_CPU_TYPE` says so, and uses one OpenMP thread unless told otherwise. Both are read when the library
loads, so they must stand in the environment by then. What the user has set is never overridden.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_APPLIED: dict[str, str] = {}


def prepare() -> dict[str, str]:
    """Sets what is missing in the environment and returns what this process has set; safe to call twice."""
    if sys.platform != "linux" or "paddle" in sys.modules:
        return dict(_APPLIED)
    wanted = {"OMP_NUM_THREADS": str(threads_for_this_process())}
    if _is_amd_with_avx2():
        wanted["MKL_DEBUG_CPU_TYPE"] = "5"
    for name, value in wanted.items():
        if name not in os.environ:
            os.environ[name] = _APPLIED[name] = value
    return dict(_APPLIED)


def applied() -> dict[str, str]:
    """What `prepare` has set in this process."""
    return dict(_APPLIED)


def usable_cores() -> int:
    """Cores that this process may use: its affinity, cut by the control group's quota if there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_quota()
    return max(1, min(cores, int(quota))) if quota else cores


def threads_for_this_process() -> int:
    """Usable cores, divided among the training processes that Paddle's launcher has started on this machine."""
    return max(1, usable_cores() // max(1, int(os.environ.get("PADDLE_LOCAL_SIZE", "1"))))


def _cgroup_quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    v2 = root / "cpu.max"
    if v2.is_file():
        quota, period = v2.read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    v1 = root / "cpu" / "cpu.cfs_quota_us"
    if v1.is_file() and int(v1.read_text()) > 0:
        return int(v1.read_text()) / int((root / "cpu" / "cpu.cfs_period_us").read_text())
    return None


def _is_amd_with_avx2(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    if not cpuinfo.is_file():
        return False
    text = cpuinfo.read_text()
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return "AuthenticAMD" in text and " avx2 " in f"{flags} "
