"""Transforms of a whole batch: Mixup and Cutmix."""

import math
from dataclasses import dataclass

import numpy as np

from ppcls.utils.checked_fields import CheckedFields
from ppcls.utils.errors import UserError
from ppcls.utils.fields import Fraction, PositiveFloat, PositiveInt
from ppcls.utils.registry import Registry

BATCH_TRANSFORMS = Registry("batch transform")

# Pictures float32 [N, C, H, W], targets float32 [N, class_num]
Batch = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class _Mix(CheckedFields):
    alpha: PositiveFloat = 1.0
    class_num: PositiveInt | None = None
    prob: Fraction = 1.0

    def __call__(
        self,
        images: np.ndarray,
        targets: np.ndarray,
        rng: np.random.Generator,
        class_num: int,
    ) -> Batch:
        """Mixed pictures, and targets float32 [N, class_num]; these also where the pictures stay.

        Args:
            images: float32 [N, C, H, W].
            targets: labels int64 [N], or soft targets float32 [N, class_num], which stay soft.
            rng: the batch's generator.
            class_num: number of the model's classes.

        Raises:
            UserError: `class_num` of the configuration is another one.
        """
        self.check(class_num)
        soft = shares(targets, class_num)
        # With prob 1 no number is drawn
        if self.prob < 1 and rng.random() >= self.prob:
            return images, soft
        return self.mixed(images, soft, rng)

    def check(self, class_num: int) -> None:
        """Raises a UserError if the configuration has another number of classes than the model."""
        if self.class_num not in (None, class_num):
            name = type(self).__name__
            raise UserError(
                f"{name} has class_num {self.class_num}, the model {class_num}; leave it out of {name}"
            )

    def mixed(
        self, images: np.ndarray, targets: np.ndarray, rng: np.random.Generator
    ) -> Batch:
        """The batch mixed, whatever `prob` is; the targets are shares of each class."""
        raise NotImplementedError


@BATCH_TRANSFORMS.register("Mixup", "MixupOperator")
@dataclass(frozen=True)
class Mixup(_Mix):
    """Mixes every picture and its target with another one of the batch (Zhang et al. 2017, equation 1).

    One weight, drawn from Beta(alpha, alpha), and one permutation serve the whole batch.

    Args:
        alpha: the smaller, the nearer the weight to 0 or 1.
        class_num: the model's number of classes, which is known without it; another one is an error.
        prob: how often a batch is mixed; inside of OpSampler how often this is chosen.
    """

    def mixed(
        self, images: np.ndarray, targets: np.ndarray, rng: np.random.Generator
    ) -> Batch:
        """The weighted sum of the batch and its permutation."""
        weight = np.float32(rng.beta(self.alpha, self.alpha))
        order = rng.permutation(len(images))
        return _mix(images, order, weight), _mix(targets, order, weight)


@BATCH_TRANSFORMS.register("Cutmix", "CutmixOperator")
@dataclass(frozen=True)
class Cutmix(_Mix):
    """Pastes a box out of another picture of the batch into every picture (Yun et al. 2019, section 3.1).

    One box and one permutation serve the whole batch. The box has the picture's aspect and the share 1 - weight of its
    area, the weight being drawn from Beta(alpha, alpha), and a centre drawn anywhere, so that the border may clip it;
    targets are mixed by the area that is left of it.

    Args:
        alpha: the smaller, the nearer the weight to 0 or 1. PaddleClas's default; the paper has 1.
        class_num: see `Mixup`.
        prob: see `Mixup`.
    """

    alpha: PositiveFloat = 0.2

    def mixed(
        self, images: np.ndarray, targets: np.ndarray, rng: np.random.Generator
    ) -> Batch:
        """The batch with a box out of its permutation."""
        height, width = images.shape[2:]
        rows, columns = cut_box(width, height, rng.beta(self.alpha, self.alpha), rng)
        order = rng.permutation(len(images))
        result = images.copy()
        result[:, :, rows, columns] = images[order, :, rows, columns]
        area = (rows.stop - rows.start) * (columns.stop - columns.start)
        return result, _mix(targets, order, np.float32(1 - area / (width * height)))


@BATCH_TRANSFORMS.register()
@dataclass(frozen=True)
class OpSampler(CheckedFields):
    """Chooses one operation for every batch, each as often as its `prob` says; else the pictures stay.

    Args:
        MixupOperator: keys of Mixup; left out it is never chosen.
        CutmixOperator: keys of Cutmix; the same.
    """

    MixupOperator: Mixup = Mixup(prob=0.0)
    CutmixOperator: Cutmix = Cutmix(prob=0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        mixup, cutmix = self.MixupOperator.prob, self.CutmixOperator.prob
        if not 0 < mixup + cutmix < 1 + 1e-9:  # 0.9 + 0.1 may be a little more than 1
            raise ValueError(
                f"prob of MixupOperator is {mixup:g} and of CutmixOperator {cutmix:g}; write such that their sum is "
                "above 0 and at most 1"
            )

    def __call__(
        self,
        images: np.ndarray,
        targets: np.ndarray,
        rng: np.random.Generator,
        class_num: int,
    ) -> Batch:
        """The batch after the operation that was drawn; see `Mixup`."""
        soft = shares(targets, class_num)
        draw = rng.random()
        for operation in (self.MixupOperator, self.CutmixOperator):
            operation.check(class_num)
            if 0 <= draw < operation.prob:
                images, soft = operation.mixed(images, soft, rng)
            draw -= operation.prob
        return images, soft


def cut_box(
    width: int, height: int, weight: float, rng: np.random.Generator
) -> tuple[slice, slice]:
    """Rows and columns of a box of the share 1 - weight of a picture, as far as it lies inside (equation 2)."""

    def span(side: int) -> slice:
        length = int(side * math.sqrt(1 - weight))
        start = int(rng.integers(side)) - length // 2
        return slice(max(start, 0), min(start + length, side))

    columns = span(width)
    return span(height), columns


def shares(targets: np.ndarray, class_num: int) -> np.ndarray:
    """Soft targets float32 [N, class_num] of labels int64 [N]; soft ones as they are."""
    return targets if targets.ndim == 2 else one_hot(targets, class_num)


def one_hot(labels: np.ndarray, class_num: int) -> np.ndarray:
    """Targets float32 [N, class_num] of labels int64 [N].

    Raises:
        ValueError: a label is outside 0 to class_num - 1.
    """
    if len(labels) and not 0 <= labels.min() <= labels.max() < class_num:
        raise ValueError(
            f"the labels reach from {labels.min()} to {labels.max()}, outside 0 to {class_num - 1}"
        )
    targets = np.zeros((len(labels), class_num), np.float32)
    targets[np.arange(len(labels)), labels] = 1
    return targets


def _mix(values: np.ndarray, order: np.ndarray, weight: np.float32) -> np.ndarray:
    return weight * values + (np.float32(1) - weight) * values[order]
