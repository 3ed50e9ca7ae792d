"""Training pictures are read by short cuts, to the same bits as one operation after the other.

Pictures of one's own take part where PPCLS_TEST_DATA names a folder that holds `imagenet_200`.
"""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from data_pictures import with_orientation
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.pictures import encoded, noise, smooth
from ppcls.data.image_list import read_list_file
from ppcls.data.labels import ImageList
from ppcls.data.sampler import BatchReader, EpochBatches, sample_generator
from ppcls.data.transforms import (
    DecodeImage,
    NormalizeImage,
    Pipeline,
    RandCropImage,
    RandFlipImage,
    ToCHWImage,
    UnreadableImage,
    jpeg,
)
from ppcls.data.transforms.base import cut
from ppcls.data.transforms.jpeg_markers import jpeg_frame

DATA = os.environ.get("PPCLS_TEST_DATA")
LEVELS = 255 * np.array([0.229, 0.224, 0.225], np.float32).reshape(3, 1, 1)
TRAIN = Pipeline([DecodeImage(), RandCropImage(48), RandFlipImage(), NormalizeImage()])
SAMPLING = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]  # fmt: skip


def jpeg_of(pixels: np.ndarray, *options: int) -> bytes:
    return cv2.imencode(".jpg", pixels, options)[1].tobytes()


def deviation(fast: np.ndarray, plain: np.ndarray) -> tuple[float, float]:
    """Mean and largest distance, in levels of 255."""
    distance = np.abs(fast - plain) * LEVELS
    return float(distance.mean()), float(distance.max())


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (64, 48), (17, 16), (33, 31), (1, 1), (8, 200), (900, 700)])
@pytest.mark.parametrize("sampling", SAMPLING)
def test_the_crop_alone_has_the_bits_of_the_whole(size: tuple[int, int], sampling: int) -> None:
    data = jpeg_of(noise(*size), cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling)
    for seed in range(8):
        fast, plain = (way(data, sample_generator(seed, 0, 0)) for way in (TRAIN, TRAIN.plain))
        mean, largest = deviation(fast, plain)
        assert mean < 1 and largest < 8, "the documented bound"
        assert np.array_equal(fast, plain), "and what it is with these versions"


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from(SAMPLING), st.integers(0, 20), st.booleans(), st.data())
@settings(max_examples=150, deadline=None)
def test_any_first_rows_are_those_of_the_whole(
    width: int, height: int, sampling: int, restart: int, to_rgb: bool, draw: st.DataObject
) -> None:
    options = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling, cv2.IMWRITE_JPEG_RST_INTERVAL, restart)
    data = jpeg_of(noise(width, height, restart), *options)
    frame, rows = jpeg_frame(data), draw.draw(st.integers(1, height))
    assert frame is not None and (frame.width, frame.height) == (width, height)
    found = jpeg.decode_rows(data, frame, rows, to_rgb)
    assert found is not None and np.array_equal(found[:rows], DecodeImage(to_rgb=to_rgb)(data)[:rows])


@pytest.mark.parametrize("sampling", SAMPLING)
@pytest.mark.parametrize("restart", [1, 2, 3])
@pytest.mark.parametrize("is_gray", [False, True])
def test_any_part_is_that_of_the_whole(sampling: int, restart: int, is_gray: bool) -> None:
    pixels, random = noise(93, 53), np.random.default_rng(restart)
    options = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling, cv2.IMWRITE_JPEG_RST_INTERVAL, restart)
    data = jpeg_of(pixels[..., 0] if is_gray else pixels, *options)
    frame, whole = jpeg_frame(data), DecodeImage()(data)
    assert frame is not None and frame.restart == restart
    for _ in range(60):
        left, top = int(random.integers(93)), int(random.integers(53))
        box = (left, top, int(random.integers(1, 94 - left)), int(random.integers(1, 54 - top)))
        found = jpeg.decode_part(data, frame, box, True)
        assert found is not None and np.array_equal(found, cut(whole, box)), box


