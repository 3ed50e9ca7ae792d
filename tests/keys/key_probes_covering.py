"""Probes of what covers, turns, pads and blurs pictures, and of two RandAugments, on pictures of one value."""

from unittest.mock import ANY

import numpy as np
from key_probe import Saying, component, probe, probe_each

from ppcls.data.transforms.rand_augment_variants import V2_SCALES, V3_SCALES
from ppcls.utils.errors import ConfigError


def after(name, picture=None, seed=0, **keys):
    """A picture of 40 by 40, all 100, or another one, after a transform."""
    picture = np.full((40, 40, 3), 100, np.uint8) if picture is None else picture
    return component("transform", name, **keys)(picture, np.random.default_rng(seed))


def changed(name, **keys):
    """How many of thirty pictures are changed."""
    return sum((after(name, seed=seed, **keys) != 100).any() for seed in range(30))


@probe("transform Cutout.n_holes", (1, 1), (3, ANY), relation=lambda one, three: three > 1)
def _n_holes(lab, value):
    """Colours that squares of a pixel have."""
    result = after("Cutout", length=1, fill_value="none", n_holes=value)
    return int((result != 100).any(axis=2).sum())


@probe("transform Cutout.length", (4, 16), (6, 36))
def _length(lab, value):
    """The largest square of thirty."""
    return max(int((after("Cutout", seed=seed, length=value)[..., 0] == 0).sum()) for seed in range(30))


@probe("transform Cutout.fill_value", ([0, 0, 0], [0, 0, 0]), ([7, 8, 9], [7, 8, 9]))
def _fill_value(lab, value):
    return after("Cutout", length=80, fill_value=value)[20, 20].tolist()


def grid(seed=0, **keys):
    """The share of a picture that GridMask leaves, of stripes 1 wide every 10 unless told otherwise."""
    picture = np.ones((200, 200, 1), np.float32)
    return float(after("GridMask", picture, seed, **{"d1": 10, "d2": 11, "ratio": 0.1, **keys}).mean())


@probe("transform GridMask.d1", (10, 0.81), (5, ANY), relation=lambda one, other: other < one)
def _d1(lab, value):
    """The smallest of twenty shares, stripes of a pixel being nearer."""
    return round(min(grid(seed, d1=value) for seed in range(20)), 6)


@probe("transform GridMask.d2", (11, 1), (101, ANY), relation=lambda one, many: many > 5)
def _d2(lab, value):
    """Different shares of twenty pictures."""
    return len({grid(seed, d2=value) for seed in range(20)})


@probe("transform GridMask.rotate", (1, 1), (90, ANY), relation=lambda straight, turned: turned > 5)
def _rotate(lab, value):
    """Different shares of twenty pictures."""
    return len({grid(seed, rotate=value) for seed in range(20)})


@probe("transform GridMask.ratio", (0.5, 0.25), (0, 1))
def _ratio(lab, value):
    return grid(ratio=value)


@probe("transform GridMask.mode", (0, 0.25), (1, 0.75))
def _mode(lab, value):
    return grid(ratio=0.5, mode=value)


@probe("transform GridMask.prob", (0, 1), (1, 0.25))
def _grid_prob(lab, value):
    return grid(ratio=0.5, prob=value)


@probe_each(("RandAugmentV2", "RandAugmentV3"), "transform {}.num_layers", (1, 1), (3, 3))
def _num_layers(lab, name, value):
    """How many operations a picture goes through."""
    passed = []

    class Counting:
        def changed(self, picture, share, outside, rng):
            passed.append(share)
            return picture

    for table, scales in (("V2_SCALES", V2_SCALES), ("V3_SCALES", V3_SCALES)):
        lab.patch.setattr(f"ppcls.data.transforms.rand_augment_variants.{table}", dict.fromkeys(scales, Counting()))
    after(name, seed=1, num_layers=value)
    return len(passed)


def moved(lab, name, table, operation, scales, picture=None, **keys):
    """A picture after one operation, whichever is drawn."""
    only = dict.fromkeys(scales, scales[operation])
    lab.patch.setattr(f"ppcls.data.transforms.rand_augment_variants.{table}", only)
    return after(name, picture, seed=1, num_layers=1, **keys)


@probe("transform RandAugmentV2.magnitude", (5, {100}), (10, {190}))
def _v2_magnitude(lab, value):
    return set(np.unique(moved(lab, "RandAugmentV2", "V2_SCALES", "brightness", V2_SCALES, magnitude=value)).tolist())


@probe("transform RandAugmentV3.magnitude", (0, {255}), (10, {240}))
def _v3_magnitude(lab, value):
    """At 10 posterizing keeps four bits."""
    white = np.full((10, 10, 3), 255, np.uint8)
    result = moved(lab, "RandAugmentV3", "V3_SCALES", "posterize", V3_SCALES, white, magnitude=value)
    return set(np.unique(result).tolist())


