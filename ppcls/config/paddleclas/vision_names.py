"""Transforms of `paddle.vision` that PaddleClas's files may name, written as the transforms that do the same here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ppcls.untrusted.yaml_nodes import Node, find

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
    channels = _channels(operations)
    result: list[Node] = []
    previous = ""
    for operation in operations:
        name = _name(operation)
        if name == "Normalize" and previous == "ToTensor":
            result[-2] = _normalize(operation, channels)
        elif name in _TRANSLATIONS:
            result += _TRANSLATIONS[name](operation, channels)
        else:
            result.append(operation)
        previous = name
    return result


def _tensor(operation: Node, channels: int) -> list[Node]:
    """ToTensor: bytes divided by 255, channels first."""
    return [_normalize(operation, channels), _operation("ToCHWImage", {}, operation)]


def _normalize(operation: Node, channels: int) -> Node:
    """Normalize of what ToTensor gives, as NormalizeImage of bytes."""
    keys = _keys(operation)
    keys.pop("data_format", None)
    for name, default in (("mean", 0.0), ("std", 1.0)):
        value = keys.setdefault(name, Node(default, operation.origin))
        if not isinstance(value.value, list):
            keys[name] = Node([value.copy() for _ in range(channels)], value.origin)
    keys["scale"] = Node("1.0/255.0", operation.origin)
    return _operation("NormalizeImage", keys, operation)


def _flip(operation: Node, channels: int) -> list[Node]:
    return [_operation("RandFlipImage", _keys(operation), operation)]


def _resized_crop(operation: Node, channels: int) -> list[Node]:
    """RandCropImage; its size is [width, height], that of paddle.vision [height, width]."""
    keys = _keys(operation)
    size = keys.get("size")
    if size is not None and isinstance(size.value, list):
        keys["size"] = Node(size.value[::-1], size.origin)
    keys.setdefault("sampling", Node("torchvision", operation.origin))
    return [_operation("RandCropImage", keys, operation)]


_TRANSLATIONS: dict[str, Callable[[Node, int], list[Node]]] = {
    "ToTensor": _tensor,
    "RandomHorizontalFlip": _flip,
    "RandomResizedCrop": _resized_crop,
}


def _name(operation: Node) -> str:
    """Return an operation's name, or an empty text if the item is not an operation."""
    if not isinstance(operation.value, dict) or len(operation.value) != 1:
        return ""
    ((name, keys),) = operation.value.items()
    if keys.value is None or isinstance(keys.value, dict):
        return name
    return ""


def _keys(operation: Node) -> dict[str, Node]:
    """A copy of an operation's keys."""
    (keys,) = operation.value.values()
    return dict(keys.value or {})


def _channels(operations: Sequence[Node]) -> int:
    """How many channels DecodeImage gives."""
    for operation in operations:
        if _name(operation) == "DecodeImage":
            channels = _keys(operation).get("channels")
            if channels is not None and channels.value == 1:
                return 1
            return 3
    return 3


def _operation(name: str, keys: dict[str, Node], like: Node) -> Node:
    return Node({name: Node(keys, like.origin)}, like.origin)
