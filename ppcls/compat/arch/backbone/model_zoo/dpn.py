"""PaddleClas's `ppcls.arch.backbone.model_zoo.dpn`."""

from ppcls.compat.models import models_of

_MODELS = models_of("dpn")
__all__ = list(_MODELS)
globals().update(_MODELS)
