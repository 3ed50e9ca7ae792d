"""Image classification on PaddlePaddle: train, evaluate, export and serve a backbone picked by a YAML file.

Importing this package loads neither Paddle nor OpenCV; what needs them loads them on first use. An old Python must be
able to read this file, as `__main__.py` says.
"""

import sys
import warnings

# Paddle says so of a cache for C++ compilers whenever it is imported.
warnings.filterwarnings("ignore", message="No ccache found")

TYPE_CHECKING = False  # `typing` has it, but not on every Python
if TYPE_CHECKING:
    from ppcls.api import (
        Classifier,
        EvaluationResult,
        ExportResult,
        TrainingResult,
        UserError,
        evaluate,
        export,
        finetune,
        train,
    )

__version__ = "0.1.0"
__all__ = [
    "Classifier",
    "EvaluationResult",
    "ExportResult",
    "TrainingResult",
    "UserError",
    "__version__",
    "evaluate",
    "export",
    "finetune",
    "train",
]


if not TYPE_CHECKING:  # or every name would be known to type checkers, as Any

    def __getattr__(name):
        if name in __all__:
            from ppcls import api

            return getattr(api, name)
        raise AttributeError("module 'ppcls' has no attribute %r" % name)


if sys.version_info >= (3, 10):  # noqa: UP036  (an older Python cannot read that module)
    from ppcls import compat

    compat.install()
    del compat
