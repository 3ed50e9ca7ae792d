"""The doctor's findings on machines that are played, and its answer on this one."""

import json
import sys
from types import SimpleNamespace

import pytest

from helpers.checkout import ROOT
from helpers.new_process import modules_loaded_by
from ppcls.analysis import doctor
from ppcls.analysis.doctor import ADVICE, ERROR, EXTRAS, OK, WARNING, examine, worst
from ppcls.cli import main
from ppcls.utils import cpu, hardware, packages
from ppcls.utils.errors import Unavailable

GIB = 1 << 30


@pytest.fixture
def machine(monkeypatch):
    """A machine on which all is well, in the ways that the tests change."""
    monkeypatch.setattr(cpu, "usable_cores", lambda: 4)
    monkeypatch.setattr(doctor.os, "cpu_count", lambda: 4)
    monkeypatch.setattr(cpu, "common_flags", lambda: {"avx2", "avx512f", "amx_int8"})
    monkeypatch.setattr(cpu, "has_avx512", lambda: True)
    monkeypatch.setattr(cpu, "best_mkl_type", lambda: "7")
    monkeypatch.setattr(cpu, "applied", lambda: {"MKL_DEBUG_CPU_TYPE": "7"})
    monkeypatch.setenv("MKL_DEBUG_CPU_TYPE", "7")
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.delenv("OMP_THREAD_LIMIT", raising=False)
    monkeypatch.setattr(hardware, "processor_name", lambda: "a processor")
    monkeypatch.setattr(hardware, "usable_memory", lambda: 16 * GIB)
    monkeypatch.setattr(hardware, "shared_memory", lambda: 8 * GIB)
    monkeypatch.setattr(hardware, "free_space", lambda path: 100 * GIB)
    monkeypatch.setattr(hardware, "first_gpu", lambda: None)
    return monkeypatch


def found(topic):
    return [finding for finding in examine() if finding.topic == topic]


def states(topic):
    return [finding.state for finding in found(topic)]


@pytest.mark.parametrize("topic", ["Python", "packages", "Paddle", "processor", "threads", "MKL", "memory"])
def test_where_all_is_well_nothing_is_to_be_done(machine, topic):
    assert [(finding.state, finding.change) for finding in found(topic)] == [(OK, "")]


def test_the_processors_instructions_are_named(machine):
    assert found("processor")[0].found == "a processor: 4 of 4 cores usable; AVX2, AVX-512, AMX int8"
    machine.setattr(cpu, "common_flags", lambda: {"avx2"})
    assert states("processor") == [ADVICE]
    machine.setattr(doctor.os, "cpu_count", lambda: 64)
    assert "4 of the 64 cores" in found("processor")[0].change


def test_idle_and_quarrelling_threads(machine):
    machine.setenv("OMP_NUM_THREADS", "1")
    assert states("threads") == [WARNING] and "3 of 4 cores are idle" in found("threads")[0].change
    machine.setenv("OMP_NUM_THREADS", "8")
    assert states("threads") == [WARNING] and "set OMP_NUM_THREADS to 4" in found("threads")[0].change


def test_a_limit_of_threads(machine):
    machine.setenv("OMP_THREAD_LIMIT", "4")
    assert [(finding.state, finding.found) for finding in found("threads")] == [
        (WARNING, "OMP_THREAD_LIMIT=4"),
        (OK, "OMP_NUM_THREADS=4 (set by you)"),
    ]


@pytest.mark.parametrize(
    ("best", "given", "state"), [("7", "5", WARNING), (None, "5", WARNING), ("5", "5", OK), (None, None, OK)]
)
def test_the_kernels_of_mkl(machine, best, given, state):
    machine.setattr(cpu, "best_mkl_type", lambda: best)
    machine.delenv("MKL_DEBUG_CPU_TYPE")
    if given:
        machine.setenv("MKL_DEBUG_CPU_TYPE", given)
    assert states("MKL") == [state]


def test_paddles_own_kernels_on_a_processor_with_better_ones(machine):
    from ppcls.kernels import selection

    machine.setattr(selection, "selected", lambda: selection.Selection("paddle", "as chosen"))
    assert states("kernels") == [WARNING] and "PPCLS_CPU_KERNELS=auto" in found("kernels")[0].change
    machine.setattr(selection, "selected", lambda: selection.Selection("onednn", "as chosen", "3.6.2"))
    assert found("kernels")[0].found == "convolutions in training by oneDNN 3.6.2 (as chosen)"