@probe_each(("RandAugmentV2", "RandAugmentV3"), "transform {}.fillcolor", ([0, 0, 0], {0}), ([7, 7, 7], {7}))
def _fillcolor(lab, name, value):
    """What comes in from outside."""
    table, scales = ("V2_SCALES", V2_SCALES) if name == "RandAugmentV2" else ("V3_SCALES", V3_SCALES)
    return set(np.unique(moved(lab, name, table, "translateX", scales, magnitude=10, fillcolor=value)).tolist()) - {100}


@probe("transform RandAugmentV3.interpolation", ("bilinear", True), ("bicubic", False))
def _v3_interpolation(lab, value):
    """Whether a sheared step from 100 to 200 stays between these; a cubic overshoots."""
    step = np.repeat(np.uint8([100] * 20 + [200] * 20)[None, :, None], 40, axis=0).repeat(3, axis=2)
    keys = {"interpolation": value, "fillcolor": [150] * 3}
    values = moved(lab, "RandAugmentV3", "V3_SCALES", "shearX", V3_SCALES, step, **keys)
    return bool(values.min() >= 100 and values.max() <= 200)


def turned(**keys):
    """A picture of 40 by 20, all 100, turned with certainty by 90 degrees unless told otherwise."""
    keys = {"degrees": [90, 90], "prob": 1, **keys}
    return after("RandomRotation", np.full((20, 40, 3), 100, np.uint8), **keys)


@probe("transform RandomRotation.degrees", ([90, 90], 400), ([180, 180], 0))
def _degrees(lab, value):
    """Pixels that came in from outside."""
    return int((turned(degrees=value)[..., 0] == 0).sum())


@probe("transform RandomRotation.interpolation", ("nearest", 1), ("bilinear", ANY), relation=lambda one, many: many > 5)
def _rotation_interpolation(lab, value):
    """Values beside that of the picture."""
    return len(np.unique(turned(degrees=[30, 30], interpolation=value))) - 1


@probe("transform RandomRotation.expand", (False, (20, 40, 3)), (True, (40, 20, 3)))
def _expand(lab, value):
    return turned(expand=value).shape


@probe("transform RandomRotation.center", (None, 0), ([0, 0], 799))
def _center(lab, value):
    """Pixels that came in from outside; around the corner all but this."""
    return int((turned(degrees=[180, 180], center=value)[..., 0] == 0).sum())


@probe("transform RandomRotation.fill", (0, {0, 100}), (7, {7, 100}))
def _rotation_fill(lab, value):
    return set(np.unique(turned(fill=value)).tolist())


@probe("transform RandomRotation.prob", (0, 0), (1, 30))
def _rotation_prob(lab, value):
    return changed("RandomRotation", degrees=[45, 45], prob=value)


@probe("transform Pad.padding", (1, (42, 42, 3)), (5, (50, 50, 3)))
def _padding(lab, value):
    return after("Pad", padding=value).shape


@probe("transform Pad.fill", (0, {0, 100}), (7, {7, 100}))
def _pad_fill(lab, value):
    return set(np.unique(after("Pad", padding=1, fill=value)).tolist())


@probe("transform Pad.padding_mode", ("constant", (42, 42, 3)), ("reflect", Saying("write 'constant'")))
def _padding_mode(lab, value):
    try:
        return after("Pad", padding=1, padding_mode=value).shape
    except ConfigError as error:
        return str(error)


@probe("transform RandomGrayscale.p", (0, 0), (1, 20))
def _grayscale_p(lab, value):
    """How many of twenty red pictures become gray."""
    red = np.full((2, 2, 3), (200, 0, 0), np.uint8)
    results = [after("RandomGrayscale", red, seed, p=value) for seed in range(20)]
    return sum(np.ptp(result[0, 0]) == 0 for result in results)


def blurred(**keys):
    """How many rows a white one reaches, blurred with certainty."""
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[20] = 255
    return int((after("GaussianBlur", picture, **{"p": 1, **keys})[:, 0, 0] > 0).sum())


@probe("transform GaussianBlur.kernel_size", (3, 3), (7, 7))
def _kernel_size(lab, value):
    return blurred(kernel_size=value, sigma=[2, 2])


@probe("transform GaussianBlur.sigma", ([0.1, 0.1], 1), ([2, 2], ANY), relation=lambda thin, wide: wide > 7)
def _sigma(lab, value):
    return blurred(sigma=value)


@probe("transform GaussianBlur.p", (0, 1), (1, ANY), relation=lambda none, some: some > 3)
def _blur_p(lab, value):
    return blurred(sigma=[2, 2], p=value)
