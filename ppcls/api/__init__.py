"""The public Python functions: `Classifier`. The names below are loaded when they are asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ppcls.api.classifier import Classifier

__all__ = ["Classifier"]

_MODULES = {"Classifier": "ppcls.api.classifier"}


if not TYPE_CHECKING:  # or every name would be known to type checkers, as Any

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__} has no attribute {name}")
        value = getattr(import_module(_MODULES[name]), name)
        globals()[name] = value
        return value
