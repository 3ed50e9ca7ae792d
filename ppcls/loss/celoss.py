"""Losses of a classifier: their registry, their sum, and cross entropy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

from ppcls.utils.errors import expect
from ppcls.utils.fields import BelowOne, CheckedFields, PositiveFloat
from ppcls.utils.registry import Registry

if TYPE_CHECKING:
    from paddle import Tensor


LOSSES = Registry("loss")


def weighted_sum(losses: Sequence[Any], logits: Any, target: Any) -> dict[str, Any]:
    """Values by name for the log, the total under `loss`; each loss carries its own weight.

    One loss is its own total. Of several each is there by its name (`CELoss`, a second one as `CELoss_2`),
    and `loss` comes last.
    """
    values: dict[str, Any] = {}
    for loss in losses:
        name, count = type(loss).__name__, 1
        while name in values:
            count += 1
            name = f"{type(loss).__name__}_{count}"
        values[name] = loss(logits, target)
    if not values:
        return {}
    total = reduce(add, values.values())
    if len(values) == 1:
        return {"loss": total}
    return {**values, "loss": total}


@LOSSES.register("CELoss", "MixCELoss")
@dataclass(frozen=True)
class CELoss(CheckedFields):
    """Softmax cross entropy, the mean over a batch.

    `epsilon` smooths the target, hard or soft, to `(1 - epsilon) * target + epsilon / class_num`
    (Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", section 7).
    A soft target is taken as it is; PaddleClas passes it through a softmax first unless `epsilon` is set.
    Paddle's kernels cut the cost of a class off at 64.

    `class_weights`, one for each class in their order, multiply the cost of each class. The mean stays that over the
    pictures: divided by the sum of their weights, as Paddle's and PyTorch's own is, it would depend on how pictures are
    grouped into batches, steps and processes. So weights whose mean over the pictures is 1 keep the loss's scale.

    Attributes:
        weight: factor of this loss in the sum.
        epsilon: share of the target that label smoothing spreads over all classes; null for none.
        class_weights: one factor per class, by which its pictures count; null for 1 each.
    """

    weight: PositiveFloat = 1.0
    epsilon: BelowOne | None = None
    class_weights: tuple[PositiveFloat, ...] | None = None

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of one batch, times `weight`, as a tensor of no axes.

        Args:
            logits: [N, class_num].
            target: class ids, int64 [N], or shares of each class, float32 [N, class_num].

        Raises:
            UserError: there are not `class_num` class weights.
        """
        from paddle.nn import functional as F

        if self.class_weights is not None:
            return self.weight * self._weighted(logits, target)
        if target.ndim == 2:
            target = target.astype(logits.dtype)
        loss = F.cross_entropy(logits, target, soft_label=target.ndim == 2)
        if self.epsilon:
            # The loss is linear in the target, so its smoothed part can be added instead of mixed in.
            loss = (1 - self.epsilon) * loss - self.epsilon * F.log_softmax(
                logits, axis=1
            ).mean()
        return self.weight * loss

    def _weighted(self, logits: Tensor, target: Tensor) -> Tensor:
        """The mean with class weights."""
        import paddle
        from paddle.nn import functional as F

        assert self.class_weights is not None
        class_num = logits.shape[1]
        expect(
            len(self.class_weights) == class_num,
            f"class_weights has {len(self.class_weights)} numbers for {class_num} classes; write one each",
        )
        log_shares = F.log_softmax(logits, axis=1)
        weights = paddle.to_tensor(self.class_weights, dtype=log_shares.dtype)
        if target.ndim != 2:
            target = F.one_hot(target, class_num)
        shares = target.astype(log_shares.dtype)
        if self.epsilon:
            shares = F.label_smooth(shares, epsilon=self.epsilon)
        return -(weights * shares * log_shares).sum(axis=1).mean()
