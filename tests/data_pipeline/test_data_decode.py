from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
import simplejpeg
from data_pictures import flat_jpeg, png16, with_orientation
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from helpers.pictures import encoded, noise, numbered, smooth
from ppcls.data.transforms import DecodeImage, UnreadableImage

BACKENDS = ("cv2", "pil")
UNUSUAL = flat_jpeg((0x31, 0x11, 0x11))  # simplejpeg does not know this sampling
both = pytest.mark.parametrize("backend", BACKENDS)


@both
def test_png_is_exact_in_the_channel_order_asked_for(backend: str) -> None:
    picture = noise(7, 5)
    data = encoded(picture)
    assert np.array_equal(DecodeImage(backend=backend)(data), picture)
    assert np.array_equal(DecodeImage(backend=backend, to_rgb=False)(data), picture[..., ::-1])
    assert np.array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), picture[..., ::-1])


@both
def test_jpeg_is_what_the_backend_makes_of_it(backend: str) -> None:
    data = encoded(noise(40, 30), "JPEG", quality=80)
    by_cv2 = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    by_pil = np.asarray(Image.open(io.BytesIO(data)))
    assert np.array_equal(DecodeImage(backend=backend)(data), {"cv2": by_cv2, "pil": by_pil}[backend])


def test_the_backend_decodes_what_simplejpeg_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: np.full((32, 32, 3), (1, 2, 3), np.uint8))
    assert DecodeImage(backend="cv2", to_rgb=False)(UNUSUAL)[0, 0].tolist() == [1, 2, 3]
    assert DecodeImage(backend="cv2")(UNUSUAL)[0, 0].tolist() == [3, 2, 1]
    assert DecodeImage(backend="pil")(UNUSUAL)[0, 0].tolist() == [128, 128, 128]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}])
def test_opencv_and_pillow_agree_on_jpeg(options: dict) -> None:
    data = encoded(smooth(64, 48), "JPEG", **options)
    a, b = (DecodeImage(backend=backend)(data).astype(int) for backend in BACKENDS)
    assert a.shape == b.shape == (48, 64, 3)
    assert np.abs(a - b).max() <= 2  # both are libjpeg-turbo; versions differ in rounding


@both
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(backend: str, kind: str, orientation: int) -> None:
    data = with_orientation(smooth(24, 16), kind, orientation)
    stored = Image.open(io.BytesIO(data))
    expected = np.asarray(ImageOps.exif_transpose(stored).convert("RGB"))
    found = DecodeImage(backend=backend)(data)
    assert found.shape == (expected.shape if orientation < 5 else (24, 16, 3))
    assert np.abs(found.astype(int) - expected).max() <= (2 if kind == "JPEG" else 0)
    assert found.flags.c_contiguous


def test_orientation_6_turns_clockwise() -> None:
    stored = numbered(3, 2)
    found = DecodeImage()(with_orientation(stored, "PNG", 6))
    assert found[..., 0].tolist() == [[0, 0], [1, 1], [2, 2]]  # columns became rows
    assert found[..., 1].tolist() == [[1, 0], [1, 0], [1, 0]]  # the lower row is now on the left


@both
def test_a_damaged_exif_block_states_no_orientation(backend: str) -> None:
    picture = numbered(5, 4)
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01"
    assert np.array_equal(DecodeImage(backend=backend)(encoded(picture, exif=exif)), picture)


@both
def test_tiff_orientation_is_applied_once(backend: str) -> None:
    data = encoded(numbered(3, 2), "TIFF", tiffinfo={274: 3})
    assert np.array_equal(DecodeImage(backend=backend)(data), numbered(3, 2)[::-1, ::-1])


@both
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_gray_is_repeated(backend: str, kind: str) -> None:
    gray = smooth(16, 8)[..., 0]
    found = DecodeImage(backend=backend)(encoded(gray, kind, quality=100))
    assert np.array_equal(found[..., 0], found[..., 1]) and np.array_equal(found[..., 0], found[..., 2])
    assert np.abs(found[..., 0].astype(int) - gray).max() <= (2 if kind == "JPEG" else 0)


