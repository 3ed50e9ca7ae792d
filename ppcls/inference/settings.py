"""How a bundle is run: which engine, how exactly, on what, with how many threads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, Optional, Tuple

BACKENDS = ("paddle", "onnxruntime", "openvino")
PRECISIONS = ("float32", "float16", "bfloat16", "int8")
DEVICES = ("cpu", "gpu")
# What each backend computes in, by device.
OFFERED: Dict[str, Dict[str, Tuple[str, ...]]] = {
    "paddle": {"cpu": ("float32", "bfloat16"), "gpu": ("float32", "float16")},
    "onnxruntime": {"cpu": ("float32", "int8")},
    "openvino": {"cpu": ("float32", "bfloat16", "int8")},
}


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

    Raises:
        ValueError: a value is none of these, or the backend does not have it.
    """

    backend: str = "paddle"
    precision: str = "float32"
    device: str = "cpu"
    threads: Optional[int] = None
    requests: int = 1
    onednn: bool = True

    def __post_init__(self) -> None:
        for name, possible in (("backend", BACKENDS), ("precision", PRECISIONS), ("device", DEVICES)):
            if getattr(self, name) not in possible:
                raise ValueError(f"{name} is {getattr(self, name)!r}; write {' or '.join(possible)}")
        for name in ("threads", "requests"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; write 1 or more")
        offered = OFFERED[self.backend]
        if self.device not in offered:
            raise ValueError(f"{self.backend} runs on {' or '.join(offered)} alone here, not on {self.device}")
        if self.precision not in offered[self.device]:
            raise ValueError(
                f"{self.backend} on a {self.device.upper()} does not compute in {self.precision}; write precision "
                f"{' or '.join(offered[self.device])}"
            )


DEFAULTS = Settings()


def resolve(stored: Optional[Settings], **given: Any) -> Settings:
    """The settings that a user gets: what was `given` (None: was not), over what the bundle has `stored`.

    Stored settings belong to their backend: with another one given, they do not count.

    Raises:
        ValueError: a value is none of those of `Settings`.
    """
    told = {name: value for name, value in given.items() if value is not None}
    if stored is None or told.get("backend", stored.backend) != stored.backend:
        stored = DEFAULTS
    return replace(stored, **told)
