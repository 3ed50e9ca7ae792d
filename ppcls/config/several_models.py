"""Architectures of several models (`Arch.models`): what these share, and which of them losses and metrics may read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ppcls.config.cross import Checked
from ppcls.untrusted.yaml_nodes import Node, Problems
from ppcls.utils.errors import suggest

_READS = re.compile(r"(Loss|Metric)\.(Train|Eval)\.\d+\.\w+")
_PLAIN = {"Loss": "CELoss", "Metric": "TopkAcc"}
_NAMED = {"Loss": "DistillationGTCELoss", "Metric": "DistillationTopkAcc"}


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
        _make_plain(processing, arch, problems)


def _share_class_num(models: list[Node], class_num: Node) -> None:
    for item in models:
        for model in _mapping(item).values():
            _mapping(model).setdefault("class_num", class_num)


def _make_plain(
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


def check_models(checked: Checked) -> None:
    """Report losses and metrics that read a model which does not exist or is not evaluated, or train a frozen one."""
    arch = checked.values.get("Arch")
    if arch is None:
        return
    for key, value in list(checked.values.items()):
        match = _READS.fullmatch(key)
        if match is None:
            continue
        section, part = match.groups()
        problem = _problem(value, arch, section, part)
        if problem is not None:
            checked.add(key, problem)


def _problem(value: Any, arch: Any, section: str, part: str) -> str | None:
    """What is wrong with a loss or metric in `section.part`; None if it fits the models of Arch."""
    names = tuple(getattr(arch, "members", ()))
    read = getattr(value, "model_names", ())
    if not names:
        if read:
            return f"reads models by their names, but Arch is one model; write {_PLAIN[section]}"
        return None
    there = " and ".join(names)
    if not read and part == "Train":
        return f"reads one model, but Arch has {there}; write {_NAMED[section]}"
    unknown = [name for name in read if name not in names]
    if unknown:
        near = suggest(unknown[0], names)
        return f"names the model {unknown[0]}{near}, but Arch has {there}; write one of them"
    if part == "Eval":
        return _problem_of_evaluation(read, arch.infer_model_name)
    if section == "Loss" and set(value.learners) <= set(arch.frozen):
        return f"teaches {' and '.join(value.learners)} alone, which is frozen; write what learns, first in a pair"
    return None


def _problem_of_evaluation(read: Sequence[str], evaluated: str) -> str | None:
    for name in read:
        if name != evaluated:
            return f"reads {name}, but only {evaluated} is evaluated; write that, or {name} as Arch.infer_model_name"
    return None


def _mapping(node: Node | None) -> dict[str, Node]:
    """The keys of a section; empty if the section is absent or not a mapping."""
    if node is None or not isinstance(node.value, dict):
        return {}
    values: dict[str, Node] = node.value
    return values
