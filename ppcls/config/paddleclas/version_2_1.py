"""What PaddleClas 2.1 wrote elsewhere; `translate` reads 2.0."""

from __future__ import annotations

from ppcls.untrusted.yaml_nodes import Node, Problems


def move_class_num(root: Node, problems: Problems) -> None:
    """Takes `Global.class_num`, where PaddleClas 2.1 wrote it, to `Arch.class_num`."""
    nothing = Node(None, root.origin)
    settings, arch = (
        root.value.get("Global", nothing).value,
        root.value.get("Arch", nothing).value,
    )
    if not (
        isinstance(settings, dict)
        and isinstance(arch, dict)
        and "class_num" in settings
    ):
        return
    old: Node = settings.pop("class_num")
    new: Node = arch.setdefault("class_num", old)
    if old.value != new.value:
        problems.add(
            old.origin,
            "Global.class_num",
            f"is {old.value}, but Arch.class_num is {new.value}; remove it, the number belongs to Arch",
        )
