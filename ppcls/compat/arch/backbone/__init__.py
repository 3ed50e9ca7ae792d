"""PaddleClas's `ppcls.arch.backbone`: the functions of all models."""

from ppcls.arch.catalog import BACKBONES
from ppcls.compat.models import model

__all__ = BACKBONES.names()
globals().update({name: model(name) for name in __all__})
