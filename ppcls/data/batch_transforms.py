"""Transforms of a whole batch: Mixup, Cutmix and Fmix."""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ppcls.utils.errors import UserError
from ppcls.utils.fields import (
    CheckedFields,
    Fraction,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Range,
    require,
)
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


@BATCH_TRANSFORMS.register("Fmix", "FmixOperator")
@dataclass(frozen=True)
class Fmix(_Mix):
    """Pastes blots out of another picture of the batch into every picture (Harris et al. 2020, section 4).

    One mask and one permutation serve the whole batch. The mask is the brightest part of a random picture of low
    frequencies; the share of the picture that it keeps is drawn from Beta(alpha, alpha), and targets are mixed by it.

    Args:
        alpha: the smaller, the nearer the share to 0 or 1.
        class_num: see `Mixup`.
        prob: see `Mixup`.
        decay_power: amplitudes fall with this power of the frequency: the higher, the larger the blots.
        max_soft: share of the picture on each side of a blot's edge over which the mask falls evenly from 1 to 0.
        reformulate: draws the share from Beta(alpha + 1, alpha) instead, that of a mask whose targets are not mixed.
    """

    decay_power: NonNegativeFloat = 3.0
    max_soft: Annotated[float, Range(low=0, high=0.5)] = 0.0
    reformulate: bool = False

    def mixed(
        self, images: np.ndarray, targets: np.ndarray, rng: np.random.Generator
    ) -> Batch:
        """The batch with blots out of its permutation."""
        height, width = images.shape[2:]
        share = rng.beta(self.alpha + self.reformulate, self.alpha)
        waves = low_frequencies(height, width, self.decay_power, rng)
        mask = brightest(waves, share, self.max_soft, rng)
        order = rng.permutation(len(images))
        kept = np.float32(mask.mean(dtype=np.float64))
        return mask * images + (1 - mask) * images[order], _mix(targets, order, kept)


@BATCH_TRANSFORMS.register()
@dataclass(frozen=True)
class OpSampler(CheckedFields):
    """Chooses one operation for every batch, each as often as its `prob` says; else the pictures stay.

    Args:
        MixupOperator: keys of Mixup; left out it is never chosen.
        CutmixOperator: keys of Cutmix; the same.
        FmixOperator: keys of Fmix; the same.
    """

    MixupOperator: Mixup = Mixup(prob=0.0)
    CutmixOperator: Cutmix = Cutmix(prob=0.0)
    FmixOperator: Fmix = Fmix(prob=0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        mixup, cutmix, fmix = (operation.prob for operation in self._operations)
        # 0.9 + 0.1 may be a little more than 1
        require(
            0 < mixup + cutmix + fmix < 1 + 1e-9,
            f"prob of MixupOperator is {mixup:g}, of CutmixOperator {cutmix:g} and of FmixOperator {fmix:g}; write "
            "such that their sum is above 0 and at most 1",
        )

    @property
    def _operations(self) -> tuple[Mixup, Cutmix, Fmix]:
        return self.MixupOperator, self.CutmixOperator, self.FmixOperator

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
        for operation in self._operations:
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


def low_frequencies(
    height: int, width: int, decay_power: float, rng: np.random.Generator
) -> np.ndarray:
    """A random picture [H, W] whose amplitudes fall with a power of the frequency, in cycles per pixel (section 4)."""
    rows, columns = np.fft.fftfreq(height)[:, np.newaxis], np.fft.rfftfreq(width)
    frequency = np.maximum(np.hypot(rows, columns), 1 / max(height, width))
    real, imaginary = rng.standard_normal((2, *frequency.shape))
    spectrum = (real + 1j * imaginary) / frequency**decay_power
    return np.fft.irfft2(spectrum, (height, width))


def brightest(
    values: np.ndarray, share: float, soft: float, rng: np.random.Generator
) -> np.ndarray:
    """Float32 of the same shape: 1 at that share of the highest values, else 0, between them a slope.

    The number of pixels is rounded up or down, which is drawn. The slope takes `soft` of the picture on either side, or
    as much as there is.
    """
    count = share * values.size
    count = math.ceil(count) if rng.random() < 0.5 else math.floor(count)
    order = np.argsort(-values, axis=None, kind="stable")
    mask = np.zeros(values.size, np.float32)
    mask[order[:count]] = 1
    slope = min(int(soft * values.size), count, values.size - count)
    mask[order[count - slope : count + slope]] = np.linspace(1, 0, 2 * slope)
    return mask.reshape(values.shape)


def shares(targets: np.ndarray, class_num: int) -> np.ndarray:
    """Soft targets float32 [N, class_num] of labels int64 [N]; soft ones as they are."""
    if targets.ndim == 2:
        return targets
    return one_hot(targets, class_num)


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
