"""What runs a bundle's program. A backend is any object with `run`; `Classifier` takes one, or makes Paddle's."""

from typing import Protocol

import numpy as np


class Backend(Protocol):
    """Runs the program of one bundle."""

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to the scores, float32 [N, class_num]."""
