"""AlexNet."""

import ppcls.arch.families.alexnet.facts  # noqa: F401  (registers the models)
from ppcls.arch.factory import entry_point

__all__ = ["AlexNet"]

AlexNet = entry_point("AlexNet")
