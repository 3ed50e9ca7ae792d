"""Which kernels are chosen, and what is said where they cannot be had."""

from pathlib import Path

import paddle
import pytest

from ppcls.engine import device
from ppcls.kernels import library, selection
from ppcls.utils import cpu
from ppcls.utils.errors import UserError

LIBRARIES = Path(paddle.__file__).parent / "libs"


@pytest.fixture
def no_library(monkeypatch):
    def load():
        raise library.KernelError("/somewhere/libdnnl.so.3 cannot be loaded: no such file")

    monkeypatch.setattr(library.Library, "load", staticmethod(load))


@pytest.mark.parametrize(
    ("choice", "avx512", "name"),
    [
        ("auto", True, "onednn"),
        ("auto", False, "paddle"),
        ("onednn", False, "onednn"),
        ("paddle", True, "paddle"),
    ],
)
def test_the_choice_and_the_processor_decide(choice, avx512, name, monkeypatch):
    monkeypatch.setattr(cpu, "has_avx512", lambda: avx512)
    assert selection.use(choice).name == name
    assert selection.selected().name == name


def test_the_variable_decides_for_library_users(monkeypatch):
    monkeypatch.setenv("PPCLS_CPU_KERNELS", "paddle")
    assert selection.selected().name == "paddle"
    monkeypatch.setattr(selection, "_selected", None)
    monkeypatch.setenv("PPCLS_CPU_KERNELS", "mkl")
    with pytest.raises(UserError, match="PPCLS_CPU_KERNELS is 'mkl'; write auto, onednn, paddle"):
        selection.selected()


def test_without_the_library_auto_is_paddle_and_onednn_is_refused(no_library, monkeypatch):
    monkeypatch.setattr(cpu, "has_avx512", lambda: True)
    chosen = selection.use("auto")
    assert chosen.name == "paddle"
    assert "libdnnl.so.3" in chosen.reason
    with pytest.raises(UserError, match=r"Global.cpu_kernels is onednn.*libdnnl.so.3.*auto or paddle"):
        selection.use("onednn")


def test_another_version_is_refused(monkeypatch):
    monkeypatch.setattr(library, "MAJOR", 4)
    with pytest.raises(library.KernelError, match=r"is oneDNN 3\.\d+\.\d+, not 4"):
        library.Library(LIBRARIES / "libdnnl.so.3", LIBRARIES / "libiomp5.so")


def test_a_library_that_is_missing_is_named(tmp_path):
    with pytest.raises(library.KernelError, match=r"nothing.so cannot be loaded"):
        library.Library(tmp_path / "nothing.so", LIBRARIES / "libiomp5.so")


def test_the_log_and_the_checkpoint_say_what_runs(monkeypatch):
    version = library.Library.load().version
    assert device.select_kernels("onednn") == f"convolutions by oneDNN {version} (as chosen)"
    assert device.kernels()["convolutions"] == version
    assert device.select_kernels("paddle") == "convolutions by Paddle (as chosen)"
    assert "convolutions" not in device.kernels()


def test_the_key_goes_before_the_variable(monkeypatch):
    monkeypatch.setenv("PPCLS_CPU_KERNELS", "paddle")
    assert "Paddle" in device.select_kernels("auto")
    assert "oneDNN" in device.select_kernels("onednn")
