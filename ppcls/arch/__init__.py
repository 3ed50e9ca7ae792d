"""Backbones: `from ppcls.arch import DLA34, build_model, list_models`.

Every model of `list_models()` is a function here. Importing this package loads no Paddle; making a model does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ppcls.arch.catalog import BACKBONES
from ppcls.arch.factory import build_model, entry_point, list_models
from ppcls.arch.families import *  # noqa: F403
from ppcls.utils.errors import suggest

if TYPE_CHECKING:
    from ppcls.arch.layers import Backbone

__all__ = ["Backbone", "build_model", "list_models"]
__all__ += BACKBONES.names()

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name == "Backbone":
            # Loads Paddle
            from ppcls.arch.layers import Backbone as value
        elif name in BACKBONES:  # of a user's own family
            value = entry_point(name)
        else:
            raise AttributeError(
                f"module 'ppcls.arch' has no attribute {name!r}{suggest(name, __all__)}"
            )
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
