import io
import itertools

import numpy as np
import pytest
from PIL import Image

from ppcls.data.transforms.resample import INTERPOLATIONS, resample
from ppcls.inference.pictures import GOLDEN_PICTURE, find_pictures, pictures_of
from ppcls.utils.errors import UserError
from ppcls.utils.picture_files import is_picture_name


def test_a_grey_array_is_no_list_of_rows() -> None:
    with pytest.raises(UserError, match=r"^picture 0 is an array uint8 \[9, 8\]; give uint8 \[H, W, 3\]$"):
        pictures_of(np.zeros((9, 8), np.uint8), "RGB")


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
    with pytest.raises(UserError) as caught:
        pictures_of(tmp_path / "absent")
    assert str(caught.value) == f"{tmp_path / 'absent'}: no such picture or folder"
    with pytest.raises(UserError) as caught:
        pictures_of(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} holds no picture; those with the suffixes .bmp, .gif, .jfif, .jpeg, .jpg, .pgm, .png, .ppm, "
        ".tif, .tiff, .webp count"
    )


ARRAY = np.zeros((2, 4, 3), np.uint8)


def test_a_list_may_mix_kinds_and_is_counted(tmp_path):
    pictures = pictures_of([tmp_path / "x.png", b"bytes", ARRAY], color="BGR")
    assert [picture.source for picture in pictures] == [str(tmp_path / "x.png"), 1, 2]
    assert pictures[1].content == b"bytes" and pictures[2].content is ARRAY


def test_one_of_a_kind_is_a_list_of_one():
    assert [picture.source for picture in pictures_of(b"bytes")] == [0]
    assert [picture.source for picture in pictures_of(ARRAY, "RGB")] == [0]
    assert [picture.source for picture in pictures_of(np.stack([ARRAY, ARRAY]), "RGB")] == [0, 1]


@pytest.mark.parametrize(
    ("source", "color", "says"),
    [
        (ARRAY, None, 'picture 0 is an array: say its channel order, color="RGB" or color="BGR" (OpenCV\'s)'),
        ([b"", ARRAY], "GBR", 'picture 1 is an array: say its channel order, color="RGB" or color="BGR" (OpenCV\'s)'),
        (ARRAY.astype(float), "RGB", "picture 0 is an array float64 [2, 4, 3]; give uint8 [H, W, 3]"),
        (ARRAY.transpose(2, 0, 1), "RGB", "picture 0 is an array uint8 [3, 2, 4]; give uint8 [H, W, 3]"),
        (ARRAY[:0], "RGB", "picture 0 is an array uint8 [0, 4, 3]; give uint8 [H, W, 3]"),
        ([ARRAY[..., 0]], "RGB", "picture 0 is an array uint8 [2, 4]; give uint8 [H, W, 3]"),
        ([3], None, "picture 0 is a int; give a path, bytes, or an array uint8 [H, W, 3]"),
        (3, None, "a int is no picture; give a folder, a file, bytes, an array, or a list"),
        (iter([]), None, "a list_iterator is no picture; give a folder, a file, bytes, an array, or a list"),
    ],
)
def test_what_is_no_picture_is_said(source, color, says):
    with pytest.raises(UserError) as caught:
        pictures_of(source, color)
    assert str(caught.value) == says
