"""`train`, `evaluate`, `export` and `finetune` for Python programs and notebooks.

They check what the commands check, write what the commands write, and raise `ppcls.utils.errors.UserError` with the
sentence that the commands print. Keywords stand for keys of the configuration; `overrides` sets any other key.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from ppcls.analysis.evaluation_report import read_temperature
from ppcls.arch.weights.sources import SOURCES
from ppcls.config import load_config
from ppcls.config.load import Source
from ppcls.config.paths import find_config
from ppcls.data.own_list import ListOptions
from ppcls.data.transforms.views import TestTime
from ppcls.deployment.onnx.export import OPSET, check
from ppcls.engine.eval_source import eval_data_of
from ppcls.engine.finetune import plan
from ppcls.engine.input_size import parse_size
from ppcls.engine.processes import world_size
from ppcls.engine.results import EvaluationResult, ExportResult, TrainingResult
from ppcls.engine.schema import registries
from ppcls.engine.signals import StoppedBySignal
from ppcls.engine.trained import load_with_weights
from ppcls.kernels import selection
from ppcls.utils.errors import UserError, expect
from ppcls.utils.files import PathLike, expanded
from ppcls.utils.load_paddle import load_paddle
from ppcls.utils.logging import as_it_was

Overrides = Mapping[str, Any] | Sequence[str]
Weights = bool | PathLike
Console = Literal["short", "paddleclas", "quiet"]


def train(
    config: Source,
    *,
    epochs: int | None = None,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    output_dir: PathLike | None = None,
    pretrained: Weights | None = None,
    resume: PathLike | None = None,
    device: str | None = None,
    seed: int | None = None,
    overrides: Overrides = (),
    allow_changed: bool = False,
    console: Console | None = None,
) -> TrainingResult:
    """Train a backbone, as `ppcls train` does.

    Args:
        config: The path of a YAML file; the name of a shipped configuration, such as `DLA60`; or its sections as a
            mapping, with `base` for what they leave out: `{"base": "DLA34", "Arch": {"class_num": 5}, ...}`.
        epochs: Passes over the pictures (`Global.epochs`).
        learning_rate: The rate that the schedule begins with or peaks at (`Optimizer.lr.learning_rate`).
        batch_size: Pictures per step and process (`DataLoader.Train.sampler.batch_size`).
        output_dir: The folder that gets the folder of the run (`Global.output_dir`).
        pretrained: Weights to begin with: True for the published ones, a source such as `timm`, or a path
            (`Arch.pretrained`).
        resume: The run, or the checkpoint, to go on from (`Global.checkpoints`).
        device: `cpu`, `gpu` or `auto` (`Global.device`).
        seed: What all randomness is drawn from (`Global.seed`).
        overrides: Other keys: `{"Global.save_interval": 5}` or `["Global.save_interval=5"]`.
        allow_changed: Also resume a run although settings that training depends on have changed.
        console: The lines on standard output: `short`, `paddleclas` or `quiet` (`Global.console`).

    Raises:
        UserError: The configuration, the data, the weights or the place of the output is not usable.
        KeyboardInterrupt: Ctrl-C; the state is saved, and `resume` goes on from it.
    """
    settings = _settings(
        overrides,
        {
            **_of_training(epochs, learning_rate, batch_size, output_dir, device, seed),
            "Arch.pretrained": pretrained,
            "Global.checkpoints": resume,
            "Global.console": console,
        },
    )
    config = _source(config)
    loaded = load_config(
        config,
        settings,
        registries(),
        "train",
        processes=world_size(),
        say=_say(console),
    )
    file = None if isinstance(config, Mapping) else find_config(config)
    with session():
        from ppcls.engine.train import train as run

        return run(loaded, allow_changed, file)


def finetune(
    source: PathLike,
    arch: str = "DLA34",
    *,
    pretrained: Weights = True,
    epochs: int | None = None,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    output_dir: PathLike | None = None,
    image_root: PathLike | None = None,
    image_column: str | int | None = None,
    label_column: str | int | None = None,
    device: str | None = None,
    seed: int | None = None,
    overrides: Overrides = (),
    console: Console | None = None,
) -> TrainingResult:
    """Train on one's own pictures with settings that suit them, as `ppcls finetune` does.

    Args:
        source: A folder with one folder per class, or with `train` and `val` of such folders; or a list with labels.
        arch: A model's name.
        pretrained: Weights to begin with: True for the published ones, a source such as `timm`, a path, or False.
        epochs: Passes over the pictures; None chooses by their number.
        learning_rate: The peak rate; None chooses by the recipe and the batch.
        batch_size: Pictures per step and process; None chooses by the number of pictures.
        output_dir: The folder that gets the folder of the run; None is `output/` and the name of the pictures.
        image_root: The folder that the paths of a list are relative to; None finds it.
        image_column: The column of a list that has the pictures, by name or counted from 0; None finds it.
        label_column: The column that has the labels.
        device: `cpu`, `gpu` or `auto`.
        seed: What all randomness is drawn from.
        overrides: Other keys of the configuration, see `train`.
        console: The lines on standard output: `short`, `paddleclas` or `quiet`.

    Raises:
        UserError: The pictures cannot be learnt from, or something else is not usable.
        KeyboardInterrupt: Ctrl-C; the state is saved.
    """
    settings = _settings(
        overrides,
        {
            **_of_training(epochs, learning_rate, batch_size, output_dir, device, seed),
            "Global.console": console,
        },
    )
    root = None if image_root is None else os.fspath(image_root)
    options = ListOptions(root, image_column, label_column)
    weights = pretrained if isinstance(pretrained, bool) else os.fspath(pretrained)
    tuning = plan(os.fspath(source), arch, weights, settings, options)
    if tuning.config.Global.console != "quiet":
        print("\n".join(tuning.choices))
    tuning.check()
    with session():
        from ppcls.engine.train import train as run

        return run(tuning.config, files=tuning.files(), open_pictures=tuning.images)


def evaluate(
    config: Source,
    *,
    weights: Weights | None = None,
    data: PathLike | None = None,
    image_root: PathLike | None = None,
    batch_size: int | None = None,
    output: PathLike | None = None,
    report: PathLike | None = None,
    tta: str | None = None,
    device: str | None = None,
    overrides: Overrides = (),
    console: Console | None = None,
) -> EvaluationResult:
    """Measure accuracy and loss of weights, as `ppcls eval` does.

    Args:
        config: As for `train`, or what `train` or `finetune` returned.
        weights: A file, a checkpoint, True for the published ones, or a source such as `timm`; None takes the best of
            the configuration's own run.
        data: Other pictures than those of DataLoader.Eval: one folder per class, or a list with labels.
        image_root: The folder that the paths of the list `data` are relative to; None finds it.
        batch_size: Pictures per batch (`DataLoader.Eval.sampler.batch_size`).
        output: A file for one row per picture, .csv or .json.
        report: A folder for a report: a page with confused classes, wrong pictures and calibration, and tables.
        tta: Views of each picture whose probabilities are averaged, such as `flip,crops,scale=1.15`.
        device: `cpu`, `gpu` or `auto`.
        overrides: Other keys of the configuration, see `train`.
        console: The lines on standard output: `short`, `paddleclas` or `quiet`.

    Raises:
        UserError: The configuration, the data or the weights are not usable.
    """
    settings = _settings(
        overrides,
        {
            **_of_weights(weights),
            "DataLoader.Eval.sampler.batch_size": batch_size,
            "Global.device": device,
            "Global.console": console,
        },
    )
    views = None if tta is None else TestTime.parse(tta)
    pictures = None if data is None else expanded(data)
    root = None if image_root is None else expanded(image_root)
    loaded = load_with_weights(
        _source(config),
        settings,
        "eval",
        processes_count=world_size(),
        eval_data=eval_data_of(pictures, root, settings),
        say=_say(console),
    )
    with session():
        from ppcls.engine.evaluate import evaluate as run

        return run(
            loaded,
            None if output is None else expanded(output),
            None if report is None else expanded(report),
            views,
        )


def export(
    config: Source,
    *,
    weights: Weights | None = None,
    output_dir: PathLike | None = None,
    onnx: bool = False,
    opset: int | None = None,
    size: int | tuple[int, int] | str | None = None,
    golden_picture: PathLike | None = None,
    program_format: Literal["json", "pdmodel"] | None = None,
    untrained: bool = False,
    temperature: float | PathLike | None = None,
    overrides: Overrides = (),
    console: Console | None = None,
) -> ExportResult:
    """Write a deployable bundle once it agrees with the model, as `ppcls export` does.

    Args:
        config: As for `train`, or what `train` or `finetune` returned.
        weights: A file, a checkpoint, True for the published ones, or a source such as `timm`; None takes the best of
            the configuration's own run.
        output_dir: The bundle's folder (`Global.save_inference_dir`).
        onnx: Also write `inference.onnx`, for other backends.
        opset: The version of ONNX's operators, 7 to 21; None is 13.
        size: Another input size: pixels of both sides, (height, width), or `256x320`.
        golden_picture: The example picture of the bundle; None takes the library's own.
        program_format: `json` is that of Paddle 3, `pdmodel` of Paddle 2; None takes the one that is run
            fastest.
        untrained: Export the initial weights if none are configured.
        temperature: What the logits are divided by: a number, or the folder of a report that proposes one.
        overrides: Other keys of the configuration, see `train`.
        console: The lines on standard output: `short`, `paddleclas` or `quiet`.

    Raises:
        UserError: The configuration or the weights are not usable, or the folder holds something else.
        ppcls.inference.golden.GoldenMismatch: The exported program does not agree with the model; nothing is written.
    """
    settings = _settings(
        overrides,
        {
            **_of_weights(weights),
            "Global.save_inference_dir": output_dir,
            "Global.console": console,
        },
    )
    config = _source(config)
    if untrained:
        loaded = load_config(
            config, settings, registries(), "export", say=_say(console)
        )
    else:
        loaded = load_with_weights(config, settings, "export", say=_say(console))
    picture = None if golden_picture is None else expanded(golden_picture)
    divisor = None if temperature is None else read_temperature(temperature)
    with session():
        from ppcls.engine.export import export as run

        return run(
            loaded,
            untrained,
            picture,
            _opset(onnx, opset),
            program_format,
            _size(size),
            divisor,
        )


def _source(config: Source) -> str | Mapping[str, Any]:
    """The path or name of a configuration as text; a mapping stays."""
    if isinstance(config, Mapping):
        return config
    return os.fspath(config)


def _settings(overrides: Overrides, keys: Mapping[str, Any]) -> list[str]:
    """Overrides as the command line has them: those of keywords that are given, then the user's."""
    settings = [
        _setting(key, value) for key, value in keys.items() if value is not None
    ]
    expect(
        not isinstance(overrides, str),
        f"overrides is the text {overrides!r}; write a list, [{overrides!r}], or a mapping",
    )
    if isinstance(overrides, Mapping):
        return settings + [_setting(key, value) for key, value in overrides.items()]
    return settings + list(overrides)


