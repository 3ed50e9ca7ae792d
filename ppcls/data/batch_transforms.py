"""What acts on a whole batch."""

from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np

from ppcls.utils.errors import UserError
from ppcls.utils.fields import PositiveFloat, PositiveInt
from ppcls.utils.registry import Registry

BATCH_TRANSFORMS = Registry("batch transform")


@BATCH_TRANSFORMS.register("Mixup", "MixupOperator")
@dataclass(frozen=True)
class Mixup:
    """Mixes every picture and its target with another one of the batch (Zhang et al. 2017, equation 1).

    One weight, drawn from Beta(alpha, alpha), and one permutation serve the whole batch.

    Args:
        alpha: the smaller, the nearer the weight to 0 or 1.
        class_num: the model's number of classes, which is known without it; another one is an error.
    """

    alpha: PositiveFloat = 1.0
    class_num: Optional[PositiveInt] = None

    def __post_init__(self) -> None:
        if not self.alpha > 0:
            raise ValueError(f"alpha is {self.alpha}; write a number above 0")

    def __call__(
        self, images: np.ndarray, targets: np.ndarray, rng: np.random.Generator, class_num: int
    ) -> Tuple[np.ndarray, np.ndarray]:
        """Mixed pictures, and targets float32 [N, class_num].

        Args:
            images: float32 [N, C, H, W].
            targets: labels int64 [N], or soft targets float32 [N, class_num], which stay soft.
            rng: the batch's generator.
            class_num: number of the model's classes.

        Raises:
            UserError: `class_num` of the configuration is another one.
        """
        if self.class_num not in (None, class_num):
            raise UserError(f"Mixup has class_num {self.class_num}, the model {class_num}; leave it out of Mixup")
        weight = np.float32(rng.beta(self.alpha, self.alpha))
        order = rng.permutation(len(images))
        soft = targets if targets.ndim == 2 else one_hot(targets, class_num)
        return _mix(images, order, weight), _mix(soft, order, weight)


def one_hot(labels: np.ndarray, class_num: int) -> np.ndarray:
    """Targets float32 [N, class_num] of labels int64 [N].

    Raises:
        ValueError: a label is outside 0 to class_num - 1.
    """
    if len(labels) and not 0 <= labels.min() <= labels.max() < class_num:
        raise ValueError(f"the labels reach from {labels.min()} to {labels.max()}, outside 0 to {class_num - 1}")
    targets = np.zeros((len(labels), class_num), np.float32)
    targets[np.arange(len(labels)), labels] = 1
    return targets


def _mix(values: np.ndarray, order: np.ndarray, weight: np.float32) -> np.ndarray:
    return weight * values + (np.float32(1) - weight) * values[order]
