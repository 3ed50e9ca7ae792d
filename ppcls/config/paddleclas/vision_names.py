"""Transforms of `paddle.vision` that PaddleClas's files may name, written as the transforms that do the same here."""

from __future__ import annotations

from collections.abc import Sequence

from ppcls.untrusted.yaml_nodes import Node, as_node, find

_LISTS = (
    "DataLoader.Train.dataset.transform_ops",
    "DataLoader.Eval.dataset.transform_ops",
    "Infer.transforms",
    "PreProcess.transform_ops",
)


def translate_vision_names(root: Node) -> None:
    """Replace them in every list of transforms of a configuration.

    `ToTensor` and the `Normalize` behind it become NormalizeImage and ToCHWImage, `RandomHorizontalFlip` becomes
    RandFlipImage, and `RandomResizedCrop` RandCropImage with torchvision's way of drawing.
    """
    for key in _LISTS:
        node, is_there = find(root, key)
        if is_there and isinstance(node.value, list):
            node.value = _translated(node.value)


def _translated(operations: Sequence[Node]) -> list[Node]:
    channels = 3
    result: list[Node] = []
    tensor: Node | None = None  # ToTensor, until the next operation is known
    for operation in operations:
        name, keys = _name_and_keys(operation)
        if name == "DecodeImage" and "channels" in keys:
            channels = 1 if keys["channels"].value == 1 else 3
        if tensor is not None:
            normalize = operation if name == "Normalize" else None
            result += _planes(tensor, normalize, channels)
            tensor = None
            if normalize is not None:
                continue
        if name == "ToTensor" and set(keys) <= {"data_format"}:
            tensor = operation
        elif name == "RandomHorizontalFlip":
            result.append(_renamed(operation, "RandFlipImage"))
        elif name == "RandomResizedCrop":
            result.append(_resized_crop(operation))
        else:
            result.append(operation)
    if tensor is not None:
        result += _planes(tensor, None, channels)
    return result


def _name_and_keys(operation: Node) -> tuple[str, dict[str, Node]]:
    """An operation's name and keys; an empty name for what is no operation."""
    if not isinstance(operation.value, dict) or len(operation.value) != 1:
        return "", {}
    ((name, keys),) = operation.value.items()
    return name, keys.value if isinstance(keys.value, dict) else {}


def _operation(name: str, keys: dict[str, Node], like: Node) -> Node:
    return Node({name: Node(keys, like.origin)}, like.origin)


def _renamed(operation: Node, name: str) -> Node:
    ((_, keys),) = operation.value.items()
    return Node({name: keys}, operation.origin)


def _planes(tensor: Node, normalize: Node | None, channels: int) -> list[Node]:
    """ToTensor with or without a Normalize: bytes divided by 255, then by mean and std, channels first."""
    like = tensor if normalize is None else normalize
    keys = dict(_name_and_keys(like)[1])
    if normalize is None:
        keys = {}
    keys.pop("data_format", None)
    for name, default in (("mean", 0.0), ("std", 1.0)):
        value = keys.setdefault(name, Node(default, like.origin))
        if not isinstance(value.value, list):
            keys[name] = Node([value.copy() for _ in range(channels)], value.origin)
    keys["scale"] = as_node("1.0/255.0", like.origin)
    return [
        _operation("NormalizeImage", keys, like),
        _operation("ToCHWImage", {}, like),
    ]


def _resized_crop(operation: Node) -> Node:
    """RandCropImage; its size is [width, height], that of paddle.vision [height, width]."""
    keys = dict(_name_and_keys(operation)[1])
    size = keys.get("size")
    if size is not None and isinstance(size.value, list):
        keys["size"] = Node(size.value[::-1], size.origin)
    keys.setdefault("sampling", Node("torchvision", operation.origin))
    return _operation("RandCropImage", keys, operation)
