"""Formats of PaddleClas older than 2.2."""

from __future__ import annotations

from ppcls.config.node import Node, Problems

_FLAT = ("mode", "ARCHITECTURE", "LEARNING_RATE", "OPTIMIZER", "TRAIN", "VALID", "load_static_weights")


def is_flat(root: Node, problems: Problems) -> bool:
    """Whether a file is in the flat format of PaddleClas 2.0, which is one problem and not a hundred."""
    origins = [root.value[key].origin for key in _FLAT if key in root.value]
    in_file = [origin for origin in origins if origin.line]
    if in_file:
        problems.add(
            min(in_file, key=lambda origin: origin.line),
            "",
            "this is PaddleClas's 2.0 format (ARCHITECTURE, LEARNING_RATE, TRAIN ...), which is not read here; write "
            "the sections Global, Arch, Loss, Optimizer, DataLoader and Metric, as that model's file in configs/ does",
        )
    return bool(in_file)


def move_class_num(root: Node, problems: Problems) -> None:
    """Takes `Global.class_num`, where PaddleClas 2.1 wrote it, to `Arch.class_num`."""
    nothing = Node(None, root.origin)
    settings, arch = root.value.get("Global", nothing).value, root.value.get("Arch", nothing).value
    if not (isinstance(settings, dict) and isinstance(arch, dict) and "class_num" in settings):
        return
    old: Node = settings.pop("class_num")
    new: Node = arch.setdefault("class_num", old)
    if old.value != new.value:
        problems.add(
            old.origin,
            "Global.class_num",
            f"is {old.value}, but Arch.class_num is {new.value}; remove it, the number belongs to Arch",
        )
