"""Damaged copies of pictures, shards, manifests, lists and archives: each is read, or refused by a sentence."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.fuzzing import assert_every_mutant_is_read_or_refused
from helpers.pictures import encoded
from ppcls.data import imagenet_archives
from ppcls.data.image_list import read_list_file
from ppcls.data.imagenet_labels import read_labels
from ppcls.data.labels import load_class_names
from ppcls.data.own_list import read_own_pictures
from ppcls.data.picture_files import AVIF
from ppcls.data.shards.archive import samples_of
from ppcls.data.shards.manifest import FORMAT, parse_manifest
from ppcls.data.transforms import DecodeImage
from ppcls.utils.errors import UserError

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("PNG", {}),
    "jpeg": ("JPEG", {}),
    "progressive jpeg": ("JPEG", {"progressive": True}),
    "gif": ("GIF", {}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "tiff lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff jpeg": ("TIFF", {"compression": "jpeg"}),
    "webp": ("WEBP", {}),
    "ppm": ("PPM", {}),
    "jpeg 2000": ("JPEG2000", {}),
    "avif": ("AVIF", {}),
}
if not AVIF.is_read:
    del KINDS["avif"]  # of a Pillow before 11.3


def picture(kind: str, **options: Any) -> bytes:
    pixels = np.arange(24 * 20 * 3, dtype=np.uint32).reshape(20, 24, 3) * 7 % 251
    return encoded(pixels.astype(np.uint8), kind, **options)


def reader_of(file: Path, read: Callable[[], Any]) -> Callable[[bytes], Any]:
    """Reads the content as that file. Of a list's mistakes, which are named in a line each, the first one is kept."""

    def write_and_read(content: bytes) -> Any:
        file.write_bytes(content)
        try:
            return read()
        except UserError as error:
            raise UserError(str(error).partition("\n")[0]) from error

    return write_and_read


@pytest.mark.parametrize("name", KINDS)
def test_pictures(name: str) -> None:
    kind, options = KINDS[name]
    whole = picture(kind, **options)
    seen = assert_every_mutant_is_read_or_refused(DecodeImage(), whole, 100)
    assert seen["refused"] > 0


def test_a_picture_with_exif() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = picture("JPEG", exif=exif)
    assert DecodeImage()(whole).shape == (24, 20, 3)
    assert_every_mutant_is_read_or_refused(DecodeImage(), whole, 100)


def tar(form: int, members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


SAMPLES = {
    "cat/1.jpg": b"picture",
    "cat/1.cls": b"3",
    f"{'folder/' * 30}2.jpg": bytes(600),
    f"{'folder/' * 30}2.cls": b"4",
}


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_shards(tmp_path: Path, form: int, compress: Callable[[bytes], bytes]) -> None:
    file = tmp_path / "x.tar"
    read = reader_of(file, lambda: [sample.label for sample in samples_of(str(file))])
    whole = compress(tar(form, SAMPLES))
    assert read(whole) == [3, 4]
    seen = assert_every_mutant_is_read_or_refused(read, whole, 200)
    assert seen["refused"] > 0


def test_manifests_of_shards() -> None:
    shards = [{"name": f"x-{i}.tar", "pictures": 3, "bytes": 9999, "sha256": "0" * 64} for i in range(3)]
    content = {"format": FORMAT, "class_names": ["a", "b"], "largest_label": 1, "shards": shards}
    seen = assert_every_mutant_is_read_or_refused(
        lambda content: parse_manifest(content, "manifest.json"), json.dumps(content).encode(), 300
    )
    assert seen["refused"] > 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(20):
        (tmp_path / f"{number}.jpg").touch()
    return tmp_path


LISTS = {
    "plain": "".join(f"{i}.jpg {i % 3}\n" for i in range(20)),
    "names": "".join(f"{i}.jpg cat{i % 3}\n" for i in range(20)),
    "table": "image,label,split\n" + "".join(f'{i},"cat, {i % 3}",{"train" if i % 4 else "val"}\n' for i in range(20)),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists(folder: Path, name: str) -> None:
    file = folder / "list.csv"

    def read() -> None:
        read_own_pictures(str(file))
        if name != "table":  # its parts belong into lists of their own
            read_list_file(str(file), str(folder), 3)

    assert_every_mutant_is_read_or_refused(reader_of(file, read), LISTS[name].encode(), 200)


def test_label_files(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    whole = "".join(f"{i} cat{i}\n" for i in range(20)).encode()
    seen = assert_every_mutant_is_read_or_refused(reader_of(file, lambda: load_class_names(file)), whole, 200)
    assert seen["read"] > 0 and seen["refused"] > 0


IMAGENET_LABELS = {
    "pairs": "a.jpg 0\nb.jpg n01440764\n",
    "numbers": "0\n1\n",
    "table": "ImageId,PredictionString\na,n01440764 1 2 3 4\nb,n01440764 1 2 3 4\n",
}


@pytest.mark.parametrize("name", IMAGENET_LABELS)
def test_labels_of_imagenet(tmp_path: Path, name: str) -> None:
    file = tmp_path / "labels.txt"
    read = reader_of(file, lambda: read_labels(file, ["a.jpg", "b.jpg"], None))
    assert_every_mutant_is_read_or_refused(read, IMAGENET_LABELS[name].encode(), 200)


def test_archives_of_imagenet(tmp_path: Path) -> None:
    classes = {f"n0{i}.tar": tar(tarfile.GNU_FORMAT, {f"{j}.JPEG": bytes(700) for j in range(2)}) for i in range(2)}
    file = tmp_path / "ILSVRC2012_img_train.tar"
    place = iter(range(10**9))
    read = reader_of(file, lambda: imagenet_archives.extract_class_archives(file, tmp_path / str(next(place))))
    assert_every_mutant_is_read_or_refused(read, tar(tarfile.GNU_FORMAT, classes), 50)


def test_devkits(tmp_path: Path) -> None:
    file = tmp_path / "ILSVRC2012_devkit_t12.tar.gz"
    whole = gzip.compress(tar(tarfile.GNU_FORMAT, {"kit/readme.txt": b"", "kit/data/meta.mat": bytes(300)}))
    read = reader_of(file, lambda: imagenet_archives.read_member(file, "data/meta.mat"))
    assert_every_mutant_is_read_or_refused(read, whole, 200)
