"""A plugin of pytest that records the pictures which tests decode, and afterwards what this library makes of each.

`pytest -p recorded_pictures --record-pictures FOLDER` writes each picture, and `recorded.json` with their transforms
and the digests of their tensors, or that they are refused. `test_paddle_serving_service.py` compares them on Python
3.8, and `tests/cpp/test_pictures.py` those that `--record-fixed-pictures` leaves: without what hypothesis draws.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import currently_in_test_context

from helpers.checkout import ROOT
from helpers.new_process import new_python, with_checkout
from ppcls.data.transforms import DecodeImage, Pipeline
from ppcls.deployment.paddle_serving.preprocess import SERVED
from ppcls.utils.errors import UserError

LARGEST = 4 << 20  # bytes of a picture
# What decodes odd pictures
ODD_TESTS = (
    "test_data_decode", "test_data_tiff", "test_data_cut_jpeg", "test_data_orientation", "test_data_file_formats",
    "test_data_gray", "test_data_resize", "test_data_crop", "test_data_pixels", "test_data_transform_pipeline",
    "test_picture_bounds", "test_picture_files", "test_picture_sources", "test_quiet", "test_resample_part",
)  # fmt: skip
_SEEN: dict[tuple[str, bytes], None] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-pictures", metavar="FOLDER", type=Path)
    parser.addoption("--record-fixed-pictures", action="store_true")


def pytest_configure(config: pytest.Config) -> None:
    only_fixed = config.getoption("record_fixed_pictures")
    _record(DecodeImage, lambda decode: Pipeline([decode]), only_fixed)
    _record(Pipeline, lambda pipeline: pipeline, only_fixed)


def _record(kind: Any, pipeline_of: Callable[[Any], Pipeline], only_fixed: bool) -> None:
    call = kind.__call__

    def recorded(self: Any, data: Any, *rest: Any, **more: Any) -> Any:
        is_wanted = not (only_fixed and currently_in_test_context())
        if is_wanted and isinstance(data, bytes) and len(data) <= LARGEST:
            pipeline = pipeline_of(self)
            if SERVED.keys() >= {type(op).__name__ for op in pipeline.ops}:
                _SEEN[json.dumps(pipeline.normalized().to_list()), data] = None
        return call(self, data, *rest, **more)

    kind.__call__ = recorded


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    folder = session.config.getoption("record_pictures")
    rows = []
    for number, (text, data) in enumerate(list(_SEEN)):
        transforms = json.loads(text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tests make errors of them
            found = digest(Pipeline.from_list(transforms), data)
        (folder / f"{number}.bin").write_bytes(data)
        rows.append([number, transforms, found])
    (folder / "recorded.json").write_text(json.dumps(rows), encoding="utf-8")


def digest(preprocess: Callable[[bytes], Any], data: bytes) -> str:
    try:
        tensor = preprocess(data)
    except UserError:
        return "refused"
    return f"{list(tensor.shape)} {hashlib.sha256(tensor.tobytes()).hexdigest()}"


def record_odd_pictures(folder: Path, *options: str) -> None:
    """Runs the tests that decode odd pictures, and records these in a folder."""
    tests = [ROOT / "tests" / "data_pipeline" / f"{name}.py" for name in ODD_TESTS]
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "recorded_pictures"]
    words += ["--basetemp", str(folder / "basetemp"), "--record-pictures", str(folder), *options]
    folders = [ROOT, ROOT / "tests", Path(__file__).parent]
    environment = with_checkout(PYTHONPATH=os.pathsep.join(map(str, folders)))
    ran = new_python(*words, *tests, folder=ROOT, environment=environment)
    assert ran.code == 0, ran.out + ran.err
