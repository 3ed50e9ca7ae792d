"""Files of up to 1 MB that pretend to be data: each is read or refused within bounds of memory and time."""

from __future__ import annotations

import bz2
import functools
import gzip
import importlib
import inspect
import io
import json
import lzma
import shutil
import struct
import sys
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.bounds import HANG_SECONDS, MEGABYTES, assert_all_bounded, assert_bounded, costs_of
from helpers.fuzzing import FUZZING
from ppcls.data import imagenet_archives
from ppcls.data.class_folders import read_class_folders
from ppcls.data.image_list import read_list_file
from ppcls.data.imagenet_labels import Devkit, read_labels
from ppcls.data.labels import load_class_names
from ppcls.data.own_list import read_own_pictures
from ppcls.data.shards.archive import samples_of
from ppcls.data.shards.manifest import FORMAT, parse_manifest
from ppcls.data.transforms import DecodeImage
from ppcls.data.transforms.header import _PLUGINS

pytestmark = pytest.mark.fuzz

MEGABYTE = 1_000_000
LISTS_SECONDS = 6.0  # of all readers of a list together


def padded(data: bytes) -> bytes:
    """A file of 1 MB, whose size allows more pixels."""
    return data + bytes(max(0, MEGABYTE - len(data)))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@functools.cache
