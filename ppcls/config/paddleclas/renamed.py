"""Keys of PaddleClas whose effect another key has here: the value is set there, and a line says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ppcls.config.override import put
from ppcls.untrusted.yaml_nodes import Node, Problems, find


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


@dataclass
class Renaming:
    """Sets the new keys of old ones in a tree.

    Attributes:
        root: the tree.
        problems: collects old and new keys that contradict each other.
        lines: one line for each key that was read as another one.
    """

    root: Node
    problems: Problems
    lines: list[str] = field(default_factory=list)

    def apply(self, table: Mapping[str, Renamed]) -> None:
        """Replace the keys of a table; a value that is not true or false stays, and the checks report it."""
        for old, new in table.items():
            section, _, name = old.rpartition(".")
            keys, has_section = find(self.root, section)
            if not has_section or not isinstance(keys.value, dict):
                continue
            node = keys.value.get(name)
            if node is not None and type(node.value) is bool:
                del keys.value[name]
                self._set(old, node, new)

    def _set(self, old: str, node: Node, new: Renamed) -> None:
        value = new.of_true if node.value else new.of_false
        if value is None:
            return
        there, is_there = find(self.root, new.key)
        overrides_it = not node.origin.line and there.origin.line
        is_taken = is_there and there.value not in (None, value)
        if is_taken and not overrides_it:
            text = (
                f"is {node.plain()}, but {new.key} is {there.value}; remove one of them"
            )
            self.problems.add(node.origin, old, text)
            return
        put(self.root, new.key.split("."), Node(value, node.origin), self.problems)
        written = str(value).lower() if isinstance(value, bool) else value
        self.lines.append(f"{node.origin}: {old} read as {new.key}: {written}")


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
