"""Metrics, by the names that `Metric.Train` and `Metric.Eval` use."""

from ppcls.metric.base import METRICS
from ppcls.metric.distillation import DistillationTopkAcc
from ppcls.metric.topk import TopkAcc, TopkCounter
from ppcls.metric.tpr import TprAtFpr

__all__ = ["METRICS", "DistillationTopkAcc", "TopkAcc", "TopkCounter", "TprAtFpr"]
