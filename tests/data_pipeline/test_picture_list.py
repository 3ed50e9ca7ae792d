import hashlib
import itertools
import os
import threading
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppcls.data import read_ahead as reading
from ppcls.data.picture_list import PictureList, balanced, read_picture_list
from ppcls.data.read_ahead import (
    Unreadable,
    batch_of_readings,
    parallel,
    read_batches,
    read_or_reason,
)
from ppcls.data.transforms import UnreadableImage
from ppcls.utils.errors import UserError


@pytest.fixture
def folder(tmp_path):
    for name in ("a b.jpg", "sub/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def listed(folder, text, **options):
    (folder / "list.txt").write_text(text)
    return read_picture_list(folder / "list.txt", 5, **options)


def test_a_list_with_labels(folder):
    found = listed(folder, "a b.jpg 3\n\nsub/c.png 0\n")
    assert found.names == ["a b.jpg", "sub/c.png"]
    assert found.paths == [folder / "a b.jpg", folder / "sub/c.png"]
    assert found.labels.tolist() == [3, 0]
    assert found.take([1]).names == ["sub/c.png"] and found.take([1]).labels.tolist() == [0]


def test_a_list_without_labels_and_a_folder(folder):
    assert listed(folder, "sub/c.png\na b.jpg\n").names == ["sub/c.png", "a b.jpg"]
    assert listed(folder, "sub/c.png\n").labels is None
    assert read_picture_list(folder, 5).names == ["a b.jpg", "sub/c.png"]


def test_paths_are_relative_to_the_root_that_is_given(folder):
    found = listed(folder, f"c.png 1\n{folder}/a b.jpg 2\n", image_root=folder / "sub")
    assert found.names == ["c.png", f"{folder}/a b.jpg"]
    assert found.paths == [folder / "sub/c.png", folder / "a b.jpg"]


def test_pictures_in_the_one_folder_below_that_has_them(folder):
    found = listed(folder, "c.png 1\n")
    assert found.names == ["sub/c.png"] and found.labels.tolist() == [1]
    with pytest.raises(UserError, match=rf"but in {folder}/sub; give --image-root {folder}/sub$"):
        listed(folder, "c.png 1\n", image_root=folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,a,b\na b.jpg,1,2\n", "columns a, b may be the label; give a list of .* alone$"),
        ("a b.jpg 1\nsub/c.png\n", "list.txt:2: 'sub/c.png' has no label"),
        ("a b.jpg 5\n", "the label 5 is outside 0 to 4"),
        ("a b.jpg\nsub/d.png\n", "list.txt: .*sub/d.png is not there; correct the line"),
        ("", "lists no picture"),
    ],
)
def test_a_wrong_line_is_named(folder, text, said):
    with pytest.raises(UserError, match=said):
        listed(folder, text)


def test_the_digest_of_a_name_that_is_no_utf8_is_of_its_bytes(tmp_path):
    said = os.fsencode(tmp_path.resolve()) + b"\ncaf\xe9.png \n"
    assert PictureList(tmp_path, [os.fsdecode(b"caf\xe9.png")]).digest == hashlib.sha256(said).hexdigest()


def test_the_digest_is_of_names_labels_and_place(folder):
    texts = ("a b.jpg 3\n", "a b.jpg 2\n", "sub/c.png 3\n", "a b.jpg\n")
    digests = [listed(folder, text).digest for text in texts]
    assert len(set(digests)) == 4
    assert listed(folder, "\na b.jpg 3\n").digest == digests[0]


@given(labels=st.lists(st.integers(0, 6), min_size=1, max_size=60), count=st.integers(1, 70), seed=st.integers(0, 3))
def test_a_balanced_choice_takes_from_every_class_in_turn(labels, count, seed):
    labels = np.array(labels)
    chosen = balanced(labels, count, seed)
    assert chosen == sorted(set(chosen)) and len(chosen) == min(count, len(labels))
    assert chosen == balanced(labels, count, seed)
    had, taken = np.bincount(labels, minlength=7), np.bincount(labels[chosen], minlength=7)
    short = taken < had  # a class that still has pictures has at most one fewer than any other class
    assert not short.any() or taken[short].min() >= taken.max() - 1


def test_another_seed_chooses_others():
    labels = np.repeat(np.arange(4), 50)
    assert balanced(labels, 8, 0) != balanced(labels, 8, 1)
    assert np.bincount(labels[balanced(labels, 8, 0)]).tolist() == [2, 2, 2, 2]


def test_parallel_keeps_the_order_and_reads_no_further_than_it_may():
    begun = []

    def work(item):
        begun.append(item)
        return 10 * item

    results = parallel(work, iter(range(100)), threads=4, ahead=5)
    assert next(results) == 0
    results.close()
    assert len(begun) <= 6
    assert list(parallel(work, range(50), threads=4)) == [10 * item for item in range(50)]


def test_an_error_ends_the_reading():
    started = threading.Semaphore(0)

    def work(item):
        started.release()
        if item == 3:
            raise UserError("three")
        return np.zeros(1)

    with pytest.raises(UserError, match="three"):
        list(parallel(work, range(1000), threads=1, ahead=4))
    assert sum(iter(lambda: started.acquire(blocking=False), False)) <= 8


