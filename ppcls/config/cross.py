"""Checks between keys: what a command needs, and values that contradict one another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ppcls.untrusted.yaml_nodes import Node, Problem, Problems, find
from ppcls.utils.errors import suggest

COMMANDS = ("train", "lr-find", "eval", "infer", "export")
_TRAINING = {
    "Loss.Train": "write the losses, such as `- CELoss:`",
    "Optimizer": "write the optimizer with its lr",
    "DataLoader.Train": "write its dataset and sampler",
}
# What a command cannot do without, and the remedy.
_NEEDED = {
    "train": _TRAINING,
    "lr-find": _TRAINING,
    "eval": {
        "DataLoader.Eval": "write its dataset and sampler",
        "Metric.Eval": "write the metrics, such as `- TopkAcc:`",
    },
    "infer": {
        "DataLoader.Eval": "write its dataset, whose transforms are those of inference",
        "Infer.infer_imgs": "write -o Infer.infer_imgs=PATH, a picture or a folder",
    },
    "export": {
        "DataLoader.Eval": "write its dataset, whose transforms the bundle carries"
    },
}
# The paths that a command reads, by the beginnings of their keys.
_READ = {
    "train": (
        "DataLoader.Train.",
        "Global.checkpoints",
        "Global.pretrained_model",
        "Arch.",
    ),
    "lr-find": ("DataLoader.Train.", "Global.pretrained_model", "Arch."),
    "eval": (
        "DataLoader.Eval.",
        "Infer.PostProcess.",
        "Global.pretrained_model",
        "Arch.",
    ),
    "infer": ("Infer.", "Global.pretrained_model", "Arch."),
    "export": ("Infer.PostProcess.", "Global.pretrained_model", "Arch."),
}
# The data whose pictures reach the model.
_PARTS = {
    "train": ("Train", "Eval"),
    "lr-find": ("Train",),
    "eval": ("Eval",),
    "infer": ("Eval",),
    "export": ("Eval",),
}
# Their answers depend on what Infer.transforms asks for.
_ANSWERING = ("infer", "export")
_GRAY = (
    "for gray pictures write channels: 1 in every DecodeImage, one number in mean and std of NormalizeImage (mean: "
    "[0.449], std: [0.226]), Arch.in_channels: 1 and Global.image_shape: [1, height, width]; for colours 3 in these "
    "places"
)
# Frozen models are there in training only
_WHILE_TRAINING = ("Arch.models.", "Arch.pretrained_list.")


@dataclass
class Checked:
    """A checked tree.

    Attributes:
        root: the tree.
        values: the valid lists and objects made of it, by dotted key.
        problems: collects what is wrong.
        command: what the configuration is for.
        same_meaning: whether two lists of transforms do the same; see `Registry`.
        check_paths: whether the paths that the command reads have to be there.
        lines: collects what the log gets: what is strange, but does not change what the command does.
    """

    root: Node
    values: Mapping[str, Any]
    problems: Problems
    command: str
    same_meaning: Callable[[Sequence[Any], Sequence[Any]], bool]
    check_paths: bool = True
    lines: list[str] = field(default_factory=list)

    @property
    def evaluates(self) -> bool:
        """Whether training evaluates, as far as that is known."""
        if self.command != "train":
            return False
        settings = self.values.get("Global")
        return getattr(settings, "eval_during_train", False)

    def reads(self, key: str) -> bool:
        """Whether the path of this key has to be there for the command."""
        if not self.check_paths:
            return False
        if key == "Arch.pretrained" and self._has_global_weights():
            return False
        if key.startswith(_WHILE_TRAINING):
            return "DataLoader.Train." in _READ[self.command]
        if key.startswith("DataLoader.Eval.") and self.evaluates:
            return True
        return key.startswith(_READ[self.command])

    def _has_global_weights(self) -> bool:
        """Whether Global names weights, which replace those of Arch."""
        settings = self.values.get("Global")
        weights = (
            getattr(settings, "pretrained_model", None),
            getattr(settings, "checkpoints", None),
        )
        return any(weights)

    def add(self, key: str, text: str) -> None:
        """Report a problem at the key, or at the nearest section around it."""
        node, _ = find(self.root, key)
        self.problems.add(node.origin, key, text)

    def warn(self, key: str, text: str) -> None:
        """Add a line for the log about the key, or the nearest section around it."""
        node, _ = find(self.root, key)
        self.lines.append(str(Problem(node.origin, key, text)))


def cross_check(checked: Checked) -> None:
    """Report keys that the command needs and values that contradict one another."""
    _check_needed(checked)
    _check_class_num(checked)
    _check_channels(checked)
    _check_eval_transforms(checked)
    _check_infer_transforms(checked)
    _check_scale(checked)


def _check_scale(checked: Checked) -> None:
    schedule = checked.values.get("Optimizer.lr")
    settings = checked.values.get("Global")
    if getattr(schedule, "scale", None) is None or settings is None:
        return
    if settings.global_batch is None:
        text = "needs the batch that the rate was chosen for; write Global.global_batch"
        checked.add("Optimizer.lr.scale", text)


def _check_needed(checked: Checked) -> None:
    for key, remedy in _NEEDED[checked.command].items():
        if checked.check_paths or key != "Infer.infer_imgs":
            _need(checked, key, checked.command, remedy)
    if checked.evaluates:
        for key, remedy in _NEEDED["eval"].items():
            _need(
                checked,
                key,
                "Global.eval_during_train",
                f"{remedy}, or Global.eval_during_train: false",
            )


def _need(checked: Checked, key: str, who: str, remedy: str) -> None:
    node, is_there = find(checked.root, key)
    if not is_there or node.value in (None, [], {}):
        checked.add(key, f"is missing, and {who} needs it; {remedy}")


def _check_class_num(checked: Checked) -> None:
    class_num = getattr(checked.values.get("Arch"), "class_num", None)
    if class_num is None:
        return
    if class_num == 0:
        remedy = "write at least 1; pooled features are for your own code: build_model(NAME, class_num=0)"
        checked.add(
            "Arch.class_num",
            f"is 0, a model without a classifier, and {checked.command} needs one; {remedy}",
        )
        return
    for key, value in checked.values.items():
        _check_topk(checked, key, value, class_num)
        _check_answer(checked, key, value, class_num)
        _check_class_weights(checked, key, value, class_num)
        _check_class_num_of_data(checked, key, value, class_num)


def _check_topk(checked: Checked, key: str, value: Any, class_num: int) -> None:
    if not key.startswith(("Metric.", "Infer.")):
        return
    topk = getattr(value, "topk", None) or ()
    if isinstance(topk, int):
        topk = (topk,)
    largest = max(topk, default=0)
    if largest > class_num:
        text = f"is {largest}, but Arch.class_num is {class_num}; write at most {class_num}"
        checked.add(f"{key}.topk", text)


def _check_answer(checked: Checked, key: str, value: Any, class_num: int) -> None:
    wanted = getattr(value, "answers_for", class_num)
    if wanted == class_num:
        return
    what = f"is for {wanted} classes, but Arch.class_num is {class_num}"
    if key == "Infer.PostProcess":
        checked.add(f"{key}.name", f"{what}; write Topk")
    elif key.startswith("Metric."):
        checked.add(key, f"{what}; write TopkAcc")


def _check_class_weights(
    checked: Checked, key: str, value: Any, class_num: int
) -> None:
    weights = getattr(value, "class_weights", None)
    if isinstance(weights, tuple) and len(weights) != class_num:
        text = f"has {len(weights)} numbers, but Arch.class_num is {class_num}; write one for each class"
        checked.add(f"{key}.class_weights", text)


def _check_class_num_of_data(
    checked: Checked, key: str, value: Any, class_num: int
) -> None:
    given = getattr(value, "class_num", None)
    if key.startswith("DataLoader.") and given not in (None, class_num):
        text = f"is {given}, but Arch.class_num is {class_num}; remove it, the number belongs to Arch"
        checked.add(f"{key}.class_num", text)


def _check_channels(checked: Checked) -> None:
    """Report data, model and exported input that do not agree on the channels of a picture."""
    wanted = _channels_of_models(checked.values.get("Arch"))
    agreed = set(wanted)
    for key, channels in _decoded_channels(checked):
        agreed.add(channels)
        if wanted and wanted != {channels}:
            text = f"is {channels}, but Arch.in_channels is {_or(wanted)}; {_GRAY}"
            checked.add(key, text)
    settings = checked.values.get("Global")
    # Several numbers are reported already
    if settings is None or len(agreed) != 1 or settings.image_shape[0] in agreed:
        return
    shape = list(settings.image_shape)
    text = f"is {shape}, which begins with the channels, but Arch.in_channels is {_or(agreed)}; {_GRAY}"
    checked.add("Global.image_shape", text)


def _decoded_channels(checked: Checked) -> Iterator[tuple[str, int]]:
    """The key and the value of `channels` in every DecodeImage whose pictures reach the model."""
    for part in _PARTS[checked.command]:
        key = f"DataLoader.{part}.dataset.transform_ops"
        for transform in checked.values.get(key, ()):
            if type(transform).__name__ == "DecodeImage":
                yield f"{key}.DecodeImage.channels", transform.channels


def _channels_of_models(arch: Any) -> set[int]:
    models = getattr(arch, "members", None) or {"": arch}
    return {
        model.in_channels for model in models.values() if hasattr(model, "in_channels")
    }


def _or(numbers: set[int]) -> str:
    return " or ".join(map(str, sorted(numbers)))


def _check_eval_transforms(checked: Checked) -> None:
    key = "DataLoader.Eval.dataset.transform_ops"
    for place, transform in enumerate(checked.values.get(key, ())):
        if getattr(transform, "draws", False):
            name = type(transform).__name__
            text = f"{name} draws at random, and evaluation is the same every time; remove it"
            checked.add(f"{key}.{place}", text)


def _check_infer_transforms(checked: Checked) -> None:
    here, there = "Infer.transforms", "DataLoader.Eval.dataset.transform_ops"
    given, evaluated = checked.values.get(here), checked.values.get(there)
    if given is None or evaluated is None:
        return
    # A data set that could not be made has transforms that are reported already.
    if "DataLoader.Eval.dataset" not in checked.values:
        return
    try:
        is_same = checked.same_meaning(given, evaluated)
    except ValueError as error:
        checked.add(here, str(error))
        return
    if is_same:
        return
    differs = f"do not mean the same as {there}, which inference and export use"
    if checked.command in _ANSWERING:
        checked.add(here, f"{differs}; remove them or make them equal")
    else:
        checked.warn(
            here,
            f"{differs}; {checked.command} continues, infer and export will refuse this",
        )


_READS_MODELS = re.compile(r"(Loss|Metric)\.(Train|Eval)\.\d+\.\w+")
# Losses and metrics of one model, and of models by their names
_PLAIN = {"Loss": "CELoss", "Metric": "TopkAcc"}
_NAMED = {"Loss": "DistillationGTCELoss", "Metric": "DistillationTopkAcc"}


def check_models(checked: Checked) -> None:
    """Report losses and metrics that read a model which does not exist or is not evaluated, or train a frozen one."""
    arch = checked.values.get("Arch")
    if arch is None:
        return
    for key, value in list(checked.values.items()):
        match = _READS_MODELS.fullmatch(key)
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
