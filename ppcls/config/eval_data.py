"""Pictures given on the command line, in place of those that DataLoader.Eval names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppcls.untrusted.regular_files import is_file
from ppcls.untrusted.yaml_nodes import Node, Origin

# What a dataset says of how pictures are read, not of which ones they are.
_KEPT = ("transform_ops", "batch_transform_ops", "on_error")
# What a file of class names is called in a dataset of each kind.
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
    """Replaces the dataset of DataLoader.Eval in a tree, if there is one; its transforms, and what `-o` sets, stay."""
    node = root
    for key in ("DataLoader", "Eval", "dataset"):
        if not isinstance(node.value, dict) or key not in node.value:
            return  # which is reported as what is missing
        node = node.value[key]
    if not isinstance(node.value, dict):
        return
    origin, keys = Origin(f"--data {data.source}"), data.keys()
    kept = {
        key: child
        for key, child in node.value.items()
        if key in _KEPT or child.origin.source.startswith("-o ")
    }
    names = node.value.get("class_names") or node.value.get("class_to_index")
    if names is not None and _is_file(names.value):
        kept.setdefault(_NAMES[keys["name"]], names)
    node.value = {**{key: Node(value, origin) for key, value in keys.items()}, **kept}


def _is_file(value: Any) -> bool:
    return isinstance(value, str) and is_file(value)
