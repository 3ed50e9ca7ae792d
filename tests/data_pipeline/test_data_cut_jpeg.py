"""A JPEG whose coded data is not all there is unreadable; one that is merely odd has the pixels it always had."""

from __future__ import annotations

import io
import re

import cv2
import numpy as np
import pytest
from data_pictures import behind_jfif, flat_jpeg, segment
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers.pictures import encoded, noise, smooth
from ppcls.data.sampler import sample_generator
from ppcls.data.transforms import CropImage, DecodeImage, Pipeline, RandCropImage, UnreadableImage
from ppcls.data.transforms.jpeg import decode_rows
from ppcls.data.transforms.jpeg_markers import jpeg_frame

END = b"\xff\xd9"
both = pytest.mark.parametrize("backend", ["cv2", "pil"])
BASE = encoded(noise(64, 96), "JPEG")
KINDS: dict[str, bytes] = {
    "baseline": BASE,
    "photograph": encoded(smooth(64, 96), "JPEG", quality=95, subsampling=0),
    "progressive": encoded(noise(64, 96), "JPEG", progressive=True),
    "restarts": encoded(noise(64, 96), "JPEG", restart_marker_rows=1),
    "gray": encoded(noise(64, 96)[..., 0], "JPEG"),
    "cmyk": encoded(noise(128, 96).reshape(96, 96, 4), "JPEG", mode="CMYK"),
    "progressive cmyk": encoded(noise(128, 96).reshape(96, 96, 4), "JPEG", mode="CMYK", progressive=True),
}
if cv2.imdecode(np.frombuffer(BASE[: len(BASE) // 2], np.uint8), cv2.IMREAD_COLOR) is None:
    # Only OpenCV knows this sampling, of which older versions leave missing rows as the memory was.
    KINDS["unusual sampling"] = flat_jpeg((0x31, 0x11, 0x11), side=128, coded=bytes(120))
each = pytest.mark.parametrize("kind", KINDS)


def scan_at(data: bytes) -> int:
    """Where the first scan's coded data begins."""
    frame = jpeg_frame(data)
    assert frame is not None
    return frame.scan_at


def unreadable(data: bytes, backend: str = "cv2") -> str:
    """The reason why no operation reads the file."""
    with pytest.raises(UnreadableImage) as caught:
        DecodeImage(backend=backend)(data)
    pipeline = Pipeline([DecodeImage(backend=backend), CropImage(8)])
    with pytest.raises(UnreadableImage, match=re.escape(caught.value.reason)):
        pipeline(data)
    return caught.value.reason


@both
@each
@pytest.mark.parametrize("behind", [END, END + b"ftyp a film", END + KINDS["baseline"], KINDS["baseline"]])
def test_a_cut_file_is_unreadable_whatever_is_put_behind_it(kind: str, backend: str, behind: bytes) -> None:
    data = KINDS[kind]
    assert DecodeImage(backend=backend)(data).shape[2] == 3
    start = scan_at(data)
    for part in (0.1, 0.5, 0.9):
        assert unreadable(data[: start + int((len(data) - start) * part)] + behind, backend)


@each
def test_every_cut_is_noticed(kind: str) -> None:
    data = KINDS[kind]
    whole = DecodeImage()(data)
    for length in range(3, len(data) - 2, 97 if len(data) > 1000 else 1):
        try:
            found = DecodeImage()(data[:length] + END)
        except UnreadableImage:
            continue
        # Bits that only fill the last byte may be lost; of unusual sampling also what a decoder reads ahead.
        assert length >= len(data) - (11 if kind == "unusual sampling" else 3) and np.array_equal(found, whole), length


def test_a_file_cut_between_two_scans_lacks_scans() -> None:
    data = KINDS["progressive"]
    starts = [found.start() for found in re.finditer(rb"\xff\xda", data)][1:]
    assert len(starts) == 9
    for start in starts:
        table = data.rindex(b"\xff\xc4", 0, start)
        for end in (start, table):
            assert unreadable(data[:end] + END) == "its coded data is incomplete: scans are missing"


def test_a_component_without_a_scan_is_missing() -> None:
    """The three components of a sequential file may have a scan each."""
    data = flat_jpeg((0x11, 0x11, 0x11), coded=b"")
    start = data.index(b"\xff\xda")
    scans = [segment(0xDA, bytes([1, number, 0, 0, 63, 0])) + bytes(4) for number in (1, 2, 3)]
    assert DecodeImage()(data[:start] + b"".join(scans) + END).tolist() == [[[128] * 3] * 32] * 32
    for left_out in range(3):
        rest = b"".join(scans[:left_out] + scans[left_out + 1 :])
        assert unreadable(data[:start] + rest + END) == "its coded data is incomplete: scans are missing"


@both
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "unusual sampling"])  # which is all zeros
def test_a_file_overwritten_with_zeros_is_unreadable(kind: str, backend: str) -> None:
    data = KINDS[kind]
    start = scan_at(data)
    for first, last in ((0.3, 0.7), (0.45, 0.55), (0.5, 1)):
        content = bytearray(data)
        begin, end = (start + int((len(data) - 2 - start) * part) for part in (first, last))
        content[begin:end] = bytes(end - begin)
        assert unreadable(bytes(content), backend)


@given(st.integers(0, 3000), st.integers(96, 400), st.sampled_from([0, 1, 2]), st.integers(0, 3))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_zeros_that_come_out_even_are_found(place: int, length: int, sampling: int, restart: int) -> None:
    """Decoders take zeros for blocks, and where their number is right by chance they notice nothing."""
    data = encoded(noise(64, 48), "JPEG", subsampling=sampling, restart_marker_rows=restart)
    start = scan_at(data)
    place = start + place % (len(data) - 2 - start - length)
    unreadable(data[:place] + bytes(length) + data[place + length :])


def test_zeros_that_are_a_plain_area_are_coded_data() -> None:
    plain = np.full((512, 512, 3), 200, np.uint8)
    data = encoded(plain, "JPEG", optimize=True)
    assert bytes(64) in data[scan_at(data) :]
    assert np.abs(DecodeImage()(data).astype(int) - plain).max() <= 1


def version(data: bytes, major: int) -> bytes:
    """The file with another version of JFIF."""
    place = data.index(b"JFIF\0") + 5
    return data[:place] + bytes([major]) + data[place + 1 :]


def progressive_parameters(data: bytes) -> bytes:
    """The file with parameters in its sequential scan that mean nothing there."""
    place = scan_at(data) - 3
    return data[:place] + bytes(3) + data[place + 3 :]


def without(data: bytes, kind: int) -> bytes:
    """The file without its segments of a kind."""
    marker = bytes([0xFF, kind])
    while marker in data[: scan_at(data)]:
        start = data.index(marker)
        data = data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") :]
    return data


PROFILE = segment(0xE2, b"ICC_PROFILE\0\2\3 and no first part")
ADOBE = b"Adobe\0\x64\0\0\0\0"
ODD = {
    "bytes behind the end": BASE + bytes(100),
    "a film behind the end": BASE + b"ftyp\xff\xda\xff\xe1\xff\xff",
    "a second picture": BASE + encoded(noise(9, 9), "JPEG"),
    "zeros before the end": BASE[:-2] + bytes(512) + END,
    "a register before the end": BASE[:-2] + b"\x12\x34\x56\x78" + END,
    "fill bytes before the end": BASE[:-2] + b"\xff" * 100 + END,
    "zeros and fill bytes": BASE[:-2] + bytes(100) + b"\xff" * 100 + END,
    "an unknown version": version(BASE, 0),
    "no version": without(BASE, 0xE0),
    "an unknown colour transform": behind_jfif(BASE, segment(0xEE, ADOBE + b"\5")),
    "that alone": behind_jfif(without(BASE, 0xE0), segment(0xEE, ADOBE + b"\5")),
    "a broken colour profile": behind_jfif(BASE, PROFILE),
    "the same part of it twice": behind_jfif(BASE, PROFILE * 2),
    "bytes between segments": behind_jfif(BASE, b"bytes"),
    "fill bytes between segments": behind_jfif(BASE, b"\xff\xff\xff"),
    "many segments": behind_jfif(BASE, segment(0xE1, bytes(60000)) * 3 + segment(0xFE, b"\xff\xd9\xff\xda")),
    "no code tables, as in films": without(BASE, 0xC4),
    "a segment of no length": BASE[:4] + bytes(2) + BASE[6:],
    "wrong parameters of the scan": progressive_parameters(BASE),
    "all at once": version(behind_jfif(progressive_parameters(BASE), PROFILE), 7)[:-2] + bytes(99) + END + b"more",
}


@both
@pytest.mark.parametrize("oddity", ODD)
def test_odd_files_have_the_pixels_that_they_always_had(oddity: str, backend: str) -> None:
    data = ODD[oddity]
    expected = np.asarray(Image.open(io.BytesIO(BASE)))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), expected)
    assert np.array_equal(cv2.imdecode(np.frombuffer(BASE, np.uint8), cv2.IMREAD_COLOR)[..., ::-1], expected)
    assert np.array_equal(DecodeImage(backend=backend)(data), expected)
    train = Pipeline([DecodeImage(backend=backend), RandCropImage(16)])
    for seed in range(4):
        fast, plain = (way(data, sample_generator(seed, 0, 0)) for way in (train, train.plain))
        assert np.array_equal(fast, plain)


