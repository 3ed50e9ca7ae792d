"""DarkNet53."""

import ppcls.arch.families.darknet.facts  # noqa: F401  (registers the models)
from ppcls.arch.factory import entry_point

__all__ = ["DarkNet53"]

DarkNet53 = entry_point("DarkNet53")
