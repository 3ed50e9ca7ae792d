from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from ppcls.loss.base import LOSSES
from ppcls.utils.fields import Fraction, PositiveFloat

if TYPE_CHECKING:
    from paddle import Tensor


@LOSSES.register("CELoss", "MixCELoss")
@dataclass(frozen=True)
class CELoss:
    """Softmax cross entropy, the mean over a batch.

    `epsilon` smooths the target, hard or soft, to `(1 - epsilon) * target + epsilon / class_num`
    (Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", section 7).
    A soft target is taken as it is; PaddleClas passes it through a softmax first unless `epsilon` is set.
    Paddle's kernels cut the cost of a class off at 64.
    """

    weight: PositiveFloat = 1.0
    epsilon: Optional[Fraction] = None

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise ValueError(f"weight is {self.weight}; write a number above 0")
        if self.epsilon is not None and not 0 <= self.epsilon < 1:
            raise ValueError(f"epsilon is {self.epsilon}; write a number of at least 0 and below 1, such as 0.1")

    def __call__(self, logits: "Tensor", target: "Tensor") -> "Tensor":
        """The loss of one batch, times `weight`, as a tensor of no axes.

        Args:
            logits: [N, class_num].
            target: class ids, int64 [N], or shares of each class, float32 [N, class_num].
        """
        from paddle.nn import functional as F

        loss = F.cross_entropy(logits, target, soft_label=target.ndim == 2)
        if self.epsilon:
            # The loss is linear in the target, so its smoothed part can be added instead of mixed in.
            loss = (1 - self.epsilon) * loss - self.epsilon * F.log_softmax(logits, axis=1).mean()
        return self.weight * loss