@pytest.mark.parametrize("oddity", ODD)
def test_an_odd_file_hides_no_damage(oddity: str) -> None:
    data = ODD[oddity]
    start = scan_at(data)
    assert unreadable(data[: start + 1000] + END)


def test_coded_data_that_is_left_over_is_damage() -> None:
    assert "(Corrupt" in unreadable(BASE[:-2] + noise(8, 8).tobytes().replace(b"\xff", b"") + END)


@both
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}, {"quality": 100}])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_good_files_have_pillows_pixels(options: dict, mode: str, backend: str) -> None:
    buffer = io.BytesIO()
    Image.fromarray(noise(61, 35)).convert(mode).save(buffer, "JPEG", **options)
    expected = np.asarray(Image.open(buffer).convert("RGB"))
    for to_rgb in (True, False):
        found = DecodeImage(to_rgb=to_rgb, backend=backend)(buffer.getvalue())
        assert np.array_equal(found, expected[..., :: 1 if to_rgb else -1])


@both
@pytest.mark.parametrize("process", [0xC0, 0xC9])
@pytest.mark.parametrize("sampling", [(0x11,), (0x22, 0x11, 0x11), (0x31, 0x11, 0x11), (0x42, 0x11, 0x11)])
def test_arithmetic_code_and_any_sampling_are_read(process: int, sampling: tuple[int, ...], backend: str) -> None:
    data = flat_jpeg(sampling, process)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.array_equal(DecodeImage(backend=backend)(data), expected)
    assert (expected == 128).all() or process == 0xC9


