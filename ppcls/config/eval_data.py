"""Evaluation data given on the command line, which replaces that of DataLoader.Eval."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppcls.untrusted.yaml_nodes import Node, Origin, find
from ppcls.utils.files import is_file

# Keys of a dataset that say how pictures are read, not which ones.
_KEPT = ("transform_ops", "batch_transform_ops", "on_error")
# The key of the file of class names in each kind of dataset.
_NAMES = {"ImageFolder": "class_to_index", "ImageNetDataset": "class_names"}


@dataclass(frozen=True)
class EvalData:
    """A folder of class folders, or a list with labels.

    Attributes:
        source: Its path.
        image_root: What a list's paths are relative to, empty for the working directory; None for the list's folder.
    """

    source: str
    image_root: str | None = None

    def keys(self) -> dict[str, str]:
        """The keys of the dataset."""
        if Path(self.source).is_dir():
            return {"name": "ImageFolder", "image_root": self.source}
        root = self.image_root
        if root is None:
            root = str(Path(self.source).parent)
        return {
            "name": "ImageNetDataset",
            "cls_label_path": self.source,
            "image_root": root,
        }


def put_eval_data(root: Node, data: EvalData) -> None:
    """Replace the dataset of DataLoader.Eval, if there is one; its transforms and what `-o` sets stay."""
    dataset, is_there = find(root, "DataLoader.Eval.dataset")
    if not is_there or not isinstance(dataset.value, dict):
        return  # the checks report what is missing
    before: dict[str, Node] = dataset.value
    origin, keys = Origin(f"--data {data.source}"), data.keys()
    replaced = {key: Node(value, origin) for key, value in keys.items()}
    names = before.get("class_names") or before.get("class_to_index")
    if names is not None and _is_file(names.value):
        replaced[_NAMES[keys["name"]]] = names
    replaced.update((key, before[key]) for key in before if _is_kept(key, before[key]))
    dataset.value = replaced


def _is_kept(key: str, node: Node) -> bool:
    return key in _KEPT or node.origin.is_override


def _is_file(value: Any) -> bool:
    return isinstance(value, str) and is_file(value)
