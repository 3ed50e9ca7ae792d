"""The processor, the GPU, the memory and the disks of this machine, as its operating system shows them."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple


class Gpu(NamedTuple):
    """A GPU that the driver shows.

    Attributes:
        name: Its name.
        driver: The driver's version.
    """

    name: str
    driver: str


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the name of the processor."""
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def first_gpu() -> Gpu | None:
    """Return the first NVIDIA GPU of nvidia-smi; None if it shows none, or is not there."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    query = [tool, "--query-gpu=name,driver_version", "--format=csv,noheader", "--id=0"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None
    name, _, driver = done.stdout.strip().partition(", ")
    return Gpu(name, driver)


def usable_memory(
    meminfo: Path = Path("/proc/meminfo"), cgroup: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """Return the bytes of memory that this process may use: the machine's, or what its control group allows.

    None where the system does not report them.
    """
    limits = []
    if meminfo.is_file():
        for line in meminfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("MemTotal:"):
                limits.append(int(line.split()[1]) * 1024)
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # absent, or `max`
            limits.append(int((cgroup / name).read_text(encoding="utf-8")))
    return min(limits, default=None)


def free_space(path: Path) -> int:
    """Return the free bytes of the disk that holds a path, or would hold it."""
    nearest = path.absolute()
    while not nearest.exists():
        nearest = nearest.parent
    return shutil.disk_usage(nearest).free


def shared_memory() -> int | None:
    """Return the free bytes of /dev/shm, by which workers hand over their batches; None where there is none."""
    place = Path("/dev/shm")
    if not place.is_dir():
        return None
    status = os.statvfs(place)
    return status.f_bavail * status.f_frsize


def bytes_text(count: int) -> str:
    """Return a number of bytes as `640 MB` or `1.3 GB`."""
    if count < 1e6:
        return f"{count / 1e3:.0f} kB"
    if count < 1e9:
        return f"{count / 1e6:.0f} MB"
    return f"{count / 1e9:.1f} GB"
