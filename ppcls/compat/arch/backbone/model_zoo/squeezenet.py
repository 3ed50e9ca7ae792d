"""PaddleClas's `ppcls.arch.backbone.model_zoo.squeezenet`."""

from ppcls.compat.models import models_of

_MODELS = models_of("squeezenet")
__all__ = list(_MODELS)
globals().update(_MODELS)
