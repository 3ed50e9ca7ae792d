"""Which kernels compute on a CPU: those of oneDNN here, or Paddle's own.

`auto` takes oneDNN where the processor has AVX-512: with AVX2 alone it gains little over Paddle's. A program chooses by
`use`, a user by the variable PPCLS_CPU_KERNELS, commands by `Global.cpu_kernels`.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from ppcls.kernels.library import KernelError, Library
from ppcls.utils import cpu
from ppcls.utils.errors import UserError

VARIABLE = "PPCLS_CPU_KERNELS"
CHOICES = ("auto", "onednn", "paddle")


@dataclass(frozen=True)
class Selection:
    """The kernels that compute, and why.

    Attributes:
        name: `onednn` or `paddle`.
        reason: Part of a sentence.
        version: That of oneDNN; empty for Paddle's kernels.
    """

    name: str
    reason: str
    version: str = ""

    @property
    def title(self) -> str:
        """For a log: `oneDNN 3.6.2` or `Paddle`."""
        return f"oneDNN {self.version}" if self.version else "Paddle"


_selected: Selection | None = None


def use(choice: str) -> Selection:
    """Choose the kernels of this process.

    Args:
        choice: `auto`, `onednn` or `paddle`.

    Raises:
        UserError: there is no such choice, or oneDNN is chosen and missing.
    """
    global _selected
    _selected = _select(choice, "Global.cpu_kernels")
    return _selected


@contextlib.contextmanager
def as_it_was() -> Iterator[None]:
    """Put the choice of this process back after a `with` block."""
    global _selected
    before = _selected
    try:
        yield
    finally:
        _selected = before


def selected() -> Selection:
    """Return the kernels of this process, chosen by PPCLS_CPU_KERNELS unless `use` has been called.

    Raises:
        UserError: that variable has another value, or names oneDNN and it is missing.
    """
    global _selected
    if _selected is None:
        _selected = _select(os.environ.get(VARIABLE, "auto"), VARIABLE)
    return _selected


def _select(choice: str, key: str) -> Selection:
    if choice not in CHOICES:
        raise UserError(f"{key} is {choice!r}; write {', '.join(CHOICES)}")
    if choice == "paddle":
        return Selection("paddle", "as chosen")
    if choice == "auto" and not cpu.has_avx512():
        return Selection("paddle", "the processor has no AVX-512")
    try:
        version = Library.load().version
    except KernelError as error:
        if choice == "onednn":
            raise UserError(
                f"{key} is onednn, but {error}; choose auto or paddle"
            ) from error
        return Selection("paddle", f"oneDNN is not available: {error}")
    reason = "as chosen" if choice == "onednn" else "the processor has AVX-512"
    return Selection("onednn", reason, version)


class _LayoutOfThread(threading.local):
    channels_last = False
    bfloat16 = False


_LAYOUT = _LayoutOfThread()


def is_channels_last() -> bool:
    """Return whether this thread is within `channels_last`."""
    return _LAYOUT.channels_last


@contextlib.contextmanager
def channels_last(enabled: bool = True) -> Iterator[None]:
    """Let the layers take and give [N, H, W, C] during a `with` block, or [N, C, H, W] if not `enabled`."""
    before = _LAYOUT.channels_last
    _LAYOUT.channels_last = enabled
    try:
        yield
    finally:
        _LAYOUT.channels_last = before


def is_bfloat16() -> bool:
    """Return whether this thread is within `bfloat16`, which backbones ask where a picture enters them."""
    return _LAYOUT.bfloat16


@contextlib.contextmanager
def bfloat16(enabled: bool = True) -> Iterator[None]:
    """Let backbones on oneDNN's operators compute in bfloat16 during a `with` block.

    From the stem to the last stage activations and their gradients are bfloat16. Weights and their gradients,
    statistics, pooled features and logits stay float32. A pass on Paddle's operators stays float32 throughout.
    """
    before = _LAYOUT.bfloat16
    _LAYOUT.bfloat16 = enabled
    try:
        yield
    finally:
        _LAYOUT.bfloat16 = before
