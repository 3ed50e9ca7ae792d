"""A plugin of pytest that records the pictures which tests decode, and afterwards what this library makes of each.

`pytest -p recorded_pictures --record-pictures FOLDER` writes each picture, and `recorded.json` with their transforms
and the digests of their tensors, or that they are refused. `test_paddle_serving_service.py` compares them on Python
3.8.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ppcls.data.transforms import DecodeImage, Pipeline
from ppcls.deployment.paddle_serving.preprocess import SERVED
from ppcls.utils.errors import UserError

LARGEST = 4 << 20  # bytes of a picture
_SEEN: dict[tuple[str, bytes], None] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-pictures", metavar="FOLDER", type=Path)


def pytest_configure(config: pytest.Config) -> None:
    _record(DecodeImage, lambda decode: Pipeline([decode]))
    _record(Pipeline, lambda pipeline: pipeline)


def _record(kind: Any, pipeline_of: Callable[[Any], Pipeline]) -> None:
    call = kind.__call__

    def recorded(self: Any, data: Any, *rest: Any, **more: Any) -> Any:
        if isinstance(data, bytes) and len(data) <= LARGEST:
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
