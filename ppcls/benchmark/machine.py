"""The machine that figures were measured on: the device, its driver, and the versions of the software."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata

import ppcls
from ppcls.inference.settings import PADDLE_OPENVINO, TRT
from ppcls.utils.cpu import usable_cores
from ppcls.utils.hardware import first_gpu, processor_name

_PADDLE = ("paddlepaddle", "paddlepaddle-gpu")
_ENGINES = {
    "paddle": _PADDLE,
    PADDLE_OPENVINO: _PADDLE,
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "openvino": ("openvino",),
    TRT: (*_PADDLE, "tensorrt"),
}
_PACKAGES = (
    *dict.fromkeys(package for packages in _ENGINES.values() for package in packages),
    "nncf",
)
# Share of the cores above which other programs' work shows in the figures
_BUSY = 0.25


@dataclass(frozen=True)
class MachineInfo:
    """A device and its software.

    Attributes:
        device: The name of the GPU or of the processor.
        cores: Processor cores that this process may use.
        driver: The driver of the GPU, or the operating system's kernel for a CPU.
        versions: The versions of Python, this library and the installed engines.
    """

    device: str
    cores: int
    driver: str
    versions: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        versions = _listed(self.versions)
        return f"{self.device}, {self.cores} CPU cores, {self.driver}; {versions}"

    def as_json(self) -> dict[str, object]:
        """The fields, for JSON."""
        return asdict(self)


def this_machine(device: str) -> MachineInfo:
    """The machine that runs this, with its processor or its first GPU."""
    versions = {"Python": platform.python_version(), "ppcls": ppcls.__version__}
    versions.update(_versions(_PACKAGES))
    if device == "gpu":
        gpu = first_gpu()
        name = gpu.name if gpu else "no GPU that nvidia-smi shows"
        driver = f"driver {gpu.driver}" if gpu else "no driver"
    else:
        name, driver = processor_name(), f"{platform.system()} {platform.release()}"
    return MachineInfo(name, usable_cores(), driver, versions)


def engine_versions(backend: str) -> str:
    """The installed packages of a backend, with their versions: `paddlepaddle 3.3.1`."""
    return _listed(_versions(_ENGINES[backend]))


def busy(cores: int, running: float) -> str | None:
    """A warning that other programs are running; None on a quiet machine.

    Args:
        cores: Processor cores that this process may use.
        running: How many threads want to run.
    """
    if running <= _BUSY * cores:
        return None
    return (
        f"{running:.1f} threads of other programs competed for this machine's {cores} cores in the last minute: the "
        "figures will be too slow, and near ones may be in the wrong order; measure again when the machine is quiet"
    )


def running_threads() -> float:
    """How many threads wanted to run in the last minute, on average; 0 where the system does not report it."""
    if hasattr(os, "getloadavg"):
        return os.getloadavg()[0]
    return 0.0


def _versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of the packages that are installed."""
    versions = {}
    for name in packages:
        version = _version(name)
        if version is not None:
            versions[name] = version
    return versions


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _version(package: str) -> str | None:
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return None
