"""Processes that run a module of this package."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict

import ppcls


def environment() -> Dict[str, str]:
    """This process's variables, with which another Python finds this package, from wherever it is started."""
    root = str(Path(ppcls.__file__).resolve().parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])}
