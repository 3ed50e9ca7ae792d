"""How a bundle is run: which engine, how exactly, on what, with how many threads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

from ppcls.utils.errors import UserError
from ppcls.utils.tensorrt import TensorRT

BACKENDS = ("paddle", "onnxruntime", "openvino")
PRECISIONS = ("float32", "float16", "bfloat16", "int8")
DEVICES = ("cpu", "gpu")
# What each backend computes in, by device.
OFFERED: dict[str, dict[str, tuple[str, ...]]] = {
    "paddle": {"cpu": ("float32", "bfloat16"), "gpu": ("float32", "float16")},
    "onnxruntime": {"cpu": ("float32", "int8")},
    "openvino": {"cpu": ("float32", "bfloat16", "int8")},
}
# What TensorRT computes in, inside Paddle on a GPU, by the program's format; as an engine of its own it is called trt.
TRT = "trt"
ENGINES = (*BACKENDS, TRT)
TENSORRT_OFFERED: dict[str, tuple[str, ...]] = {
    ".pdmodel": ("float32", "float16", "int8"),
    ".json": ("float32", "float16"),  # Paddle calibrates programs of Paddle 2 alone
}
TENSORRT_PRECISIONS = tuple(
    p for p in PRECISIONS if any(p in offered for offered in TENSORRT_OFFERED.values())
)


# Beyond any machine of today; with many more an engine does not start, or ends the process.
_MOST = {"threads": 1024, "requests": 64}


def offered_on(device: str) -> tuple[str, ...]:
    """The precisions that some backend computes in on a device."""
    return tuple(
        p for p in PRECISIONS if any(p in on.get(device, ()) for on in OFFERED.values())
    )


@dataclass(frozen=True)
class Settings:
    """What a backend is opened with. A bundle may carry one, which `ppcls benchmark backends` writes.

    Attributes:
        backend: `paddle`, `onnxruntime` or `openvino`.
        precision: of the arithmetic: `float32`, `float16`, `bfloat16` or `int8`; see `OFFERED`.
        device: `cpu` or `gpu`.
        threads: of the CPU kernels, for all requests together; None takes every core that this process may use.
        requests: batches that run at the same time.
        onednn: whether Paddle on a CPU runs oneDNN's kernels, about four times as fast as its own.
        tensorrt: how Paddle on a GPU runs TensorRT; None for Paddle's own kernels.

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
        for name, possible in (
            ("backend", BACKENDS),
            ("precision", PRECISIONS),
            ("device", DEVICES),
        ):
            if getattr(self, name) not in possible:
                raise UserError(
                    f"{name} is {getattr(self, name)!r}; write {' or '.join(possible)}"
                )
        for name in ("threads", "requests"):
            value = getattr(self, name)
            if value is not None and (
                not isinstance(value, Integral) or not 1 <= int(value) <= _MOST[name]
            ):
                raise UserError(
                    f"{name} is {value!r}; write a whole number from 1 to {_MOST[name]}"
                )
        if self.tensorrt is not None:
            self._check_tensorrt(self.tensorrt)
            return
        offered = OFFERED[self.backend]
        if self.device not in offered:
            raise UserError(
                f"{self.backend} runs on {' or '.join(offered)} alone here, not on {self.device}"
            )
        if self.precision not in offered[self.device]:
            raise UserError(
                f"{self.backend} on a {self.device.upper()} does not compute in {self.precision}; write precision "
                f"{' or '.join(offered[self.device])}"
            )

    def _check_tensorrt(self, options: TensorRT) -> None:
        if (self.backend, self.device) != ("paddle", "gpu"):
            raise UserError(
                f"TensorRT runs inside Paddle on a GPU alone, not by {self.backend} on a {self.device.upper()}; write "
                "-o Global.use_gpu=True and no other backend (in Python, device='gpu'), or leave TensorRT out"
            )
        if self.precision not in TENSORRT_PRECISIONS:
            raise UserError(
                f"TensorRT does not compute in {self.precision} here; write precision "
                f"{' or '.join(TENSORRT_PRECISIONS)}"
            )
        if options.calibration is not None and self.precision != "int8":
            raise UserError(
                f"TensorRT's calibration is for int8, but the precision is {self.precision}; write precision int8, or "
                "leave calibration out"
            )

    @property
    def engine(self) -> str:
        """The backend's name, or `trt`."""
        return self.backend if self.tensorrt is None else TRT


DEFAULTS = Settings()
_BELONGS_TO = ("backend", "device")


def settings_of(
    engine: str, precision: str, calibration: str | None = None, **more: Any
) -> Settings:
    """The settings of an engine by its name, where `trt` is Paddle with TensorRT, but for `calibration` as by default.

    Raises:
        UserError: a value is none of those of `Settings`.
    """
    if engine == TRT:
        return Settings(
            "paddle", precision, tensorrt=TensorRT(calibration=calibration), **more
        )
    return Settings(engine, precision, **more)


def resolve(stored: Settings | None, **given: Any) -> Settings:
    """The settings that a user gets: what was `given` (None: was not), over what the bundle has `stored`.

    `tensorrt` may be given as True, which is TensorRT as it is stored or else by default, or as False, which is none.
    Stored settings belong to their backend and device: with another one given, they do not count.

    Raises:
        UserError: a value is none of those of `Settings`.
    """
    told = {name: value for name, value in given.items() if value is not None}
    if stored is None or any(
        told.get(name, getattr(stored, name)) != getattr(stored, name)
        for name in _BELONGS_TO
    ):
        stored = DEFAULTS
    if isinstance(told.get("tensorrt"), bool):
        told["tensorrt"] = (stored.tensorrt or TensorRT()) if told["tensorrt"] else None
    return replace(stored, **told)
