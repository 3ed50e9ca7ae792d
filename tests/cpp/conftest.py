"""`make test-cpp` builds the programs and runs this folder; `make test` leaves it alone."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

collect_ignore_glob = ["test_*.py"]

BUILD = Path(os.environ.get("PPCLS_CPP_BUILD", "build/cpp"))


@pytest.fixture(scope="session", autouse=True)
def library_of_onnxruntime() -> Iterator[None]:
    """Lets the program find the ONNX Runtime of this Python."""
    spec = importlib.util.find_spec("onnxruntime")
    with pytest.MonkeyPatch.context() as patch:
        if spec is not None and spec.origin is not None and "PPCLS_ONNXRUNTIME" not in os.environ:
            (library,) = Path(spec.origin).parent.glob("capi/libonnxruntime.so.*")
            patch.setenv("PPCLS_ONNXRUNTIME", str(library))
        yield


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


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of SqueezeNet1_1 with its program as ONNX: torchvision's weights if they are there."""
    given = os.environ.get("PPCLS_CPP_BUNDLE")
    if given:
        return Path(given)
    folder = tmp_path_factory.mktemp("model") / "bundle"
    command = [sys.executable, "-m", "ppcls", "export", "-c", "SqueezeNet1_1", "--onnx"]
    data = os.environ.get("PPCLS_TEST_DATA")
    if data is None:
        command.append("--untrained")
    else:
        command += ["-o", f"Global.pretrained_model={data}/squeezenet1_1_torchvision.pth"]
    command += ["-o", f"Global.save_inference_dir={folder}"]
    subprocess.run(command, capture_output=True, timeout=900, check=True)
    return folder


def _program(name: str) -> Path:
    path = (BUILD / name).absolute()
    assert path.is_file(), f"{path} is missing; run `make test-cpp`"
    return path