def _setting(key: str, value: Any) -> str:
    try:
        return f"{key}={json.dumps(value, ensure_ascii=False, default=os.fspath)}"
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{key}: {value!r} cannot stand in a configuration ({error}); write numbers, texts, paths, lists and "
            "mappings"
        ) from error


def _of_training(
    epochs: int | None,
    learning_rate: float | None,
    batch_size: int | None,
    output_dir: PathLike | None,
    device: str | None,
    seed: int | None,
) -> dict[str, Any]:
    """The keys of what `train` and `finetune` both take."""
    return {
        "Global.epochs": epochs,
        "Optimizer.lr.learning_rate": learning_rate,
        "DataLoader.Train.sampler.batch_size": batch_size,
        "Global.output_dir": output_dir,
        "Global.device": device,
        "Global.seed": seed,
    }


def _of_weights(weights: Weights | None) -> dict[str, Any]:
    """The keys for weights: Arch.pretrained for published ones, Global.pretrained_model for files."""
    if isinstance(weights, bool) or weights in SOURCES:
        return {"Arch.pretrained": weights}
    return {"Global.pretrained_model": weights}


def _opset(onnx: bool, opset: int | None) -> int | None:
    """The opset to write, once it is known that it can be written here."""
    if onnx:
        chosen = OPSET if opset is None else opset
        check(chosen)
        return chosen
    if opset is not None:
        raise UserError(f"opset is {opset}, but onnx is False; write onnx=True as well")
    return None


