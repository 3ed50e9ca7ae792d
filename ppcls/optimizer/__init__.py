"""Optimizers, learning-rate schedules and regularizers, by the names that the `Optimizer` section uses."""

from ppcls.optimizer.optimizers import (
    L1,
    L2,
    OPTIMIZERS,
    REGULARIZERS,
    SGD,
    Adam,
    AdamW,
    Momentum,
    RMSProp,
)
from ppcls.optimizer.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Linear,
    MultiStepDecay,
    Piecewise,
    Schedule,
    Step,
)

__all__ = [
    "L1",
    "L2",
    "OPTIMIZERS",
    "REGULARIZERS",
    "SCHEDULES",
    "SGD",
    "Adam",
    "AdamW",
    "Constant",
    "Cosine",
    "Linear",
    "Momentum",
    "MultiStepDecay",
    "Piecewise",
    "RMSProp",
    "Schedule",
    "Step",
]