@pytest.mark.parametrize(("batch_size", "threads", "ahead"), [(1, 8, 9), (3, 5, 8), (8, 2, 16), (1, None, 5)])
def test_every_thread_has_work_whatever_the_batch(monkeypatch, batch_size, threads, ahead):
    monkeypatch.setattr(reading, "usable_cores", lambda: 4)
    asked = itertools.count()
    batches = read_batches(lambda item: np.zeros((3, 2, 2)), asked, batch_size, threads)
    assert len(next(batches).inputs) == batch_size
    batches.close()
    assert next(asked) == ahead + batch_size  # one more for each that was given


def test_batches_are_stacked_and_the_last_is_smaller():
    batches = list(read_batches(lambda item: np.full((3, 2, 2), item, np.float32), range(5), batch_size=2))
    assert [batch.inputs[:, 0, 0, 0].tolist() for batch in batches] == [[0, 1], [2, 3], [4]]
    assert [batch.indices for batch in batches] == [[0, 1], [2, 3], [4]]
    with pytest.raises(UserError, match=r"^3 and 4 have different sizes after the transforms, \[3, 3, 2\] and "):
        list(read_batches(lambda item: np.zeros((3, item, 2)), [3, 4], batch_size=2))


def test_items_that_cannot_be_read_are_left_out_with_their_reasons():
    def read(item):
        if item in (1, 4):
            raise UnreadableImage("it is empty", f"{item}.png")
        if item == 5:
            raise MemoryError
        return np.full((3, 2, 2), item, np.float32)

    batches = list(read_batches(partial(read_or_reason, read), range(6), batch_size=2))
    assert [batch.indices for batch in batches] == [[0], [2, 3], []]
    assert [batch.inputs.shape for batch in batches] == [(1, 3, 2, 2), (2, 3, 2, 2), (0,)]
    assert [batch.unreadable for batch in batches] == [
        {1: "it is empty"}, {}, {4: "it is empty", 5: "there is not enough memory to read it"},
    ]  # fmt: skip


def test_inputs_that_lie_in_the_batch_already_are_not_copied():
    room = np.zeros((2, 3, 2, 2), np.float32)
    assert batch_of_readings("ab", list(room), room=room).inputs is room
    one = batch_of_readings("ab", [room[0], Unreadable("empty")], room=room)
    assert (one.inputs.shape, one.inputs.base, one.unreadable) == ((1, 3, 2, 2), None, {1: "empty"})


CLASSES = ["rose", "sky", "leaf"]


def foldered(tmp_path, *files):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_class_folders_are_labels_by_the_names_of_the_classes(tmp_path, caplog):
    root = foldered(tmp_path, "sky/2.png", "rose/1.png", "rose/deep/3.png", "sky/notes.txt")
    (root / "leaf").mkdir()
    found = read_picture_list(root, 3, class_names=CLASSES)
    assert found.names == ["rose/1.png", "rose/deep/3.png", "sky/2.png"]
    assert found.labels.tolist() == [0, 0, 1] and found.labels.dtype == np.int64
    assert found.digest != read_picture_list(root, 3).digest
    assert set(caplog.messages) == {f"{root}: 1 file is not read as a picture: 1 .txt (sky/notes.txt)"}


@pytest.mark.parametrize(
    ("files", "names", "why", "said"),
    [
        (["rose/1.png", "fox/1.png"], CLASSES, "its folder fox is not a class of the bundle", True),
        (["rose/1.png", "Sky/1.png"], CLASSES, "its folder Sky is not a class of the bundle (did you mean sky?)", True),
        (["rose/1.png", "1.png"], CLASSES, "1.png is not in a folder of its class", True),
        (
            ["Train/sky/1.png", "Val/sky/1.png"],
            CLASSES,
            "Train, Val are parts of a data set (give {root}/Val)",
            True,
        ),
        (["a/1.png", "b/1.png"], CLASSES, "its folder a is not a class of the bundle", False),
        (["1.png"], CLASSES, "1.png is not in a folder of its class", False),
        (["rose/1.png"], None, "the bundle has no class names that folders could have", False),
    ],
)
def test_other_folders_are_pictures_without_labels(tmp_path, caplog, files, names, why, said):
    root = foldered(tmp_path, *files)
    found, why = read_picture_list(root, 3, class_names=names), why.format(root=root)
    assert (len(found), found.labels, found.why_unlabelled) == (len(files), None, why)
    assert caplog.messages == ([f"{root}: {why}, so its folders do not count as labels"] if said else [])


@pytest.mark.parametrize(
    "text", ["image,label\n1.png,sky\n2.png,rose\n", "1.png\tsky\n2.png\trose\n", "1.png sky\n2.png rose\n",
             "1.png 1\n2.png 0\n"],
)  # fmt: skip
def test_labels_of_a_list_may_be_the_names_of_the_classes(tmp_path, text):
    root = foldered(tmp_path, "1.png", "2.png")
    (root / "list.csv").write_text(text)
    found = read_picture_list(root / "list.csv", 3, class_names=CLASSES)
    assert found.paths == [root / "1.png", root / "2.png"]
    assert found.labels.tolist() == [1, 0]


def test_paths_beside_the_lists_folder_are_found_from_it(tmp_path, monkeypatch):
    """Names that begin with the list's own folder, and a relative list."""
    foldered(tmp_path, "data/val/1.png")
    (tmp_path / "data/val/list.txt").write_text("val/1.png 2\n")
    monkeypatch.chdir(tmp_path)
    found = read_picture_list("data/val/list.txt", 3)
    assert [path.resolve() for path in found.paths] == [tmp_path / "data/val/1.png"]
    assert found.labels.tolist() == [2]