def test_little_memory_shared_memory_and_disk(machine):
    machine.setattr(hardware, "usable_memory", lambda: 2 * GIB)
    machine.setattr(hardware, "shared_memory", lambda: 64 << 20)
    machine.setattr(hardware, "free_space", lambda path: GIB)
    assert states("memory") == states("shared memory") == [WARNING]
    assert "--shm-size" in found("shared memory")[0].change
    assert states("disk") == [WARNING] * 3


def test_a_gpu_that_this_build_of_paddle_leaves_alone(machine):
    machine.setattr(hardware, "first_gpu", lambda: hardware.Gpu("NVIDIA H100", "550.54"))
    machine.setattr(doctor, "missing_gpu", lambda: "this build of Paddle has no CUDA")
    (finding,) = found("GPU")
    assert finding.state == WARNING and "requirements-gpu.txt" in finding.change
    assert finding.found == "NVIDIA H100, driver 550.54, unused: this build of Paddle has no CUDA"
    machine.setattr(doctor, "missing_gpu", lambda: None)
    assert states("GPU") == [OK]


def test_a_missing_package_is_an_error(machine, capsys):
    real = packages.is_found
    machine.setattr(packages, "is_found", lambda module: module not in ("simplejpeg", "webdataset") and real(module))
    missing, others = found("packages")
    assert missing.state == ERROR and missing.found == "missing: simplejpeg" and "install" in missing.change
    assert "simplejpeg" not in others.found
    assert states("extra shards") == [ADVICE]
    assert main(["doctor", "--json"]) == 1
    assert {"topic": "packages", "state": ERROR, **missing.as_json()} in json.loads(capsys.readouterr().out)


def test_paddle_that_does_not_load_is_described(machine):
    def refuse():
        raise Unavailable("paddlepaddle needs the library libgomp1, which is missing; install it")

    machine.setattr(doctor, "load_paddle", refuse)
    machine.setattr(doctor, "missing_gpu", refuse)
    (finding,) = found("Paddle")
    assert (finding.state, finding.change.startswith("paddlepaddle needs")) == (ERROR, True)
    assert found("GPU") == found("TensorRT") == []


def test_a_python_without_a_paddle(machine):
    machine.setattr(doctor.sys, "version_info", (3, 14, 0))
    assert states("Python") == [ERROR]


def test_every_extra_of_the_setup_is_looked_at():
    written = {path.stem.removeprefix("requirements-") for path in ROOT.glob("requirements-*.txt")}
    assert {extra.name for extra in EXTRAS} == written - {"core", "gpu", "dev"}


def test_the_worst_finding_counts():
    made = [SimpleNamespace(state=state) for state in (OK, WARNING, ADVICE)]
    assert worst(made) == WARNING


def test_the_answer_on_this_machine(capsys, tmp_path):
    assert main(["doctor", "--output", str(tmp_path / "not" / "there")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"ok       Python             {sys.version.split()[0]}")
    assert any(f"runs and bundles in {tmp_path}" in line for line in lines)


def test_a_broken_installation_can_be_examined():
    """Its modules do not load what may be broken."""
    loaded = modules_loaded_by("import ppcls.analysis.doctor, ppcls.cli.doctor")
    assert loaded & {"paddle", "numpy", "cv2", "matplotlib", "yaml", "PIL"} == set()


def test_memory_of_a_container(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal:       1024 kB\nMemFree:        1 kB\n")
    assert hardware.usable_memory(tmp_path / "meminfo", tmp_path) == 1 << 20
    (tmp_path / "memory.max").write_text("max\n")
    assert hardware.usable_memory(tmp_path / "meminfo", tmp_path) == 1 << 20
    (tmp_path / "memory.max").write_text("4096\n")
    assert hardware.usable_memory(tmp_path / "meminfo", tmp_path) == 4096
    assert hardware.usable_memory(tmp_path / "absent", tmp_path / "absent") is None


def test_free_space_of_a_folder_that_is_not_there_yet(tmp_path):
    assert hardware.free_space(tmp_path / "a" / "b") > 0
