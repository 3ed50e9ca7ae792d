"""Conversions of the values of PaddleClas's flat 2.0 format. `flat_keys` names the one of each key."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ppcls.config.override import put
from ppcls.untrusted.yaml_nodes import Node, Problems, as_node, find
from ppcls.utils.describe import show

MIXING = "DataLoader.Train.dataset.batch_transform_ops"
_WARMUP_EPOCHS, _GAMMA = 5, 0.1  # what CosineWarmup and Piecewise did without a word
# OpenCV's codes
_INTERPOLATIONS = {
    -1: "bilinear",
    0: "nearest",
    1: "bilinear",
    2: "bicubic",
    3: "area",
    4: "lanczos",
}


@dataclass
class Setting:
    """An old key with its value, on its way into a configuration of today.

    Attributes:
        key: the old key, dotted, as it is written.
        node: its value.
        new: the key of today.
        tree: the configuration so far; what the table names earlier is there already.
        processes: how many share a batch.
        problems: takes what is wrong.
        at_end: takes checks that have to wait until every key is there.
        detail: what is worth saying besides the new name.
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
        """Notes what is wrong with the value."""
        self.problems.add(self.node.origin, self.key, text)

    def put(self, key: str, value: Any) -> None:
        """Sets a key of today, with the old key's origin."""
        put(self.tree, key.split("."), as_node(value, self.node.origin), self.problems)

    def has(self, key: str) -> bool:
        """Whether a key of today has a value that is not empty."""
        node, is_there = find(self.tree, key)
        return is_there and node.value not in (None, [], "")

    def cleared(self) -> Node | None:
        """What takes back a value that may stand under the new key; nothing if there is none."""
        return Node(None, self.node.origin) if self.has(self.new) else None

    def whole_number(self, low: int, remedy: str) -> int | None:
        """The value if it is a whole number of at least `low`; else None, and a problem."""
        value = self.node.value
        is_whole = type(value) is int or (type(value) is float and value.is_integer())
        if is_whole and value >= low:
            return int(value)
        self.refuse(f"is {show(value)}; {remedy}")
        return None


Convert = Callable[[Setting], Node | None]


def as_it_is(setting: Setting) -> Node | None:
    """The same value under the new key."""
    return setting.node


def nothing(remedy: str, *harmless: Any) -> Convert:
    """Takes the harmless values, which ask for nothing, and null; refuses all others."""

    def convert(setting: Setting) -> None:
        value = setting.node.value
        is_harmless = any(type(value) is type(one) and value == one for one in harmless)
        if value is not None and not is_harmless:
            setting.refuse(f"is {show(value)}; {remedy}")

    return convert


def path(setting: Setting) -> Node | None:
    """A path; an empty text was nothing."""
    return setting.cleared() if setting.node.value == "" else setting.node


def any_number(remedy: str) -> Convert:
    """Takes whole numbers from 0 on, which say nothing here, and null; refuses all others."""

    def convert(setting: Setting) -> None:
        if setting.node.value is not None:
            setting.whole_number(0, remedy)

    return convert


def last_epoch(setting: Setting) -> None:
    """Nothing: a checkpoint knows its epoch. Without a checkpoint there is none to go on from."""
    remedy = "write -1, or the epoch of checkpoints"
    epoch = -1 if setting.node.value is None else setting.whole_number(-1, remedy)
    if epoch in (None, -1):
        return

    def check() -> None:
        if not setting.has("Global.checkpoints"):
            setting.refuse(
                f"is {epoch}, but a run goes on from a checkpoint only; write checkpoints, or -1"
            )

    setting.detail = "a checkpoint knows its epoch"
    setting.at_end.append(check)


def device(setting: Setting) -> Node | None:
    """`use_gpu` to the device."""
    devices = {True: "gpu", False: "cpu"}
    if type(setting.node.value) is bool:
        return Node(devices[setting.node.value], setting.node.origin)
    setting.refuse(f"is {show(setting.node.value)}; write true or false")
    return None


def schedule(setting: Setting) -> Node | None:
    """A schedule with the defaults that it had."""
    name = setting.node.value
    if name == "Piecewise" and not (
        setting.has("Optimizer.lr.gamma") or setting.has("Optimizer.lr.values")
    ):
        setting.put("Optimizer.lr.gamma", _GAMMA)
    if name != "CosineWarmup":
        return setting.node
    if not setting.has("Optimizer.lr.warmup_epoch"):
        setting.put("Optimizer.lr.warmup_epoch", _WARMUP_EPOCHS)
    return Node("Cosine", setting.node.origin)


def per_process(setting: Setting) -> Node | None:
    """A batch of all processes to the part of each."""
    batch = setting.whole_number(1, "write a whole number of at least 1")
    processes = setting.processes
    if batch is None:
        return None
    if batch % processes:
        setting.refuse(
            f"is {batch} for all {processes} processes together; write a multiple of {processes}"
        )
        return None
    if processes > 1:
        setting.detail = f"{setting.key} {batch} over {processes} processes is {batch // processes} each"
    return Node(batch // processes, setting.node.origin)


def operations(setting: Setting) -> Node | None:
    """Transforms, or one key of one, with interpolation by name."""
    return _named_interpolation(setting.key.rpartition(".")[2], setting.node)


def _named_interpolation(key: str, node: Node) -> Node:
    """The operations with `interpolation: 2` as `interpolation: bicubic`."""
    value = node.value
    if isinstance(value, list):
        return Node([_named_interpolation("", item) for item in value], node.origin)
    if isinstance(value, dict):
        return Node(
            {name: _named_interpolation(name, item) for name, item in value.items()},
            node.origin,
        )
    if key == "interpolation" and type(value) is int and value in _INTERPOLATIONS:
        return Node(_INTERPOLATIONS[value], node.origin)
    return node


def use_mix(setting: Setting) -> None:
    """Empties the operations that mix, or makes sure that there are some."""
    value = setting.node.value

    def check() -> None:
        if not setting.has(MIXING):
            setting.refuse(
                "is true, but nothing mixes; write TRAIN.mix, such as [MixupOperator: {alpha: 0.2}]"
            )

    if type(value) not in (bool, int, type(None)) or value not in (None, 0, 1):
        setting.refuse(f"is {show(value)}; write true or false")
    elif value:
        setting.at_end.append(check)
    elif setting.has(MIXING):
        setting.put(MIXING, [])
        setting.detail = "nothing is mixed"


def smoothing(setting: Setting) -> Node | None:
    """The epsilon of label smoothing, of which 0 and below were none."""
    value = setting.node.value
    if type(value) not in (int, float) or not math.isfinite(value) or value >= 1:
        setting.refuse(
            f"is {show(value)}; write a number above 0 and below 1, or -1 for none"
        )
        return None
    return setting.node if value > 0 else setting.cleared()


def accuracies(setting: Setting) -> None:
    """Top-1 and top-k of training, unless that mixes, and of evaluation; k is at most the number of classes."""
    k = setting.whole_number(1, "write a whole number of at least 1")
    if k is None:
        return
    classes = find(setting.tree, "Arch.class_num")[0].value
    k = min(k, classes) if type(classes) is int and classes > 0 else k
    accuracies = [{"TopkAcc": {"topk": [1, k] if k > 1 else [1]}}]
    setting.put("Metric.Eval", accuracies)
    train, is_there = find(setting.tree, "Metric.Train")
    # Accuracy on mixed pictures says little, and was not counted then
    if setting.has(MIXING):
        setting.put("Metric.Train", [])
    elif not is_there or train.value:
        setting.put("Metric.Train", accuracies)