def deflated(size: int) -> bytes:
    """So many zeros as a zlib stream."""
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(MEGABYTE)) for _ in range(size // MEGABYTE)]
    return b"".join([*parts, packer.compress(bytes(size % MEGABYTE)), packer.flush()])


def png(side: int, content: bytes, extra: bytes = b"", depth: int = 8, interlaced: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, depth, 2, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def small_png(extra: bytes) -> bytes:
    return png(16, deflated(49 * 16), extra)


def jpeg(side: int, **options: Any) -> bytes:
    return saved(Image.new("RGB", (side, side)), "JPEG", **options)


def jpeg_with(inserted: bytes) -> bytes:
    data = jpeg(16)
    return data[:2] + inserted + data[2:]


def jpeg_of_scans(side: int, count: int) -> bytes:
    """A progressive JPEG whose second scan is repeated."""
    data = jpeg(side, progressive=True, quality=50)
    starts = [place for place in range(len(data)) if data[place : place + 2] == b"\xff\xda"]
    scan = data[starts[1] : starts[2]]
    return padded(data[:-2] + scan * (count - len(starts)) + b"\xff\xd9")


def bmp(commands: bytes) -> bytes:
    """A run-length encoded BMP."""
    header = struct.pack("<IHHI", 0, 0, 0, 54 + 1024)
    header += struct.pack("<IiiHHIIiiII", 40, 4600, 4600, 1, 8, 1, 0, 0, 0, 0, 0)
    return padded(b"BM" + header + bytes(1024) + commands)


def tiff(*more: tuple[int, int, int, int], next_at: int = 0, **changed: int) -> bytes:
    """A directory of a gray TIFF; tags are (number, type, length, value)."""
    tags = {"width": 256, "height": 257, "bits": 258, "compression": 259, "photometric": 262, "strips": 273,
            "samples": 277, "rows": 278, "lengths": 279}  # fmt: skip
    values = {"width": 16, "height": 16, "bits": 8, "compression": 1, "photometric": 1, "strips": 0, "samples": 1,
              "rows": 16, "lengths": 256, **changed}  # fmt: skip
    known = {number for number, *_ in more}
    entries = [(number, 4, 1, values[name]) for name, number in tags.items() if number not in known]
    packed = b"".join(struct.pack("<HHII", *entry) for entry in sorted([*entries, *more]))
    count = len(entries) + len(more)
    return struct.pack("<2sHIH", b"II", 42, 8, count) + packed + struct.pack("<I", next_at)


def tiff_of_one_jpeg() -> bytes:
    """Its 100,000 strips are the same picture."""
    strip, count, begin = saved(Image.new("L", (1000, 1000)), "JPEG"), 100_000, 400
    places = begin + len(strip)
    directory = tiff(
        (273, 4, count, places), (279, 4, count, places + 4 * count), width=1000, height=1000, compression=7, rows=1
    )
    assert len(directory) <= begin
    data = directory.ljust(begin, b"\0") + strip
    return data + struct.pack("<I", begin) * count + struct.pack("<I", len(strip)) * count


def flat(side: int, kind: str, mode: str = "RGB", **options: Any) -> Callable[[], bytes]:
    return lambda: padded(saved(Image.new(mode, (side, side)), kind, **options))


EXIF = b"II*\0\x08\0\0\0\xff\xff"
PICTURES: dict[str, Callable[[], bytes]] = {
    "png of one colour": lambda: padded(png(5790, deflated((5790 * 3 + 1) * 5790))),
    "png of 16 bits": lambda: padded(png(5790, deflated((5790 * 6 + 1) * 5790), depth=16)),
    "png interlaced": lambda: padded(png(5790, deflated((5790 * 3 + 12) * 5790), interlaced=1)),
    "png with more data than pixels": lambda: png(16, deflated(600 * MEGABYTE)),
    "png text": lambda: small_png(chunk(b"zTXt", b"k\0\0" + deflated(600 * MEGABYTE))),
    "png international text": lambda: small_png(chunk(b"iTXt", b"k\0\1\0\0\0" + deflated(600 * MEGABYTE))),
    "png colour profile": lambda: small_png(chunk(b"iCCP", b"k\0\0" + deflated(600 * MEGABYTE))),
    "png of chunks": lambda: small_png(chunk(b"abCd", b"") * 80_000),
    "png of texts": lambda: small_png(chunk(b"tEXt", b"k\0v") * 60_000),
    "png exif as text": lambda: small_png(chunk(b"tEXt", b"Raw profile type exif\0\n\n\n" + b"00\n" * 300_000)),
    "png xmp": lambda: small_png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"tiff:Orientation=" * 58_000)),
    "png exif tags": lambda: small_png(chunk(b"eXIf", EXIF + struct.pack("<HHII", 257, 12, 65_537, 1) * 65_535)),
    "jpeg of 100 scans": lambda: jpeg_of_scans(5200, 100),
    "jpeg of segments": lambda: jpeg_with(b"\xff\xfe\0\2" * 250_000),
    "jpeg of exif blocks": lambda: jpeg_with(b"\xff\xe1\0\x08Exif\0\0" * 100_000),
    "jpeg of fill bytes": lambda: jpeg_with(b"\xff" * MEGABYTE),
    "jpeg of restart markers": lambda: jpeg(16)[:-2] + b"\xff\xd0" * 500_000 + b"\xff\xd9",
    "jpeg of frames": lambda: b"\xff\xd8" + b"\xff\xc0\0\x0b\x08\0\x10\0\x10\1\1\x11\0" * 76_000,
    "jpeg cmyk": flat(4000, "JPEG", "CMYK"),
    "gif": flat(4500, "GIF", "P"),
    "bmp of runs": lambda: bmp(b"\xff\0" * 400_000),
    "bmp of jumps": lambda: bmp(b"\0\2\xff\0" * 200_000),
    "ppm of digits": lambda: b"P3 500 300 255\n" + b"1" * 900_000,
    "ppm comment": lambda: b"P6 #" + b"x" * 900_000 + b"\n16 16 255\n" + bytes(768),
    "pbm comments": lambda: b"P1 900 1000\n" + b"#a\n1" * 225_000,
    "pgm comments": lambda: b"P2 900 1000 255\n" + b"#\n1 " * 225_000,
    "webp": flat(3780, "WEBP", lossless=True),
    "jpeg 2000": flat(3800, "JPEG2000", irreversible=True),
    "tiff deflated": flat(4700, "TIFF", compression="tiff_adobe_deflate"),
    "tiff fax": flat(5900, "TIFF", "1", compression="group4"),
    "tiff directory that follows itself": lambda: padded(tiff(next_at=8)),
    "tiff tags that share values": lambda: padded(tiff(*((1000 + i, 1, 900_000, 8) for i in range(4990)))),
    "tiff of strips": lambda: padded(tiff((273, 4, 100_000, 200), (279, 4, 100_000, 400_200), height=100_000, rows=1)),
    "tiff of one jpeg": tiff_of_one_jpeg,
}


@pytest.fixture(scope="module")
def _plugins() -> None:
    """Loads what decoders need, which no picture is to blame for."""
    for module, _, _ in _PLUGINS.values():
        if importlib.util.find_spec(module) is not None:
            importlib.import_module(module)
    DecodeImage()(saved(Image.new("RGB", (16, 16)), "TIFF"))


@pytest.mark.usefixtures("_plugins")
@pytest.mark.parametrize("name", PICTURES)
def test_pictures(name: str) -> None:
    data = PICTURES[name]()
    assert len(data) <= 1.3 * MEGABYTE
    assert_bounded(lambda: DecodeImage()(data))


