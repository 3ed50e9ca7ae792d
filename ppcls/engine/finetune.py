"""`ppcls finetune`: choose, explain and write a configuration for a user's own pictures."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import shlex
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ppcls.arch.catalog import BACKBONES
from ppcls.arch.weights.sources import IMAGENET_MEAN, IMAGENET_STD, SOURCES, find_source
from ppcls.config import Config, load_config, shipped_configs
from ppcls.config.paths import PathUse, what_is_wrong
from ppcls.data.labels import Classes, dump_class_names
from ppcls.data.own_folder import OwnFolder
from ppcls.data.own_list import ListOptions, read_own_pictures
from ppcls.data.parts import part_of
from ppcls.data.transforms import Pipeline
from ppcls.engine.run_folder import NAMES_FILE, path_of
from ppcls.engine.schema import registries
from ppcls.untrusted.yaml_nodes import Origin
from ppcls.utils.errors import UserError, expect
from ppcls.utils.files import expanded, resolved

# A batch is the largest power of two that leaves so many steps an epoch; epochs are as many as make so many steps.
_STEPS_AN_EPOCH, _STEPS_IN_ALL = 16, 800
_BATCHES, _EPOCHS = (8, 64), (10, 40)
# Weights that know something already move at a tenth of the rate (Girshick et al. 2014, arXiv:1311.2524, section 2.3).
_SHARE_OF_RATE = 0.1


@dataclass(frozen=True)
class FineTuning:
    """A run on a user's own pictures.

    Attributes:
        config: What runs.
        output: The run's folder, which gets `files` when the training begins.
        folder: The pictures.
        choices: The choices and their reasons, one per line.
    """

    config: Config
    output: Path
    folder: OwnFolder
    choices: list[str]
    _load: Callable[[Path, bool], Config] = field(repr=False, compare=False)

    def files(self) -> dict[str, bytes]:
        """Lists, class names and configuration, by their names in the run's folder.

        They name files from the root of the file system, so they hold in any working directory.
        """
        return {
            "train_list.txt": _lines(self.folder.root, self.folder.train),
            "val_list.txt": _lines(self.folder.root, self.folder.val),
            NAMES_FILE: dump_class_names(self.folder.class_names).encode(),
            "finetune.yaml": self.to_yaml().encode(),
        }

    def check(self) -> None:
        """Check the paths that the run reads, without writing to its folder.

        Raises:
            UserError: the weights to begin with are not there.
            ConfigError: another path is not there.
        """
        weights, settings = self.config.Arch.pretrained, self.config.Global
        is_path = (
            isinstance(weights, str)
            and weights not in SOURCES
            and not weights.startswith(("http://", "https://"))
        )
        if is_path and not (settings.pretrained_model or settings.checkpoints):
            sentence = what_is_wrong(
                PathUse(
                    "Arch.pretrained",
                    Origin("--pretrained"),
                    weights,
                    "weights",
                    SOURCES,
                )
            )
            if sentence:
                raise UserError(f"--pretrained: {sentence}")
        with self._staged() as stage:
            self._load(stage, True)

    def images(
        self, section: Any, class_num: int, learned: Classes | None = None
    ) -> Any:
        """Open the pictures of DataLoader.Train or DataLoader.Eval, whose lists are not written yet."""
        dataset = section.dataset
        with self._staged() as stage:
            staged = {}
            for name in self.files():
                staged[_absolute(self.output, name)] = str(stage / name)
            changes = {}
            for key in ("cls_label_path", "class_names"):
                value = getattr(dataset, key, None)
                if value in staged:
                    changes[key] = staged[value]
            return dataclasses.replace(dataset, **changes).open(class_num, learned)

    @contextlib.contextmanager
    def _staged(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in self.files().items():
                Path(folder, name).write_bytes(content)
            yield Path(folder)

    def to_yaml(self) -> str:
        """The equivalent configuration, for `ppcls train -c`; it means the same run in any working directory."""
        there = dataclasses.replace(
            self.config.Global, output_dir=_absolute(self.config.Global.output_dir)
        )
        config = dataclasses.replace(self.config, Global=there)
        comments = ""
        for line in self.choices:
            text = "".join(char if char.isprintable() else " " for char in line)
            comments += f"# {text}\n"
        return comments + config.to_yaml()


def plan(
    source: str,
    arch: str,
    pretrained: bool | str = True,
    overrides: Sequence[str] = (),
    options: ListOptions | None = None,
) -> FineTuning:
    """Chooses how to train on a folder or a list of pictures; nothing is written.

    Args:
        source: The folder or list, see `read_own_pictures`.
        arch: A model's name.
        pretrained: Weights to begin with, as `Arch.pretrained` has them.
        overrides: `Section.key=value`, which prevail over what is chosen.
        options: How a list is read.

    Raises:
        UserError: the pictures cannot be learnt from, or there is no such model.
        ConfigError: an override is wrong.
    """
    # Before its configuration is looked for: the near name of a model is the better advice
    _ = BACKBONES[arch]
    expect(
        arch in shipped_configs(),
        f"--arch {arch}: finetune has no recipe for this model; write a configuration with "
        f"`base: [DLA34, _base_/image_folder.yaml]` and `Arch: {{name: {arch}}}`, and run `ppcls train -c FILE`",
    )
    source = expanded(source)
    folder = read_own_pictures(source, options)
    recipe = load_config(arch, [], registries(), check_paths=False)
    normalised = _normalised(arch, pretrained)
    chosen: dict[str, Any] = {}
    batch = batch_size(len(folder.train))
    is_frozen = _value(overrides, "Arch.freeze") == "backbone"

    def load(output: Path, check_paths: bool = False) -> Config:
        over = {**chosen, "DataLoader": _data(folder, output, batch)}
        if is_frozen:
            over["DataLoader"]["Train"]["dataset"].update(_unchanging(recipe))
        settings = [*normalised, *overrides]
        return load_config(
            arch,
            settings,
            registries(),
            check_paths=check_paths,
            over=over,
            absolute_paths=True,
        )

    def choose() -> None:
        chosen.update(_chosen(folder, recipe, pretrained, batch, overrides))
        place = Path(recipe.Global.output_dir) / name_of(source)
        chosen["Global"]["output_dir"] = str(place)

    choose()
    first = load(Path())
    # Overrides may set the batch, by which the rate and the epochs are chosen, and the place of the output
    assert first.DataLoader.Train is not None
    batch = first.DataLoader.Train.sampler.batch_size
    choose()
    output = path_of(first)
    config = load(output)
    return FineTuning(
        config,
        output,
        folder,
        _explained(config, recipe, folder, output, bool(normalised)),
        load,
    )


def name_of(source: str) -> str:
    """Name the output after a user's folder or list; for `train` or `train.csv`, after the folder around it."""
    place = resolved(source)
    name = place.stem if place.is_file() else place.name
    around = place.parent.name
    if around and part_of(name):
        return around
    return name or "pictures"