@both
@pytest.mark.parametrize(
    ("process", "bits", "reason"), [(0xC1, 12, "12 bits per value"), (0xC3, 16, "16 bits"), (0xC5, 8, "hierarchical")]
)
def test_other_kinds_are_refused_by_name(process: int, bits: int, reason: str, backend: str) -> None:
    assert reason in unreadable(flat_jpeg((0x11, 0x11, 0x11), process, bits), backend)


@both
def test_a_damaged_header_is_said_and_no_library_writes_of_it(backend: str, capfd: pytest.CaptureFixture) -> None:
    place = BASE.index(b"\xff\xc0") + 3  # the length, here without half of the last component
    headers = [BASE[:place] + b"\x0f" + BASE[place + 1 :]]
    tables = BASE.index(b"\xff\xc4")
    headers += [BASE[: tables + part] + END + BASE for part in (2, 5, 20, 100)]
    for data in headers:
        assert "damaged before its coded data" in unreadable(data, backend)
    assert capfd.readouterr() == ("", "")


@given(st.integers(1, 95), st.integers(0, 9), st.integers(0, 1), st.integers(20, 60), st.floats(0, 1))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_rows_are_read_if_their_data_is_there(rows: int, restart: int, gray: int, width: int, part: float) -> None:
    """Restart markers behind the rows are no damage; before them they are where the data lies."""
    picture = noise(width, 96, restart)
    data = encoded(picture[..., 0] if gray else picture, "JPEG", restart_marker_blocks=restart)
    start = scan_at(data)
    cut = data[: start + int((len(data) - start) * part)] + END
    frame, whole = jpeg_frame(data), DecodeImage()(data)
    assert frame is not None
    found = decode_rows(cut, frame, rows, True)
    assert found is None or np.array_equal(found[:rows], whole[:rows])
    if part >= (rows + 40) / 96:
        assert found is not None


def test_damage_below_the_crop_is_not_noticed() -> None:
    data = KINDS["baseline"]
    frame = jpeg_frame(data)
    assert frame is not None
    cut = data[: len(data) * 3 // 4] + END
    rows = decode_rows(cut, frame, 30, True)
    assert rows is not None and np.array_equal(rows[:30], DecodeImage()(data)[:30])
    assert decode_rows(cut, frame, 90, True) is None
