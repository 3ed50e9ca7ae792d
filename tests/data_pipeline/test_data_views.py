"""Views of a picture for test-time augmentation, against the transforms by which each can be made alone."""

import numpy as np
import pytest

from helpers.messages import refusal, says
from helpers.pictures import noise
from ppcls.data.transforms import CropImage, DecodeImage, NormalizeImage, Pipeline, ResizeImage
from ppcls.data.transforms.views import TestTime, Views, mean_over_views

NORMALIZE = NormalizeImage(scale=1 / 255)
PIPELINE = Pipeline([DecodeImage(), ResizeImage(resize_short=40), CropImage(size=32), NORMALIZE])
WHOLE = Pipeline([DecodeImage(), ResizeImage(resize_short=40), NORMALIZE])
SQUARE = Pipeline([DecodeImage(), ResizeImage(size=32), NORMALIZE])
PICTURE = noise(90, 60, 3)  # 60 rows, so 40 x 60 after the resize


def views(text, pipeline=PIPELINE):
    made = Views(pipeline, TestTime.parse(text))(PICTURE)
    return made.reshape(-1, 3, *made.shape[1:])


def test_the_picture_itself_comes_first_and_then_its_mirror():
    plain = PIPELINE(PICTURE)
    first, second = views("flip")
    assert np.array_equal(first, plain)
    assert np.array_equal(second, plain[:, :, ::-1])


def test_corners_are_parts_of_the_resized_picture():
    whole = WHOLE(PICTURE)
    assert whole.shape == (3, 40, 60)
    centre, *corners = views("crops")
    assert np.array_equal(centre, PIPELINE(PICTURE))
    expected = [whole[:, :32, :32], whole[:, :32, -32:], whole[:, -32:, :32], whole[:, -32:, -32:]]
    for corner, part in zip(corners, expected):
        assert np.array_equal(corner, part)


def test_another_scale_is_another_resize():
    same, larger = views("scale=1.5")
    expected = Pipeline([DecodeImage(), ResizeImage(resize_short=60), CropImage(size=32), NORMALIZE])(PICTURE)
    assert np.array_equal(same, PIPELINE(PICTURE)) and np.array_equal(larger, expected)
    expected = Pipeline([DecodeImage(), ResizeImage(size=40), CropImage(size=32), NORMALIZE])(PICTURE)
    assert np.array_equal(views("scale=1.25", SQUARE)[1], expected)


def test_all_together():
    test_time = TestTime.parse("flip, crops,scale=1.2,scale=1")
    made = Views(PIPELINE, test_time)
    assert test_time.count == 2 * 5 * 2
    assert made.output_size == (60, 32, 32)
    room = np.empty((60, 32, 32), np.float32)
    assert np.shares_memory(made(PICTURE, out=room), room)
    assert np.array_equal(room, made(PICTURE))


def test_probabilities_are_averaged_over_the_views():
    batch = np.arange(2 * 6 * 1 * 1, dtype=np.float32).reshape(2, 6, 1, 1)

    def run(part):
        assert part.shape == (2, 3, 1, 1)
        return part.mean(axis=(1, 2, 3))[:, None]

    assert mean_over_views(run, batch, 2).tolist() == [[2.5], [8.5]]


@pytest.mark.parametrize("text", ["", "flop", "scale", "scale=0", "scale=9", "flip;crops", "scale=-1"])
def test_other_words_are_refused(text):
    assert refusal(TestTime.parse, text) == says("tta: ... is no kind of view; write flip, crops, or scale=...")


@pytest.mark.parametrize(
    ("text", "pipeline", "sentence"),
    [
        ("crops", SQUARE, "tta: crops needs a CropImage ... leave crops out"),
        (
            "scale=0.5",
            PIPELINE,
            "tta: scale=0.5 makes pictures of 20 pixels, of which 32 ...; write at least scale=0.8...",
        ),
        ("scale=2", WHOLE, "tta: a view of another scale needs a CropImage ..."),
        ("scale=2", Pipeline([DecodeImage()]), "tta: scale needs a ResizeImage ..."),
    ],
)
def test_views_that_the_transforms_cannot_give(text, pipeline, sentence):
    assert refusal(Views, pipeline, TestTime.parse(text)) == says(sentence)


def test_the_scale_of_the_remedy_works():
    words = refusal(Views, PIPELINE, TestTime.parse("scale=0.5")).split()
    assert Views(PIPELINE, TestTime.parse(words[-1])).count == 2
