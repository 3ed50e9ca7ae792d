"""PaddleClas's `ppcls.arch.backbone.model_zoo.alexnet`."""

from ppcls.compat.models import models_of

_MODELS = models_of("alexnet")
__all__ = list(_MODELS)
globals().update(_MODELS)
