"""A classifier that was used works after a fork, with engines that bring threads of their own."""

from __future__ import annotations

import ctypes
import os
import threading

import numpy as np
import pytest
from engine_bundles import bundle_of

from helpers.forking import in_fork
from ppcls.inference import Bundle, Classifier
from ppcls.inference.backends import open_backend
from ppcls.inference.golden import GOLDEN_PICTURE
from ppcls.inference.settings import Settings


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle_of("DLA46_c", tmp_path_factory.mktemp("engines") / "bundle")


@pytest.mark.parametrize("requests", [1, 2])
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "paddle"])
def test_a_used_classifier_works_after_a_fork(bundle: Bundle, engine: str, requests: int) -> None:
    classifier = Classifier(bundle, backend=engine, requests=requests, batch_size=2)
    pictures = [GOLDEN_PICTURE] * 5
    before = [result.scores for result in classifier.predict(pictures)]

    def work() -> tuple[list[list[float]], float]:
        ends = os.fork()
        if ends == 0:
            ctypes.CDLL(None).exit(7)  # as Python ends, with the destructors of C libraries
        assert os.waitstatus_to_exitcode(os.waitpid(ends, 0)[1]) == 7
        return [result.scores for result in classifier.predict(pictures)], classifier.verify().score_difference

    scores, difference = in_fork(work)
    np.testing.assert_allclose(scores, before, rtol=1e-3)
    assert difference < 2e-4
    assert [result.scores for result in classifier.predict(pictures)] == before


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "paddle"])
def test_a_fork_while_a_batch_runs(bundle: Bundle, engine: str) -> None:
    backend = open_backend(bundle, Settings(engine))
    batch = np.zeros((16, 3, 64, 64), np.float32)
    expected = backend.run(batch)
    begun, enough = threading.Event(), threading.Event()

    def keep_running() -> None:
        while not enough.is_set():
            begun.set()
            backend.run(batch)

    thread = threading.Thread(target=keep_running)
    thread.start()
    assert begun.wait(60)
    try:
        found = in_fork(lambda: backend.run(batch))
    finally:
        enough.set()
        thread.join()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-7)
