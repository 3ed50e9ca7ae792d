import io
import itertools
import logging
import mmap
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.messages import pattern, refusal, says
from ppcls.data.picture_files import find_pictures, is_picture_name
from ppcls.data.picture_items import NoPicture, is_web_address
from ppcls.data.picture_sources import pictures_of
from ppcls.data.transforms import DecodeImage
from ppcls.data.transforms.resample import INTERPOLATIONS, resample
from ppcls.inference.golden import GOLDEN_PICTURE
from ppcls.utils.errors import UserError


def draw():
    """The golden picture, in integers alone, so that every machine draws the same."""
    y, x = np.mgrid[0:480, 0:640]
    picture = np.stack([x * 2 // 5, 40 + y // 3, 255 - (x + y) * 3 // 16], axis=-1)
    radius = (x - 200) ** 2 + (y - 180) ** 2
    rings = radius // 900 % 2 == 0
    paint(picture, (radius < 19600) & rings, (235, 60, 30))
    paint(picture, (radius < 19600) & ~rings, (250, 200, 40))
    weave = ((x ^ y) & 31) * 8
    cloth = (x > 380) & (y > 40) & (y < 260)
    picture[cloth] = np.stack([weave // 4, weave, 255 - weave], axis=-1)[cloth]
    stripes, meadow = (x + 2 * y) % 7 < 3, (y > 340) & (x < 500)
    paint(picture, meadow & stripes, (20, 120, 30))
    paint(picture, meadow & ~stripes, (150, 220, 60))
    chequers, board = (x // 2 + y // 3) % 2 == 0, (x > 524) & (y > 300) & (y < 450)
    paint(picture, board & chequers, (10, 10, 60))
    paint(picture, board & ~chequers, (245, 235, 245))
    return picture.astype(np.uint8)


def paint(picture, where, color):
    picture[where] = color


def test_the_golden_picture_is_the_one_drawn_here():
    stored = np.asarray(Image.open(io.BytesIO(GOLDEN_PICTURE.read_bytes())))
    assert stored.dtype == np.uint8 and np.array_equal(stored, draw())
    assert GOLDEN_PICTURE.stat().st_size < 60_000


def test_the_golden_picture_tells_channels_and_sides_apart():
    picture = draw().astype(int)
    assert picture.shape == (480, 640, 3)
    for other in (picture[..., ::-1], picture[:, ::-1], picture[::-1]):
        assert np.abs(picture - other).mean() > 20


@pytest.mark.parametrize("short", [224, 256, 292])
def test_the_golden_picture_tells_every_interpolation_apart(short):
    ways = [(backend, name) for backend, names in INTERPOLATIONS.items() for name in names]
    resized = [resample(draw(), round(short * 4 / 3), short, name, backend).astype(int) for backend, name in ways]
    nearest = min(np.abs(one - other).max() for one, other in itertools.combinations(resized, 2))
    assert len(ways) == 11 and nearest >= 15  # grey levels; decoders and processors differ by 1 or 2


def test_a_folder_is_read_recursively_in_order(tmp_path):
    for name in ("b/2.PNG", "b/10.jpg", "a.jpeg", "c.webp", "b/deep/1.bmp", "notes.txt", ".hidden.jpg", ".git/x.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = [str(path.relative_to(tmp_path)) for path in find_pictures(tmp_path)]
    assert found == ["a.jpeg", "b/10.jpg", "b/2.PNG", "b/deep/1.bmp", "c.webp"]
    pictures = pictures_of(str(tmp_path))
    assert [picture.source for picture in pictures] == [str(tmp_path / name) for name in found]
    assert pictures[0].content == tmp_path / "a.jpeg"


def test_linked_folders_are_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x.png").write_bytes(b"")
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "link").symlink_to(tmp_path / "real")
    assert find_pictures(tmp_path / "given") == [tmp_path / "given" / "link" / "x.png"]


def test_a_link_to_the_folder_above_does_not_lead_round_and_round(tmp_path):
    (tmp_path / "given" / "sub").mkdir(parents=True)
    (tmp_path / "given" / "x.png").write_bytes(b"")
    (tmp_path / "given" / "sub" / "up").symlink_to(tmp_path / "given")
    assert find_pictures(tmp_path / "given") == [tmp_path / "given" / "x.png"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.JPEG", True),
        ("a.tif", True),
        ("a.GIF", True),
        ("a.txt", False),
        ("a", False),
        (".a.png", False),
        ("a.png.part", False),
    ],
)
def test_what_counts_as_a_picture(name, expected):
    assert is_picture_name(name) is expected


def test_a_file_is_taken_whatever_its_suffix(tmp_path):
    path = tmp_path / "picture.bin"
    path.write_bytes(b"")
    (picture,) = pictures_of(path)
    assert (picture.source, picture.content) == (str(path), path)


def test_nothing_there(tmp_path):
    assert refusal(pictures_of, tmp_path / "absent") == f"{tmp_path / 'absent'}: no such picture or folder"
    assert refusal(pictures_of, tmp_path) == says(
        f"{tmp_path} holds no picture ... (AVIF, BMP, GIF, ... 2000, PNG, PPM, TIFF, WebP)"
    )


ARRAY = np.zeros((2, 4, 3), np.uint8)


def closed():
    file = io.BytesIO(b"")
    file.close()
    return file


def test_a_list_may_mix_kinds_and_is_counted(tmp_path):
    pictures = pictures_of([tmp_path / "x.png", b"bytes", ARRAY], color="BGR")
    assert [picture.source for picture in pictures] == [str(tmp_path / "x.png"), 1, 2]
    assert pictures[1].content == b"bytes" and np.shares_memory(pictures[2].content, ARRAY)
    assert [picture.color for picture in pictures] == ["RGB", "RGB", "BGR"]


def test_one_of_a_kind_is_a_list_of_one():
    assert [picture.source for picture in pictures_of(b"bytes")] == [0]
    assert [picture.source for picture in pictures_of(ARRAY, "RGB")] == [0]
    assert [picture.source for picture in pictures_of(np.stack([ARRAY, ARRAY]), "RGB")] == [0, 1]


@pytest.mark.parametrize(
    ("source", "color", "text"),
    [
        (ARRAY, None, "picture 0 is an array: give its channel order, color=\"RGB\" or color=\"BGR\" (OpenCV's)"),
        ([b"", ARRAY], None, "picture 1 is an array: give its channel order, color=\"RGB\" or color=\"BGR\" ..."),
        (b"", "rgb", "color is 'rgb'; write RGB or BGR"),
        (ARRAY.astype(float), "RGB", "picture 0 is an array float64 [2, 4, 3]; give uint8 [H, W, 3], [H, W, 4], "
         "[H, W, 1] or [H, W], ... from 0 to 255"),
        (np.zeros((3, 9, 8), np.uint8), "RGB", "picture 0 is an array uint8 [3, 9, 8]; ... array.transpose(1, 2, 0)"),
        (ARRAY[:0], "RGB", "picture 0 is an array uint8 [0, 4, 3]; give uint8 [H, W, 3], [H, W, 4], [H, W, 1] or "
         "[H, W]"),
        (np.zeros((9, 8, 2), np.uint8), "RGB", "picture 0 is an array uint8 [9, 8, 2]; give uint8 [H, W, 3], "
         "[H, W, 4], [H, W, 1] or [H, W]"),
        (io.StringIO("text"), None, "picture 0 is a file ... no bytes; open it with mode 'rb'"),
        (closed(), None, "picture 0 is a file that cannot be read (I/O operation on closed file.)"),
        (3, None, "an int cannot be read ...; give a folder, a file, bytes, ... an array, or a list"),
        ({"a.png": 1}, None, "a dict cannot be read ...; give a folder, a file, bytes, ... an array, or a list"),
        ("", None, "the path is empty"),
        ("a\0b.png", None, "a\\x00b.png: no file's name has a zero byte"),
        ("file:///etc/passwd", None, "file:///etc/passwd: only addresses of http:// and ... its bytes"),
        ("data:image/png;base64,iVBORw0KGgo=", None, "data:image/png;base64,iVBORw0KGgo=: only addresses ... bytes"),
        ("x" * 5000, None, f"{'x' * 300}: File name too long"),
        ("none/*.jpg", None, "none/*.jpg: no file matches this pattern"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_said(source, color, text):
    assert re.fullmatch(pattern(text), refusal(pictures_of, source, color))


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (None, "a NoneType cannot be read ...; give a path, bytes, an image or an array"),
        (float("nan"), "a float cannot be read ...; give a path, bytes, an image or an array"),
        (ARRAY.astype("uint16"), "an array uint16 [2, 4, 3]; give uint8 [H, W, 3], "),
        (np.zeros((2, 3, 4, 5), np.uint8), "an array uint8 [2, 3, 4, 5]; give uint8 [H, W, 3], "),
        ("a\0b", "no file's name has a zero byte"),
        ("ftp://x/y.png", "only addresses of http:// and https:// are read"),
        ("", "the path is empty"),
        (closed(), "a file that cannot be read (I/O operation on closed file.)"),
        (Image.new("F", (2, 2)), "its values have 32 bits, whose range is not defined"),
    ],
)
def test_one_of_a_list_that_is_no_picture_says_so_in_its_place(item, reason):
    first, bad, last = pictures_of([b"one", item, b"three"], "RGB")
    assert (first.content, last.content) == (b"one", b"three")
    assert isinstance(bad.content, NoPicture)
    assert re.match(pattern(reason), bad.content.reason)
    assert bad.source == (item if isinstance(item, str) else 1)


@pytest.mark.parametrize("source", ["https://a.invalid/b.png", ["https://a.invalid/b.png"]])
def test_an_address_is_not_loaded_before_it_is_read(source):
    (picture,) = pictures_of(source)
    assert (picture.source, picture.content.url) == ("https://a.invalid/b.png",) * 2
    assert picture.content.content == b""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://a/b.jpg", True),
        ("HTTP://a", True),
        ("http:///etc", False),
        ("http:/a", False),
        ("file:///etc", False),
        ("https", False),
    ],
)
def test_what_is_an_address(text: str, expected: bool) -> None:
    assert is_web_address(text) is expected


GRAY = np.arange(8, dtype=np.uint8).reshape(2, 4)


@pytest.mark.parametrize(
    ("array", "color", "expected", "said"),
    [
        (GRAY, None, [GRAY] * 3, "RGB"),
        (GRAY[..., np.newaxis], None, [GRAY] * 3, "RGB"),
        (np.stack([GRAY, GRAY + 1, GRAY + 2, GRAY + 9], axis=2), "RGB", [GRAY, GRAY + 1, GRAY + 2], "RGB"),
        (np.stack([GRAY, GRAY + 1, GRAY + 2, GRAY + 9], axis=2), "BGR", [GRAY, GRAY + 1, GRAY + 2], "BGR"),
    ],
)
def test_arrays_of_other_channels(array, color, expected, said):
    for source in (array, [array], array[np.newaxis] if array.ndim == 3 else [array], iter([array])):
        (picture,) = pictures_of(source, color)
        assert np.array_equal(picture.content, np.stack(expected, axis=2))
        assert picture.color == said


def test_an_array_with_alpha_says_its_colour_order():
    with pytest.raises(UserError, match=r"^picture 0 is an array: give its channel order"):
        pictures_of(np.zeros((2, 4, 4), np.uint8))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_bytes_in_every_form(kind):
    assert pictures_of(kind(b"bytes"))[0].content == b"bytes"
    assert [picture.content for picture in pictures_of([kind(b"one"), kind(b"two")])] == [b"one", b"two"]
    pictures = pictures_of([kind(b"one")])
    assert pictures[0] == pictures[0]  # can be read again


def test_the_only_picture_may_be_changed_or_closed_afterwards():
    content, array = bytearray(b"bytes"), io.BytesIO(b"file")
    pictures = pictures_of(content), pictures_of(array)
    content[:] = b"other"
    array.close()
    assert [given[0].content for given in pictures] == [b"bytes", b"file"]


def test_mapped_files(tmp_path):
    (tmp_path / "x").write_bytes(b"bytes")
    with (tmp_path / "x").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        assert pictures_of(content)[0].content == b"bytes"


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "1", "CMYK", "I;16"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_an_image_of_pillow_is_what_its_file_is(tmp_path, mode, suffix):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 4), dtype=np.uint8)
    if mode == "I;16":
        image = Image.fromarray(pixels[..., :2].copy().view("<u2")[..., 0])
    else:
        image = Image.fromarray(pixels).convert(mode)
    if (mode, suffix) == ("CMYK", ".png"):
        return  # no such file
    path = tmp_path / f"x{suffix}"
    image.save(path)
    expected = DecodeImage()(path.read_bytes())
    for given in (image, Image.open(path)):
        (picture,) = pictures_of(given)
        assert np.array_equal(picture.content, expected)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_an_image_of_pillow_is_turned_as_its_file_is(tmp_path, orientation):
    image, exif = Image.fromarray(np.arange(60, dtype=np.uint8).reshape(4, 5, 3)), Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "x.png", exif=exif)
    with Image.open(tmp_path / "x.png") as opened:
        pictures = pictures_of(opened)
    assert np.array_equal(pictures[0].content, DecodeImage()((tmp_path / "x.png").read_bytes()))