@both
def test_one_bit_is_black_and_white(backend: str) -> None:
    buffer = io.BytesIO()
    Image.frombytes("1", (8, 1), b"\xa5").save(buffer, "PNG")
    assert DecodeImage(backend=backend)(buffer.getvalue())[0, :, 1].tolist() == [255, 0, 255, 0, 0, 255, 0, 255]


@both
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_alpha_is_dropped(backend: str, kind: str) -> None:
    colors = numbered(4, 3)
    alpha = np.arange(12, dtype=np.uint8).reshape(3, 4, 1) * 20
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    data = encoded(np.concatenate([colors, alpha], axis=2), kind, **options)
    assert np.array_equal(DecodeImage(backend=backend)(data), colors)


@both
def test_alpha_of_gray_is_dropped(backend: str) -> None:
    pixels = np.array([[[10, 0], [20, 255]]], np.uint8)
    assert DecodeImage(backend=backend)(encoded(pixels, mode="LA")).tolist() == [[[10] * 3, [20] * 3]]


@both
@pytest.mark.parametrize("transparency", [None, 1, bytes([0, 128, 255])])
@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_palette_is_looked_up(backend: str, kind: str, transparency: int | bytes | None) -> None:
    picture = Image.frombytes("P", (3, 1), bytes([0, 1, 2]))
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    if kind == "GIF" and isinstance(transparency, bytes):
        transparency = 2
    buffer = io.BytesIO()
    picture.save(buffer, kind, **({} if transparency is None else {"transparency": transparency}))
    assert DecodeImage(backend=backend)(buffer.getvalue()).tolist() == [[[10, 20, 30], [40, 50, 60], [70, 80, 90]]]


@both
def test_16_bits_keep_their_high_byte(backend: str) -> None:
    gray = np.array([[0x0000, 0x00FF, 0x0100, 0x12FE, 0xFFFF]], np.uint16)
    assert DecodeImage(backend=backend)(png16(gray))[0, :, 0].tolist() == [0, 0, 1, 0x12, 255]
    color = np.array([[[0x0101, 0x80FF, 0xFF00], [0x0001, 0x7FFF, 0xFFFF]]], np.uint16)
    assert DecodeImage(backend=backend)(png16(color)).tolist() == [[[1, 0x80, 0xFF], [0, 0x7F, 0xFF]]]
    assert DecodeImage(backend=backend)(encoded(gray, "TIFF"))[0, :, 2].tolist() == [0, 0, 1, 0x12, 255]


@both
@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_32_bits_are_refused(backend: str, dtype: type) -> None:
    with pytest.raises(UnreadableImage, match=r"32-bit.* save it with unsigned values of 8 or 16 bits"):
        DecodeImage(backend=backend)(encoded(np.ones((2, 2), dtype), "TIFF"))


def test_deep_colour_in_jpeg_2000_is_refused() -> None:
    data = encoded(noise(16, 16), "JPEG2000")
    assert DecodeImage()(data).shape == (16, 16, 3)
    place = data.index(b"\xff\x4f\xff\x51") + 42  # bits of the first component, less 1
    with pytest.raises(UnreadableImage, match="JPEG 2000 of 12 bits per value; save it with 8 bits"):
        DecodeImage()(data[:place] + bytes([11]) + data[place + 1 :])


def cmyk_jpeg(color: tuple[int, int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("CMYK", (16, 16), color).save(buffer, "JPEG", quality=100)
    return buffer.getvalue()


@both
@pytest.mark.parametrize(
    ("ink", "color"), [((0, 255, 255, 0), (255, 0, 0)), ((0, 0, 0, 255), (0, 0, 0)), ((0, 0, 255, 128), (127, 127, 0))]
)
def test_cmyk_is_converted(backend: str, ink: tuple[int, int, int, int], color: tuple[int, int, int]) -> None:
    buffer = io.BytesIO()
    Image.new("CMYK", (16, 16), ink).save(buffer, "TIFF")
    assert np.abs(DecodeImage(backend=backend)(buffer.getvalue()).astype(int) - color).max() == 0
    assert np.abs(DecodeImage(backend=backend)(cmyk_jpeg(ink)).astype(int) - color).max() <= 2


@both
def test_cmyk_is_converted_by_pillow(backend: str) -> None:
    buffer = io.BytesIO()
    Image.frombytes("CMYK", (30, 20), noise(40, 20).tobytes()).save(buffer, "JPEG", quality=95)
    expected = np.asarray(Image.open(buffer).convert("RGB"))
    assert np.array_equal(DecodeImage(backend=backend)(buffer.getvalue()), expected)


@both
def test_cmyk_jpeg_is_inverted_with_and_without_adobes_mark(backend: str) -> None:
    data = cmyk_jpeg((0, 255, 255, 0))
    start = data.index(b"\xff\xee")
    assert data[start + 4 : start + 9] == b"Adobe"
    plain = data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") :]
    assert np.array_equal(DecodeImage(backend=backend)(plain), DecodeImage(backend=backend)(data))


@both
def test_the_first_of_several_frames_is_taken(backend: str) -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    for kind in ("GIF", "WEBP", "MPO"):
        buffer = io.BytesIO()
        options = {"lossless": True} if kind == "WEBP" else {"quality": 100}
        frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], **options)
        found = DecodeImage(backend=backend)(buffer.getvalue())
        assert np.abs(found.astype(int) - (255, 0, 0)).max() <= 2, kind


