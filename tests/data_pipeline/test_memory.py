from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from helpers.pictures import encoded, noise
from ppcls.data.labels import ImageList
from ppcls.data.sampler import BatchReader
from ppcls.data.transforms import DecodeImage, Pipeline, ResizeImage, pipeline
from ppcls.data.transforms.decode import MemoryBudget


def test_no_more_is_taken_than_there_is() -> None:
    budget, taken, most, lock = MemoryBudget(100), [0], [0], threading.Lock()

    def use(size: int) -> None:
        with budget.taken(size):
            with lock:
                taken[0] += min(size, 100)
                most[0] = max(most[0], taken[0])
            with lock:
                taken[0] -= min(size, 100)

    with ThreadPoolExecutor(8) as executor:
        list(executor.map(use, [30, 70, 60, 250, 1, 100, 45] * 40))
    assert 0 < most[0] <= 100
    with budget.taken(100):
        pass


def test_a_second_large_picture_waits_for_the_first() -> None:
    budget, second = MemoryBudget(100), threading.Event()

    def wait() -> None:
        with budget.taken(60):
            second.set()

    with budget.taken(50):
        thread = threading.Thread(target=wait)
        thread.start()
        with budget.taken(50):  # fits beside the first, though the second waits
            assert not second.is_set()
    thread.join()
    assert second.is_set()


def test_an_error_gives_back_what_was_taken() -> None:
    budget = MemoryBudget(100)
    for _ in range(3):
        with pytest.raises(KeyError), budget.taken(100):
            raise KeyError
    with budget.taken(100):
        pass


def test_a_forked_process_begins_with_an_empty_room() -> None:
    budget = MemoryBudget(100)
    with budget.taken(100):
        budget.reset()  # what os.register_at_fork calls
        with budget.taken(100):
            pass


def test_pictures_are_read_within_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Noted(MemoryBudget):
        def taken(self, size: int):  # type: ignore[no-untyped-def]
            asked.append(size)
            return super().taken(size)

    monkeypatch.setattr(pipeline, "PICTURE_MEMORY", Noted(10**9))
    run = Pipeline([DecodeImage(), ResizeImage(resize_short=20)])
    run(encoded(noise(40, 30)))
    run(noise(40, 30))  # an array is there already
    assert asked == [40 * 30 * 10 + 27 * 20 * 8]
    assert np.array_equal(run(noise(40, 30)), run(encoded(noise(40, 30))))


def test_a_file_that_memory_does_not_suffice_for_is_named_and_no_skipped_picture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(noise(4, 4)))

    def exhaust(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(DecodeImage, "_decode", exhaust)
    images = ImageList([str(path)], np.zeros(1, np.int64))
    reader = BatchReader(images, Pipeline([DecodeImage()]), (), 1, 1, False, 0, 0, 1)
    answer = reader.batches(0, range(1), 1)[0]
    assert answer["mistake"].startswith(f"{path}: there is not enough memory to read it; ")
    assert (answer["failures"], answer["crash"]) == ([], "")
