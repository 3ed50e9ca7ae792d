"""How a bundle is run: which engine, how exactly, on what, with how many threads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

from ppcls.config.tensorrt import TensorRT
from ppcls.utils.errors import UserError, expect

TRT = "trt"  # TensorRT inside Paddle
PADDLE_OPENVINO = "paddle-openvino"  # OpenVINO inside Paddle
BACKENDS = ("paddle", PADDLE_OPENVINO, "onnxruntime", "openvino", TRT)
PRECISIONS = ("float32", "float16", "bfloat16", "int8")
DEVICES = ("cpu", "gpu")
# What each backend computes in, by device.
OFFERED: dict[str, dict[str, tuple[str, ...]]] = {
    "paddle": {"cpu": ("float32", "bfloat16"), "gpu": ("float32", "float16")},
    PADDLE_OPENVINO: {"cpu": ("float32", "bfloat16")},
    "onnxruntime": {"cpu": ("float32", "int8")},
    "openvino": {"cpu": ("float32", "bfloat16", "int8")},
    TRT: {"gpu": ("float32", "float16", "int8")},
}
# Of these TensorRT computes in some, by the program's format
TENSORRT_OFFERED: dict[str, tuple[str, ...]] = {
    ".pdmodel": ("float32", "float16", "int8"),
    ".json": ("float32", "float16"),  # Paddle calibrates programs of Paddle 2 alone
}


# Beyond any machine of today; with many more an engine does not start, or ends the process.
_MOST = {"threads": 1024, "requests": 64}


def offered_on(device: str) -> tuple[str, ...]:
    """The precisions that some backend computes in on a device, without pictures to calibrate on."""
    offered: set[str] = set()
    for backend, on in OFFERED.items():
        if backend != TRT:  # the others are calibrated by `ppcls quantize`
            offered.update(on.get(device, ()))
    return tuple(precision for precision in PRECISIONS if precision in offered)


@dataclass(frozen=True)
class Settings:
    """What a backend is opened with. A bundle may carry one, which `ppcls benchmark backends` writes.

    Attributes:
        backend: `paddle`, `onnxruntime`, `openvino`; `paddle-openvino` and `trt`: OpenVINO and TensorRT inside Paddle.
        precision: precision of the arithmetic: `float32`, `float16`, `bfloat16` or `int8`; see `OFFERED`.
        device: `cpu` or `gpu`.
        threads: threads of the CPU kernels, for all requests together; None takes every core that this process may use.
        requests: batches that run at the same time.
        onednn: whether Paddle on a CPU runs oneDNN's kernels, about four times as fast as its own.
        tensorrt: the options of `trt`; None for any other backend. Given with `paddle`, as manifests of schema 2 have
            it, they make the backend `trt`.

    Raises:
        UserError: a value is none of these, or the backend does not have it.
    """

    backend: str = "paddle"
    precision: str = "float32"
    device: str = "cpu"
    threads: int | None = None
    requests: int = 1
    onednn: bool = True
    tensorrt: TensorRT | None = None

    def __post_init__(self) -> None:
        self._check_value("backend", BACKENDS)
        self._check_value("precision", PRECISIONS)
        self._check_value("device", DEVICES)
        self._check_count("threads", self.threads)
        self._check_count("requests", self.requests)
        if self.tensorrt is not None and self.backend == "paddle":
            object.__setattr__(self, "backend", TRT)
        if self.tensorrt is None and self.backend == TRT:
            object.__setattr__(self, "tensorrt", TensorRT())
        if self.tensorrt is not None:
            self._check_tensorrt(self.tensorrt)
        offered = OFFERED[self.backend]
        expect(
            self.device in offered,
            f"{self.backend} runs on {' or '.join(offered)} alone here, not on {self.device}",
        )
        if self.precision not in offered[self.device]:
            raise UserError(
                f"{self.backend} on a {self.device.upper()} does not compute in {self.precision}; write precision "
                f"{' or '.join(offered[self.device])}"
            )

    def _check_value(self, name: str, possible: tuple[str, ...]) -> None:
        value = getattr(self, name)
        if value not in possible:
            raise UserError(
                f"{name} is {repr(value)[:100]}; write {' or '.join(possible)}"
            )

    def _check_count(self, name: str, value: int | None) -> None:
        if value is None:
            return
        most = _MOST[name]
        if not isinstance(value, Integral) or not 1 <= int(value) <= most:
            raise UserError(
                f"{name} is {repr(value)[:100]}; write a whole number from 1 to {most}"
            )

    def _check_tensorrt(self, options: TensorRT) -> None:
        if (self.backend, self.device) != (TRT, "gpu"):
            engine = "paddle" if self.backend == TRT else self.backend
            raise UserError(
                f"TensorRT runs inside Paddle on a GPU alone, not by {engine} on a {self.device.upper()}; write "
                "-o Global.use_gpu=True and no other backend (in Python, device='gpu'), or leave TensorRT out"
            )
        if options.calibration is not None and self.precision != "int8":
            raise UserError(
                f"TensorRT's calibration is for int8, but the precision is {self.precision}; write precision int8, or "
                "leave calibration out"
            )


DEFAULTS = Settings()


def settings_of(
    backend: str, precision: str, calibration: str | None = None, **more: Any
) -> Settings:
    """The default settings of a backend, with TensorRT's `calibration`.

    Raises:
        UserError: a value is none of those of `Settings`.
    """
    options = TensorRT(calibration=calibration) if backend == TRT else None
    return Settings(backend, precision, tensorrt=options, **more)


def resolve(stored: Settings | None, **given: Any) -> Settings:
    """The settings that a user gets: what was `given` (None: was not), over what the bundle has `stored`.

    `tensorrt` may be given as True, which is TensorRT as it is stored or else by default, or as False, which is none.
    Stored settings belong to their backend (`trt` is one of Paddle's) and device: with another one given, they do not
    count.

    Raises:
        UserError: a value is none of those of `Settings`.
    """
    named = {name: value for name, value in given.items() if value is not None}
    if stored is None or not _belongs(stored, named):
        stored = DEFAULTS
    backend = named.get("backend", stored.backend)
    options = named.get("tensorrt", backend == TRT)
    if options is True:
        options = stored.tensorrt or TensorRT()
    if options is False:
        options = None
        backend = _engine(backend)
    return replace(stored, **{**named, "backend": backend, "tensorrt": options})


def _belongs(stored: Settings, named: dict[str, Any]) -> bool:
    """Whether stored settings are of the backend and device that were named."""
    backend = named.get("backend", stored.backend)
    device = named.get("device", stored.device)
    if _engine(backend) != _engine(stored.backend) or device != stored.device:
        return False
    # Without oneDNN's kernels a user means Paddle's own
    return stored.backend != PADDLE_OPENVINO or named.get("onednn", True)


def _engine(backend: str) -> str:
    """The library that runs a backend."""
    return "paddle" if backend == TRT else backend
