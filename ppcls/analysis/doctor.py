"""What this machine and this installation can do, and what would make them do more.

Nothing but the standard library and `ppcls.utils` is imported before a finding needs it: this describes broken
installations, too.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ppcls import __version__
from ppcls.utils import cpu, hardware, packages
from ppcls.utils.download import cache_home
from ppcls.utils.environment import NEWEST_FOR_PADDLE
from ppcls.utils.errors import UserError
from ppcls.utils.load_paddle import load_paddle, missing_gpu

OK, ADVICE, WARNING, ERROR = "ok", "advice", "warning", "error"
_GIB = 1 << 30
_LOW_DISK, _LOW_MEMORY, _LOW_SHARED = 5 * _GIB, 4 * _GIB, _GIB
# Instructions of a processor that kernels for matrices use, in Linux's names
_INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "VNNI (int8)",
    "avx512_bf16": "AVX-512 bfloat16",
    "amx_bf16": "AMX bfloat16",
    "amx_int8": "AMX int8",
}


@dataclass(frozen=True)
class Diagnosis:
    """One line of the doctor's answer.

    Attributes:
        topic: What it is about.
        state: `ok`; `advice`, where something could be had that is not there; `warning`, where something is slow or
            short; `error`, where commands will fail.
        found: What is there.
        change: What to do, and what that would change; empty where all is well.
    """

    topic: str
    state: str
    found: str
    change: str = ""

    def as_json(self) -> dict[str, str]:
        """The fields, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Extra:
    """Packages that an extra of the library installs.

    Attributes:
        name: As in `pip install 'ppcls[name]'`.
        modules: What can be imported with it.
        brings: What works with it and does not without.
    """

    name: str
    modules: tuple[str, ...]
    brings: str


EXTRAS = (
    Extra(
        "analysis",
        ("matplotlib",),
        "curves and the figures of reports, and `ppcls lr-find`",
    ),
    Extra("demo", ("matplotlib", "sklearn"), "`make demo`"),
    Extra(
        "onnx",
        ("onnx", "paddle2onnx"),
        "`ppcls onnx`, which writes a bundle for engines other than Paddle",
    ),
    Extra("onnxruntime", ("onnxruntime",), "predictions by ONNX Runtime"),
    Extra(
        "openvino",
        ("openvino",),
        "predictions by OpenVINO, on Intel and AMD processors often the fastest engine",
    ),
    Extra(
        "quantize",
        ("nncf", "onnx", "onnxruntime", "openvino"),
        "`ppcls quantize`, which makes int8 programs",
    ),
    Extra("tensorboard", ("tensorboardX",), "Global.loggers: [tensorboard]"),
    Extra("visualdl", ("visualdl",), "Global.loggers: [visualdl]"),
    Extra(
        "probe",
        ("sklearn",),
        "`ppcls probe`, which measures what models are worth on your own pictures",
    ),
    Extra("serving", ("kserve",), "`ppcls serve`, the inference server"),
    Extra("shards", ("webdataset",), "reading of tar shards (WebDatasetDataset)"),
)
# Where the name differs from the module's
_DISTRIBUTIONS = {"sklearn": "scikit-learn"}


def examine(folder: Path | None = None) -> list[Diagnosis]:
    """Look at the machine and the installation.

    Args:
        folder: Where runs and bundles will be written; by default the current folder.
    """
    findings: list[Diagnosis] = []
    folder = folder or Path()
    for look in (_python, _packages, _processor, _threads, _mkl, _kernels, _memory):
        findings += look()
    findings += [*_gpu(), *_tensorrt(), *_extras(), *_disk(folder)]
    return findings


def worst(findings: list[Diagnosis]) -> str:
    """Return the gravest state of the findings."""
    order = (OK, ADVICE, WARNING, ERROR)
    return max((finding.state for finding in findings), key=order.index)


def _python() -> Iterator[Diagnosis]:
    version = platform.python_version()
    found = f"{version} at {sys.executable}"
    if sys.version_info[:2] > NEWEST_FOR_PADDLE:
        newest = ".".join(map(str, NEWEST_FOR_PADDLE))
        change = f"use Python 3.10 to {newest}: Paddle has no build for this one"
        yield Diagnosis("Python", ERROR, found, change)
    else:
        yield Diagnosis("Python", OK, f"{found}, {platform.platform(terse=True)}")