def test_only_the_units_that_a_crop_needs_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = jpeg_of(noise(320, 240), cv2.IMWRITE_JPEG_RST_INTERVAL, 1)
    decode, shapes = jpeg.simplejpeg.decode_jpeg, []

    def noted(data: bytes, colorspace: str, buffer: np.ndarray) -> None:
        shapes.append(buffer.shape)
        decode(data, colorspace, buffer=buffer)

    monkeypatch.setattr(jpeg.simplejpeg, "decode_jpeg", noted)
    for box in ((100, 50, 60, 40), (0, 0, 320, 240), (98, 0, 1, 240), (290, 230, 30, 10)):
        assert DecodeImage().part(data, lambda *_, box=box: box).shape == (box[3], box[2], 3)
    assert shapes == [(48, 80, 3), (240, 320, 3), (240, 16, 3), (16, 32, 3)]


@pytest.mark.parametrize("damage", ["lost", "swapped", "doubled", "zeros"])
def test_a_part_of_a_file_with_damaged_restart_markers_is_not_cut_out(damage: str) -> None:
    data = jpeg_of(noise(320, 240), cv2.IMWRITE_JPEG_RST_INTERVAL, 5)
    frame = jpeg_frame(data)
    assert frame is not None
    second, third = data.index(b"\xff\xd1", frame.scan_at), data.index(b"\xff\xd2", frame.scan_at)
    damaged = {
        "lost": data[:second] + data[third:],
        "swapped": data.replace(b"\xff\xd1", b"\xff\xd2", 1),
        "doubled": data[:third] + data[second:],
        "zeros": data[: second + 2] + bytes(third - second - 2) + data[third:],
    }[damage]
    assert jpeg.decode_part(damaged, frame, (200, 0, 60, 10), True) is None
    with pytest.raises(UnreadableImage):
        DecodeImage().part(damaged, lambda *_: (200, 0, 60, 10))


def test_what_lies_below_is_not_decoded() -> None:
    data = jpeg_of(noise(64, 320))
    frame = jpeg_frame(data)
    assert frame is not None
    for rows, expected in ((30, 32), (100, 102), (302, 304), (303, 320), (320, 320)):
        found = jpeg.decode_rows(data, frame, rows, True)
        assert found is not None and len(found) == expected


def test_headers_that_are_not_understood_are_left_to_the_decoders() -> None:
    data = jpeg_of(noise(64, 64))
    frame = jpeg_frame(data)
    assert frame is not None and frame.exif == b""
    start = frame.height_at - 5
    for place, value in (
        (start + 1, 0xC5),
        (start + 4, 12),
        (start + 9, 4),
        (start + 11, 0x20),
        (start + 3, 2),
        (2, 0),
    ):
        changed = bytearray(data)
        changed[place] = value
        assert jpeg_frame(bytes(changed)) is None, (place, value)
    no_height = data[: start + 5] + b"\0\0" + data[start + 7 :]
    assert jpeg_frame(no_height) is None
    assert jpeg_frame(data[:start] + b"\xff\xc0\0\2\xff\xda\0\2\1") is None
    for end in range(frame.scan_at):
        assert jpeg_frame(data[:end]) is None or end > frame.scan_at - 10


