"""PaddleClas's `ppcls.arch.backbone.model_zoo.darknet`."""

from ppcls.compat.models import models_of

_MODELS = models_of("darknet")
__all__ = list(_MODELS)
globals().update(_MODELS)
