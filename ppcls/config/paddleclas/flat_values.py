"""Conversions of values of PaddleClas's flat 2.0 format. The table in `flat_keys` names the one of each key."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ppcls.config.override import put
from ppcls.untrusted.yaml_nodes import Node, Problems, as_node, find
from ppcls.utils.fields import is_one_of, show

MIXING = "DataLoader.Train.dataset.batch_transform_ops"
_WARMUP_EPOCHS, _GAMMA = 5, 0.1  # the defaults of CosineWarmup and Piecewise
# OpenCV's codes
_INTERPOLATIONS = {
    -1: "bilinear",
    0: "nearest",
    1: "bilinear",
    2: "bicubic",
    3: "area",
    4: "lanczos",
}


class RefusedValue(Exception):
    """An old value that cannot be converted; the text is what a user reads."""


@dataclass
class Setting:
    """An old key with its value, and the configuration that gets the new one.

    Attributes:
        key: the old key, dotted, as it is written.
        node: its value.
        new: the new key.
        tree: the new configuration so far; rows that come earlier in the table are in it.
        processes: how many processes share a batch.
        problems: collects what is wrong.
        at_end: collects checks that must wait until every key is converted.
        detail: what the log adds to the new name.
    """

    key: str
    node: Node
    new: str
    tree: Node
    processes: int
    problems: Problems
    at_end: list[Callable[[], None]] = field(default_factory=list)
    detail: str = ""

    def refuse(self, text: str) -> None:
        """Report what is wrong with the value."""
        self.problems.add(self.node.origin, self.key, text)

    def put(self, key: str, value: Any) -> None:
        """Set a new key, with the old key's origin."""
        put(self.tree, key.split("."), as_node(value, self.node.origin), self.problems)

    def has(self, key: str) -> bool:
        """Whether a new key has a value that is not empty."""
        node, is_there = find(self.tree, key)
        return is_there and node.value not in (None, [], "")

    def cleared(self) -> Node | None:
        """A null that replaces the value of the new key; None if it has no value."""
        if not self.has(self.new):
            return None
        return Node(None, self.node.origin)

    def whole_number(self, low: int, remedy: str) -> int:
        """The value as a whole number of at least `low`.

        Raises:
            RefusedValue: it is none.
        """
        value = self.node.value
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int or value < low:
            raise RefusedValue(f"is {show(self.node.value)}; {remedy}")
        return value


Convert = Callable[[Setting], Node | None]


def as_it_is(setting: Setting) -> Node | None:
    """The same value under the new key."""
    return setting.node


def nothing(remedy: str, *harmless: Any) -> Convert:
    """Accept null and the harmless values, which need no new key; refuse all others."""

    def convert(setting: Setting) -> None:
        value = setting.node.value
        if not is_one_of(value, (None, *harmless)):
            raise RefusedValue(f"is {show(value)}; {remedy}")

    return convert


def path(setting: Setting) -> Node | None:
    """A path; an empty text is no path."""
    if setting.node.value == "":
        return setting.cleared()
    return setting.node


def any_number(remedy: str) -> Convert:
    """Accept null and whole numbers from 0, which need no new key; refuse all others."""

    def convert(setting: Setting) -> None:
        if setting.node.value is not None:
            setting.whole_number(0, remedy)

    return convert


def last_epoch(setting: Setting) -> None:
    """Check that there is a checkpoint, which knows its epoch."""
    if setting.node.value is None:
        return
    epoch = setting.whole_number(-1, "write -1, or the epoch of checkpoints")
    if epoch == -1:
        return

    def check() -> None:
        if not setting.has("Global.checkpoints"):
            setting.refuse(
                f"is {epoch}, but a run goes on from a checkpoint only; write checkpoints, or -1"
            )

    setting.detail = "a checkpoint knows its epoch"
    setting.at_end.append(check)


def device(setting: Setting) -> Node | None:
    """Convert `use_gpu` to the device."""
    uses_gpu = setting.node.value
    if type(uses_gpu) is not bool:
        raise RefusedValue(f"is {show(uses_gpu)}; write true or false")
    return Node("gpu" if uses_gpu else "cpu", setting.node.origin)


def schedule(setting: Setting) -> Node | None:
    """A schedule with the defaults that it had in the flat format."""
    if setting.node.value == "Piecewise":
        has_rates = setting.has("Optimizer.lr.gamma") or setting.has(
            "Optimizer.lr.values"
        )
        if not has_rates:
            setting.put("Optimizer.lr.gamma", _GAMMA)
    if setting.node.value == "CosineWarmup":
        if not setting.has("Optimizer.lr.warmup_epoch"):
            setting.put("Optimizer.lr.warmup_epoch", _WARMUP_EPOCHS)
        return Node("Cosine", setting.node.origin)
    return setting.node


