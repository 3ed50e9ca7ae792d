"""One rule for which files are pictures, whether they are found in a folder or named."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from helpers.pictures import encoded, smooth
from ppcls.data import picture_files
from ppcls.data.image_list import read_list_file
from ppcls.data.picture_files import AVIF, PictureScan, only_pictures, read_file, walk_pictures
from ppcls.data.shards.write import Encoding
from ppcls.data.transforms import DecodeImage, Pipeline, UnreadableImage
from ppcls.utils.errors import UserError

PICTURE = smooth(8, 8)
KINDS = {
    "a.avif": "AVIF", "a.jpe": "JPEG", "a.jp2": "JPEG2000", "a.apng": "PNG", "UPPER.JPG": "JPEG", "Mixed.TiFF": "TIFF",
    "no_suffix": "PNG", "odd.suffix.bin": "WEBP", "a.jfif": "JPEG", "a.dib": "BMP", "a.pbm": "PPM", "a.mpo": "MPO",
}  # fmt: skip
if not AVIF.is_read:
    del KINDS["a.avif"]  # of a Pillow before 11.3
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)


def test_what_a_folder_gives_is_what_can_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name, kind in KINDS.items():
        (tmp_path / name).write_bytes(encoded(PICTURE, kind))
    found = walk_pictures(str(tmp_path))
    assert found == sorted(str(tmp_path / name) for name in KINDS)
    (tmp_path / "notes.txt").write_text("no picture")
    assert only_pictures([*found, str(tmp_path / "notes.txt")]) == found
    pipeline = Pipeline([DecodeImage()])
    assert {pipeline.from_file(path).shape for path in found} == {(3, 8, 8)}
    assert not caplog.messages


def test_what_is_passed_over_is_counted_and_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    (tmp_path / "sub").mkdir()
    files = {
        "a.png": encoded(PICTURE), "notes.txt": b"BMW is a make", "sub/b.txt": b"x", "README": b"P1 or P2",
        "c.eps": b"%!PS-Adobe", "IMG_1.HEIC": HEIC, "sub/photo": HEIC, ".DS_Store": b"x", ".hidden.png": b"x",
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe.jpg")
    scan = PictureScan(str(tmp_path))
    assert scan.pictures(str(tmp_path)) == [str(tmp_path / "a.png")]
    scan.report()
    scan.report()
    assert caplog.messages == [
        f"{tmp_path}: 7 files are not read as pictures: 2 .txt (notes.txt, ...); "
        "2 HEIC, to read which run `pip install pillow-heif` (IMG_1.HEIC, ...); 1 .eps (c.eps); "
        "1 no regular file (pipe.jpg); 1 without suffix (README)"
    ]
    for name in ("notes.txt", "README", "c.eps", "IMG_1.HEIC", "pipe.jpg"):
        with pytest.raises(UnreadableImage):
            Pipeline([DecodeImage()]).from_file(str(tmp_path / name))


def test_heic_counts_where_its_reader_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pillow_heif.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "in").mkdir()
    for name in ("a.HEIC", "b"):
        (tmp_path / "in" / name).write_bytes(HEIC)
    assert walk_pictures(str(tmp_path / "in")) == [str(tmp_path / "in" / "a.HEIC"), str(tmp_path / "in" / "b")]


def test_links_that_lead_nowhere_are_pictures_that_are_missing(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nothing")
    (tmp_path / "round.jpg").symlink_to(tmp_path / "round.jpg")
    found = walk_pictures(str(tmp_path))
    assert found == [str(tmp_path / "gone.jpg"), str(tmp_path / "round.jpg")]
    for path in found:
        with pytest.raises(UnreadableImage):
            Pipeline([DecodeImage()]).from_file(path)


@pytest.mark.parametrize("kind", ["pipe", "device", "socket", "folder"])
def test_what_is_no_regular_file_does_not_block(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.jpg"
    monkeypatch.chdir(tmp_path)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)  # relative, for the path of a socket is short
    else:
        path.mkdir()
    says = "Is a directory" if kind == "folder" else "it is not a regular file"
    with pytest.raises(OSError, match=says):
        read_file(str(path))
    with pytest.raises(UnreadableImage, match=says) as caught:
        Pipeline([DecodeImage()]).from_file(str(path))
    assert caught.value.path == str(path)
    with pytest.raises(UnreadableImage, match=says):
        Encoding().encode(str(path))


def test_a_sparse_file_of_any_size_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.jpg"
    with path.open("wb") as file:
        file.truncate(2**31 + 1)
    with pytest.raises(OSError, match="larger than 2 GiB"):
        read_file(str(path))
    monkeypatch.setattr(picture_files, "_LARGEST", 100)
    path.write_bytes(bytes(100))
    assert read_file(str(path)) == bytes(100)
    assert read_file(str(path), 64) == bytes(64)


def test_a_pipe_in_a_list_is_named_as_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(PICTURE))
    os.mkfifo(tmp_path / "b.png")
    (tmp_path / "list.txt").write_text("a.png 0\nb.png 1\n")
    with pytest.raises(UserError, match=r"list\.txt:2: .*b\.png is not a regular file; correct the line or image_root"):
        read_list_file(str(tmp_path / "list.txt"), str(tmp_path), 2)
