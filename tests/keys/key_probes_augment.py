"""Probes of what augments pictures and batches, on pictures whose right answer is arithmetic."""

from unittest.mock import ANY

import numpy as np
from key_probe import Saying, component, probe, probe_each

from ppcls.data.transforms.timm_augment import SCALES
from ppcls.utils.errors import ConfigError, UserError


def transformed(name, picture, seed=0, **keys):
    """The picture after a transform."""
    return component("transform", name, **keys)(picture, np.random.default_rng(seed))


def plain(value):
    """A gray picture of ten by ten."""
    return np.full((10, 10, 3), value, np.uint8)


@probe("transform RandAugment.magnitude", (0, {100}), (10, ANY), relation=lambda none, full: len(full) > 1)
def _magnitude(lab, value):
    """Values that a gray picture has after operations with a range; equalised or stretched it stays gray."""
    pictures = [transformed("RandAugment", plain(100), seed, magnitude=value) for seed in range(30)]
    return set(np.unique(pictures).tolist())


@probe("transform RandAugment.num_layers", (1, 1), (3, 3))
def _num_layers(lab, value):
    """How many operations a picture goes through."""
    passed = []
    operations = "ppcls.data.transforms.auto_augment.OPERATIONS"
    lab.patch.setattr(operations, Recorder(passed))
    transformed("RandAugment", plain(100), num_layers=value)
    return len(passed)


class Recorder:
    """Operations that change nothing and are counted."""

    def __init__(self, passed):
        self.passed = passed

    def __getitem__(self, name):
        return lambda image, strength: self.passed.append(name) or image


COLORS = np.uint8([[[200, 100, 100], [0, 0, 0]]])


@probe("transform ColorJitter.brightness", (0, {200}), (1, ANY), relation=lambda none, some: len(some) > 20)
def _brightness(lab, value):
    return jittered(brightness=value)


@probe("transform ColorJitter.contrast", (0, {200}), (1, ANY), relation=lambda none, some: len(some) > 20)
def _contrast(lab, value):
    return jittered(contrast=value)


@probe("transform ColorJitter.saturation", (0, {200}), (0.5, ANY), relation=lambda none, some: len(some) > 20)
def _saturation(lab, value):
    return jittered(saturation=value)


@probe("transform ColorJitter.hue", (0, {200}), (0.5, ANY), relation=lambda none, some: 100 in some)
def _hue(lab, value):
    return jittered(hue=value)


@probe("transform ColorJitter.p", (0, {200}), (1, ANY), relation=lambda none, some: len(some) > 20)
def _p(lab, value):
    return jittered(brightness=1, p=value)


def jittered(**keys):
    """The red of a reddish pixel beside a black one, fifty times."""
    return {int(transformed("ColorJitter", COLORS, seed, **keys)[0, 0, 0]) for seed in range(50)}


def erased(seed=0, size=(40, 40), dtype=np.uint8, **keys):
    """The pixels that are another colour after erasing with certainty: (row, column) each, and what is there."""
    picture = np.full((*size, 3), 77, dtype)
    result = transformed("RandomErasing", picture, seed, **{"EPSILON": 1, **keys})
    return np.argwhere((result != 77).any(axis=2)), result


@probe("transform RandomErasing.EPSILON", (0, 0), (1, 100))
def _epsilon(lab, value):
    """How many of a hundred pictures are changed."""
    return sum(len(erased(seed, EPSILON=value)[0]) > 0 for seed in range(100))


@probe("transform RandomErasing.sl", (0.25, 400), (0.0625, ANY), relation=lambda one, other: other < one)
def _sl(lab, value):
    """The smallest area of twenty squares of at most a quarter."""
    return min(len(erased(seed, sl=value, sh=0.25, r1=1)[0]) for seed in range(20))


@probe("transform RandomErasing.sh", (0.0625, 100), (0.25, ANY), relation=lambda one, other: other > one)
def _sh(lab, value):
    """The largest area of twenty squares of at least a sixteenth."""
    return max(len(erased(seed, sl=0.0625, sh=value, r1=1)[0]) for seed in range(20))


@probe("transform RandomErasing.r1", (1, {1.0}), (0.5, ANY), relation=lambda one, other: len(other) > 5)
def _r1(lab, value):
    """Height by width of twenty boxes."""
    return {ratio(seed, r1=value) for seed in range(20)}