def test_a_damaged_image_of_pillow_is_unreadable(tmp_path):
    content = io.BytesIO()
    Image.effect_noise((64, 64), 99).save(content, "PNG")
    (picture,) = pictures_of(Image.open(io.BytesIO(content.getvalue()[:900])))
    assert isinstance(picture.content, NoPicture)


@pytest.fixture
def tree(tmp_path):
    for name in ("b/2.PNG", "b/10.jpg", "a.jpeg", "b/deep/1.bmp", "notes.txt", "[x].png", os.fsdecode(b"caf\xe9.jpg")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpeg", ["a.jpeg"]),
        ("**/*.jpg", ["b/10.jpg", os.fsdecode(b"caf\xe9.jpg")]),
        ("b/?.PNG", ["b/2.PNG"]),
        ("*", ["[x].png", "a.jpeg", "b/10.jpg", "b/2.PNG", "b/deep/1.bmp", os.fsdecode(b"caf\xe9.jpg")]),
        ("[ab]", ["b/10.jpg", "b/2.PNG", "b/deep/1.bmp"]),
        ("*.txt", ["notes.txt"]),  # there is nothing else that is meant
        ("[x].png", ["[x].png"]),  # the file of this name, which the pattern does not match
    ],
)
def test_patterns(tree, pattern, expected, monkeypatch):
    pictures = pictures_of(f"{tree}/{pattern}")
    assert [picture.source for picture in pictures] == [f"{tree}/{name}" for name in expected]
    monkeypatch.chdir(tree)
    assert [picture.source for picture in pictures_of(Path(pattern))] == expected