@pytest.mark.parametrize(
    "data",
    [
        encoded(noise(60, 50)),
        encoded(noise(60, 50), "JPEG", progressive=True),
        encoded(smooth(60, 50)[..., 0], "JPEG"),
        encoded(noise(60, 50), "WEBP"),
        *(with_orientation(noise(60, 50), "JPEG", orientation) for orientation in range(1, 9)),
        encoded(noise(60, 200), "JPEG") + b"a film",
        encoded(noise(60, 200), "JPEG") + encoded(noise(60, 200), "JPEG"),
    ],
)
def test_files_of_other_kinds_are_read_as_ever(data: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    for to_rgb in (True, False):
        pipeline = Pipeline([DecodeImage(to_rgb=to_rgb), *TRAIN.ops[1:]])
        for seed in range(6):
            fast, plain = (way(data, sample_generator(seed, 0, 0)) for way in (pipeline, pipeline.plain))
            assert np.array_equal(fast, plain)
    assert capfd.readouterr().err == ""


def test_a_truncated_file_is_unreadable_wherever_it_ends() -> None:
    data = jpeg_of(noise(64, 320))
    for end in (3, 100, 700, len(data) // 2, len(data) - 2, len(data) - 1):
        with pytest.raises(UnreadableImage):
            TRAIN(data[:end], sample_generator(0, 0, 0))


@given(st.data())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_damaged_files_are_read_as_ever(draw: st.DataObject) -> None:
    content = bytearray(jpeg_of(noise(40, 160)))
    for _ in range(draw.draw(st.integers(1, 3))):
        content[draw.draw(st.integers(2, len(content) - 1))] = draw.draw(st.integers(0, 255))
    results = []
    for way in (TRAIN, TRAIN.plain):
        try:
            results.append(way(bytes(content), sample_generator(1, 0, 0)))
        except UnreadableImage:
            continue
    assert all(np.array_equal(result, results[0]) for result in results)


@given(st.floats(-10, 10), st.floats(0.01, 10), st.floats(0.001, 2), st.booleans())
@settings(max_examples=60, deadline=None)
def test_looking_values_up_gives_the_bits_of_arithmetic(mean: float, std: float, scale: float, written: bool) -> None:
    normalize = NormalizeImage(scale, (mean, 0.4, -mean), (std, 1, 0.225))
    picture = noise(21, 13)
    expected = (picture.astype(np.float32) * np.float32(scale) - np.array([mean, 0.4, -mean], np.float32)) / np.array(
        [std, 1, 0.225], np.float32
    )
    assert np.array_equal(normalize(picture), expected)
    pipeline = Pipeline([DecodeImage(), normalize, *[ToCHWImage()] * written])
    assert np.array_equal(pipeline(picture), expected.transpose(2, 0, 1))
    assert np.array_equal(pipeline(picture[::-1, ::-1]), expected[::-1, ::-1].transpose(2, 0, 1))


def test_a_result_is_put_where_there_is_room() -> None:
    data = jpeg_of(noise(64, 64))
    room = np.empty((3, 48, 48), np.float32)
    assert TRAIN(data, sample_generator(0, 0, 0), room) is room
    assert np.array_equal(room, TRAIN.plain(data, sample_generator(0, 0, 0)))
    assert TRAIN(data, sample_generator(0, 0, 0), room[:, :40]).shape == (3, 48, 48)


def test_batches_that_are_copied_share_their_memory(tmp_path: Path) -> None:
    paths = [tmp_path / f"{index}.jpg" for index in range(10)]
    for index, path in enumerate(paths):
        path.write_bytes(jpeg_of(noise(64, 90, index)))
    paths[4].write_bytes(b"")
    images = ImageList([str(path) for path in paths], np.arange(10))
    reader = BatchReader(images, TRAIN, (), 10, 4, True, 3, 0, 1)
    order = reader.order(0)
    fresh, shared = (EpochBatches(reader, order, 0, range(3), copied) for copied in (False, True))
    kept = [fresh[place]["arrays"] for place in range(3)]
    assert [len(pictures) for pictures, _ in kept].count(4) + 1 >= 2 and sum(len(p) for p, _ in kept) == 9
    first = shared[0]["arrays"][0]
    for place, (pictures, labels) in enumerate(kept):
        again = shared[place]["arrays"]
        assert np.array_equal(again[0], pictures) and np.array_equal(again[1], labels)
        assert np.shares_memory(again[0], first)
    assert not np.shares_memory(kept[0][0], kept[1][0])


@pytest.mark.skipif(DATA is None, reason="PPCLS_TEST_DATA names no folder with imagenet_200")
def test_real_pictures_are_within_the_bound() -> None:
    folder = Path(str(DATA)) / "imagenet_200"
    images = read_list_file(str(folder / "val_list.txt"), str(folder), 1000)
    pipeline = Pipeline([DecodeImage(), RandCropImage(224), RandFlipImage(), NormalizeImage()])
    for index, path in enumerate(images.paths):
        data = Path(path).read_bytes()
        fast, plain = (way(data, sample_generator(0, 0, index)) for way in (pipeline, pipeline.plain))
        assert deviation(fast, plain)[0] < 1
        assert np.array_equal(fast, plain), path