def per_process(setting: Setting) -> Node | None:
    """Convert the batch of all processes to that of one process."""
    batch = setting.whole_number(1, "write a whole number of at least 1")
    processes = setting.processes
    if batch % processes:
        raise RefusedValue(
            f"is {batch} for all {processes} processes together; write a multiple of {processes}"
        )
    each = batch // processes
    if processes > 1:
        setting.detail = (
            f"{setting.key} {batch} over {processes} processes is {each} each"
        )
    return Node(each, setting.node.origin)


def operations(setting: Setting) -> Node | None:
    """Transforms, or one key of one, with interpolation by name."""
    return _named_interpolation(setting.key.rpartition(".")[2], setting.node)


def _named_interpolation(key: str, node: Node) -> Node:
    """The operations with `interpolation: 2` as `interpolation: bicubic`."""
    value = node.value
    if isinstance(value, list):
        items = [_named_interpolation("", item) for item in value]
        return Node(items, node.origin)
    if isinstance(value, dict):
        keys = {}
        for name, child in value.items():
            keys[name] = _named_interpolation(name, child)
        return Node(keys, node.origin)
    if key == "interpolation" and type(value) is int and value in _INTERPOLATIONS:
        return Node(_INTERPOLATIONS[value], node.origin)
    return node


def use_mix(setting: Setting) -> None:
    """Remove the operations that mix pictures, or check that there are some."""
    value = setting.node.value
    if not is_one_of(value, (None, False, True, 0, 1)):
        raise RefusedValue(f"is {show(value)}; write true or false")

    def check() -> None:
        if not setting.has(MIXING):
            setting.refuse(
                "is true, but nothing mixes; write TRAIN.mix, such as [MixupOperator: {alpha: 0.2}]"
            )

    if value:
        setting.at_end.append(check)
    elif setting.has(MIXING):
        setting.put(MIXING, [])
        setting.detail = "nothing is mixed"


def smoothing(setting: Setting) -> Node | None:
    """The epsilon of label smoothing; 0 and below mean no smoothing."""
    value = setting.node.value
    if type(value) not in (int, float) or not math.isfinite(value) or value >= 1:
        raise RefusedValue(
            f"is {show(value)}; write a number above 0 and below 1, or -1 for none"
        )
    if value <= 0:
        return setting.cleared()
    return setting.node


def switch(setting: Setting) -> Node | None:
    """True; false means the same as leaving the key out."""
    if _is_on(setting) or setting.has(setting.new):
        return Node(setting.node.value is True, setting.node.origin)
    return None


def average(setting: Setting) -> Node | None:
    """The section of an average of the weights, if there is to be one."""
    if _is_on(setting):
        return Node({}, setting.node.origin)
    return setting.cleared()


def if_averaged(setting: Setting) -> Node | None:
    """The value, if there is an average."""
    return _if(setting, "EMA", "the weights are not averaged")


def pure_half_precision(setting: Setting) -> Node | None:
    """Level O2 of mixed precision, which is then on."""
    if not _is_on(setting):
        return None
    setting.put("AMP.use_amp", True)
    return Node("O2", setting.node.origin)


def if_mixed(setting: Setting) -> Node | None:
    """The value, if there is mixed precision."""
    return _if(setting, "AMP.use_amp", "mixed precision is off")


def _if(setting: Setting, key: str, otherwise: str) -> Node | None:
    """The value if a key is set; `otherwise` says why it does nothing."""
    if setting.node.value is None:
        return None
    if setting.has(key):
        return setting.node
    setting.detail = otherwise
    return None


def _is_on(setting: Setting) -> bool:
    value = setting.node.value
    if not is_one_of(value, (None, False, True)):
        raise RefusedValue(f"is {show(value)}; write true or false")
    return value is True


def accuracies(setting: Setting) -> None:
    """Top-1 and top-k of training, unless that mixes, and of evaluation; k is at most the number of classes."""
    k = setting.whole_number(1, "write a whole number of at least 1")
    class_num = find(setting.tree, "Arch.class_num")[0].value
    if type(class_num) is int and class_num > 0:
        k = min(k, class_num)
    accuracies = [{"TopkAcc": {"topk": sorted({1, k})}}]
    setting.put("Metric.Eval", accuracies)
    train, is_there = find(setting.tree, "Metric.Train")
    # Accuracy on mixed pictures says little, and was not counted then
    if setting.has(MIXING):
        setting.put("Metric.Train", [])
    elif not is_there or train.value:
        setting.put("Metric.Train", accuracies)
