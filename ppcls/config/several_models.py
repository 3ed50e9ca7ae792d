"""Architectures of several models (`Arch.models`): what these share, and which of them losses and metrics may read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ppcls.config.cross import Checked
from ppcls.untrusted.yaml_nodes import Node, Problems
from ppcls.utils.errors import suggest

_READS = re.compile(r"(Loss|Metric)\.(Train|Eval)\.\d+\.(\w+)")
_PLAIN = {"Loss": "CELoss", "Metric": "TopkAcc"}
_NAMED = {"Loss": "DistillationGTCELoss", "Metric": "DistillationTopkAcc"}


def share_keys(root: Node, problems: Problems) -> None:
    """Give `Arch.class_num` to models that have none, and read DistillationPostProcess as Topk."""
    arch, infer = _mapping(root.value.get("Arch")), _mapping(root.value.get("Infer"))
    models = arch["models"].value if "models" in arch else None
    if not isinstance(models, list):
        return
    if "class_num" in arch:
        for item in models:
            for model in _mapping(item).values():
                _mapping(model).setdefault("class_num", arch["class_num"])
    processing = _mapping(infer.get("PostProcess"))
    if "name" in processing and processing["name"].value == "DistillationPostProcess":
        _make_plain(processing, arch, problems)


def _make_plain(
    processing: dict[str, Node], arch: Mapping[str, Node], problems: Problems
) -> None:
    """Turns the post-processing of one model's scores into Topk: here they are always Arch.infer_model_name's."""
    processing["name"].value = "Topk"
    answering = "Student"
    if "infer_model_name" in arch:
        answering = arch["infer_model_name"].value
    for key, values in {
        "func": ("Topk",),
        "model_name": (answering,),
        "key": ("logits", "None", None),
    }.items():
        node = processing.pop(key, None)
        if node is not None and node.value not in values:
            text = f"is {node.value!r}, but what is read is {values[0]}; write that or remove it"
            problems.add(node.origin, f"Infer.PostProcess.{key}", text)


def check_models(checked: Checked) -> None:
    """Notes losses and metrics that read models which are not there or not evaluated, or teach a frozen one."""
    arch = checked.values.get("Arch")
    if arch is None:
        return
    for key, value in list(checked.values.items()):
        match = _READS.fullmatch(key)
        problem = _problem(value, arch, *match.groups()) if match else None
        if problem:
            checked.add(key, problem)


def _problem(value: Any, arch: Any, section: str, part: str, kind: str) -> str | None:
    """What is wrong with the loss or metric of this `kind` in `section.part`."""
    names = tuple(getattr(arch, "members", ()))
    read = getattr(value, "model_names", None)
    if not names:
        remedy = f"reads models by their names, but Arch is one model; write {_PLAIN[section]}"
        return remedy if read else None
    if not read:
        remedy = f"reads one model, but Arch has {' and '.join(names)}; write {_NAMED[section]}"
        return remedy if part == "Train" else None
    for name in read:
        if name not in names:
            there = " and ".join(names)
            return f"names the model {name}{suggest(name, names)}, but Arch has {there}; write one of them"
        if part == "Eval" and name != arch.infer_model_name:
            only = arch.infer_model_name
            return f"reads {name}, but only {only} is evaluated; write that, or {name} as Arch.infer_model_name"
    is_training_loss = part == "Train" and section == "Loss"
    if is_training_loss and set(value.learners) <= set(arch.frozen):
        return f"teaches {' and '.join(value.learners)} alone, which is frozen; write what learns, first in a pair"
    return None


def _mapping(node: Any) -> dict[str, Node]:
    return node.value if isinstance(node, Node) and isinstance(node.value, dict) else {}
