"""Errors, registry, files, CPU preparation, the loading of Paddle, the log."""

import errno
import logging
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.checkout import ROOT
from helpers.messages import refusal, says
from helpers.new_process import new_python, output_of, with_checkout
from ppcls.deployment.npz.files import save_array
from ppcls.utils import cpu, files
from ppcls.utils import load_paddle as loading
from ppcls.utils.errors import ConfigError, UserError, suggest
from ppcls.utils.logging import setup_logging
from ppcls.utils.registry import Registry


@pytest.mark.parametrize(
    ("name", "hint"), [("dla06", " (did you mean DLA60?)"), ("epoch", " (did you mean epochs?)"), ("xyzzy", "")]
)
def test_near_names(name, hint):
    assert suggest(name, ["DLA60", "epochs", "SqueezeNet1_0"]) == hint


def test_all_problems_stand_in_one_error():
    assert str(ConfigError(["a.yaml:1 x: bad; write 1", "a.yaml:2 y: bad; write 2"])).splitlines() == [
        "a.yaml:1 x: bad; write 1",
        "a.yaml:2 y: bad; write 2",
    ]


def test_registry_refuses_duplicates_and_suggests():
    registry = Registry("fruit")

    @registry.register("Apple", "Pomme")
    class Apple:
        pass

    assert registry["Pomme"] is registry["Apple"] is Apple
    assert registry.names() == list(registry) == ["Apple", "Pomme"]
    with pytest.raises(ValueError, match="the fruit Apple is registered already"):
        registry.register("Apple")(int)
    with pytest.raises(UserError, match=r"there is no fruit named 'aple' \(did you mean Apple\?\)"):
        registry["aple"]
    with pytest.raises(UserError, match="there is no fruit named 'Zzz'; known: Apple, Pomme"):
        registry["Zzz"]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "sub" / "a.txt"
    files.write_atomically(target, b"old")
    monkeypatch.setattr(files, "sync_file", lambda path: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        files.write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]
    assert files.sha256_of(target) == "cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4"


@pytest.mark.parametrize("left", [(), ("b",), (".b.old",), ("b", ".b.old")])
def test_a_folder_is_replaced_whatever_a_killed_process_left(tmp_path, left, monkeypatch):
    """And whenever the next one is killed, `b` or else `.b.old` is a whole bundle: the newest of those that were."""
    for name in (*left, ".b.new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    rename, standing = Path.rename, []

    def watched(path, target):
        rename(path, target)
        standing.append({found.name: (found / "file").read_text() for found in tmp_path.iterdir()})

    monkeypatch.setattr(Path, "rename", watched)
    files.replace_folder(tmp_path / ".b.new", tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert (tmp_path / "b" / "file").read_text() == ".b.new"
    newest = {".b.old": left[0]} if left else {}
    halfway = [{".b.new": ".b.new", **newest}] if "b" in left else []
    assert standing == [*halfway, {"b": ".b.new", **newest}]


def prepared(**environment):
    """What `prepare` sets in a fresh process with these variables."""
    code = "import os; from ppcls.utils import cpu; print(cpu.prepare(), os.environ.get('OMP_NUM_THREADS'))"
    clean = {key: value for key, value in os.environ.items() if key not in ("OMP_NUM_THREADS", "MKL_DEBUG_CPU_TYPE")}
    return output_of("-c", code, folder=ROOT, environment={**clean, **environment}).strip()


def test_preparation_sets_what_is_missing_and_nothing_else():
    cores = cpu.usable_cores()
    assert f"'OMP_NUM_THREADS': '{cores}'" in prepared()
    assert prepared(OMP_NUM_THREADS="1", MKL_DEBUG_CPU_TYPE="4") == "{} 1"
    assert f"'OMP_NUM_THREADS': '{max(1, cores // 2)}'" in prepared(PADDLE_LOCAL_SIZE="2")


AVX512 = ("avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl")
OTHERS = ("fpu", "sse", "avx", "fma", "avx512_vnni", "avx512vbmi", "avx512_bf16", "avx2x", "xavx2")


def cpuinfo(*processors, family=26):
    """What Linux writes about processors, each a vendor and flags."""
    fields = "processor\t: {}\nvendor_id\t: {}\ncpu family\t: {}\nmodel\t\t: 25\nflags\t\t: {}\nbugs\t\t: avx512f\n\n"
    return "".join(
        fields.format(number, vendor, family, " ".join(flags)) for number, (vendor, flags) in enumerate(processors)
    )


@given(
    st.sampled_from(["AuthenticAMD", "GenuineIntel", "HygonGenuine"]),
    st.lists(st.sampled_from([*AVX512, "avx2", *OTHERS]), unique=True) | st.permutations([*AVX512, "avx2", *OTHERS]),
)
def test_mkls_avx512_kernels_are_for_amd_with_all_five_flags(vendor, flags):
    wanted = None
    if vendor == "AuthenticAMD" and "avx2" in flags:
        wanted = "7" if all(flag in flags for flag in AVX512) else "5"
    assert cpu._mkl_type(cpuinfo((vendor, flags))) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (cpuinfo(("AuthenticAMD", ["avx2", *AVX512]), ("AuthenticAMD", ["avx2", *AVX512])), "7"),
        (cpuinfo(("AuthenticAMD", ["avx2", *AVX512]), ("AuthenticAMD", ["avx2", *AVX512[1:]])), "5"),
        (cpuinfo(("AuthenticAMD", ["avx2", *AVX512]), family=25), "5"),
        (cpuinfo(("AuthenticAMD", ["avx2", *AVX512]), family=27), "7"),
        (cpuinfo(("AuthenticAMD", ["avx2"]), ("AuthenticAMD", ["sse"])), None),
        (cpuinfo(("AuthenticAMD", ["avx2"]), ("GenuineIntel", ["avx2"])), None),
        ("processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\n", None),
        ("", None),
    ],
)
def test_mkls_kernels_suit_every_processor(tmp_path, text, wanted):
    (tmp_path / "cpuinfo").write_text(text)
    assert cpu._mkl_type(cpu._read_cpuinfo(tmp_path / "cpuinfo")) == wanted
    assert cpu._read_cpuinfo(tmp_path / "absent") == ""