def _lines(root: str, pictures: Sequence[tuple[str, int]]) -> bytes:
    lines = [f"{_absolute(root, path)} {label}\n" for path, label in pictures]
    return "".join(lines).encode()


def batch_size(pictures: int) -> int:
    """Pictures a step for so many to learn from, never more than there are."""
    low, high = _BATCHES
    wanted = 2 ** int(math.log2(max(pictures / _STEPS_AN_EPOCH, 1)))
    return min(max(wanted, low), high, pictures)


def epochs(pictures: int, batch: int) -> int:
    """Passes over so many pictures."""
    low, high = _EPOCHS
    return min(max(round(_STEPS_IN_ALL / math.ceil(pictures / batch)), low), high)


def learning_rate(recipe_rate: float, recipe_batch: int, batch: int) -> float:
    """A tenth of the recipe's rate, by the root of the batches' ratio, to two digits.

    The root keeps the noise of the steps as it was (Hoffer et al. 2017, arXiv:1705.08741, section 4); the small batches
    of small folders would hardly move at a linear scale.
    """
    return float(
        f"{_SHARE_OF_RATE * recipe_rate * math.sqrt(batch / recipe_batch):.2g}"
    )


def _chosen(
    folder: OwnFolder,
    recipe: Config,
    pretrained: bool | str,
    batch: int,
    overrides: Sequence[str],
) -> dict[str, Any]:
    """All sections except the data; those of the recipe's training if there are no weights to begin with."""
    classes, pictures = len(folder.class_names), len(folder.train)
    metric = [{"TopkAcc": {"topk": [1, 5] if classes > 5 else [1]}}]
    chosen: dict[str, Any] = {
        "Global": {},
        "Arch": {"class_num": classes, "pretrained": pretrained},
        "Optimizer": {"lr": {"scale": "linear"}},
        "Metric": {"Train": metric if recipe.Metric.Train else [], "Eval": metric},
        "Infer": {"PostProcess": {"topk": min(5, classes), "class_id_map_file": None}},
    }
    is_frozen = _value(overrides, "Arch.freeze") == "backbone"
    if _value(overrides, "Optimizer.lr.learning_rate") is not None:
        # A rate that the user gives is that of the user's batch, not of the recipe's
        chosen["Global"]["global_batch"] = batch
    if pretrained is not False:
        rate = learning_rate(*_recipe_rate(recipe), batch)
        if is_frozen:
            # The head knows nothing yet, and steps on features take next to no time
            rate = float(f"{rate / _SHARE_OF_RATE:.2g}")
        chosen["Global"].update(epochs=epochs(pictures, batch), global_batch=batch)
        chosen["Optimizer"] = {
            "lr": {
                "name": "Cosine",
                "learning_rate": rate,
                "warmup_epoch": 1,
                "scale": "linear",
            }
        }
    return chosen