def ratio(seed, **keys):
    """Height by width of a box."""
    height, width = np.ptp(erased(seed, sl=0.1, sh=0.1, **keys)[0], axis=0) + 1
    return float(height / width)


@probe(
    "transform RandomErasing.use_log_aspect", (True, ANY), (False, ANY), relation=lambda log, even: log < 40 < even
)  # fmt: skip
def _use_log_aspect(lab, value):
    """How many of sixty boxes are high: half of them, or 4 of the 4.8 that 0.2 is from 5."""
    return sum(ratio(seed, r1=0.2, use_log_aspect=value) > 1 for seed in range(60))


@probe("transform RandomErasing.mean", ([0, 0, 0], [0, 0, 0]), ([1, 2, 3], [1, 2, 3]))
def _mean(lab, value):
    places, result = erased(mean=value)
    return result[tuple(places[0])].tolist()


@probe("transform RandomErasing.attempt", (1, ANY), (200, 40), relation=lambda few, many: few < 20)
def _attempt(lab, value):
    """How many of forty flat pictures could be covered, boxes being high in most of the tries."""
    return sum(len(erased(seed, (6, 40), sl=0.5, sh=0.5, r1=0.1, attempt=value)[0]) > 0 for seed in range(40))


@probe("transform RandomErasing.mode", ("rand", 1), ("pixel", ANY), relation=lambda one, many: many > 10)
def _mode(lab, value):
    """Colours of the box."""
    places, result = erased(dtype=np.float32, mode=value)
    return len(np.unique(result[tuple(places.T)], axis=0))


def batch():
    """Eight pictures of 16 by 16, all of value i the i-th, and their labels."""
    return np.arange(8, dtype=np.float32).reshape(8, 1, 1, 1) * np.ones((1, 3, 16, 16), np.float32), np.arange(8)


def mixed_batches(name, **keys):
    """How many of fifty batches are not what they were."""
    transform = component("batch transform", name, **keys)
    images, labels = batch()
    results = (transform(images, labels, np.random.default_rng(seed), 8)[0] for seed in range(50))
    return sum(not np.array_equal(result, images) for result in results)


@probe("batch transform Cutmix.alpha", (1e6, 50), (1e-4, ANY), relation=lambda half, whole: 10 < whole < 40)
def _cutmix_alpha(lab, value):
    """All batches where the weight is near 1/2, and about half of them where it is 0 or 1."""
    return mixed_batches("Cutmix", alpha=value)


@probe_each(("Mixup", "Cutmix", "Fmix"), "batch transform {}.prob", (0, 0), (1, 50))
def _prob(lab, name, value):
    return mixed_batches(name, alpha=1e6, prob=value)


@probe_each(
    ("Cutmix", "Fmix"), "batch transform {}.class_num", (8, 8), (9, Saying(" has class_num 9, the model 8")),
)  # fmt: skip
def _class_num(lab, name, value):
    """Classes of the mixed targets of a model of eight, or the refusal."""
    try:
        transform = component("batch transform", name, class_num=value)
        return transform(*batch(), np.random.default_rng(0), 8)[1].shape[1]
    except UserError as error:
        return str(error)


def blots(**keys):
    """Masks of twenty batches of two pictures of 0 and 1, which are not where the permutation is the identity."""
    transform = component("batch transform", "Fmix", **keys)
    images = np.stack([np.zeros((1, 16, 16), np.float32), np.ones((1, 16, 16), np.float32)])
    mixed = [transform(images, np.arange(2), np.random.default_rng(seed), 2)[0] for seed in range(20)]
    return [pictures[1, 0] for pictures in mixed if not np.array_equal(pictures, images)]


@probe("batch transform Fmix.alpha", (1e6, {0.5}), (1, ANY), relation=lambda half, some: len(some) > 5)
def _fmix_alpha(lab, value):
    """Shares of masks."""
    return {round(float(mask.mean()), 2) for mask in blots(alpha=value)}


@probe("batch transform Fmix.decay_power", (0, ANY), (6, ANY), relation=lambda noise, waves: noise > 2 * waves)
def _decay_power(lab, value):
    """How often the masks change from a pixel to the next."""
    return sum(float(np.abs(np.diff(mask)).sum()) for mask in blots(alpha=1e6, decay_power=value))