@pytest.mark.parametrize("mkl_type", ["5", "7", None])
def test_the_type_is_set_where_the_user_has_not(monkeypatch, mkl_type):
    monkeypatch.setattr(cpu, "_mkl_type", lambda text: mkl_type)
    monkeypatch.setattr(cpu, "_APPLIED", {})
    monkeypatch.delitem(sys.modules, "paddle", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    for user in ("4", None):
        monkeypatch.setenv("MKL_DEBUG_CPU_TYPE", str(user))
        if user is None:
            monkeypatch.delenv("MKL_DEBUG_CPU_TYPE")
        wanted = {"MKL_DEBUG_CPU_TYPE": mkl_type} if user is None and mkl_type is not None else {}
        assert cpu.prepare() == wanted
        assert os.environ.get("MKL_DEBUG_CPU_TYPE") == (user or mkl_type)


def test_quotas_of_control_groups(tmp_path):
    assert cpu._cgroup_quota(tmp_path) is None
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("150000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert cpu._cgroup_quota(tmp_path) == 1.5
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert cpu._cgroup_quota(tmp_path) is None
    (tmp_path / "cpu.max").write_text("400000 100000\n")
    assert cpu._cgroup_quota(tmp_path) == 4


def test_a_folder_is_made_for_a_file_and_goes_again_without_it(tmp_path):
    with files.folder_for(tmp_path / "a" / "b" / "c.txt"):
        assert (tmp_path / "a" / "b").is_dir()
    assert list(tmp_path.iterdir()) == []
    with files.folder_for(tmp_path / "a" / "b" / "c.txt"):
        (tmp_path / "a" / "b" / "c.txt").touch()
    assert (tmp_path / "a" / "b" / "c.txt").is_file()


@pytest.mark.parametrize("name", ["file/c.txt", "file/a/b/c.txt"])
def test_a_file_in_the_place_of_a_folder_is_named(tmp_path, name):
    (tmp_path / "file").touch()
    for write in (files.require_place, lambda path: files.write_atomically(path, b"")):
        assert refusal(write, tmp_path / name) == (
            f"{tmp_path / name} cannot be made, because {tmp_path / 'file'} is a file; give another place"
        )


def test_a_file_whose_place_cannot_be_written_keeps_its_name(tmp_path, monkeypatch):
    path = tmp_path / "config.yaml"
    path.write_text("mine")
    monkeypatch.setattr(files, "write_atomically", lambda path, content: path / "no" / 1)
    with pytest.raises(TypeError):
        files.write_beside_others(path, b"new")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("config.yaml", "mine")]


def test_an_error_about_the_file_beside_names_the_one_that_was_to_be_written(tmp_path, monkeypatch):
    def refuse(path, content):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)  # as `open` of a Path says it

    monkeypatch.setattr(files.Path, "write_bytes", refuse)
    with pytest.raises(OSError, match="Read-only") as caught:
        files.write_atomically(tmp_path / "target", b"")
    assert caught.value.filename == str(tmp_path / "target")