def _packages() -> Iterator[Diagnosis]:
    """The packages without which nothing works."""
    yield Diagnosis("ppcls", OK, f"{__version__} in {Path(__file__).parents[1]}")
    present, absent = [], []
    for module, distributions in packages.REQUIRED.items():
        if not packages.is_found(module):
            absent.append(distributions[0])
            continue
        name = packages.distribution_of(module)
        present.append(f"{name} {packages.version_of(name) or '(unknown version)'}")
    if absent:
        change = f"{packages.install(*absent)}: commands fail without"
        yield Diagnosis("packages", ERROR, f"missing: {', '.join(absent)}", change)
    yield Diagnosis("packages", OK, ", ".join(present))
    try:
        paddle = load_paddle()
    except UserError as error:
        yield Diagnosis("Paddle", ERROR, "does not load", str(error))
        return
    built = "a CPU"
    if paddle.is_compiled_with_cuda():
        built = f"CUDA {paddle.version.cuda()}"
    yield Diagnosis("Paddle", OK, f"{paddle.__version__}, built for {built}")


def _processor() -> Iterator[Diagnosis]:
    flags = cpu.common_flags()
    known = [title for flag, title in _INSTRUCTIONS.items() if flag in flags]
    cores, machine = cpu.usable_cores(), os.cpu_count() or 1
    has = ", ".join(known) or "unknown instructions"
    found = f"{hardware.processor_name()}: {cores} of {machine} cores usable; {has}"
    if cores < machine:
        change = (
            f"allow this process more than {cores} of the {machine} cores (its affinity, or the container's quota): "
            "training and predictions use every core that they may"
        )
        yield Diagnosis("processor", ADVICE, found, change)
    elif flags and "avx512f" not in flags:
        change = "on a processor with AVX-512 oneDNN's kernels train (benchmarks/README.md has the rates)"
        yield Diagnosis("processor", ADVICE, found, change)
    else:
        yield Diagnosis("processor", OK, found)


def _threads() -> Iterator[Diagnosis]:
    limit = os.environ.get("OMP_THREAD_LIMIT")
    if limit:
        change = "unset it: oneDNN in Paddle's predictor is refused under it, because its scores would be wrong"
        yield Diagnosis("threads", WARNING, f"OMP_THREAD_LIMIT={limit}", change)
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    cores, origin = cpu.usable_cores(), _origin_of("OMP_NUM_THREADS")
    found = f"OMP_NUM_THREADS={wanted} ({origin})"
    threads = cpu.threads_for_inference()
    if threads < cores:
        change = (
            f"unset OMP_NUM_THREADS, or set it to {cores}: {cores - threads} of {cores} cores are idle in "
            "training and prediction"
        )
        yield Diagnosis("threads", WARNING, found, change)
    elif threads > cores:
        change = f"set OMP_NUM_THREADS to {cores}: more threads than cores wait for each other"
        yield Diagnosis("threads", WARNING, found, change)
    else:
        yield Diagnosis("threads", OK, found)


def _mkl() -> Iterator[Diagnosis]:
    """The kernels of MKL, which does matrix products where oneDNN does not."""
    best = cpu.best_mkl_type()
    given = os.environ.get("MKL_DEBUG_CPU_TYPE")
    if best is None and given is None:
        found = (
            "chooses its kernels by itself (MKL_DEBUG_CPU_TYPE is for AMD processors)"
        )
        yield Diagnosis("MKL", OK, found)
        return
    found = f"MKL_DEBUG_CPU_TYPE={given or ''} ({_origin_of('MKL_DEBUG_CPU_TYPE')})"
    if given == best:
        yield Diagnosis("MKL", OK, found)
    elif best is None:
        change = "unset it: it is meant for AMD processors with AVX2"
        yield Diagnosis("MKL", WARNING, found, change)
    else:
        change = f"unset it or set it to {best}: matrix products use the best kernels of this processor then"
        yield Diagnosis("MKL", WARNING, found, change)


def _kernels() -> Iterator[Diagnosis]:
    # Its package loads Paddle's libraries
    from ppcls.kernels import selection

    if not packages.is_found("paddle"):
        return
    try:
        with selection.as_it_was():
            chosen = selection.selected()
    except UserError as error:
        yield Diagnosis("kernels", ERROR, f"{selection.VARIABLE} is wrong", str(error))
        return
    found = f"convolutions in training by {chosen.title} ({chosen.reason})"
    if chosen.name == "paddle" and cpu.has_avx512():
        change = (
            f"set {selection.VARIABLE}=auto: oneDNN trains faster on this processor (benchmarks/README.md has the "
            "rates)"
        )
        yield Diagnosis("kernels", WARNING, found, change)
    else:
        yield Diagnosis("kernels", OK, found)


