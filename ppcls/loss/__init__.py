"""Losses, by the names that `Loss.Train` and `Loss.Eval` use."""

from ppcls.loss.celoss import LOSSES, CELoss, weighted_sum
from ppcls.loss.distillation import (
    DistillationCELoss,
    DistillationDMLLoss,
    DistillationGTCELoss,
    DistillationJSDivLoss,
    DistillationKLDivLoss,
)

__all__ = [
    "LOSSES",
    "CELoss",
    "DistillationCELoss",
    "DistillationDMLLoss",
    "DistillationGTCELoss",
    "DistillationJSDivLoss",
    "DistillationKLDivLoss",
    "weighted_sum",
]
