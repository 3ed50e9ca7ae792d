"""Which format of program the default of prediction runs fastest."""

from __future__ import annotations

from ppcls.inference.backends.default import paddle_has_openvino
from ppcls.inference.bundle import LEGACY_PROGRAM_FILE, PROGRAM_FILE

# Models that oneDNN in a program of Paddle 3 runs faster than OpenVINO in one of Paddle 2: docs/speed.md
_FASTER_BY_ONEDNN = frozenset({"AlexNet"})


def fastest_program_file(architecture: str) -> str:
    """Name the program's file: that of Paddle 2 where the installed Paddle carries OpenVINO, which runs it faster.

    Args:
        architecture: The backbone's name.
    """
    if architecture in _FASTER_BY_ONEDNN or not paddle_has_openvino():
        return PROGRAM_FILE
    return LEGACY_PROGRAM_FILE
