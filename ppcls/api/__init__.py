"""The public Python functions: `train`, `evaluate`, `export`, `finetune` and `Classifier`.

The commands of the same names are thin wrappers around the same functions of the engine. The names below are loaded
when they are asked for.
"""

from typing import TYPE_CHECKING

from ppcls.utils.lazy_names import loader

if TYPE_CHECKING:
    from ppcls.api.classifier import Classifier
    from ppcls.api.functions import evaluate, export, finetune, train
    from ppcls.engine.results import EvaluationResult, ExportResult, TrainingResult
    from ppcls.utils.errors import UserError

__all__ = [
    "Classifier",
    "EvaluationResult",
    "ExportResult",
    "TrainingResult",
    "UserError",
    "evaluate",
    "export",
    "finetune",
    "train",
]

_MODULES = {
    "Classifier": "ppcls.api.classifier",
    "EvaluationResult": "ppcls.engine.results",
    "ExportResult": "ppcls.engine.results",
    "TrainingResult": "ppcls.engine.results",
    "UserError": "ppcls.utils.errors",
    "evaluate": "ppcls.api.functions",
    "export": "ppcls.api.functions",
    "finetune": "ppcls.api.functions",
    "train": "ppcls.api.functions",
}


if not TYPE_CHECKING:  # or every name would be known to type checkers, as Any
    __getattr__ = loader(__name__, _MODULES)
