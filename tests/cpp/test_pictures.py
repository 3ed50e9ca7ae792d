"""Picture files by the C++ library against `DecodeImage`: the odd ones one by one, bombs, and 200 photos."""

from __future__ import annotations

import os
import re
import resource
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from odd_pictures import odd_files
from probes import Decoded, decoded

from helpers.checkout import ROOT
from ppcls.data.picture_files import HEAD_BYTES, picture_format
from ppcls.data.transforms import DecodeImage, UnreadableImage
from ppcls.data.transforms.jpeg_markers import jpeg_frame

sys.path += [str(ROOT / "tests" / "extras"), str(ROOT / "tests" / "fuzz")]

from recorded_pictures import record_odd_pictures
from test_bombs_data import PICTURES as BOMBS

DATA = os.environ.get("PPCLS_TEST_DATA")
PAGE = (ROOT / "docs" / "deployment" / "cpp.md").read_text(encoding="utf-8")
# Formats that Python alone reads, as the page's table has them
(REFUSED,) = re.findall(r"^\| (.*) \| Pillow \| refused, in one sentence \|$", PAGE, flags=re.MULTILINE)
# Pillow refuses a PNG with more text than 1 MiB
MUCH_TEXT = ("png text", "png international text", "png colour profile")
BOMB_MEMORY, BOMB_SECONDS = 1536 << 20, 60


def python_of(content: bytes) -> Decoded:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tests make errors of Pillow's
            return Decoded(DecodeImage()(content), "")
    except UnreadableImage as error:
        return Decoded(None, error.reason)


@pytest.fixture(scope="session")
def answers(decode_probe: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Decoded, Decoded]]:
    """What both make of each odd file, by its name."""
    folder = tmp_path_factory.mktemp("odd")
    files = odd_files()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    found = decoded(decode_probe, [folder / name for name in files])
    return {name: (one, python_of(files[name])) for name, one in zip(files, found)}


@pytest.mark.parametrize("name", list(odd_files()))
def test_odd_picture(answers: dict[str, tuple[Decoded, Decoded]], name: str) -> None:
    ours, theirs = answers[name]
    assert (theirs.pixels is None) == name.startswith("bad_")
    assert (ours.pixels is None) == (theirs.pixels is None), ours.error or theirs.error
    if ours.pixels is None or theirs.pixels is None:
        assert ours.error
        assert "\n" not in ours.error
        return
    assert np.array_equal(ours.pixels, theirs.pixels)


def test_messages_of_limits(answers: dict[str, tuple[Decoded, Decoded]]) -> None:
    for name in ("bad_large.png", "bad_empty.jpg", "bad_text.jpg", "bad_float.tif", "bad_cut_with_end_50.jpg"):
        ours, theirs = answers[name]
        assert ours.error == theirs.error


def difference(content: bytes, ours: Decoded, theirs: Decoded) -> str:
    """In what the two readers differ; empty where both refuse the file, or give the same pixels."""
    if ours.pixels is None:
        assert ours.error
        assert "\n" not in ours.error
    if ours.pixels is not None and theirs.pixels is not None and np.array_equal(ours.pixels, theirs.pixels):
        return ""
    if ours.pixels is None and theirs.pixels is None:
        return ""
    known = picture_format(content[:HEAD_BYTES])
    assert known is not None
    if ours.error == f"it is {known.name}, which this program does not read; convert it to JPEG or PNG":
        return f"refused: {known.name}"
    frame = jpeg_frame(content)
    if frame is not None and frame.sampling[0] == (3, 1) and "premature end" in ours.error:
        return "refused: last bytes are missing"
    return f"{known.name}: {theirs.error or 'read'} by Python, here {ours.error or 'other pixels'}"


def test_every_odd_picture_of_the_python_tests(decode_probe: Path, tmp_path: Path) -> None:
    record_odd_pictures(tmp_path, "--record-fixed-pictures")
    files: dict[bytes, Path] = {}
    for path in sorted(tmp_path.glob("*.bin")):
        files.setdefault(path.read_bytes(), path)
    found = Counter()
    for content, ours in zip(files, decoded(decode_probe, list(files.values()))):
        found[difference(content, ours, python_of(content))] += 1
    assert len(files) > 1500
    assert found.pop("") > len(files) - 20
    found.pop("refused: last bytes are missing", None)
    assert set(found) <= {f"refused: {name}" for name in REFUSED.split(", ")}
    print(f"{len(files)} odd pictures: the same but for {dict(found)}")


def test_bombs(decode_probe: Path, tmp_path: Path) -> None:
    """Files that cost much for their size are bounded, and read or refused as by Python."""
    files = {}
    for number, (name, make) in enumerate(BOMBS.items()):
        files[name] = tmp_path / f"{number}.bin"
        files[name].write_bytes(make())
    limits = {resource.RLIMIT_AS: BOMB_MEMORY, resource.RLIMIT_CPU: BOMB_SECONDS}
    for (name, path), ours in zip(files.items(), decoded(decode_probe, list(files.values()), limits)):
        content = path.read_bytes()
        if name in MUCH_TEXT:
            assert ours.pixels is not None
            continue
        assert difference(content, ours, python_of(content)) in ("", "refused: JPEG 2000"), name


@pytest.mark.skipif(not DATA, reason="PPCLS_TEST_DATA is not set")
def test_photos_bit_for_bit(decode_probe: Path) -> None:
    paths = sorted(Path(str(DATA), "imagenet_200").rglob("*.JPEG"))
    assert len(paths) == 200
    for path, one in zip(paths, decoded(decode_probe, paths)):
        expected = DecodeImage()(path.read_bytes())
        assert one.pixels is not None, one.error
        assert np.array_equal(one.pixels, expected), path