@probe("batch transform Fmix.max_soft", (0, 2), (0.25, 128))
def _max_soft(lab, value):
    """Values of a mask: on half of the picture a slope."""
    return len(np.unique(blots(alpha=1e6, max_soft=value)[0]))


@probe("batch transform Fmix.reformulate", (False, ANY), (True, ANY), relation=lambda even, more: more > even + 0.1)
def _reformulate(lab, value):
    """Mean share: one half, or two thirds of Beta(2, 1)."""
    return float(np.mean([mask.mean() for mask in blots(reformulate=value)]))


def sampled(**operations):
    """What becomes of a hundred batches, or the refusal."""
    try:
        sampler = component("batch transform", "OpSampler", **operations)
    except ConfigError as error:
        return str(error)
    images, labels = batch()
    seen = {"stays": 0, "changes": 0}
    for seed in range(100):
        mixed, _ = sampler(images, labels, np.random.default_rng(seed), 8)
        seen["stays" if mixed is images else "changes"] += 1
    return seen


@probe(
    "batch transform OpSampler.MixupOperator",
    ({"prob": 1}, {"stays": 0, "changes": 100}), ({"prob": 0}, Saying("prob of MixupOperator is 0, of")),
    path="batch transform.OpSampler.MixupOperator",
)  # fmt: skip
def _mixup_operator(lab, value):
    return sampled(MixupOperator=value)


@probe(
    "batch transform OpSampler.CutmixOperator",
    ({"prob": 1}, {"stays": 0, "changes": 100}), ({"prob": 0.25}, ANY),
    path="batch transform.OpSampler.CutmixOperator",
    relation=lambda always, seldom: 60 < seldom["stays"] < 90,
)  # fmt: skip
def _cutmix_operator(lab, value):
    return sampled(CutmixOperator=value)


def timm(seed=0, **keys):
    """A gray picture of ten by ten after timm's RandAugment."""
    return transformed("TimmAutoAugment", plain(100), seed, **keys)


@probe("transform TimmAutoAugment.prob", (0, {100}), (1, ANY), relation=lambda none, full: len(full) > 10)
def _timm_prob(lab, value):
    """Values that a gray picture has after it, thirty times."""
    return set(np.unique([timm(seed, prob=value) for seed in range(30)]).tolist())


@probe("transform TimmAutoAugment.config_str", ("rand-m0-inc1", set()), ("rand-m10-inc1", {0, 10, 190, 210}))
def _config_str(lab, value):
    """Values from solarize-add, posterize and brightness, where there are any."""
    found = np.unique([timm(seed, config_str=value) for seed in range(60)]).tolist()
    return {0, 10, 190, 210} & set(found)


def timm_moved(lab, name, picture, **keys):
    """Values after operations that are all the same one."""
    lab.patch.setattr("ppcls.data.transforms.timm_augment.SCALES", {name: SCALES[name]})
    keys["config_str"] = "rand-m2-n1"
    return set(np.unique([transformed("TimmAutoAugment", picture, seed, **keys) for seed in range(10)]).tolist())


@probe("transform TimmAutoAugment.interpolation", ("bilinear", True), ("bicubic", False))
def _timm_interpolation(lab, value):
    """Whether a sheared step from 100 to 200 stays between these; a cubic overshoots."""
    step = np.repeat(np.uint8([100] * 5 + [200] * 5)[None, :, None], 10, axis=0).repeat(3, axis=2)
    values = timm_moved(lab, "ShearX", step, interpolation=value, mean=[0.5] * 3)
    return min(values) >= 100 and max(values) <= 200


@probe("transform TimmAutoAugment.mean", ([0, 0, 0], {0, 100}), ([1, 1, 1], {100, 255}))
def _timm_mean(lab, value):
    return {0, 100, 255} & timm_moved(lab, "TranslateXRel", plain(100), mean=value)


@probe(
    "batch transform OpSampler.FmixOperator",
    ({"prob": 1}, {"stays": 0, "changes": 100}), ({"prob": 0.25}, ANY),
    path="batch transform.OpSampler.FmixOperator",
    relation=lambda always, seldom: 60 < seldom["stays"] < 90,
)  # fmt: skip
def _fmix_operator(lab, value):
    return sampled(FmixOperator=value)
