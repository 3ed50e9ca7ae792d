"""SqueezeNet."""

import ppcls.arch.families.squeezenet.facts  # noqa: F401  (registers the models)
from ppcls.arch.factory import entry_point

__all__ = ["SqueezeNet1_0", "SqueezeNet1_1"]

SqueezeNet1_0 = entry_point("SqueezeNet1_0")
SqueezeNet1_1 = entry_point("SqueezeNet1_1")
