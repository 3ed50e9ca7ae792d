"""Keys that PaddleClas 2.1 wrote in another section; `flat_files` reads the format of 2.0."""

from __future__ import annotations

from ppcls.untrusted.yaml_nodes import Node, Problems, find


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
