"""Deep Layer Aggregation."""

import ppcls.arch.families.dla.facts  # noqa: F401  (registers the models)
from ppcls.arch.factory import entry_point

__all__ = [
    "DLA34",
    "DLA60",
    "DLA102",
    "DLA169",
    "DLA46_c",
    "DLA46x_c",
    "DLA60_res2net",
    "DLA60_res2next",
    "DLA60x",
    "DLA60x_c",
    "DLA102x",
    "DLA102x2",
]

DLA34 = entry_point("DLA34")
DLA46_c = entry_point("DLA46_c")
DLA46x_c = entry_point("DLA46x_c")
DLA60 = entry_point("DLA60")
DLA60x = entry_point("DLA60x")
DLA60x_c = entry_point("DLA60x_c")
DLA102 = entry_point("DLA102")
DLA102x = entry_point("DLA102x")
DLA102x2 = entry_point("DLA102x2")
DLA169 = entry_point("DLA169")
DLA60_res2net = entry_point("DLA60_res2net")
DLA60_res2next = entry_point("DLA60_res2next")
