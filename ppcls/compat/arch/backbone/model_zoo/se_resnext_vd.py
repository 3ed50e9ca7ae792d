"""PaddleClas's `ppcls.arch.backbone.model_zoo.se_resnext_vd`."""

from ppcls.compat.models import models_of

_MODELS = models_of("senet")
__all__ = list(_MODELS)
globals().update(_MODELS)
