"""The RandAugments of EfficientNetV2 and MobileViTv2: their numbers, and what is drawn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from helpers.messages import pattern
from helpers.pictures import noise
from ppcls.data.transforms import RandAugmentV2, RandAugmentV3
from ppcls.data.transforms import policy_operations as ops
from ppcls.data.transforms import rand_augment_variants as variants
from ppcls.data.transforms.rand_augment_variants import V2_SCALES, V3_SCALES

# The number at magnitudes 0, 3, 5 and 10.
V2_NUMBERS = {
    "shearX": (0, 0.09, 0.15, 0.3),
    "shearY": (0, 0.09, 0.15, 0.3),
    "translateX": (0, 30, 50, 100),
    "translateY": (0, 30, 50, 100),
    "rotate": (0, 9, 15, 30),
    "color": (0.1, 0.64, 1, 1.9),
    "posterize": (0, 1, 2, 4),
    "solarize": (0, 76, 128, 256),
    "solarize_add": (0, 33, 55, 110),
    "contrast": (0.1, 0.64, 1, 1.9),
    "sharpness": (0.1, 0.64, 1, 1.9),
    "brightness": (0.1, 0.64, 1, 1.9),
}
V3_NUMBERS = {
    "shearX": (0, 0.09, 0.15, 0.3),
    "shearY": (0, 0.09, 0.15, 0.3),
    "translateX": (0, 45 / 331, 75 / 331, 150 / 331),
    "translateY": (0, 45 / 331, 75 / 331, 150 / 331),
    "rotate": (0, 9, 15, 30),
    "color": (1, 1.27, 1.45, 1.9),
    "posterize": (8, 7, 6, 4),
    "solarize": (255, 178.5, 127.5, 0),
    "contrast": (1, 1.27, 1.45, 1.9),
    "sharpness": (1, 1.27, 1.45, 1.9),
    "brightness": (1, 1.27, 1.45, 1.9),
}
MOVING = {"shearX", "shearY", "translateX", "translateY", "rotate"}
ENHANCING = {"color", "contrast", "sharpness", "brightness"}


class Drawn:
    """A generator that hands out prepared numbers."""

    def __init__(self, chosen: list, random: list = (), places: list = ()) -> None:
        self._chosen, self._random, self._places = list(chosen), list(random), list(places)

    def random(self) -> float:
        return self._random.pop(0)

    def integers(self, high: int, size: int | None = None, endpoint: bool = False):
        if size is None:
            assert endpoint
            return self._places.pop(0)
        assert high == 16 - 2 * (not self._places and high == 14) and size == len(self._chosen)
        return self._chosen


@pytest.mark.parametrize(
    ("scales", "numbers", "signed"),
    [(V2_SCALES, V2_NUMBERS, MOVING), (V3_SCALES, V3_NUMBERS, MOVING | ENHANCING)],
)
def test_the_number_of_every_operation_by_magnitude(scales: dict, numbers: dict, signed: set) -> None:
    assert set(scales) == set(numbers) | {"autocontrast", "equalize", "invert"}
    for name, expected in numbers.items():
        scale = scales[name]
        assert [scale.base + scale.reach(share) for share in (0, 0.3, 0.5, 1)] == pytest.approx(expected), name
    assert {name for name, scale in scales.items() if scale.signed} == signed


def test_whole_numbers_are_cut_not_rounded() -> None:
    assert (V3_SCALES["posterize"].reach(0.45), V2_SCALES["posterize"].reach(0.45)) == (7, 1)
    assert (V2_SCALES["solarize"].reach(0.3), V2_SCALES["solarize_add"].reach(0.46)) == (76, 50)


def applied(operation, picture: np.ndarray, number: float, resample, color: tuple) -> np.ndarray:
    return np.asarray(operation(Image.fromarray(picture), number, ops.Outside(color, resample)))


def test_v2_applies_layers_in_a_row() -> None:
    picture, nearest = noise(40, 30), Image.Resampling.NEAREST
    names = list(V2_SCALES)
    rng = Drawn([names.index("rotate"), names.index("solarize_add"), names.index("translateX")], [0.5, 0.49])
    result = RandAugmentV2(3, 3)(picture, rng)
    turned = applied(ops.rotate, picture, 9, nearest, (128, 128, 128))
    brighter = applied(ops.solarize_add, turned, 33, nearest, (0, 0, 0))
    assert np.array_equal(result[:, 30:], brighter[:, :10])
    assert (result[:, :30] == 128).all()


def test_v2_covers_a_square() -> None:
    """At 5 it reaches 20 pixels from the corner between (row 10, column 35) and those above and before it."""
    picture = noise(40, 50)
    result = RandAugmentV2(1, 5, (7, 8, 9))(picture, Drawn([15], places=[35, 10]))
    expected = picture.copy()
    expected[0:30, 15:40] = 7
    assert np.array_equal(result, expected)


def test_v3_applies_layers_in_a_row() -> None:
    picture = noise(40, 30)
    names = list(V3_SCALES)
    rng = Drawn([names.index("shearY"), names.index("brightness")], [0.2, 0.8])
    result = RandAugmentV3()(picture, rng)
    sheared = applied(ops.shear_y, picture, -0.09, Image.Resampling.BICUBIC, (0, 0, 0))
    assert np.array_equal(result, applied(ops.brightness, sheared, 1.27, None, None))
    rng = Drawn([names.index("rotate")], [0.8])
    bilinear = RandAugmentV3(1, 10, (1, 2, 3), "bilinear")(picture, rng)
    assert np.array_equal(bilinear, applied(ops.rotate, picture, 30, Image.Resampling.BILINEAR, (1, 2, 3)))


@pytest.mark.parametrize(("transform", "count"), [(RandAugmentV2(1), 16), (RandAugmentV3(1), 14)])
def test_operations_are_chosen_alike(transform, count: int, monkeypatch) -> None:
    seen: list[str] = []
    for table in ("V2_SCALES", "V3_SCALES"):
        named = {name: Named(name, seen) for name in getattr(variants, table)}
        monkeypatch.setattr(variants, table, named)
    monkeypatch.setattr(variants, "cover_square", lambda *square: seen.append("cutout"))
    rng = np.random.default_rng(0)
    for _ in range(100 * count):
        transform(noise(2, 2), rng)
    drawn = Counter(seen)
    assert len(drawn) == count and 70 < min(drawn.values()) <= max(drawn.values()) < 130


class Named:
    """A scale that notes its name."""

    def __init__(self, name: str, seen: list) -> None:
        self._name, self._seen = name, seen

    def changed(self, picture, share, outside, rng):
        self._seen.append(self._name)
        return picture


@pytest.mark.parametrize("transform", [RandAugmentV2(4, 15), RandAugmentV3(4, 10), RandAugmentV2(), RandAugmentV3()])
def test_the_same_generator_gives_the_same_bytes(transform) -> None:
    for seed in range(20):
        picture = noise(1 + seed, 21 - seed)
        picture.flags.writeable = False
        first, again = (transform(picture, np.random.default_rng(seed)) for _ in range(2))
        assert np.array_equal(first, again)
        assert (first.shape, first.dtype) == (picture.shape, np.uint8)


@pytest.mark.parametrize(
    ("transform", "keys", "message"),
    [
        (RandAugmentV2, {"num_layers": 0}, "num_layers is 0; write a whole number of at least 1"),
        (RandAugmentV2, {"magnitude": -1}, "magnitude is -1; write a number of at least 0"),
        (RandAugmentV2, {"fillcolor": (256, 0, 0)}, "fillcolor is [256, 0, 0]; write"),
        (RandAugmentV3, {"magnitude": 11}, "magnitude is 11; write a number from 0 to 10"),
        (RandAugmentV3, {"interpolation": "lanczos"}, "interpolation is 'lanczos'; write 'bilinear' or 'bicubic'"),
    ],
)
def test_impossible_keys_are_refused(transform, keys: dict, message: str) -> None:
    with pytest.raises(ValueError, match=pattern(message)):
        transform(**keys)
