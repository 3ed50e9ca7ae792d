"""Picture files by the C++ library against `DecodeImage`: the odd ones one by one, and 200 photos."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from odd_pictures import odd_files
from probes import Decoded, decoded

from ppcls.data.transforms import DecodeImage, UnreadableImage

DATA = os.environ.get("PPCLS_TEST_DATA")
# Levels that a value may be off, where OpenCV converts otherwise than Pillow; docs/deployment/cpp.md has the table
OFF = {"tiff_CMYK.tif": 1, "webp_lossy.webp": 0}


def python_of(content: bytes) -> Decoded:
    try:
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
    assert ours.pixels.shape == theirs.pixels.shape
    assert np.abs(ours.pixels.astype(int) - theirs.pixels).max() <= OFF.get(name, 0)


def test_messages_of_limits(answers: dict[str, tuple[Decoded, Decoded]]) -> None:
    for name in ("bad_large.png", "bad_empty.jpg", "bad_text.jpg", "bad_float.tif", "bad_cut_with_end_50.jpg"):
        ours, theirs = answers[name]
        assert ours.error == theirs.error


@pytest.mark.skipif(not DATA, reason="PPCLS_TEST_DATA is not set")
def test_photos_bit_for_bit(decode_probe: Path) -> None:
    paths = sorted(Path(str(DATA), "imagenet_200").rglob("*.JPEG"))
    assert len(paths) == 200
    for path, one in zip(paths, decoded(decode_probe, paths)):
        expected = DecodeImage()(path.read_bytes())
        assert one.pixels is not None, one.error
        assert np.array_equal(one.pixels, expected), path
