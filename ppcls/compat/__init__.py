"""Import paths of PaddleClas: `from ppcls.arch.backbone import DLA34` and the like.

Code written for PaddleClas imports from modules that this library does not have. The folders here have those modules'
paths, and `ppcls` puts `PaddleClasPaths` behind Python's own finders, so they are found wherever the library has no
module of that name. A name without a counterpart raises an ImportError that says what to use instead. Nothing in the
library itself imports from here.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from ppcls.compat.absent import explain

_FOLDER = Path(__file__).parent


class PaddleClasPaths(importlib.abc.MetaPathFinder):
    """Finds modules by the paths that they have in PaddleClas."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a module that `ppcls` lacks and PaddleClas has; None for any other module.

        Raises:
            ImportError: PaddleClas has it and this library has no counterpart by that name.
        """
        if not fullname.startswith("ppcls."):
            return None
        parents = fullname.split(".")[1:-1]
        folder = str(_FOLDER.joinpath(*parents))
        spec = importlib.machinery.PathFinder.find_spec(fullname, [folder])
        if spec is None:
            sentence = explain(fullname)
            if sentence is not None:
                raise ImportError(sentence, name=fullname)
        return spec


def install() -> None:
    """Put the finder behind those that are there."""
    for finder in sys.meta_path:
        if isinstance(finder, PaddleClasPaths):
            return
    sys.meta_path.append(PaddleClasPaths())
