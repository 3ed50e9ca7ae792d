"""Metrics, by the names that `Metric.Train` and `Metric.Eval` use."""

from ppcls.metric.topk import METRICS, DistillationTopkAcc, TopkAcc, TopkCounter
from ppcls.metric.tpr import TprAtFpr

__all__ = ["METRICS", "DistillationTopkAcc", "TopkAcc", "TopkCounter", "TprAtFpr"]
