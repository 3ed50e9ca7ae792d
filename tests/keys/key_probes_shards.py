"""Probes of pictures in shards: two shards, each of four pictures of their value."""

from unittest.mock import ANY

from key_probe import Saying, probe
from key_probes_data import DATA, DECODE, HALVE, batches, labels, values

from ppcls.cli import main

KEY = "dataset WebDatasetDataset.{}"


def packed(lab, folder="data"):
    """The manifest of two shards of the eight pictures of a folder, in their order."""
    words = ["pack", lab.home / folder, lab.folder / folder, "--shard-count", "4", "--keep-order"]
    main([str(word) for word in words])
    return lab.folder / folder / "manifest.json"


def shards(lab, **keys):
    """All keys of the data set; `keys` replace some."""
    if "shards" not in keys:
        keys["shards"] = packed(lab)
    return {DATA: {"name": "WebDatasetDataset", "transform_ops": [DECODE], **keys}}


def shard_probe(key, first, second, **keys):
    return probe(KEY.format(key), first, second, path=f"{DATA}.{key}", **keys)


@shard_probe(
    "shards",
    ("data/manifest.json", [0, 30, 60, 90, 120, 150, 180, 210]),
    ("data/data-000001.tar", [120, 150, 180, 210]),
)
def _shards(lab, value):
    packed(lab)
    return values(batches(lab, shards(lab, shards=lab.folder / value)))


@shard_probe(
    "transform_ops",
    ([DECODE], [0, 30, 60, 90, 120, 150, 180, 210]),
    ([DECODE, HALVE], [0, 15, 30, 45, 60, 75, 90, 105]),
)
def _transform_ops(lab, value):
    return values(batches(lab, shards(lab, transform_ops=value)))


@shard_probe("batch_transform_ops", ([], [2]), ([{"Mixup": {}}], [2, 4]))
def _batch_transform_ops(lab, value):
    """The shape of a batch's target: two labels, or their shares of the four classes."""
    return list(batches(lab, shards(lab, batch_transform_ops=value))[0].label.shape)


@shard_probe(
    "shuffle_buffer",
    (1, [120, 150, 180, 210, 0, 30, 60, 90]),
    (8, ANY),
    relation=lambda kept, mixed: sorted(kept) == sorted(mixed),
)
def _shuffle_buffer(lab, value):
    """The order of an epoch: whole shards, or all mixed."""
    return values(batches(lab, {**shards(lab, shuffle_buffer=value), "DataLoader.Train.sampler.shuffle": True}))


@shard_probe("epoch_length", (None, [0, 0, 1, 1, 2, 2, 3, 3]), (5, [0, 0, 1, 1, 2]))
def _epoch_length(lab, value):
    return labels(batches(lab, shards(lab, epoch_length=value)))


@shard_probe("on_error", ("raise", Saying("write on_error: skip")), ("skip", [0, 30, 60]))
def _on_error(lab, value):
    """What becomes of the last picture of four, which is broken; packing would have left it out."""
    shard = packed(lab).parent / "data-000000.tar"
    shard.write_bytes(b"no picture".join(shard.read_bytes().rsplit(b"\x89PNG\r\n\x1a\n\0\0", 1)))
    # A path relative to the lab's folder, so that the sentence is the same in each.
    found = batches(lab, shards(lab, shards="data/data-000000.tar", on_error=value))
    return found if isinstance(found, str) else values(found)
