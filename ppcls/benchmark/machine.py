"""What the figures were measured on: the device, its driver, and the versions of what ran there."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

import ppcls
from ppcls.inference.settings import TRT
from ppcls.utils.cpu import usable_cores

_PADDLE = ("paddlepaddle", "paddlepaddle-gpu")
_ENGINES = {
    "paddle": _PADDLE,
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "openvino": ("openvino",),
    TRT: (*_PADDLE, "tensorrt"),
}
_PACKAGES = (
    *dict.fromkeys(package for packages in _ENGINES.values() for package in packages),
    "nncf",
)
_BUSY = 0.25  # of the cores: from here on, what other programs do shows in the figures


@dataclass(frozen=True)
class Machine:
    """A device and its software.

    Attributes:
        device: name of the GPU or of the processor.
        cores: of the processor that this process may use.
        driver: of the GPU, or the kernel of the operating system for a CPU.
        versions: of Python, this library and the engines that are installed.
    """

    device: str
    cores: int
    driver: str
    versions: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        versions = ", ".join(
            f"{name} {version}" for name, version in self.versions.items()
        )
        return f"{self.device}, {self.cores} CPU cores, {self.driver}; {versions}"

    def as_json(self) -> dict[str, object]:
        """What JSON holds of it."""
        return asdict(self)


def this_machine(device: str) -> Machine:
    """The machine that runs this, with its `cpu` or its first `gpu`."""
    versions = {"Python": platform.python_version(), "ppcls": ppcls.__version__}
    versions.update(_versions(_PACKAGES))
    name, driver = (
        _gpu()
        if device == "gpu"
        else (_processor(), f"{platform.system()} {platform.release()}")
    )
    return Machine(name, usable_cores(), driver, versions)


def engine_versions(backend: str) -> str:
    """The installed packages that compute, of `ppcls.inference.settings.ENGINES`: `paddlepaddle 3.3.1`."""
    return ", ".join(
        f"{name} {version}" for name, version in _versions(_ENGINES[backend]).items()
    )


def busy(cores: int, running: float) -> str | None:
    """The sentence that warns of other programs' work, of which so many threads run; None on a quiet machine."""
    if running <= _BUSY * cores:
        return None
    return (
        f"{running:.1f} threads of other programs wanted this machine's {cores} cores in the last minute: the figures "
        "are slower than the machine is, and near ones may stand in the wrong order; measure again when it is quiet"
    )


def running_threads() -> float:
    """How many threads wanted to run in the last minute, on average; 0 where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def _versions(packages: Iterable[str]) -> dict[str, str]:
    """Of those that are installed."""
    return {
        name: version for name in packages if (version := _version(name)) is not None
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _gpu() -> tuple[str, str]:
    """Name and driver of the first GPU, as NVIDIA's own tool says them."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "no GPU that nvidia-smi shows", "no driver"
    query = [tool, "--query-gpu=name,driver_version", "--format=csv,noheader", "--id=0"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    name, _, driver = done.stdout.strip().partition(", ")
    return (
        (name, f"driver {driver}")
        if done.returncode == 0
        else ("no GPU that nvidia-smi shows", "no driver")
    )
