from dataclasses import dataclass
from typing import Any

from ppcls.utils.checked_fields import CheckedFields
from ppcls.utils.fields import NonNegativeFloat
from ppcls.utils.registry import Registry

REGULARIZERS = Registry("regularizer")


@REGULARIZERS.register()
@dataclass(frozen=True)
class L2(CheckedFields):
    """Adds `coeff * w` to the gradient of every weight w that decays."""

    coeff: NonNegativeFloat

    def build(self) -> Any:
        """Paddle's object for a parameter."""
        import paddle

        return paddle.regularizer.L2Decay(self.coeff)


@REGULARIZERS.register()
@dataclass(frozen=True)
class L1(CheckedFields):
    """Adds `coeff * sign(w)` to the gradient of every weight w that decays."""

    coeff: NonNegativeFloat

    def build(self) -> Any:
        """Paddle's object for a parameter."""
        import paddle

        return paddle.regularizer.L1Decay(self.coeff)
