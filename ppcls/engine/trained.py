"""Finds the weights that a configuration's own run has trained; evaluation, inference and export use them by default.

They are used if the command line asks for no other weights and the run is really one of this configuration: the same
model, trained on the same data. `Global.pretrained_model` and `Arch.pretrained` in a file are the weights that the
training began with.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppcls.arch.distillation import DistillationModelParams
from ppcls.config import Config, load_config
from ppcls.config.eval_data import EvalData
from ppcls.config.load import Source
from ppcls.config.paths import find_config
from ppcls.engine import processes
from ppcls.engine.run_folder import CONFIG_FILE, path_of
from ppcls.engine.schema import registries
from ppcls.engine.states import PARAMS, STATES, DamagedStates, read_states
from ppcls.untrusted.weights_paths import BEST_MODEL, LATEST
from ppcls.utils.errors import ConfigError, UserError
from ppcls.utils.files import resolved

_WEIGHT_KEYS = (
    "Global.pretrained_model",
    "Arch.pretrained",
    "Arch.pretrained_list",
    "pretrained_model",
)
_CHECKPOINT_KEYS = ("Global.checkpoints", "checkpoints")
_DATA_KEYS = ("image_root", "cls_label_path", "shards")
_REMEDY = "to use others write -o Global.pretrained_model=PATH"


@dataclass(frozen=True)
class Trained:
    """The weights of a run: the folder of the checkpoint, and the line to print about them."""

    folder: Path
    sentence: str


def load_with_weights(
    source: Source,
    overrides: Sequence[str],
    command: str,
    *,
    check_paths: bool = True,
    processes_count: int = 1,
    eval_data: EvalData | None = None,
    say: Callable[[str], None] | None = None,
) -> Config:
    """Load the configuration of a command that needs weights, with those of its own run if no others are given.

    Args:
        source: A path, a shipped configuration's name, or the sections themselves.
        overrides: `Section.key=value`, in order.
        command: eval, infer or export.
        check_paths: Whether the paths that the command reads must be there.
        processes_count: How many processes share the work.
        eval_data: Pictures in place of those that DataLoader.Eval names.
        say: Gets lines about the weights and the configuration; None prints them on standard error.

    Raises:
        UserError: there is no such file.
        ConfigError: everything that is wrong.
    """
    _refuse_checkpoints(overrides, command)
    say = say or _say

    def load(
        overrides: Sequence[str], check_paths: bool, say: Callable[[str], None]
    ) -> Config:
        return load_config(
            source, overrides, registries(), command, check_paths=check_paths, processes=processes_count, say=say,
            eval_data=eval_data,
        )  # fmt: skip

    found = None
    try:
        config = load(overrides, False, lambda line: None)
    except ConfigError:  # reported below, together with paths that are not there
        pass
    else:
        file = None if isinstance(source, Mapping) else find_config(source)
        found = _find(config, file, overrides, say)
    if found is not None:
        say(found.sentence)
        overrides = [
            *overrides,
            f"Global.pretrained_model={json.dumps(str(found.folder), ensure_ascii=False)}",
        ]
    return load(overrides, check_paths, say)


def _say(line: str) -> None:
    if processes.is_first():
        print(line, file=sys.stderr)


def _find(
    config: Config,
    source: Path | None,
    overrides: Sequence[str],
    say: Callable[[str], None],
) -> Trained | None:
    if _asks_for_weights(overrides):
        return None
    run = path_of(config)
    if source is not None and _weights_in(source.parent):
        run = source.parent
    folder = _weights_in(run)
    if folder is None or _frozen_one_answers(config) or _names_weights_in(config, run):
        return None
    difference = _difference(config, run)
    if difference is None:
        return Trained(
            folder, f"weights: {folder}, {_standing(folder)} in {run}; {_REMEDY}"
        )
    say(
        f"{folder} is not used, because {difference}; to use it anyway write -o Global.pretrained_model={folder}"
    )
    return None


def _refuse_checkpoints(overrides: Sequence[str], command: str) -> None:
    """Refuse Global.checkpoints, which only training reads and which was probably meant as the weights."""
    if _asks_for_weights(overrides):
        return
    for override in overrides:
        key, _, value = override.partition("=")
        if key.strip() in _CHECKPOINT_KEYS and value.strip() not in ("", "null", "~"):
            raise UserError(
                f"-o {override}: only training reads this key, to resume; for {command} "
                f"write -o Global.pretrained_model={value.strip()}"
            )


def _asks_for_weights(overrides: Sequence[str]) -> bool:
    """Whether the command line names weights."""
    return any(map(_is_about_weights, overrides))


def _is_about_weights(override: str) -> bool:
    key, _, value = override.partition("=")
    key = key.strip()
    is_section = key in ("Arch", "Global")
    return key in _WEIGHT_KEYS or (is_section and "pretrained" in value)


def _weights_in(run: Path) -> Path | None:
    """The best checkpoint of a run, else the latest one; None if there is none."""
    for name in (BEST_MODEL, LATEST):
        if (run / CONFIG_FILE).is_file() and (run / name / PARAMS).is_file():
            return run / name
    return None


def _names_weights_in(config: Config, run: Path) -> bool:
    """Whether the configuration itself names a checkpoint of the run."""
    given = config.Global.pretrained_model
    return given is not None and resolved(run) in resolved(given).parents


def _frozen_one_answers(config: Config) -> bool:
    """Whether the model that is evaluated is not the one that is trained."""
    return (
        isinstance(config.Arch, DistillationModelParams)
        and config.Arch.infer_model_name in config.Arch.frozen
    )


def _difference(config: Config, run: Path) -> str | None:
    """Why a run is not one of this configuration; None if it is."""
    record = run / CONFIG_FILE
    try:
        then = load_config(
            record, [], registries(), check_paths=False, say=lambda line: None
        )
    except UserError:
        return f"{record} cannot be read as the configuration that it was trained with"
    for key, ours, theirs in _compared(config, then):
        if ours != theirs:
            return f"{key} is {theirs!r} in {record} and {ours!r} here"
    return None


def _compared(config: Config, then: Config) -> Iterator[tuple[str, Any, Any]]:
    """Yield each key that must agree for a run to be of this configuration: key, value here, value there."""
    keys = ["Arch.name", "Arch.class_num", "Arch.in_channels"]
    if config.Global.pretrained_model is not None:
        keys.append("Global.pretrained_model")
    if getattr(config.Arch, "pretrained", False) is not False:
        keys.append("Arch.pretrained")
    for key in keys:
        yield key, _value_of(config, key), _value_of(then, key)
    for name in _DATA_KEYS:
        key = f"DataLoader.Train.dataset.{name}"
        yield key, _place(_value_of(config, key)), _place(_value_of(then, key))


def _value_of(config: Config, key: str) -> Any:
    """The value of a dotted key; None if it or a section around it is missing."""
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name, None)
    return value


def _place(value: Any) -> Any:
    """Normalise a path: `./data` and `data` are the same."""
    if isinstance(value, str) and value:
        return os.path.normpath(value)
    return value


def _standing(folder: Path) -> str:
    """Describe a checkpoint in its run: `the best of the run (epoch 8, top1 0.93750)`."""
    if folder.name == LATEST:
        return "the latest checkpoint of the run, which has no best_model,"
    try:
        best = read_states(folder / STATES)["best"]
        return f"the best of the run (epoch {best['epoch'] + 1}, {best['metric']} {best[best['metric']]:.5f})"
    # Damaged, which is reported when the weights are read
    except (OSError, DamagedStates, KeyError):
        return "the best of the run"
