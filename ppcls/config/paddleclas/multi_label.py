"""Multi-label classification, which is refused as a whole: in one sentence, not one for each component."""

from __future__ import annotations

from collections.abc import Iterator

from ppcls.untrusted.yaml_nodes import Node, Problems, find, join

_NAMES = frozenset(
    (
        "MultiLabelDataset",
        "MultiLabelLoss",
        "MultiLabelAsymmetricLoss",
        "DistillationMultiLabelLoss",
        "MultiLabelThreshOutput",
        "MultiLabelTopk",
        "MultiLabelTopkAcc",
        "MultiLabelMAP",
        "MultilabelMap",
        "HammingDistance",
        "ATTRMetric",
        "PersonAttribute",
        "VehicleAttribute",
        "FaceAttribute",
        "TableAttribute",
    )
)
_NAMED = (
    "DataLoader.Train.dataset",
    "DataLoader.Eval.dataset",
    "Infer.PostProcess",
)
_LISTS = ("Loss.Train", "Loss.Eval", "Metric.Train", "Metric.Eval")


def refuse_multi_label(root: Node, problems: Problems) -> None:
    """Report the first component or key of multi-label classification, and nothing else.

    Raises:
        ConfigError: There is one.
    """
    for node, key, name in _found(root):
        problems.clear()
        problems.add(
            node.origin,
            key,
            f"{name} is for pictures with several labels, and multi-label classification is not supported yet; write "
            "ImageNetDataset, CELoss, TopkAcc and Topk for one label per picture",
        )
        problems.raise_if_any()


def _found(root: Node) -> Iterator[tuple[Node, str, str]]:
    """The node, the key and the name of each."""
    switch, is_there = find(root, "Global.use_multilabel")
    if is_there and switch.value is True:
        yield switch, "Global.use_multilabel", "use_multilabel"
    for section in _NAMED:
        key = join(section, "name")
        node, is_there = find(root, key)
        if is_there and isinstance(node.value, str) and node.value in _NAMES:
            yield node, key, node.value
    for section in _LISTS:
        operations, is_there = find(root, section)
        if is_there and isinstance(operations.value, list):
            yield from _of_list(operations.value, section)


def _of_list(operations: list[Node], section: str) -> Iterator[tuple[Node, str, str]]:
    for place, operation in enumerate(operations):
        if not isinstance(operation.value, dict):
            continue
        for name, node in operation.value.items():
            if name in _NAMES:
                yield node, join(join(section, place), name), name
