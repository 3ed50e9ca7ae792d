"""Callbacks that observe a run: log lines, evaluation, checkpoints, VisualDL, a progress bar."""

from ppcls.engine.callbacks.checkpoints import SaveCheckpoints
from ppcls.engine.callbacks.console import ConsoleLog, ProgressBar
from ppcls.engine.callbacks.evaluation import EvaluateEpochs
from ppcls.engine.callbacks.report import DrawReport, ReportBest
from ppcls.engine.callbacks.visualdl import TensorBoardLog, VisualDLLog

__all__ = [
    "ConsoleLog",
    "DrawReport",
    "EvaluateEpochs",
    "ProgressBar",
    "ReportBest",
    "SaveCheckpoints",
    "TensorBoardLog",
    "VisualDLLog",
]
