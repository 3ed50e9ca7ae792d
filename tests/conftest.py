"""What holds for every test: its process is prepared as a command's is, nothing hangs or is skipped in silence."""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import sys
import threading
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from hypothesis import settings
from tqdm import tqdm

from helpers.in_process import log_as_it_was
from ppcls.analysis import run_report
from ppcls.arch.catalog import BACKBONES
from ppcls.engine.schema import registries
from ppcls.kernels import selection
from ppcls.utils import cpu, user_code

# Fixtures that tests of several folders take.
pytest_plugins = ["helpers.bundles", "helpers.forked_engines"]

# The tests share the cores already. One thread each also repeats a training bit for bit within a process: with more,
# the order in which MKL adds depends on where its arrays lie. A process that was forked after a team of threads had
# worked may wait for it for ever.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Tiny models of many shapes: oneDNN would spend its time on making operators. tests/kernels and test-kernels try it.
os.environ.setdefault("PPCLS_CPU_KERNELS", "paddle")
# The larger a process, the longer its forks take: it keeps no freed memory, as where a user says how to allocate.
os.environ.setdefault("GLIBC_TUNABLES", "")
cpu.prepare()  # before anything imports Paddle

# tqdm's lock is shared with forked processes: one that a test kills while it writes a line would keep it for ever.
os.register_at_fork(after_in_child=lambda: tqdm.set_lock(threading.RLock()))

# A shell without job control starts `make test &` with Ctrl-C ignored, and so would every process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

# Tests that may be skipped, by their node ids, each with the reason. Any other skip fails the run.
_FAST_READING = "tests/data_pipeline/test_data_fast_reading.py::test_real_pictures_are_within_the_bound"
ALLOWED_SKIPS: dict[str, str] = {
    _FAST_READING: "needs 200 ImageNet pictures",
    "tests/engine/test_real_pictures.py::test_dla60_from_training_to_prediction": "needs 200 ImageNet pictures",
    "tests/engine/test_real_weights.py::test_torchvisions_squeezenet_scores_what_it_does_there": (
        "needs 200 ImageNet pictures and weights"
    ),
    "tests/deployment/test_paddle_serving.py::test_the_tensors_of_200_pictures_are_those_of_the_bundle": (
        "needs 200 ImageNet pictures"
    ),
    "tests/extras/test_paddle_serving_service.py::test_200_pictures_are_answered_as_ppcls_predict_answers": (
        "needs 200 ImageNet pictures and weights"
    ),
    **{
        f"tests/extras/test_paddle_serving_service.py::test_200_pictures_have_the_same_tensors_on_python_38[{way}]": (
            "needs 200 ImageNet pictures"
        )
        for way in ("bilinear-cv2", "bilinear-pil", "bicubic-cv2", "bicubic-pil")
    },
    "tests/extras/test_engines_real_weights.py::test_200_pictures": "needs 200 ImageNet pictures and weights",
    "tests/extras/test_engines_verify.py": "needs 200 ImageNet pictures and weights",
    **{
        f"tests/extras/test_engines_quantize.py::{test}": "needs 200 ImageNet pictures and weights"
        for test in (
            "test_the_commands_of_the_page",
            "test_squeezenet_loses_at_most_two_of_200_pictures_that_it_was_not_calibrated_on[openvino]",
            "test_squeezenet_loses_at_most_two_of_200_pictures_that_it_was_not_calibrated_on[onnxruntime]",
        )
    },
}

# Reasons that are the machine's or the version's, whatever the test.
ALLOWED_REASONS = (
    "the processor does not multiply bfloat16 numbers",
    "this build of Paddle carries no OpenVINO",
    "another Paddle writes another file",
)

_skipped: list[str] = []

HANG_SECONDS = 600  # nothing but a test that is marked so takes as long
_stderr = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    """Keeps the real standard error, where the stacks of a test that hangs go."""
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        config.stash[_stderr] = os.dup(2)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """Ends a process whose test hangs, with the stacks of its threads; xdist goes on in another one."""
    if item.get_closest_marker("long") or item.get_closest_marker("chaos"):
        return (yield)
    faulthandler.dump_traceback_later(HANG_SECONDS, exit=True, file=item.config.stash[_stderr])
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


def pytest_collection_finish() -> None:
    """Keeps the collector away from what lasts: that takes time, and a forked process copies what it looks at."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _memory_is_given_back() -> Iterator[None]:
    """The more memory a process has, the longer each of its forks takes; glibc keeps what was freed."""
    yield
    gc.collect()
    cpu.return_freed_memory()


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """A command directs the library's log to its own handlers; the next test finds it as this one did."""
    with log_as_it_was():
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_report_is_drawn() -> Iterator[None]:
    """Of a training in a test: it takes longer than the training. tests/engine/test_report_best.py draws both."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_report, "write_run_report", lambda folder: None)
        patch.setattr(run_report, "write_best_report", lambda *arguments: None)
        yield


@pytest.fixture(autouse=True)
def _threads_and_kernels_as_they_were() -> Iterator[None]:
    """A predictor sets the threads of its process, a command its kernels: the next test would end on other bits."""
    with selection.as_it_was():
        yield
    core = sys.modules.get("paddle.base.core")
    if core is not None:
        core.set_num_threads(1)


@pytest.fixture(autouse=True)
def _user_code_as_it_was() -> Iterator[None]:
    """A test that loads a user's files leaves none for the next one, nor what they register, nor names for children."""
    files, named = dict(user_code._digests), os.environ.get(user_code.VARIABLE)
    with pytest.MonkeyPatch.context() as patch:
        for registry in (BACKBONES, *registries().values()):
            patch.setattr(registry, "_classes", dict(registry._classes))
        yield
    user_code._digests.clear()
    user_code._digests.update(files)
    os.environ.pop(user_code.VARIABLE, None)
    if named is not None:
        os.environ[user_code.VARIABLE] = named


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
    """What a fixture of several tests does to the log ends with it: it is set up before the fixture above."""
    if fixturedef.scope == "function":
        return (yield)
    with log_as_it_was():
        return (yield)


def _note(report: pytest.TestReport | pytest.CollectReport) -> None:
    place = report.longrepr  # of a skip: the file, the line and "Skipped: " with the reason
    reason = str(place[-1]) if isinstance(place, (tuple, list)) else ""
    if report.skipped and report.nodeid not in ALLOWED_SKIPS and not reason.endswith(ALLOWED_REASONS):
        _skipped.append(report.nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Notes a test that was skipped, or was expected to fail and did."""
    _note(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Notes a file that skips itself."""
    _note(report)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails a run that would have passed but for its skips."""
    if _skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Names the skips that made the run fail."""
    for nodeid in _skipped:
        terminalreporter.write_line(f"FAILED {nodeid}: skipped, and tests/conftest.py does not list it", red=True)