def _size(size: int | tuple[int, int] | str | None) -> tuple[int, int] | None:
    if size is None or isinstance(size, tuple):
        return size
    try:
        return parse_size(str(size))
    except ValueError as error:
        raise UserError(str(error)) from error


def _say(console: Console | None) -> Callable[[str], None]:
    """What prints a line about the configuration."""
    if console == "quiet":
        return lambda line: None
    return lambda line: print(line, file=sys.stderr)


@contextlib.contextmanager
def session() -> Iterator[None]:
    """Surround a call from Python: nothing of the process is changed when it returns.

    Loads Paddle; afterwards puts back the log, the kernels, Paddle's device and the states of its random generators.

    Raises:
        KeyboardInterrupt: Ctrl-C ended the run, whose state is saved.
        SystemExit: SIGTERM or SIGHUP ended it.
    """
    paddle = load_paddle()
    device = paddle.get_device()
    states = paddle.get_rng_state()
    on_cpu = paddle.get_rng_state("cpu")
    with as_it_was(), selection.as_it_was():
        try:
            yield
        except StoppedBySignal as interruption:
            if interruption.exit_code == 128 + signal.SIGINT:
                raise KeyboardInterrupt from None
            raise SystemExit(interruption.exit_code) from None
        finally:
            # Paddle 3.0 cannot set the state of a device that it is told by name
            paddle.set_device("cpu")
            paddle.set_rng_state(on_cpu)
            paddle.set_device(device)
            paddle.set_rng_state(states)
