"""Opens what a user names as a model: a run, a checkpoint, a configuration, a bundle, or a published model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppcls.arch.weights.sources import weights_of
from ppcls.config import Config, shipped_configs
from ppcls.data.transforms import Pipeline
from ppcls.engine import build, classes
from ppcls.engine.device import start
from ppcls.engine.infer import ModelBackend
from ppcls.engine.run_folder import CONFIG_FILE
from ppcls.engine.trained import load_with_weights
from ppcls.inference.backends import Backend, open_backend
from ppcls.inference.manifest import MANIFEST_FILE
from ppcls.inference.official.find import find_bundle
from ppcls.inference.settings import resolve
from ppcls.untrusted.weights_paths import weights_file
from ppcls.utils.errors import UserError, expect, suggest

_YAML = (".yaml", ".yml")


@dataclass(frozen=True)
class Opened:
    """A model that classifies pictures.

    Attributes:
        name: What the user calls it.
        architecture: The backbone's name.
        pipeline: Its preprocessing.
        backend: Gives probabilities of preprocessed pictures.
        class_names: One name per class, or None.
        class_num: The number of classes.
        network: The backbone; None for a bundle, of which only the program is there.
        config: The configuration; None for a bundle.
    """

    name: str
    architecture: str
    pipeline: Pipeline
    backend: Backend
    class_names: Sequence[str] | None
    class_num: int
    network: Any = None
    config: Config | None = None


def open_model(
    name: str, overrides: Sequence[str] = (), command: str = "export"
) -> Opened:
    """Open a model.

    Args:
        name: A run's folder, a checkpoint in one, a configuration, a bundle, a model of PaddleClas, or a published
            model such as `DLA34/timm`.
        overrides: `Section.key=value` of the configuration; a bundle takes none.
        command: For which the configuration is checked: `eval` if its pictures are read as well.

    Raises:
        UserError: There is no such model, or it cannot be used.
    """
    found = _configured(name)
    if found is None:
        return _open_bundle(name, overrides)
    source, weights = found
    # Its answers are of interest, not its log
    quiet = "Global.console=quiet"
    config = load_with_weights(source, [quiet, *weights, *overrides], command)
    start(config)
    build.require_weights(config)
    network, config = build.model(config)
    return Opened(
        name,
        config.Arch.name,
        build.eval_pipeline(config),
        ModelBackend(network),
        classes.class_names(config),
        config.Arch.class_num,
        network,
        config,
    )


def _configured(name: str) -> tuple[str, list[str]] | None:
    """The configuration of a model and the overrides that name its weights; None for a bundle.

    Raises:
        UserError: There is nothing of the kind.
    """
    path = Path(name)
    if path.is_file() and path.suffix in _YAML and path.name != MANIFEST_FILE:
        return name, []
    if path.exists() and not (path / MANIFEST_FILE).is_file():
        return _trained(path)
    if path.exists():
        return None
    model, _, source = name.partition("/")
    names = shipped_configs()
    expect(
        model in names and weights_of(model),
        f"{name}: neither a run, a checkpoint, a configuration or a bundle, nor a published model"
        f"{suggest(name, names)}; give the folder of a run or of a bundle",
    )
    return model, [f"Arch.pretrained={json.dumps(source or True)}"]


def _trained(path: Path) -> tuple[str, list[str]] | None:
    """The configuration of a run, or of the run that a checkpoint lies in."""
    for folder in (path, *list(path.absolute().parents)[:2]):
        config = folder / CONFIG_FILE
        if not config.is_file():
            continue
        if folder == path:
            return str(config), []
        weights = json.dumps(str(weights_file(path)), ensure_ascii=False)
        return str(config), [f"Global.pretrained_model={weights}"]
    if path.is_dir() and any(path.glob("*.pdparams")):
        raise UserError(
            f"{path} has weights, but no {CONFIG_FILE} of a run there or around it; give the configuration with "
            "-o Global.pretrained_model=PATH"
        )
    return None


def _open_bundle(name: str, overrides: Sequence[str]) -> Opened:
    expect(
        not overrides,
        f"{name} is a bundle, which has no configuration to change; leave -o out",
    )
    bundle = find_bundle(name)
    backend = open_backend(bundle, resolve(bundle.settings))
    return Opened(
        name,
        bundle.architecture,
        bundle.pipeline,
        backend,
        bundle.class_names,
        bundle.class_num,
    )