def _memory() -> Iterator[Diagnosis]:
    total = hardware.usable_memory()
    if total is not None:
        found = f"{total / _GIB:.1f} GiB"
        if total < _LOW_MEMORY:
            change = "use small batches: `ppcls check -c CONFIG` measures the memory that a training needs"
            yield Diagnosis("memory", WARNING, found, change)
        else:
            yield Diagnosis("memory", OK, found)
    shared = hardware.shared_memory()
    if shared is None:
        return
    found = f"{shared / _GIB:.1f} GiB free in /dev/shm"
    if shared < _LOW_SHARED:
        change = (
            "start the container with --shm-size=2g or more, or set DataLoader.Train.loader.use_shared_memory=False: "
            "workers that hand over batches end with a bus error where it is full"
        )
        yield Diagnosis("shared memory", WARNING, found, change)
    else:
        yield Diagnosis("shared memory", OK, found)


def _gpu() -> Iterator[Diagnosis]:
    shown = hardware.first_gpu()
    try:
        missing = missing_gpu()
    except UserError:
        return  # a finding says that Paddle does not load
    if missing is None:
        name = f"{shown.name}, driver {shown.driver}" if shown else "usable"
        yield Diagnosis("GPU", OK, name)
    elif shown is None:
        change = (
            "with an NVIDIA GPU and Paddle's build for it (requirements-gpu.txt) trainings and predictions run there, "
            "in float16 too"
        )
        yield Diagnosis("GPU", ADVICE, f"none ({missing})", change)
    else:
        found = f"{shown.name}, driver {shown.driver}, unused: {missing}"
        change = (
            f"run `{packages.pip()} uninstall -y paddlepaddle` and `{packages.pip()} install -r "
            f"{packages.requirements_file('requirements-gpu.txt')}`: training and predictions run on it then"
        )
        yield Diagnosis("GPU", WARNING, found, change)


def _tensorrt() -> Iterator[Diagnosis]:
    if not packages.is_found("paddle"):
        return
    try:
        load_paddle()
    except UserError:
        return
    from paddle.inference import get_trt_compile_version

    version = ".".join(map(str, get_trt_compile_version()))
    if version.strip("0."):
        yield Diagnosis("TensorRT", OK, f"Paddle is built with {version}")
        return
    found = "this build of Paddle has none"
    change = "on a GPU a build with TensorRT runs float16 and int8 programs (docs/deployment/tensorrt.md)"
    yield Diagnosis("TensorRT", ADVICE, found, change)


def _extras() -> Iterator[Diagnosis]:
    for extra in EXTRAS:
        topic = f"extra {extra.name}"
        missing = [name for name in extra.modules if not packages.is_found(name)]
        if missing:
            change = f"run `{packages.pip()} install 'ppcls[{extra.name}]'` for {extra.brings}"
            yield Diagnosis(topic, ADVICE, f"without {', '.join(missing)}", change)
            continue
        versions = []
        for module in extra.modules:
            name = _DISTRIBUTIONS.get(module, module)
            versions.append(f"{name} {packages.version_of(name) or ''}".rstrip())
        yield Diagnosis(topic, OK, ", ".join(versions))


def _disk(folder: Path) -> Iterator[Diagnosis]:
    uses = {
        folder: "runs and bundles",
        cache_home(): "downloaded weights",
        Path(tempfile.gettempdir()): "temporary files",
    }
    for place, use in uses.items():
        free = hardware.free_space(place)
        found = f"{free / _GIB:.1f} GiB free for {use} in {place.absolute()}"
        if free < _LOW_DISK:
            change = "make room: a checkpoint of DLA34 with its optimizer takes 126 MB, and a run keeps several"
            yield Diagnosis("disk", WARNING, found, change)
        else:
            yield Diagnosis("disk", OK, found)


def _origin_of(variable: str) -> str:
    if variable in cpu.applied():
        return "set by ppcls for this processor"
    return "set by you" if variable in os.environ else "not set"
