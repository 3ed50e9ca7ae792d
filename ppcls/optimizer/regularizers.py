from dataclasses import dataclass

from ppcls.utils.checked_fields import CheckedFields
from ppcls.utils.fields import NonNegativeFloat
from ppcls.utils.registry import Registry

REGULARIZERS = Registry("regularizer")


@REGULARIZERS.register()
@dataclass(frozen=True)
class L2(CheckedFields):
    """Adds `coeff * w` to the gradient of every weight w that decays."""

    coeff: NonNegativeFloat
