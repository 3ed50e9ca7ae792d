from __future__ import annotations

import logging
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shard_data import PLAIN, chained, loader, numbers, sample, shard_list, tar, write_shards

from helpers.messages import refusal, says
from ppcls.data.batch_transforms import Mixup
from ppcls.data.sampler import sample_generator
from ppcls.data.shards import reader as shard_reader
from ppcls.data.transforms import DecodeImage, NormalizeImage, Pipeline, RandCropImage, UnreadableImage
from ppcls.utils.errors import UserError

# Python 3.12 and later warn of every fork beside threads; Paddle's workers are forks.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")

COUNTS = (7, 1, 12, 5)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return write_shards(tmp_path, COUNTS)


def epoch(images, number=0, start_step=0, **keys):
    return [numbers(batch) for batch in loader(images, **keys).epoch(number, start_step)]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_picture_comes_once_an_epoch(manifest, world_size, workers, shuffle):
    images = shard_list(manifest)
    shares = [
        epoch(images, 1, batch_size=3, shuffle=shuffle, rank=rank, world_size=world_size, num_workers=workers)
        for rank in range(world_size)
    ]
    assert {len(share) for share in shares} == {-(-25 // (3 * world_size))}
    assert sorted(chained(chained(shares))) == list(range(25))


def test_drop_last_gives_every_process_whole_batches(manifest):
    shares = [epoch(shard_list(manifest), drop_last=True, rank=rank, world_size=2) for rank in (0, 1)]
    assert [[len(batch) for batch in share] for share in shares] == [[4, 4, 4], [4, 4, 4]]
    assert len(set(chained(chained(shares)))) == 24


def test_without_shuffling_the_order_is_the_shards(manifest):
    assert epoch(shard_list(manifest), shuffle=False, batch_size=10) == [
        list(range(10)), list(range(10, 20)), list(range(20, 25)),
    ]  # fmt: skip


def test_seed_epoch_and_buffer_decide_the_order(manifest):
    images = shard_list(manifest)
    first = epoch(images)
    assert epoch(images) == first
    for other in (epoch(images, 1), epoch(images, seed=1), epoch(shard_list(manifest, buffer=9))):
        assert sorted(chained(other)) == sorted(chained(first)) and other != first


def test_with_a_buffer_of_all_any_picture_may_come_first(manifest):
    images = shard_list(manifest, buffer=25)
    assert len({epoch(images, number)[0][0] for number in range(40)}) > 12


@given(st.data())
def test_a_resumed_epoch_is_the_rest_of_the_whole_one(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("shards")
    counts = data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=5).filter(any))
    keys = {"batch_size": data.draw(st.integers(1, 4)), "seed": data.draw(st.integers(0, 3))}
    world_size = data.draw(st.integers(1, 3))
    length = data.draw(st.none() | st.integers(1, 20))
    images = shard_list(write_shards(folder, counts), data.draw(st.integers(1, 9)), length)
    keys.update(rank=data.draw(st.integers(0, world_size - 1)), world_size=world_size)
    batches = loader(images, **keys)
    readers = data.draw(st.integers(1, 3))  # as workers would share the steps, here one after another
    streams = batches.reader
    whole = [streams.batches(2, range(batches.steps_per_epoch), readers)[s] for s in range(batches.steps_per_epoch)]
    start = data.draw(st.integers(0, batches.steps_per_epoch))
    rest = streams.batches(2, range(start, batches.steps_per_epoch), readers)
    assert [rest[place]["paths"] for place in range(len(rest))] == [answer["paths"] for answer in whole[start:]]


@pytest.mark.parametrize("workers", [0, 2])
def test_resuming_gives_the_same_bytes(manifest, workers):
    transforms = Pipeline([DecodeImage(), RandCropImage(2), NormalizeImage()])
    keys = {"transforms": transforms, "batch_transforms": (Mixup(0.5),), "num_workers": workers, "batch_size": 2}

    def content(start):
        batches = loader(shard_list(manifest), **keys).epoch(3, start)
        return [(b.image.numpy().tobytes(), b.label.numpy().tobytes(), b.index.tolist()) for b in batches]

    whole = content(0)
    assert len(whole) == 13
    for start in (1, 6, 12, 13):
        assert content(start) == whole[start:]


def test_resuming_opens_only_shards_that_are_needed(manifest, monkeypatch):
    opened = []
    original = shard_reader.samples_of
    monkeypatch.setattr(
        shard_reader, "samples_of", lambda address, shard: opened.append(shard) or original(address, shard)
    )
    images = shard_list(manifest, buffer=2)
    epoch(images, shuffle=False, start_step=5)  # picture 20, the first of the last shard
    assert opened == [3]
    decoded = []
    monkeypatch.setattr(
        DecodeImage, "whole", lambda self, data, frame: decoded.append(1) or np.zeros((2, 2, 3), np.uint8)
    )
    list(loader(images).epoch(0, 5))
    assert len(decoded) == 5


def test_steps_out_of_order_are_read_all_the_same(manifest):
    batches = loader(shard_list(manifest))
    streams = batches.reader.batches(0, range(7), 2)
    whole = [streams[step]["paths"] for step in range(7)]
    assert [streams[step]["paths"] for step in (5, 2, 2, 6, 1)] == [whole[step] for step in (5, 2, 2, 6, 1)]


def test_an_epoch_may_be_shorter_or_longer_than_the_data(manifest):
    short = [chained(epoch(shard_list(manifest, length=10), number)) for number in range(5)]
    assert [len(pictures) for pictures in short] == [10] * 5
    assert sorted(chained(short)) == sorted([*range(25)] * 2)
    long = chained(epoch(shard_list(manifest, length=60)))
    assert np.bincount(long).min() == 2 and np.bincount(long).max() == 3
    assert refusal(loader, shard_list(manifest, length=26), shuffle=False) == says(
        "epoch_length is 26, ... 25 pictures ...; write at most that, or leave it out"
    )


def pattern(manifest):
    return str(manifest.parent / "t-{000000..000003}.tar")


def test_without_a_manifest_an_epoch_is_as_long_as_told(manifest):
    images = shard_list(pattern(manifest), length=30)
    shares = [epoch(images, rank=rank, world_size=2, num_workers=2) for rank in (0, 1)]
    assert [sum(map(len, share)) for share in shares] == [15, 15]
    assert [len(share) for share in shares] == [4, 4]
    owned = [{number for batch in share for number in batch} for share in shares]
    assert not owned[0] & owned[1]
    assert epoch(images, start_step=3) == epoch(images)[3:]
    assert np.bincount(chained(epoch(images))).min() == 1


def test_without_a_manifest_evaluation_counts_the_pictures(manifest, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("ppcls"), "propagate", True)
    caplog.set_level("INFO", "ppcls")
    assert sorted(chained(epoch(shard_list(pattern(manifest)), shuffle=False))) == list(range(25))
    assert caplog.messages == [says("counting the pictures of 4 shards; ...")]


def test_what_cannot_be_shared_out_is_said(manifest):
    assert refusal(loader, shard_list(pattern(manifest))) == says(
        "nothing says how many pictures ...; write epoch_length, or as shards the manifest.json of `ppcls pack`"
    )
    assert refusal(loader, shard_list(pattern(manifest), length=100), num_workers=3, world_size=2) == says(
        "4 shards are too few for 6 workers ...; lower num_workers, or give the manifest.json of `ppcls pack`"
    )
    (manifest.parent / "empty.tar").write_bytes(tar([]))
    with pytest.raises(UserError, match=r"empty.tar and the other shards of a worker hold no picture; leave them out"):
        epoch(shard_list(str(manifest.parent / "empty.tar"), length=4))


def test_what_the_order_depends_on(manifest):
    assert loader(shard_list(manifest)).order == "read from shards (processes 1, workers 1, shuffle_buffer 3)"
    batches = loader(shard_list(manifest), num_workers=2, world_size=3, shuffle=False)
    assert batches.order == "read from shards (processes 3, workers 2, shuffle_buffer 1)"


@pytest.mark.parametrize("workers", [0, 1])
def test_unreadable_pictures(tmp_path, workers):
    members = [*sample(0), ("bad.jpg", b"no picture"), ("bad.cls", b"3"), *sample(2)]
    (tmp_path / "one.tar").write_bytes(tar(members))
    images, name = shard_list(str(tmp_path / "one.tar")), f"{tmp_path}/one.tar/bad"
    batches = loader(images, shuffle=False, num_workers=workers, on_error="skip")
    assert [numbers(batch) for batch in batches.epoch(0)] == [[0, 2]]
    assert batches.failures == {name: "no known picture format"}
    with pytest.raises(UnreadableImage) as caught:
        epoch(images, shuffle=False, num_workers=workers)
    assert str(caught.value) == says(
        f"cannot read the picture {name}: ... format; replace the file, or write on_error: skip ..."
    )
    assert multiprocessing.active_children() == []


def test_augmentation_comes_from_seed_epoch_and_sample(manifest, monkeypatch):
    asked = []
    monkeypatch.setattr(
        shard_reader, "sample_generator", lambda *address: asked.append(address) or sample_generator(*address)
    )
    transforms = Pipeline([DecodeImage(), RandCropImage(2), NormalizeImage()])
    list(loader(shard_list(manifest), transforms=transforms, seed=5).epoch(2))
    assert sorted(asked) == [(5, 2, (shard << 32) + place) for shard in range(4) for place in range(COUNTS[shard])]


def test_labels_and_sizes_that_do_not_fit(manifest):
    assert refusal(epoch, shard_list(pattern(manifest)), shuffle=False, class_num=48) == says(
        f"{manifest.parent}/t-000003.tar/p24: the label 48 is outside 0 to 47; ... Arch.class_num (48)"
    )
    with pytest.raises(UserError, match=r"t-000000.tar/p0: CropImage cannot cut 9x9 pixels"):
        epoch(shard_list(manifest), shuffle=False, transforms=Pipeline([DecodeImage(), type(PLAIN.ops[1])(9)]))


def test_a_shard_that_is_not_what_its_manifest_says(manifest):
    images = shard_list(manifest)
    whole = tar(member for number in range(8, 20) for member in sample(number))
    for count in (11, 13):
        members = [member for number in range(8, 8 + count) for member in sample(number)]
        (manifest.parent / "t-000002.tar").write_bytes(tar(members))
        assert refusal(epoch, images) == says(
            f"{manifest.parent}/t-000002.tar holds {count} pictures, ... says 12; pack it again"
        )
    (manifest.parent / "t-000002.tar").write_bytes(whole)
    assert sorted(chained(epoch(images))) == list(range(25))
