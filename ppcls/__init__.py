"""Image classification on PaddlePaddle: train, evaluate, export and serve a backbone picked by a YAML file.

Importing this package loads neither Paddle nor OpenCV; what needs them loads them on first use.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
__all__ = ["Classifier", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "Classifier":
        from ppcls.inference import Classifier

        return Classifier
    raise AttributeError(f"module 'ppcls' has no attribute {name!r}")
