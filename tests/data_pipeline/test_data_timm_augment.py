"""timm's RandAugment: the numbers of its operations, its texts, and what is drawn in which order."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers.messages import pattern
from helpers.pictures import noise
from ppcls.data.transforms import TimmAutoAugment
from ppcls.data.transforms import policy_operations as ops
from ppcls.data.transforms.timm_augment import INCREASING_SCALES, SCALES, WEIGHTS, RandSettings, rand_settings

BILINEAR, BICUBIC = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC
# By name: the number at levels 0, 9 and 10; then the same where a higher level is stronger.
NUMBERS = {
    "Rotate": ((0, 27, 30), (0, 27, 30)),
    "ShearX": ((0, 0.27, 0.3), (0, 0.27, 0.3)),
    "ShearY": ((0, 0.27, 0.3), (0, 0.27, 0.3)),
    "TranslateXRel": ((0, 0.405, 0.45), (0, 0.405, 0.45)),
    "TranslateYRel": ((0, 0.405, 0.45), (0, 0.405, 0.45)),
    "Posterize": ((0, 3, 4), (4, 1, 0)),
    "Solarize": ((0, 230, 256), (256, 26, 0)),
    "SolarizeAdd": ((0, 99, 110), (0, 99, 110)),
    "Color": ((0.1, 1.72, 1.9), (1, 1.81, 1.9)),
    "Contrast": ((0.1, 1.72, 1.9), (1, 1.81, 1.9)),
    "Brightness": ((0.1, 1.72, 1.9), (1, 1.81, 1.9)),
    "Sharpness": ((0.1, 1.72, 1.9), (1, 1.81, 1.9)),
}
SIGNED = {"Rotate", "ShearX", "ShearY", "TranslateXRel", "TranslateYRel"}
ENHANCING = {"Color", "Contrast", "Brightness", "Sharpness"}


class Drawn:
    """A generator that hands out prepared numbers."""

    def __init__(self, random: list, chosen: list, resamples: list = (), normal: list = ()) -> None:
        self._random, self._chosen = list(random), list(chosen)
        self._resamples, self._normal = list(resamples), list(normal)

    def random(self) -> float:
        return self._random.pop(0)

    def integers(self, high: int, size: int | None = None):
        if size is None:
            assert high in (1, 2)
            return self._resamples.pop(0) if high == 2 else 0
        assert (high, size) == (15, len(self._chosen))
        return np.array(self._chosen)

    def normal(self, mean: float, deviation: float) -> float:
        return mean + deviation * self._normal.pop(0)

    @property
    def is_used_up(self) -> bool:
        return not (self._random or self._resamples or self._normal)


def place(name: str, scales: dict = INCREASING_SCALES) -> int:
    return list(scales).index(name)


def applied(operation, picture: np.ndarray, number: float, resample=BICUBIC, color=(124, 116, 104)) -> np.ndarray:
    return np.asarray(operation(Image.fromarray(picture), number, ops.Outside(color, resample)))


def row(*values: int) -> np.ndarray:
    return np.repeat(np.uint8(values)[None, :, None], 3, axis=2)


def test_the_number_of_every_operation_by_level() -> None:
    without = {"AutoContrast", "Equalize", "Invert"}
    for scales, column in ((SCALES, 0), (INCREASING_SCALES, 1)):
        assert set(scales) == set(NUMBERS) | without
        for name, numbers in NUMBERS.items():
            scale = scales[name]
            assert [scale.base + scale.reach(share) for share in (0, 0.9, 1)] == pytest.approx(numbers[column]), name
        signed = {name for name, scale in scales.items() if scale.signed}
        assert signed == (SIGNED | ENHANCING if column else SIGNED)


def test_whole_numbers_are_cut_not_rounded() -> None:
    assert [SCALES["Posterize"].reach(level / 10) for level in (2.4, 2.5, 7.4, 7.5)] == [0, 1, 2, 3]
    assert [INCREASING_SCALES["Posterize"].reach(level / 10) for level in (2.4, 2.5, 7.4, 7.5)] == [4, 3, 2, 1]
    assert SCALES["Solarize"].reach(0.5) == 128 and SCALES["SolarizeAdd"].reach(0.599) == 65


@pytest.mark.parametrize(
    ("operation", "number", "before", "after"),
    [
        (ops.posterize, 3, [255, 100, 31], [224, 96, 0]),
        (ops.posterize, 1, [255, 128, 127], [128, 128, 0]),
        (ops.posterize, 0, [255, 128, 127], [0, 0, 0]),
        (ops.posterize, 8, [255, 128, 127], [255, 128, 127]),
        (ops.solarize, 230, [0, 229, 230, 255], [0, 229, 25, 0]),
        (ops.solarize, 256, [0, 128, 255], [0, 128, 255]),
        (ops.solarize, 0, [0, 100, 255], [255, 155, 0]),
        (ops.solarize_add, 99, [0, 100, 127, 128, 255], [99, 199, 226, 128, 255]),
        (ops.solarize_add, 200, [10, 100], [210, 255]),
        (ops.brightness, 0.1, [0, 100, 255], [0, 10, 25]),
        (ops.brightness, 1.72, [0, 100, 200], [0, 172, 255]),
        (ops.contrast, 1.9, [0, 100, 200], [0, 100, 255]),
        (ops.invert, 0, [0, 100], [255, 155]),
        (ops.auto_contrast, 0, [50, 100, 150], [0, 127, 255]),
        # Between two pixels: half of each
        (ops.translate_x, 0.5, [0, 100, 200, 100], [50, 150, 150, 124]),
        (ops.translate_x_share, 0.25, [0, 100, 200, 50], [100, 200, 50, 124]),
        (ops.translate_x_share, 0.125, [0, 100, 200, 100], [50, 150, 150, 124]),
    ],
)
def test_pixel_by_pixel(operation, number: float, before: list, after: list) -> None:
    result = applied(operation, row(*before), number, BILINEAR, (124, 124, 124))
    assert result[0].tolist() == [[value] * 3 for value in after]


def test_geometry_by_whole_pixels() -> None:
    picture = noise(4, 4)
    down = applied(ops.translate_y_share, picture, -0.25)
    assert np.array_equal(down[1:], picture[:-1])
    assert (down[0] == (124, 116, 104)).all()
    assert np.array_equal(applied(ops.rotate, picture, 90), np.rot90(picture))
    # Pixel centres lie at 0.5, 1.5 ...: the first row is sheared by half a pixel, the second by one and a half
    assert applied(ops.shear_x, np.vstack([row(0, 100, 200, 100)] * 2), 1.0, BILINEAR)[:, 0, 0].tolist() == [50, 150]
    columns = np.hstack([row(0, 100, 200, 100).transpose(1, 0, 2)] * 2)
    assert applied(ops.shear_y, columns, 1.0, BILINEAR)[0, :, 0].tolist() == [50, 150]


def test_two_operations_at_the_magnitude() -> None:
    picture = noise(20, 16)
    rng = Drawn([0.99, 0.49, 0.49, 0.49, 0.5], [place("Rotate"), place("Brightness")])
    result = TimmAutoAugment(config_str="rand-m9-inc1")(picture, rng)
    assert np.array_equal(result, applied(ops.brightness, applied(ops.rotate, picture, -27), 1.81))
    assert rng.is_used_up


def test_an_operation_is_applied_half_of_the_time() -> None:
    picture = noise(20, 16)
    rng = Drawn([0.0, 0.5, 0.49], [place("Invert"), place("Posterize")])
    result = TimmAutoAugment(config_str="rand-m9-inc1")(picture, rng)
    assert np.array_equal(result, picture & 128)
    assert rng.is_used_up


@pytest.mark.parametrize(("normal", "bits"), [(0, 1), (-4, 2), (-16, 4), (-100, 4), (2, 0), (100, 0)])
def test_the_magnitude_varies_and_stays_from_0_to_10(normal: float, bits: int) -> None:
    """At 9 the level is 7 by four deviations less, 1 by sixteen."""
    rng = Drawn([0, 0], [place("Posterize")], normal=[normal])
    result = TimmAutoAugment(config_str="rand-m9-n1-mstd0.5-inc1")(noise(20, 16), rng)
    assert np.array_equal(result, noise(20, 16) & (256 - 2 ** (8 - bits)))


def test_random_interpolation_is_one_of_two() -> None:
    picture = noise(20, 16)
    for drawn, resample in ((0, BILINEAR), (1, BICUBIC)):
        rng = Drawn([0, 0, 0.9], [place("ShearX")], [drawn])
        result = TimmAutoAugment(config_str="rand-m5-n1-inc1", interpolation="random")(picture, rng)
        assert np.array_equal(result, applied(ops.shear_x, picture, 0.15, resample))
    bilinear = TimmAutoAugment(config_str="rand-m5-n1-inc1", interpolation="bilinear")
    assert np.array_equal(
        bilinear(picture, Drawn([0, 0, 0.9], [place("ShearX")])), applied(ops.shear_x, picture, 0.15, BILINEAR)
    )


def test_mean_comes_from_outside() -> None:
    rng = Drawn([0, 0, 0.9], [place("TranslateXRel")])
    result = TimmAutoAugment(config_str="rand-n1-inc1", mean=(0.5, 0, 1))(noise(20, 16), rng)
    assert result[:, -9:].reshape(-1, 3).tolist() == [[128, 0, 255]] * (9 * 16)


def test_prob_leaves_pictures_as_they_are() -> None:
    picture = noise(20, 16)
    transform = TimmAutoAugment(prob=0.3, config_str="rand-n1-m10-inc1")
    assert transform(picture, Drawn([0.3], [])) is picture
    assert np.array_equal(transform(picture, Drawn([0.29, 0], [place("Invert")])), 255 - picture)


def test_all_15_are_chosen_alike_and_may_repeat() -> None:
    rng = np.random.default_rng(0)
    chosen = [TimmAutoAugment()._chosen(rng) for _ in range(1500)]
    counts = Counter(name for names in chosen for name in names)
    assert set(counts) == set(INCREASING_SCALES)
    assert 150 < min(counts.values()) <= max(counts.values()) < 250
    assert 60 < sum(first == second for first, second in chosen) < 140


def test_weights_choose_each_once() -> None:
    rng = np.random.default_rng(0)
    transform = TimmAutoAugment(config_str="rand-n1-w0")
    counts = Counter(transform._chosen(rng)[0] for _ in range(5000))
    assert 0.27 < counts["Rotate"] / 5000 < 0.33 and 0.17 < counts["ShearX"] / 5000 < 0.23
    assert set(counts) <= set(WEIGHTS) and not {"Invert", "Posterize"} & set(counts)
    assert set(TimmAutoAugment(config_str="rand-n13-w0")._chosen(rng)) == set(WEIGHTS)


SECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "m": st.integers(0, 30),
        "n": st.integers(1, 13),
        "mstd": st.decimals(0, 5, places=2),
        "inc": st.just(1),
        "w": st.just(0),
    },
)


@given(SECTIONS, st.randoms())
def test_texts_in_any_order(values: dict, random) -> None:
    sections = [f"{key}{value}" for key, value in values.items()]
    random.shuffle(sections)
    assert rand_settings("-".join(["rand", *sections])) == RandSettings(
        values.get("m", 10), values.get("n", 2), float(values.get("mstd", 0)), "inc" in values, "w" in values
    )


@settings(max_examples=40)
@given(st.text(max_size=9) | st.from_regex(r"rand(-[a-z]{1,4}[0-9.]{0,5}){0,4}", fullmatch=True))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        rand_settings(text)
    except ValueError as error:
        assert str(error).startswith(f"config_str is {text!r}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("augmix-m3", "is 'augmix-m3'; write rand, ... such as rand-m9-mstd0.5-inc1"),
        ("", "is ''; write rand, ... such as rand-m9-mstd0.5-inc1"),
        ("rand-m9-x3", "'x3' is unknown or written twice; write rand, ... such as"),
        ("rand-m-inc1", "'m' is unknown ...; write rand"),
        ("rand-m9-m8", "'m8' is unknown or written twice; write rand"),
        ("rand-m9.5", "'m9.5' is unknown ...; write rand"),
        ("rand-m9-inc0", "'inc0' is unknown ... inc1 (higher is stronger)"),
        ("rand-m9-w1", "'w1' is unknown ... w0 (timm's weights)"),
        ("rand-n0", "write a number of at least 1 after n"),
        ("rand-n14-w0", "write a number from 1 to 13 after n"),
        ("rand-m9-n" + "9" * 5000, "is unknown ...; write rand"),
    ],
)
def test_impossible_texts_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=pattern(f"config_str ... {message}")):
        TimmAutoAugment(config_str=text)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"interpolation": "lanczos"}, "interpolation is 'lanczos'; write 'bilinear' or 'bicubic' or 'random'"),
        ({"mean": (124, 116, 104)}, "mean is [124, 116, 104]; write"),
        ({"prob": 1.5}, "prob is 1.5; write a number from 0 to 1"),
    ],
)
def test_impossible_keys_are_refused(keys: dict, message: str) -> None:
    with pytest.raises(ValueError, match=pattern(message)):
        TimmAutoAugment(**keys)


@given(
    st.sampled_from(["rand-m9-mstd0.5-inc1", "rand", "rand-m3-n4-w0"]),
    st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 30),
)  # fmt: skip
def test_the_same_generator_gives_the_same_bytes(text: str, seed: int, width: int, height: int) -> None:
    picture = noise(width, height)
    picture.flags.writeable = False
    transform = TimmAutoAugment(config_str=text, interpolation="random")
    first, again = (transform(picture, np.random.default_rng(seed)) for _ in range(2))
    assert np.array_equal(first, again)
    assert (first.shape, first.dtype) == (picture.shape, np.uint8)


def test_without_a_generator_nothing_is_drawn() -> None:
    with pytest.raises(ValueError, match="TimmAutoAugment draws at random"):
        TimmAutoAugment()(noise(4, 4), None)
