"""Dual Path Networks."""

import ppcls.arch.families.dpn.facts  # noqa: F401  (registers the models)
from ppcls.arch.factory import entry_point

__all__ = [
    "DPN68",
    "DPN92",
    "DPN98",
    "DPN107",
    "DPN131",
]

DPN68 = entry_point("DPN68")
DPN92 = entry_point("DPN92")
DPN98 = entry_point("DPN98")
DPN107 = entry_point("DPN107")
DPN131 = entry_point("DPN131")
