"""PaddleClas's keys and names that mean something else here: each is rewritten in the tree of a configuration.

Multi-label classification is refused as a whole first: in one sentence, not one for each component.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ppcls.config.override import put
from ppcls.untrusted.yaml_nodes import Node, Problems, find, join

_MULTI_LABEL = frozenset(
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
_LISTS_OF_OPERATIONS = ("Loss.Train", "Loss.Eval", "Metric.Train", "Metric.Eval")


def rewrite(root: Node, problems: Problems) -> list[str]:
    """Rewrite the configuration of a training; returns a line for each key that was read as another one.

    Raises:
        ConfigError: It is for multi-label classification.
    """
    refuse_multi_label(root, problems)
    move_class_num(root, problems)
    translate_vision_names(root)
    share_keys(root, problems)
    return rename(root, problems, RENAMED)


def rewrite_deployment(root: Node, problems: Problems) -> list[str]:
    """Rewrite a deployment configuration; see `rewrite`."""
    translate_vision_names(root)
    return rename(root, problems, RENAMED_OF_DEPLOYMENT)


def refuse_multi_label(root: Node, problems: Problems) -> None:
    """Report the first component or key of multi-label classification, and nothing else.

    Raises:
        ConfigError: There is one.
    """
    for node, key, name in _multi_label_parts(root):
        problems.clear()
        problems.add(
            node.origin,
            key,
            f"{name} is for pictures with several labels, and multi-label classification is not supported yet; write "
            "ImageNetDataset, CELoss, TopkAcc and Topk for one label per picture",
        )
        problems.raise_if_any()


def _multi_label_parts(root: Node) -> Iterator[tuple[Node, str, str]]:
    """The node, the key and the name of each component or key of multi-label classification."""
    switch, is_there = find(root, "Global.use_multilabel")
    if is_there and switch.value is True:
        yield switch, "Global.use_multilabel", "use_multilabel"
    for section in _NAMED:
        key = join(section, "name")
        node, is_there = find(root, key)
        if is_there and isinstance(node.value, str) and node.value in _MULTI_LABEL:
            yield node, key, node.value
    for section in _LISTS_OF_OPERATIONS:
        operations, is_there = find(root, section)
        if is_there and isinstance(operations.value, list):
            yield from _of_list(operations.value, section)


def _of_list(operations: list[Node], section: str) -> Iterator[tuple[Node, str, str]]:
    for place, operation in enumerate(operations):
        if not isinstance(operation.value, dict):
            continue
        for name, node in operation.value.items():
            if name in _MULTI_LABEL:
                yield node, join(join(section, place), name), name


@dataclass(frozen=True)
class Renamed:
    """The key that a key is read as.

    Attributes:
        key: the key here.
        of_true: its value where the old one is true.
        of_false: the same for false; None where false means the same as leaving the key out.
    """

    key: str
    of_true: bool | str
    of_false: bool | str | None = None


RENAMED = {
    "Global.use_gpu": Renamed("Global.device", "gpu", "cpu"),
    "Arch.use_sync_bn": Renamed("Global.sync_batch_norm", True),
    "AMP.use_pure_fp16": Renamed("AMP.level", "O2"),
}
RENAMED_OF_DEPLOYMENT = {
    "Global.use_onnx": Renamed("Global.backend", "onnxruntime"),
    "Global.use_openvino": Renamed("Global.backend", "openvino"),
    "Global.use_int8": Renamed("Global.precision", "int8"),
}


def rename(root: Node, problems: Problems, table: Mapping[str, Renamed]) -> list[str]:
    """Replace the keys of a table; a value that is not true or false stays, and the checks report it.

    Args:
        root: the tree.
        problems: collects old and new keys that contradict each other.
        table: the keys here, by the old ones.

    Returns:
        One line for each key that was read as another one.
    """
    lines: list[str] = []
    for old, new in table.items():
        section, _, name = old.rpartition(".")
        keys, has_section = find(root, section)
        if not has_section or not isinstance(keys.value, dict):
            continue
        node = keys.value.get(name)
        if node is not None and type(node.value) is bool:
            del keys.value[name]
            lines += _set(root, problems, old, node, new)
    return lines


def _set(
    root: Node, problems: Problems, old: str, node: Node, new: Renamed
) -> Iterator[str]:
    """Set the new key in place of an old one; yields the line about it."""
    value = new.of_true if node.value else new.of_false
    if value is None:
        return
    there, is_there = find(root, new.key)
    overrides_it = not node.origin.line and there.origin.line
    is_taken = is_there and there.value not in (None, value)
    if is_taken and not overrides_it:
        text = f"is {node.plain()}, but {new.key} is {there.value}; remove one of them"
        problems.add(node.origin, old, text)
        return
    put(root, new.key.split("."), Node(value, node.origin), problems)
    written = str(value).lower() if isinstance(value, bool) else value
    yield f"{node.origin}: {old} read as {new.key}: {written}"


def move_class_num(root: Node, problems: Problems) -> None:
    """Move `Global.class_num`, where PaddleClas 2.1 wrote it, to `Arch.class_num`; an override of that wins."""
    settings, _ = find(root, "Global")
    arch, has_arch = find(root, "Arch")
    old, is_there = find(root, "Global.class_num")
    if not is_there or not has_arch or not isinstance(arch.value, dict):
        return
    if not isinstance(settings.value, dict):
        return
    del settings.value["class_num"]
    new: Node = arch.value.setdefault("class_num", old)
    is_overridden = not new.origin.line and old.origin.line
    if old.value != new.value and not is_overridden:
        problems.add(
            old.origin,
            "Global.class_num",
            f"is {old.value}, but Arch.class_num is {new.value}; remove it, the number belongs to Arch",
        )


_LISTS_OF_TRANSFORMS = (
    "DataLoader.Train.dataset.transform_ops",
    "DataLoader.Eval.dataset.transform_ops",
    "Infer.transforms",
    "PreProcess.transform_ops",
)


def translate_vision_names(root: Node) -> None:
    """Replace transforms of `paddle.vision` in every list of transforms by those that do the same here.

    `ToTensor` and the `Normalize` behind it become NormalizeImage and ToCHWImage, `RandomHorizontalFlip` becomes
    RandFlipImage, and `RandomResizedCrop` RandCropImage with torchvision's way of drawing.
    """
    for key in _LISTS_OF_TRANSFORMS:
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


def share_keys(root: Node, problems: Problems) -> None:
    """Give `Arch.class_num` to models that have none, and read DistillationPostProcess as Topk."""
    arch = _mapping(root.value.get("Arch"))
    models = arch.get("models")
    if models is None or not isinstance(models.value, list):
        return
    if "class_num" in arch:
        _share_class_num(models.value, arch["class_num"])
    infer = _mapping(root.value.get("Infer"))
    processing = _mapping(infer.get("PostProcess"))
    name = processing.get("name")
    if name is not None and name.value == "DistillationPostProcess":
        _read_as_topk(processing, arch, problems)


def _share_class_num(models: list[Node], class_num: Node) -> None:
    for item in models:
        for model in _mapping(item).values():
            _mapping(model).setdefault("class_num", class_num)


def _read_as_topk(
    processing: dict[str, Node], arch: Mapping[str, Node], problems: Problems
) -> None:
    """Turn DistillationPostProcess into Topk: the scores are always those of Arch.infer_model_name."""
    processing["name"].value = "Topk"
    answering = "Student"
    if "infer_model_name" in arch:
        answering = arch["infer_model_name"].value
    accepted = {
        "func": ("Topk",),
        "model_name": (answering,),
        "key": ("logits", "None", None),
    }
    for key, values in accepted.items():
        node = processing.pop(key, None)
        if node is not None and node.value not in values:
            text = f"is {node.value!r}, but what is read is {values[0]}; write that or remove it"
            problems.add(node.origin, f"Infer.PostProcess.{key}", text)


def _mapping(node: Node | None) -> dict[str, Node]:
    """The keys of a section; empty if the section is absent or not a mapping."""
    if node is None or not isinstance(node.value, dict):
        return {}
    values: dict[str, Node] = node.value
    return values
