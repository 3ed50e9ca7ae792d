"""Packages that an extra of the library installs."""

from __future__ import annotations

import importlib
from typing import Any

from ppcls.utils.errors import Unavailable


def import_optional(module: str, name: str, extra: str) -> Any:
    """Imports what not everybody has.

    Args:
        module: as it is imported.
        name: as people call it.
        extra: of `pip install 'ppcls[extra]'`.

    Raises:
        Unavailable: it is not installed; the sentence names the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise Unavailable(f"{name} is not installed; run `pip install 'ppcls[{extra}]'`") from error
