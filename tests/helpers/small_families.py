"""Smaller networks of the same parts: what is left out is alike."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ppcls.arch.families.dla import network as dla
from ppcls.arch.families.dpn import network as dpn


def shrink_dla(patch: pytest.MonkeyPatch) -> None:
    """Gives the models that commands are tried with few channels and blocks, by which DLA60 can be told from others."""
    for name in ("DLA34", "DLA46_c", "DLA46x_c", "DLA60"):
        depths = (1, 1, 2, 1) if name == "DLA60" else (1, 1, 1, 1)
        small = replace(dla.SPECS[name], depths=depths, channels=(8, 8, 32, 32, 32, 32))
        patch.setitem(dla.SPECS, name, small)


def shrink_large_families(patch: pytest.MonkeyPatch) -> None:
    """Leaves one or two blocks in each stage, small hidden layers and half of DLA's channels."""
    patch.setattr("ppcls.arch.families.alexnet.network._HIDDEN", 64)
    patch.setattr("ppcls.arch.families.darknet.network._BLOCKS", (1,) * 5)
    patch.setattr("ppcls.arch.families.senet.network._BLOCKS", (1,) * 4)
    for name, spec in dpn.SPECS.items():
        patch.setitem(dpn.SPECS, name, replace(spec, blocks=(1, 2, 2, 1)))
    for name, spec in dla.SPECS.items():
        patch.setitem(dla.SPECS, name, replace(spec, channels=tuple(count // 2 for count in spec.channels)))
