"""Settings that follow from another one, as in PaddleClas, where an override alone would contradict its file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ppcls.untrusted.yaml_nodes import Node, Origin, as_node, find
from ppcls.utils.fields import field_types
from ppcls.utils.registry import Registry

# PaddleClas 2.6 gives Piecewise with a learning_rate these rates, whatever decay_epochs and values say.
_EPOCHS_PER_RATE, _FACTOR = 30, 0.1


def settle(root: Node, registries: Mapping[str, Registry]) -> list[str]:
    """Change what follows from other settings. Returns a line for each change."""
    lines = [
        *_other_schedule(root, registries["schedule"]),
        *_piecewise(root),
        *_mixed_precision(root),
    ]
    lines.extend(_fewer_classes(root, registries["metric"]))
    return lines


def _is_override(origin: Origin) -> bool:
    return not origin.line and origin.source.startswith("-o ")


def _mapping(root: Node, key: str) -> dict[str, Node]:
    """The keys of a section; empty if it is absent or not a mapping."""
    node, is_there = find(root, key)
    if not is_there or not isinstance(node.value, dict):
        return {}
    keys: dict[str, Node] = node.value
    return keys


def _other_schedule(root: Node, schedules: Registry) -> Iterator[str]:
    """Leave out a file's keys of a schedule whose name an override has replaced."""
    keys = _mapping(root, "Optimizer.lr")
    name = keys.get("name")
    if name is None or not _is_override(name.origin):
        return
    if not isinstance(name.value, str) or name.value not in schedules:
        return
    known = field_types(schedules[name.value])
    others = []
    for key, node in keys.items():
        if key != "name" and key not in known and not _is_override(node.origin):
            others.append(key)
    for key in others:
        del keys[key]
    if others:
        left = " and ".join(f"Optimizer.lr.{key}" for key in others)
        yield f"{name.origin}: {left} left out, which {name.value} does not have"


def _piecewise(root: Node) -> Iterator[str]:
    """Give Piecewise with a learning_rate and values the rates that PaddleClas gives it."""
    keys = _mapping(root, "Optimizer.lr")
    epochs, _ = find(root, "Global.epochs")
    name, rate = keys.get("name"), keys.get("learning_rate")
    values, decay_epochs = keys.get("values"), keys.get("decay_epochs")
    if name is None or rate is None or values is None or decay_epochs is None:
        return
    if name.value != "Piecewise" or not _is_rate(rate.value):
        return
    if type(epochs.value) is not int or epochs.value < 1:
        return
    written = (decay_epochs.plain(), values.plain())
    if not _has_numbers(*written):
        return  # the checks report it
    for node in (values, decay_epochs):
        if _is_override(node.origin) and not _is_override(rate.origin):
            return
    own = not _is_by_rule(*written)
    if own and rate.value == written[1][0] and not _is_override(rate.origin):
        return
    ends = list(range(_EPOCHS_PER_RATE, epochs.value, _EPOCHS_PER_RATE))
    rates = [rate.value * _FACTOR**count for count in range(len(ends) + 1)]
    if ends == written[0] and _are_close(rates, written[1]):
        return
    keys["decay_epochs"] = as_node(ends, rate.origin)
    keys["values"] = as_node(rates, rate.origin)
    yield (
        f"{rate.origin}: Optimizer.lr.learning_rate {rate.value:g} of Piecewise falls to a tenth every "
        f"{_EPOCHS_PER_RATE} epochs, as in PaddleClas 2.6; leave it out to use decay_epochs and values as written"
    )


def _is_rate(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value > 0


def _has_numbers(ends: Any, rates: Any) -> bool:
    """Whether both are lists of positive numbers, of fitting lengths."""
    if not isinstance(ends, list) or not isinstance(rates, list):
        return False
    return len(rates) == len(ends) + 1 and all(map(_is_rate, [*ends, *rates]))


def _is_by_rule(ends: Sequence[int], rates: Sequence[float]) -> bool:
    """Whether rates fall to a tenth every 30 epochs."""
    wanted = [_EPOCHS_PER_RATE * (place + 1) for place in range(len(ends))]
    by_rule = [rates[0] * _FACTOR**place for place in range(len(rates))]
    return list(ends) == wanted and _are_close(by_rule, rates)


def _are_close(some: Sequence[float], others: Sequence[float]) -> bool:
    if len(some) != len(others):
        return False
    return all(math.isclose(one, other) for one, other in zip(some, others))


def _mixed_precision(root: Node) -> Iterator[str]:
    """Leave mixed precision off where overrides set only how it would run."""
    keys = _mapping(root, "AMP")
    if not keys or "use_amp" in keys:
        return
    for node in keys.values():
        if not node.origin.source.startswith("-o AMP."):
            return
    origin = next(iter(keys.values())).origin
    keys["use_amp"] = Node(False, origin)
    yield f"{origin}: mixed precision stays off; -o AMP.use_amp=True switches it on"


def _fewer_classes(root: Node, metrics: Registry) -> Iterator[str]:
    """Lower `topk` to a number of classes that was set elsewhere."""
    class_num, _ = find(root, "Arch.class_num")
    if type(class_num.value) is not int or class_num.value < 1:
        return
    for key, keys, default, origin in _ranked(root, metrics):
        topk = keys.get("topk", as_node(default, origin))
        follows = topk.origin.source != class_num.origin.source
        if not follows or _is_override(topk.origin):
            continue
        given = topk.plain()
        wanted = _at_most(given, class_num.value)
        if wanted != given:
            keys["topk"] = as_node(wanted, topk.origin)
            yield (
                f"{topk.origin} {key}.topk: is now {wanted} instead of {given}, because Arch.class_num is "
                f"{class_num.value}"
            )


def _ranked(
    root: Node, metrics: Registry
) -> Iterator[tuple[str, dict[str, Node], Any, Origin]]:
    """Metrics and post-processing with a `topk`: the dotted key, its keys, the default of `topk`, and the place."""
    answer = _mapping(root, "Infer.PostProcess")
    if "topk" in answer:
        yield "Infer.PostProcess", answer, None, answer["topk"].origin
    for part in ("Train", "Eval"):
        operations, _ = find(root, f"Metric.{part}")
        if not isinstance(operations.value, list):
            continue
        for operation in operations.value:
            for name, settings in _operation(operation).items():
                if name not in metrics:
                    continue
                if settings.value is None:
                    settings.value = {}
                default = getattr(metrics[name], "topk", None)
                if isinstance(default, tuple):
                    default = list(default)
                if default is not None and isinstance(settings.value, dict):
                    yield (
                        f"Metric.{part}.{name}",
                        settings.value,
                        default,
                        settings.origin,
                    )


def _operation(node: Node) -> dict[str, Node]:
    keys = node.value
    return keys if isinstance(keys, dict) else {}


def _at_most(topk: Any, class_num: int) -> Any:
    """`topk` with no number above the number of classes; anything that is not a number or a list is unchanged."""
    if type(topk) is int:
        return min(topk, class_num)
    if not isinstance(topk, list) or not all(type(k) is int for k in topk):
        return topk
    lowered: list[int] = []
    for k in topk:
        if min(k, class_num) not in lowered:
            lowered.append(min(k, class_num))
    return lowered
