"""Optimizers, learning-rate schedules and regularizers, by the names that the `Optimizer` section uses."""

from ppcls.optimizer.base import OPTIMIZERS
from ppcls.optimizer.optimizers import SGD, AdamW, Momentum, RMSProp
from ppcls.optimizer.regularizers import L2, REGULARIZERS
from ppcls.optimizer.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Linear,
    Piecewise,
    Schedule,
    Step,
)

__all__ = [
    "L2",
    "OPTIMIZERS",
    "REGULARIZERS",
    "SCHEDULES",
    "SGD",
    "AdamW",
    "Constant",
    "Cosine",
    "Linear",
    "Momentum",
    "Piecewise",
    "RMSProp",
    "Schedule",
    "Step",
]
