"""The recipe of a run, which are the settings that decide its mathematics.

A checkpoint records it, and resuming compares it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ppcls.config import Config
from ppcls.data.labels import ImageList
from ppcls.data.shards import ShardList
from ppcls.data.transforms import TRANSFORMS
from ppcls.engine import processes
from ppcls.optimizer import OPTIMIZERS, SCHEDULES

_SHOWN, _LONGEST = 5, 100
_NAMED = {"Optimizer": OPTIMIZERS, "Optimizer.lr": SCHEDULES}
_STEP, _BATCHES = "pictures a step", "Global.update_freq"
# Of the sections that count, what changes no number that is learnt.
_IDLE = (
    "Arch.pretrained",
    "Arch.recompute",
    "AMP.use_fp16_test",
    "DataLoader.Train.sampler.batch_size",
)


def recipe_of(config: Config, pictures: ImageList | ShardList) -> dict[str, Any]:
    """Collect plain values by dotted key: two runs with equal ones take the same steps, whatever else differs.

    Not included are paths, the number of workers and processes, and the epochs, on which only the schedule depends.
    The number of batches that are accumulated for a step is included only where the last batch of an epoch is dropped
    or shards are read: there the batches decide which pictures an epoch has, and in which order.
    """
    plain = config.to_plain()
    train, settings = plain["DataLoader"]["Train"], plain["Global"]
    dataset = train["dataset"]
    amp = plain["AMP"] or None
    if amp is not None and not amp["use_amp"]:
        amp = None
    transforms = {
        "transform_ops": dataset["transform_ops"],
        "batch_transform_ops": dataset["batch_transform_ops"],
    }
    sections = {
        "Arch": plain["Arch"],
        "Loss": {"Train": plain["Loss"]["Train"]},
        "Optimizer": plain["Optimizer"],
        "AMP": amp,
        "EMA": plain["EMA"],
        "DataLoader": {"Train": {"dataset": transforms, "sampler": train["sampler"]}},
        "Global": {
            "seed": settings["seed"],
            "update_freq": settings["update_freq"],
            "sync_batch_norm": settings["sync_batch_norm"],
        },
        "pictures": digest(pictures, dataset.get("image_root") or ""),
        _STEP: train["sampler"]["batch_size"] * processes.world_size(),
    }
    flat: dict[str, Any] = {}
    _flatten("", sections, flat)
    for key in _IDLE:
        flat.pop(key, None)
    batches_matter = train["sampler"]["drop_last"] or isinstance(pictures, ShardList)
    return flat if batches_matter else of_whole_steps(flat)


def of_whole_steps(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Count the pictures per step of the optimizer instead of those per batch."""
    whole = dict(recipe)
    whole[_STEP] *= whole.pop(_BATCHES, 1)
    return whole


def digest(pictures: ImageList | ShardList, root: str) -> str:
    """Summarise a list: its number of pictures, and a hash of their names below `root` and labels, in order.

    Of shards the names and counts are hashed.
    """
    prefix = root.rstrip("/") + "/"
    sha = hashlib.sha256()
    if isinstance(pictures, ShardList):
        # Names without folders: the shards may be elsewhere now
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
    """Describe each key that differs as `KEY was VALUE and is VALUE`; a missing key is shown as null.

    A key of a transform, an optimizer or a schedule that is newer than the checkpoint is taken to have had its default.
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
    """Collect the defaults of keys that the checkpoint's components did not have yet."""
    operations = {key.rpartition(".")[0] for key in then}
    defaults = {}
    for key in now:
        operation, _, field = key.rpartition(".")
        if key in then or operation not in operations:
            continue
        default = _default(operation, then, field)
        if default is not dataclasses.MISSING:
            defaults[key] = default
    return defaults


def _default(operation: str, then: Mapping[str, Any], field: str) -> Any:
    """The default of a component's argument as a plain value; `dataclasses.MISSING` if it has none."""
    registry, name = TRANSFORMS, operation.rpartition(".")[2]
    if operation in _NAMED:
        registry, name = _NAMED[operation], str(then.get(f"{operation}.name"))
    if name not in registry:
        return dataclasses.MISSING
    by_name = {each.name: each.default for each in dataclasses.fields(registry[name])}
    default = by_name.get(field, dataclasses.MISSING)
    # A checkpoint's JSON has lists
    if isinstance(default, tuple):
        return list(default)
    return default


def _text(value: Any) -> str:
    """Format a value as JSON, cut where it is very long."""
    text = json.dumps(value)
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}..."


def same_pictures(changed: Mapping[str, str]) -> bool:
    """Whether both runs read the same pictures in the same steps, according to `differences`."""
    return not changed.keys() & {
        "pictures",
        _STEP,
        _BATCHES,
        "DataLoader.Train.sampler.drop_last",
    }


def in_one_line(texts: Sequence[str]) -> str:
    """Join the first texts, and count the others."""
    shown = list(texts[:_SHOWN])
    left_out = len(texts) - len(shown)
    if left_out:
        shown.append(f"... and {left_out} more")
    return ", ".join(shown)


def _flatten(prefix: str, value: Any, flat: dict[str, Any]) -> None:
    """Add every leaf of a value to `flat`, by its dotted key.

    An empty dictionary is a leaf, and so is a list without dictionaries.
    """
    children = _children(value)
    if not children:
        flat[prefix] = value
        return
    for name, child in children.items():
        _flatten(f"{prefix}.{name}" if prefix else name, child, flat)


def _children(value: Any) -> dict[str, Any]:
    """The named parts of a value; a list of dictionaries has numbers as names."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, list) or dict not in map(type, value):
        return {}
    return {str(index): item for index, item in enumerate(value)}
