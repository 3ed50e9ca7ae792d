"""`make test-cpp` builds the programs and runs this folder; `make test` leaves it alone."""

import os
from pathlib import Path

import pytest

collect_ignore_glob = ["test_*.py"]

BUILD = Path(os.environ.get("PPCLS_CPP_BUILD", "build/cpp"))


@pytest.fixture(scope="session")
def classify() -> Path:
    """The program `ppcls-classify`."""
    return _program("program/ppcls-classify")


@pytest.fixture(scope="session")
def core_probe() -> Path:
    """The program that runs transforms on raw pictures."""
    return _program("tests/core-probe")


@pytest.fixture(scope="session")
def decode_probe() -> Path:
    """The program that decodes picture files."""
    return _program("tests/decode-probe")


def _program(name: str) -> Path:
    path = (BUILD / name).absolute()
    assert path.is_file(), f"{path} is missing; run `make test-cpp`"
    return path