@both
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF"])
def test_a_truncated_file_is_unreadable(backend: str, kind: str) -> None:
    data = encoded(noise(40, 40), kind)
    DecodeImage(backend=backend)(data)
    with pytest.raises(UnreadableImage, match=r"cannot read the picture: ."):
        DecodeImage(backend=backend)(data[: len(data) * 2 // 3])


@both
def test_a_jpeg_without_its_last_bytes_is_truncated(backend: str) -> None:
    data = encoded(noise(16, 16), "JPEG")
    with pytest.raises(UnreadableImage) as caught:
        DecodeImage(backend=backend)(data[:-2])
    assert str(caught.value) == "cannot read the picture: the file is truncated"


@both
@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "the file is empty"), (b"hello", "no known picture format"), (b"\xff\xd8", "no known")]
)
def test_what_is_no_picture_is_unreadable(backend: str, data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableImage, match=reason) as caught:
        DecodeImage(backend=backend)(data)
    assert caught.value.path is None


def test_opencv_failing_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)
    with pytest.raises(UnreadableImage, match="damaged or incomplete"):
        DecodeImage(backend="cv2")(UNUSUAL)


def test_running_out_of_memory_is_not_the_pictures_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhaust(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(simplejpeg, "decode_jpeg", exhaust)
    with pytest.raises(MemoryError):
        DecodeImage(backend="cv2")(encoded(smooth(8, 8), "JPEG"))


@both
@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_damaged_files_decode_or_are_unreadable(backend: str, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "TIFF", "BMP"]))
    content = bytearray(encoded(noise(9, 8), kind))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = DecodeImage(backend=backend)(bytes(content))
    except UnreadableImage:
        return
    assert found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] == 3


def test_an_array_passes_and_its_kind_is_checked() -> None:
    picture = noise(3, 2)
    assert DecodeImage()(picture) is picture
    for wrong in (picture.astype(np.float32), picture[..., 0], picture[..., :2], picture[:0]):
        with pytest.raises(ValueError, match=r"give uint8 \[height, width, 3\]"):
            DecodeImage()(wrong)


def test_impossible_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="backend is 'PIL'; write 'cv2' or 'pil'"):
        DecodeImage(backend="PIL")
    with pytest.raises(ValueError, match=r"channel_first: True is not supported; .* ToCHWImage"):
        DecodeImage(channel_first=True)


@pytest.mark.parametrize("out_of_memory", [False, True])
def test_an_error_of_opencv_is_told_without_the_places_in_its_code(
    out_of_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        error = cv2.error("OpenCV(5.0.0) /io/opencv/loadsave.cpp:79: error: (-215:Assertion failed) pixels <= LIMIT")
        error.code = cv2.Error.StsNoMem if out_of_memory else cv2.Error.StsAssert
        error.err = "pixels <= LIMIT"
        raise error

    monkeypatch.setattr(DecodeImage, "_decode", refuse)
    with pytest.raises(MemoryError if out_of_memory else UnreadableImage) as caught:
        DecodeImage()(encoded(smooth(8, 8), "JPEG"))
    assert "/io/opencv" not in str(caught.value)
    assert out_of_memory or "OpenCV cannot decode it (pixels <= LIMIT)" in str(caught.value)
