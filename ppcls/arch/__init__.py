"""Backbones: `from ppcls.arch import DLA34, build_model, list_models`.

Every model of `list_models()` is a function here. Importing this package loads no Paddle; making a model does.
"""

from __future__ import annotations

from typing import Any

from ppcls.arch.catalog import BACKBONES
from ppcls.arch.factory import build_model, entry_point, list_models
from ppcls.utils.errors import suggest

__all__ = ["Backbone", "build_model", "list_models"]
__all__ += BACKBONES.names()


def __getattr__(name: str) -> Any:
    if name in BACKBONES:
        value: Any = entry_point(name)
    elif name == "Backbone":
        from ppcls.arch.layers import Backbone as value
    else:
        raise AttributeError(f"module 'ppcls.arch' has no attribute {name!r}{suggest(name, __all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
