"""Backbones: `from ppcls.arch import DLA34, build_model, list_models`.

Every model of `list_models()` is a function here. Importing this package loads no Paddle; making a model does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ppcls.arch.catalog import BACKBONES
from ppcls.arch.factory import build_model, entry_point, list_models
from ppcls.utils.errors import suggest

__all__ = ["Backbone", "build_model", "list_models"]
__all__ += BACKBONES.names()

# What type checkers and editors see; a test compares it with the registry
if TYPE_CHECKING:
    from collections.abc import Callable

    from ppcls.arch.layers import Backbone

    DLA34: Callable[..., Backbone]
    DLA46_c: Callable[..., Backbone]
    DLA46x_c: Callable[..., Backbone]
    DLA60: Callable[..., Backbone]
    DLA60x: Callable[..., Backbone]
    DLA60x_c: Callable[..., Backbone]
    DLA102: Callable[..., Backbone]
    DLA102x: Callable[..., Backbone]
    DLA102x2: Callable[..., Backbone]
    DLA169: Callable[..., Backbone]
    DLA60_res2net: Callable[..., Backbone]
    DLA60_res2next: Callable[..., Backbone]
    SqueezeNet1_0: Callable[..., Backbone]
    SqueezeNet1_1: Callable[..., Backbone]
    DPN68: Callable[..., Backbone]
    DPN92: Callable[..., Backbone]
    DPN98: Callable[..., Backbone]
    DPN107: Callable[..., Backbone]
    DPN131: Callable[..., Backbone]
    AlexNet: Callable[..., Backbone]
    DarkNet53: Callable[..., Backbone]
    SENet154_vd: Callable[..., Backbone]
else:

    def __getattr__(name: str) -> Any:
        if name in BACKBONES:
            value: Any = entry_point(name)
        elif name == "Backbone":
            from ppcls.arch.layers import Backbone as value
        else:
            raise AttributeError(
                f"module 'ppcls.arch' has no attribute {name!r}{suggest(name, __all__)}"
            )
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
