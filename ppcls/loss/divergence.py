"""How far apart the class shares of two models are, each the mean over a batch. Logits are [N, class_num].

Every gradient goes to both sides; detach the one that is not to learn.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddle import Tensor


def kl_divergence(
    logits: Tensor, target_logits: Tensor, temperature: float = 1.0
) -> Tensor:
    """`KL(target || model)` of shares softened by a temperature, times its square.

    The square keeps the size of the gradients whatever the temperature (Hinton et al., "Distilling the Knowledge in a
    Neural Network", section 2).
    """
    from paddle.nn import functional as F

    log_shares = F.log_softmax(logits / temperature, axis=1)
    return temperature**2 * _kl(
        F.log_softmax(target_logits / temperature, axis=1), log_shares
    )


def symmetric_kl(logits: Tensor, other_logits: Tensor) -> Tensor:
    """`(KL(a || b) + KL(b || a)) / 2`: what PaddleClas's documents call the JS divergence of SSLD and DML."""
    return (
        kl_divergence(logits, other_logits) + kl_divergence(other_logits, logits)
    ) / 2


def js_divergence(logits: Tensor, other_logits: Tensor) -> Tensor:
    """`(KL(a || m) + KL(b || m)) / 2` with m the mean of a and b, of Jensen and Shannon.

    It is at most log 2, so a few wild pictures cannot rule a batch (Lin, "Divergence Measures Based on the Shannon
    Entropy", sections III and IV).
    """
    import paddle
    from paddle.nn import functional as F

    first, second = F.log_softmax(logits, axis=1), F.log_softmax(other_logits, axis=1)
    mean = paddle.logaddexp(first, second) - math.log(2)
    return (_kl(first, mean) + _kl(second, mean)) / 2


def _kl(log_target: Tensor, log_shares: Tensor) -> Tensor:
    """`KL(target || shares)`; Paddle's own kl_div gives the target no gradient."""
    return (log_target.exp() * (log_target - log_shares)).sum(axis=1).mean()