@pytest.mark.usefixtures("_plugins")
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("jpeg of 100 scans", "27,040,000 pixels in 100 scans"),
        ("tiff tags that share values", "states 4,491,"),
        ("tiff of one jpeg", "more than the picture"),
    ],
)
def test_what_is_wrong_with_a_picture(name: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        DecodeImage()(PICTURES[name]())


LISTS: dict[str, str] = {
    "one line": "a" * MEGABYTE,
    "one line of fields": ",".join("a" * 500_000),
    "one field": '"' + "a" * MEGABYTE,
    "field of lines": '"a\n' + "b\n" * 490_000,
    "empty lines": "\n" * MEGABYTE,
    "old Macintosh": "a 1\r" * 250_000,
    "zeros": "\0" * MEGABYTE,
    "short lines": "a 1\n" * 250_000,
    "names without suffix": "".join(f"{i % 64} {i % 9}\n" for i in range(180_000)),
    "folders in many spellings": "".join(f"{'./' * (i % 50)}{i % 64} {i % 9}\n" for i in range(18_000)),
    "backslashes": "".join(f".\\{i % 64}.jpg {i % 9}\n" for i in range(90_000)),
    "all delimiters": "a,1;b|c\td e\n" * 80_000,
    "columns": ("a," * 900 + "1\n") * 500,
    "columns of pictures": "".join(",".join(f"{(i + j) % 64}.jpg" for j in range(300)) + "\n" for i in range(480)),
    "too many columns": ("a," * 5000 + "1\n") * 90,
    "labels": "".join(f"{i % 64}.jpg {i}x\n" for i in range(80_000)),
    "label of digits": "0.jpg " + "9" * 5000 + "\n",
    "long label": "0.jpg " + "b" * 16_000 + "\n",
    "two labels": "".join(f"0.jpg {i}\n" for i in range(90_000)),
    "names alike": "".join(f"{i % 64}.jpg {'ab' * 40}{i}\n" for i in range(9000)),
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(64):
        (folder / f"{number}.jpg").touch()
    return folder


@pytest.mark.parametrize("name", LISTS)
def test_lists(name: str, pictures: Path, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(LISTS[name][: MEGABYTE if FUZZING else MEGABYTE // 10])
    assert file.stat().st_size <= 1.3 * MEGABYTE
    costs = costs_of(
        lambda: read_list_file(str(file), str(pictures), 1000),
        lambda: read_own_pictures(str(file)),
        lambda: load_class_names(file),
        lambda: read_labels(file, ["a.jpg"] * 5, None),
    )
    for cost in costs:
        assert cost.megabytes <= MEGABYTES
        # Several lines of a list are named one below the other
        assert all(len(line) <= 1000 for line in (cost.message or "").split("\n")), cost.message[:2000]
    assert sum(cost.seconds for cost in costs) <= (LISTS_SECONDS if FUZZING else HANG_SECONDS)


def test_a_line_that_is_too_long_is_named(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("a.jpg 1\n" + "a" * 16_385)
    with pytest.raises(ValueError, match=r"list.txt:2: the line has 16,385 characters, more than 16,384;"):
        load_class_names(file)
    file.write_text("a.jpg 1\n" + "a" * 16_384)
    assert len(load_class_names(file)) == 2


def test_class_folders_beside_many_names(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("a\n" * 500_000)
    message = assert_bounded(lambda: read_class_folders(str(pictures.parent), None, str(tmp_path / "names.txt")))
    assert "the class a is listed twice" in message


def test_a_folder_deeper_than_python_calls(tmp_path: Path) -> None:
    """No function calls itself for each level.

    The limit of calls is lowered for it: nobody could delete a folder of a thousand levels by `shutil.rmtree`, as
    pytest does, if the test were killed.
    """
    levels = 300
    deepest = Path(tmp_path, "data", "cat", *["a"] * levels)
    deepest.mkdir(parents=True)
    (deepest / "1.jpg").touch()
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 150)
    try:
        images = read_class_folders(str(tmp_path / "data"), None)
    finally:
        sys.setrecursionlimit(limit)
    assert images.paths == [str(deepest / "1.jpg")]


def manifest(**changed: Any) -> bytes:
    shard = {"name": "x.tar", "pictures": 1, "bytes": 9999}
    known = {"format": FORMAT, "class_names": None, "largest_label": 1, "shards": [shard]}
    return json.dumps({**known, **changed}).encode()


MANIFESTS = {
    "depth": b"[" * MEGABYTE,
    "objects": b'{"a":' * 200_000,
    "digits": b'{"format":' + b"9" * MEGABYTE,
    "shards": manifest(shards=[{"name": "x.tar", "pictures": 1, "bytes": 9999}] * 20_000),
    "classes": manifest(class_names=["a"] * 200_000),
    "long name": manifest(shards=[{"name": "x" * 900_000, "pictures": 1, "bytes": 9999}]),
    "more pictures than bytes": manifest(shards=[{"name": "x.tar", "pictures": 10**12, "bytes": 10**14}]),
    "bytes of any number": manifest(shards=[{"name": "x.tar", "pictures": 1, "bytes": 10**20}]),
    "text for a number": manifest(shards=[{"name": "x.tar", "pictures": "1", "bytes": "9999"}]),
    "number for a name": manifest(shards=[{"name": 1, "pictures": 1, "bytes": 9999}]),
    "classes as text": manifest(class_names="abc"),
    "infinite": b'{"format":1e999999}',
    "half a character": b'{"format":"\\ud800"}',
    "list": b"[1]",
    "UTF-16": "{}".encode("utf-16"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests_of_shards(name: str) -> None:
    message = assert_bounded(lambda: parse_manifest(MANIFESTS[name], "manifest.json"))
    assert (message is None) == (name in ("shards", "classes"))


@functools.cache
def tar(*members: tuple[str, int]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, size in members:
            member = tarfile.TarInfo(name)
            member.size = size
            archive.addfile(member, io.BytesIO(bytes(size)))
    return buffer.getvalue()


def large() -> bytes:
    return tar(("a.jpg", 90 * MEGABYTE))


TARS: dict[str, Callable[[], bytes]] = {
    "gzip of a large member": lambda: gzip.compress(large()),
    "bzip2 of a large member": lambda: bz2.compress(large()),
    "xz of a large member": lambda: lzma.compress(large(), preset=1),
    "gzip of members": lambda: gzip.compress(tar(*((f"{i}.txt", 0) for i in range(20_000)))),
    "gzip of one sample": lambda: gzip.compress(tar(*((f"k.{i}.jpg", 100) for i in range(10_000)))),
    "gzip of slashes": lambda: gzip.compress(tar(*(("a/" * 1900 + str(i), 0) for i in range(2000)))),
    "gzip of dots": lambda: gzip.compress(tar(*(("a." * 1900 + f"{i}.jpg", 0) for i in range(2000)))),
    "bzip2 of zeros": lambda: bz2.compress(bytes(60 * MEGABYTE)),
    "gzips": lambda: gzip.compress(b"") * 40_000,
    "members": lambda: tar(*((f"{i}.txt", 0) for i in range(1900))),
    "size that is only stated": lambda: tar(("a.jpg", 0))[:124] + b"77777777777\0" + tar(("a.jpg", 0))[136:],
}


@pytest.mark.parametrize("name", TARS)
def test_tars(name: str, tmp_path: Path) -> None:
    file = tmp_path / "x.tar.gz"
    file.write_bytes(TARS[name]())
    assert file.stat().st_size <= 1.3 * MEGABYTE
    plain = Path(shutil.copy(file, tmp_path / "ILSVRC2012_img_val.tar"))
    assert_all_bounded(
        lambda: list(samples_of(str(file))),
        lambda: imagenet_archives.read_member(file, "meta.mat"),
        lambda: imagenet_archives.extract_pictures(plain, tmp_path / "val"),
        lambda: imagenet_archives.extract_class_archives(plain, tmp_path / "train"),
    )


def test_a_devkit_whose_table_states_any_size(tmp_path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    kind = [("ILSVRC2012_ID", "f8"), ("WNID", object), ("num_children", "f8")]
    buffer = io.BytesIO()
    scipy_io.savemat(buffer, {"synsets": np.array([(1, "n1", 0), (2, "n2", 0)], kind).reshape(-1, 1)})
    whole = buffer.getvalue()
    dimensions = struct.pack("<ii", 2, 1)
    assert whole.count(dimensions) > 0
    folder = tmp_path / "kit" / "data"
    folder.mkdir(parents=True)
    (folder / "meta.mat").write_bytes(whole)
    assert Devkit(tmp_path / "kit").wnids == {1: "n1", 2: "n2"}
    (folder / "meta.mat").write_bytes(whole.replace(dimensions, struct.pack("<ii", 2**15, 2**15), 1))
    assert "data/meta.mat is damaged or too large" in assert_bounded(lambda: Devkit(tmp_path / "kit").wnids)
