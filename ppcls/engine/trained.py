"""The weights that a configuration's own run has trained: what evaluation, inference and export take by default.

They are taken where the command line asks for no others and the run is really of this configuration: the same model,
trained on the same data. `Global.pretrained_model` and `Arch.pretrained` in a file, by which the run began, mean the
beginning of the training.
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
from ppcls.config.find import find_config
from ppcls.config.load import Source
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
_REMEDY = "-o Global.pretrained_model=PATH takes others"


@dataclass(frozen=True)
class Trained:
    """A run's weights: the folder of the checkpoint, and what to say of them."""

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
    """The configuration of a command that needs weights, with those of its own run where no others are asked for.

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
        f"{folder} is not used, because {difference}; -o Global.pretrained_model={folder} would take it"
    )
    return None


def _refuse_checkpoints(overrides: Sequence[str], command: str) -> None:
    """Refuses what only training reads, where it is likely meant as the weights."""
    if _asks_for_weights(overrides):
        return
    for override in overrides:
        key, _, value = override.partition("=")
        if key.strip() in _CHECKPOINT_KEYS and value.strip() not in ("", "null", "~"):
            raise UserError(
                f"-o {override}: only training reads a checkpoint, to go on from it; for {command} "
                f"write -o Global.pretrained_model={value.strip()}"
            )


def _asks_for_weights(overrides: Sequence[str]) -> bool:
    """Whether the command line says which weights to take."""
    for override in overrides:
        key, _, value = override.partition("=")
        if key.strip() in _WEIGHT_KEYS or (
            key.strip() in ("Arch", "Global") and "pretrained" in value
        ):
            return True
    return False


def _weights_in(run: Path) -> Path | None:
    """The best checkpoint of a run; where no evaluation has chosen one, the latest; None without any."""
    for name in (BEST_MODEL, LATEST):
        if (run / CONFIG_FILE).is_file() and (run / name / PARAMS).is_file():
            return run / name
    return None


def _names_weights_in(config: Config, run: Path) -> bool:
    """Whether the configuration itself says which checkpoint of the run to take."""
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
    """What decides whether a run is of this configuration: key, value here, value there."""
    for name in ("name", "class_num", "in_channels"):
        yield (
            f"Arch.{name}",
            getattr(config.Arch, name, None),
            getattr(then.Arch, name, None),
        )
    if config.Global.pretrained_model is not None:
        yield (
            "Global.pretrained_model",
            config.Global.pretrained_model,
            then.Global.pretrained_model,
        )
    weights, weights_then = (
        getattr(each.Arch, "pretrained", False) for each in (config, then)
    )
    if weights is not False:
        yield "Arch.pretrained", weights, weights_then
    ours, theirs = config.DataLoader.Train, then.DataLoader.Train
    for name in _DATA_KEYS:
        key = f"DataLoader.Train.dataset.{name}"
        yield (
            key,
            _place(getattr(ours and ours.dataset, name, None)),
            _place(getattr(theirs and theirs.dataset, name, None)),
        )


def _place(value: Any) -> Any:
    """A path without what changes nothing, `./` for one."""
    return os.path.normpath(value) if isinstance(value, str) and value else value


def _standing(folder: Path) -> str:
    """What a checkpoint is in its run: `the best of the run (epoch 8, top1 0.93750)`."""
    if folder.name == LATEST:
        return "the latest checkpoint of the run, which has no best_model,"
    try:
        best = read_states(folder / STATES)["best"]
        return f"the best of the run (epoch {best['epoch'] + 1}, {best['metric']} {best[best['metric']]:.5f})"
    # Damaged, which is reported when the weights are read
    except (OSError, DamagedStates, KeyError):
        return "the best of the run"
