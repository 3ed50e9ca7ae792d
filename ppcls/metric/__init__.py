"""Metrics, by the names that `Metric.Train` and `Metric.Eval` use."""

from ppcls.metric.distillation import DistillationTopkAcc
from ppcls.metric.topk import METRICS, TopkAcc, TopkCounter
from ppcls.metric.tpr import TprAtFpr

__all__ = ["METRICS", "DistillationTopkAcc", "TopkAcc", "TopkCounter", "TprAtFpr"]
