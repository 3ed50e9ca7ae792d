"""Packages that an extra of the library installs."""

from __future__ import annotations

import importlib
from typing import Any

from ppcls.utils import environment, packages
from ppcls.utils.errors import Unavailable


def import_optional(module: str, name: str, extra: str) -> Any:
    """Import a package that an extra installs.

    Args:
        module: The module to import.
        name: The name of the package, for messages.
        extra: The extra, as in `pip install 'ppcls[extra]'`.

    Raises:
        Unavailable: The package is not installed or does not load; the sentence names the remedy.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:
        if packages.absent_module(error) in (module, module.split(".")[0]):
            raise Unavailable(
                f"{name} is not installed; run `pip install 'ppcls[{extra}]'`"
            ) from error
        fault = environment.fault(error)
        if fault is None:
            raise
        raise Unavailable(fault) from error