def test_what_a_pattern_leaves_out_is_said(tree, caplog):
    with caplog.at_level(logging.WARNING, "ppcls"):
        pictures_of(f"{tree}/*")
    (message,) = caplog.messages
    assert "(1, the first is" in message and "notes.txt" in message


def test_any_iterable_is_taken_as_it_comes():
    asked = []

    def given():
        for name in ("a", "b", "c"):
            asked.append(name)
            yield name

    pictures = pictures_of(given())
    assert asked == []
    assert next(pictures).source == "a"
    assert asked == ["a"]
    for several in (("a", "b"), {"a": 1, "b": 2}.keys(), np.array(["a", "b"]), np.array(["a", "b"], object)):
        assert [picture.source for picture in pictures_of(several)] == ["a", "b"]


class Tensor:
    """What torch, Paddle and others have."""

    def __array__(self, dtype=None, copy=None):
        return ARRAY


def test_tensors_are_arrays():
    for source in (Tensor(), [Tensor()]):
        assert np.array_equal(pictures_of(source, "RGB")[0].content, ARRAY)
    with pytest.raises(UserError, match=r"^picture 0 is an array: give its channel order"):
        pictures_of([Tensor()])


def test_bytes_that_name_a_file_are_its_name(tree, monkeypatch):
    monkeypatch.chdir(tree)
    name = os.fsdecode(b"caf\xe9.jpg")
    assert pictures_of(b"caf\xe9.jpg")[0].content == pictures_of([b"caf\xe9.jpg"])[0].content == Path(name)
    assert [picture.source for picture in pictures_of(b"b")] == ["b/10.jpg", "b/2.PNG", "b/deep/1.bmp"]
    assert pictures_of(b"none.jpg")[0].content == b"none.jpg"