def test_a_full_disk_names_the_file_that_was_to_be_written(tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as a write says it, without a name

    monkeypatch.setattr(files.Path, "write_bytes", full)
    for write in (lambda place: files.write_atomically(place, b"x"), lambda place: save_array(place, "a", np.ones(2))):
        with pytest.raises(OSError, match="No space left") as caught:
            write(tmp_path / "target.npz")
        assert caught.value.filename == str(tmp_path / "target.npz")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_within_a_librarys_initialisation_is_still_ctrl_c(monkeypatch):
    def fail(name):
        raise ImportError("initialization failed") from KeyboardInterrupt()

    monkeypatch.delitem(sys.modules, "paddle", raising=False)
    monkeypatch.setattr(loading.importlib, "import_module", fail)
    with pytest.raises(KeyboardInterrupt):
        loading.load_paddle()


def test_paddle_is_loaded_without_its_chatter():
    code = "from ppcls.utils.load_paddle import load_paddle; print(load_paddle().__version__)"
    ran = new_python("-c", code, environment=with_checkout(OMP_NUM_THREADS="2"))
    assert ran.out.startswith("3.")
    assert ran.err == ""


def test_a_log_file_on_a_full_disk_is_said_once(tmp_path, capsys, monkeypatch):
    setup_logging(tmp_path / "train.log")
    logger = logging.getLogger("ppcls")

    def refuse(text):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(logger.handlers[1].stream, "write", refuse, raising=False)
    logger.info("one")
    logger.info("two")
    output = capsys.readouterr()
    assert [line.split()[-1] for line in output.out.splitlines()] == ["one", "two"]
    assert output.err == says(f"{tmp_path}/train.log: ... (No space left on device); they are lost\n")


def test_the_log_goes_to_console_and_file(tmp_path, capsys):
    setup_logging(tmp_path / "run" / "train.log")
    logging.getLogger("ppcls").info("hello %d", 3)
    logging.getLogger("ppcls").debug("unseen")
    line = (tmp_path / "run" / "train.log").read_text()
    assert line[4] == line[7] == "-"
    assert line[19:] == " INFO: hello 3\n"
    assert capsys.readouterr().out == "hello 3\n"


@pytest.mark.parametrize(
    ("cores", "processes", "beside_gpu", "on_cpu"),
    [(1, 1, 1, 1), (2, 1, 1, 1), (8, 1, 7, 2), (16, 4, 3, 1), (64, 1, 16, 16), (8, 16, 1, 1)],
)
def test_workers_by_the_cores_of_a_process(monkeypatch, cores, processes, beside_gpu, on_cpu):
    monkeypatch.setattr(cpu, "usable_cores", lambda: cores)
    monkeypatch.setenv("PADDLE_LOCAL_SIZE", str(processes))
    assert cpu.workers_for_this_process(on_gpu=True) == beside_gpu
    assert cpu.workers_for_this_process(on_gpu=False) == on_cpu


@pytest.mark.parametrize(("wanted", "threads"), [("3", 3), ("3,2", 3), ("", 4), ("0", 4), ("many", 4), (None, 4)])
def test_an_engine_takes_the_threads_of_the_environment_or_one_per_core(wanted, threads, monkeypatch):
    monkeypatch.setattr(cpu, "usable_cores", lambda: 4)
    monkeypatch.delenv("OMP_NUM_THREADS")
    if wanted is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", wanted)
    assert cpu.threads_for_inference() == threads
