"""How a bundle is run if neither its manifest nor a user says so."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from ppcls.inference.bundle import LEGACY_PROGRAM_FILE, Bundle
from ppcls.inference.entries import ModelOrigin
from ppcls.inference.settings import DEFAULTS, PADDLE_OPENVINO, Settings


def default_settings(bundle: Bundle) -> Settings:
    """The faster of the two engines that Paddle alone brings.

    The export has chosen the program's format by that; see `ppcls.engine.exporter`. A model of another
    library, of which there are no scores to compare with, is run by Paddle's operators.
    """
    is_checked = bundle.origin is ModelOrigin.BUNDLE and bundle.golden is not None
    is_legacy = bundle.program.file == LEGACY_PROGRAM_FILE
    if is_checked and is_legacy and paddle_has_openvino():
        return Settings(PADDLE_OPENVINO)
    return DEFAULTS


@cache
def paddle_has_openvino() -> bool:
    """Whether the installed Paddle carries OpenVINO, as its builds for x86 processors do; Paddle is not loaded."""
    package = find_spec("paddle")
    if package is None or package.origin is None:
        return False
    return any((Path(package.origin).parent / "libs").glob("*openvino.*"))