def _value(overrides: Sequence[str], key: str) -> str | None:
    """The text that the last override gives a key; None where none does."""
    found = None
    for override in overrides:
        name, _, value = override.partition("=")
        if name.strip() == key:
            found = value.strip().strip("'\"")
    return found


def _unchanging(recipe: Config) -> dict[str, Any]:
    """The transforms of evaluation for a training, in which a picture then is the same in every epoch."""
    assert recipe.DataLoader.Eval is not None  # every shipped recipe has it
    ops = Pipeline(recipe.DataLoader.Eval.dataset.transform_ops).to_list()
    return {"transform_ops": ops, "batch_transform_ops": []}


def _normalised(arch: str, pretrained: bool | str) -> list[str]:
    """Overrides that give pictures the mean and deviation of named weights, where those are not the usual ones."""
    if pretrained is not True and pretrained not in SOURCES:
        return []
    with_weights = find_source(
        arch, None if pretrained is True else str(pretrained)
    ).preprocessing
    if (with_weights.mean, with_weights.std) == (IMAGENET_MEAN, IMAGENET_STD):
        return []
    overrides = []
    for part in ("Train", "Eval"):
        place = f"DataLoader.{part}.dataset.transform_ops.NormalizeImage"
        overrides.append(f"{place}.mean={list(with_weights.mean)}")
        overrides.append(f"{place}.std={list(with_weights.std)}")
    return overrides


def _recipe_rate(recipe: Config) -> tuple[float, int]:
    """The rate of a shipped recipe, and the batch that it was chosen for."""
    # Every shipped recipe has both
    assert recipe.Optimizer is not None and recipe.Global.global_batch is not None
    return recipe.Optimizer.lr.learning_rate, recipe.Global.global_batch


def _data(folder: OwnFolder, output: Path, batch: int) -> dict[str, Any]:
    parts = {}
    for part, lists in (("Train", "train_list.txt"), ("Eval", "val_list.txt")):
        dataset = {
            "image_root": _absolute(folder.root),
            "cls_label_path": _absolute(output, lists),
            "class_names": _absolute(output, NAMES_FILE),
            "on_error": "skip",
        }
        parts[part] = {"dataset": dataset}
    return {
        "Train": {**parts["Train"], "sampler": {"batch_size": batch}},
        "Eval": parts["Eval"],
    }


def _absolute(*parts: str | Path) -> str:
    # Links stay as they are
    return os.path.abspath(os.path.join(*parts))  # noqa: PTH100, PTH118


def _explained(
    config: Config, recipe: Config, folder: OwnFolder, output: Path, normalised: bool
) -> list[str]:
    """What was chosen and why; of what an override has set, that it has."""
    assert config.DataLoader.Train is not None
    pictures, names = len(folder.train), folder.class_names
    batch = config.DataLoader.Train.sampler.batch_size
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    weights = {
        True: "the published weights",
        False: "no weights: the recipe's own epochs and rate",
    }
    file = shlex.quote(str(output / "finetune.yaml"))
    begins = weights.get(
        config.Arch.pretrained, f"the weights of {config.Arch.pretrained}"
    )
    return [
        f"{folder.source}: {len(names)} classes ({shown}), {pictures} pictures to learn from, {len(folder.val)} to "
        "validate",
        *folder.notes,
        *_explained_freeze(config),
        f"begins with {begins} (--pretrained)"
        + (", normalises pictures as they have it" if normalised else ""),
        f"batch size {batch}, {_counted(config.Global.epochs, 'epoch')} of "
        + _counted(math.ceil(pictures / batch), "step"),
        _explained_rate(config, recipe, batch),
        f"the same by hand: ppcls train -c {file}; -o KEY=VALUE changes any of it",
    ]


def _explained_freeze(config: Config) -> list[str]:
    if config.Arch.freeze != "backbone":
        return []
    return [
        "the backbone is frozen (--freeze): its features are computed once per picture, without augmentation, and the "
        "head trains on them"
    ]


def _counted(number: int, word: str) -> str:
    if number == 1:
        return f"{number} {word}"
    return f"{number} {word}s"


def _explained_rate(config: Config, recipe: Config, batch: int) -> str:
    assert config.Optimizer is not None
    rate = config.Optimizer.lr.learning_rate
    recipe_rate, recipe_batch = _recipe_rate(recipe)
    if rate is None:  # an override lists the rates of a Piecewise
        return "learning rate as overridden"
    text = f"learning rate {rate:g} for a batch of {config.Global.global_batch}"
    if rate != learning_rate(recipe_rate, recipe_batch, batch):
        return text
    if config.Arch.freeze == "backbone":
        return text
    reason = f"a tenth of the recipe's {recipe_rate:g}, times the root of {batch} over its batch of {recipe_batch}"
    return f"{text}: {reason}"
