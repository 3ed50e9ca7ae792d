"""PaddleClas's `ppcls.arch.backbone.model_zoo.dla`."""

from ppcls.compat.models import models_of

_MODELS = models_of("dla")
__all__ = list(_MODELS)
globals().update(_MODELS)
