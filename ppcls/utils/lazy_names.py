"""Names of a package that are loaded when they are asked for (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def loader(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package.

    Args:
        package: Its `__name__`.
        modules: The module of each name.
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package} has no attribute {name}")
        value = getattr(import_module(modules[name]), name)
        # So that it is asked for once
        setattr(sys.modules[package], name, value)
        return value

    return get
