"""What decides a run's mathematics: a checkpoint records it, and resuming compares it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ppcls.config import Config
from ppcls.data.image_list import ImageList
from ppcls.data.shards import ShardList
from ppcls.data.transforms import TRANSFORMS
from ppcls.engine import processes

_SHOWN, _LONGEST = 5, 100
_STEP, _BATCHES = "pictures a step", "Global.update_freq"
# Of the sections that count, what changes no number that is learnt.
_IDLE = (
    "Arch.pretrained",
    "Arch.recompute",
    "AMP.use_fp16_test",
    "DataLoader.Train.sampler.batch_size",
)


def recipe_of(config: Config, pictures: ImageList | ShardList) -> dict[str, Any]:
    """Plain values by dotted key: two runs with equal ones take the same steps, whatever else differs.

    Paths are not in it, nor how many workers read, nor how many processes share a step's pictures, nor by how many
    batches one after another they come. Only where the last batch of an epoch is dropped, or shards are read, does it
    depend on these batches which pictures an epoch has and in which order. Nor are the epochs in it: what depends on
    them is the schedule.
    """
    plain = config.to_plain()
    train, settings = plain["DataLoader"]["Train"], plain["Global"]
    amp = plain["AMP"] if plain["AMP"] and plain["AMP"]["use_amp"] else None
    ops = {
        key: train["dataset"][key] for key in ("transform_ops", "batch_transform_ops")
    }
    sections = {
        "Arch": plain["Arch"],
        "Loss": {"Train": plain["Loss"]["Train"]},
        "Optimizer": plain["Optimizer"],
        "AMP": amp,
        "EMA": plain["EMA"],
        "DataLoader": {"Train": {"dataset": ops, "sampler": train["sampler"]}},
        "Global": {
            key: settings[key] for key in ("seed", "update_freq", "sync_batch_norm")
        },
        "pictures": digest(pictures, train["dataset"].get("image_root") or ""),
        _STEP: train["sampler"]["batch_size"] * processes.world_size(),
    }
    flat = {key: value for key, value in _flat("", sections) if key not in _IDLE}
    return (
        flat
        if train["sampler"]["drop_last"] or isinstance(pictures, ShardList)
        else of_whole_steps(flat)
    )


def of_whole_steps(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The same with the pictures of a step of the optimizer, instead of those of each batch that adds to one."""
    whole = dict(recipe)
    whole[_STEP] *= whole.pop(_BATCHES, 1)
    return whole


def digest(pictures: ImageList | ShardList, root: str) -> str:
    """How many pictures there are, and a hash of their order: names below `root`, and labels; of shards the counts."""
    prefix = root.rstrip("/") + "/"
    sha = hashlib.sha256()
    if isinstance(pictures, ShardList):  # wherever they lie now
        names = [address.rpartition("/")[2] for address in pictures.addresses]
        named = list(zip(names, _counts(pictures)))
        sha.update(repr(named).encode())
        return f"{len(pictures)} with the digest {sha.hexdigest()[:16]}"
    for path in pictures.paths:
        name = str(path).removeprefix(prefix)
        sha.update(name.encode("utf-8", "surrogateescape"))
        sha.update(b"\0")
    sha.update(pictures.labels.tobytes())
    return f"{len(pictures)} with the digest {sha.hexdigest()[:16]}"


def _counts(shards: ShardList) -> list[int | None]:
    if shards.counts is None:
        return [None] * len(shards.addresses)
    return [int(count) for count in shards.counts]


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    """`KEY was VALUE and is VALUE` by every key that differs; one that a side does not have is null there.

    A transform's key that the checkpoint does not have, because it is newer, had what is its default now.
    """
    if _STEP in then and _STEP in now and _BATCHES not in now:
        then = of_whole_steps(then)
    then = {**_defaults_of_newer_keys(then, now), **then}
    changed = {}
    for key in dict.fromkeys([*now, *then]):
        before, after = then.get(key), now.get(key)
        if before != after:
            changed[key] = f"{key} was {_text(before)} and is {_text(after)}"
    return changed


def _defaults_of_newer_keys(
    then: Mapping[str, Any], now: Mapping[str, Any]
) -> dict[str, Any]:
    operations = {key.rpartition(".")[0] for key in then}
    defaults = {}
    for key in now:
        operation, _, field = key.rpartition(".")
        name = operation.rpartition(".")[2]
        if key in then or operation not in operations or name not in TRANSFORMS:
            continue
        for each in dataclasses.fields(TRANSFORMS[name]):
            default: Any = each.default
            if each.name == field and default is not dataclasses.MISSING:
                is_tuple = isinstance(default, tuple)
                defaults[key] = list(default) if is_tuple else default
    return defaults


def _text(value: Any) -> str:
    """A value as JSON, cut where it is very long."""
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def same_pictures(changed: Mapping[str, str]) -> bool:
    """Whether the steps of both sides read the same pictures, by what `differences` says."""
    return not changed.keys() & {
        "pictures",
        _STEP,
        _BATCHES,
        "DataLoader.Train.sampler.drop_last",
    }


def in_one_line(texts: Sequence[str]) -> str:
    """The first of them."""
    more = [f"... and {len(texts) - _SHOWN} more"] if len(texts) > _SHOWN else []
    return ", ".join([*texts[:_SHOWN], *more])


def _flat(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Leaves by dotted key; a list without dictionaries is a leaf."""
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        value = {str(index): item for index, item in enumerate(value)}
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _flat(f"{key}.{name}" if key else name, item)
    else:
        yield key, value
