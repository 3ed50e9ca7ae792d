from dataclasses import dataclass

from ppcls.utils.fields import NonNegativeFloat
from ppcls.utils.registry import Registry

REGULARIZERS = Registry("regularizer")


@REGULARIZERS.register()
@dataclass(frozen=True)
class L2:
    """Adds `coeff * w` to the gradient of every weight w that decays."""

    coeff: NonNegativeFloat

    def __post_init__(self) -> None:
        if self.coeff < 0:
            raise ValueError(
                f"coeff is {self.coeff}; write a number of at least 0, such as 1e-4"
            )
