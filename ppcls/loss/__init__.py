"""Losses, by the names that `Loss.Train` and `Loss.Eval` use."""

from ppcls.loss.base import LOSSES, weighted_sum
from ppcls.loss.celoss import CELoss

__all__ = ["LOSSES", "CELoss", "weighted_sum"]
