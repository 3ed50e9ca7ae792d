"""`ppcls train`: the whole wiring of a training, top to bottom."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import paddle

from ppcls import __version__
from ppcls.config import Config
from ppcls.data.labels import dump_class_names, load_class_names
from ppcls.data.loader import ImageLoader
from ppcls.engine import build, classes, device, processes
from ppcls.engine.callbacks import (
    ConsoleLog,
    DrawReport,
    EvaluateEpochs,
    ProgressBar,
    ReportBest,
    SaveCheckpoints,
    TensorBoardLog,
    VisualDLLog,
)
from ppcls.engine.checkpoint import Checkpoint
from ppcls.engine.device import start
from ppcls.engine.evaluator import ScoreCollector
from ppcls.engine.expected_time import expected_times
from ppcls.engine.frozen import (
    FeatureLoader,
    FrozenBackbone,
    Head,
    features_of,
    frozen_backbone,
)
from ppcls.engine.precision import Precision
from ppcls.engine.prospects import warnings_about
from ppcls.engine.recipe import recipe_of
from ppcls.engine.results import TrainingResult
from ppcls.engine.resume import check_frozen, find_best, read_for, resume
from ppcls.engine.run_folder import (
    CONFIG_FILE,
    FINETUNE_CONFIG,
    NAMES_FILE,
    RunFolder,
    reserved,
)
from ppcls.engine.signals import StoppedBySignal, StopRequest
from ppcls.engine.trainer import Callback, Trainer, groups
from ppcls.untrusted.weights_paths import BEST_MODEL, LATEST
from ppcls.utils import user_code
from ppcls.utils.logging import get_logger, on_console

OpenPictures = Callable[..., build.Pictures]
# That are kept for the report of the best weights: 400 MB, twice. `ppcls eval --report` takes more.
_MOST_SCORES = 100_000_000


def train(
    config: Config,
    allow_changed: bool = False,
    source: Path | None = None,
    files: Mapping[str, bytes] | None = None,
    open_pictures: OpenPictures = build.images,
) -> TrainingResult:
    """Train as the configuration says; checkpoints, log and the resolved configuration go to the run's folder.

    Nothing is written before everything that can be refused has been checked.

    Args:
        config: The configuration.
        allow_changed: Also resume a run that was trained otherwise.
        source: The configuration's file.
        files: Other files for the run's folder, by name.
        open_pictures: Opens DataLoader.Train and DataLoader.Eval, whose lists may be among these files.

    Raises:
        StoppedBySignal: a signal ended the run; its state is saved.
    """
    start(config, parallel=True, keep_log=True)
    precision = build.precision(config)
    _warn_about_workers(config)
    # A wrong list is reported before weights are downloaded
    pictures = open_pictures(config.DataLoader.Train, config.Arch.class_num)
    saved = _saved(config, allow_changed)
    with reserved(config, saved, source) as run:
        run.files = {**(files or {}), **_names_file(pictures)}
        eval_pictures = _eval_pictures(config, pictures, open_pictures)
        model, config = build.model(
            config,
            training=True,
            resumed=saved.weights_file if saved else None,
            allow_changed=allow_changed,
        )
        assert config.Optimizer is not None  # load_config requires it for this command
        model = build.for_all_processes(config, model)
        reader = build.loader(
            config.DataLoader.Train, pictures, config, on_error="skip"
        )
        steps = groups(reader.steps_per_epoch, config.Global.update_freq)
        lr_at = build.learning_rate(config, steps)
        optimizer = config.Optimizer.build(lr_at(0), build.learnt_parameters(model))
        model, optimizer = precision.prepare(model, optimizer)
        frozen = frozen_backbone(config, model, precision)
        given: ImageLoader | FeatureLoader = reader
        if frozen is not None:
            given = features_of(config.DataLoader.Train, reader, frozen)
        facts = _facts(config, pictures, reader)
        saver = _saver(config, run.path, facts, build.learner(model).params.record)
        evaluation = _evaluation(config, eval_pictures, precision, frozen)
        trainer = Trainer(
            model=model,
            losses=build.losses(config.Loss.Train),
            optimizer=optimizer,
            lr_at=lr_at,
            loader=given,
            epochs=config.Global.epochs,
            seed=config.Global.seed,
            metrics=build.metrics(config.Metric.Train),
            callbacks=_callbacks(config, run.path, saver, evaluation),
            update_freq=config.Global.update_freq,
            precision=precision,
            ema=build.moving_average(config, model),
            forward=frozen.model.forward_head if frozen else None,
        )
        _log_plan(config, trainer, len(pictures))
        if saved is not None:
            check_frozen(saved, facts["frozen"])
            resume(trainer, saved, facts["recipe"], config.Optimizer.lr, allow_changed)
            run.best = find_best(trainer, saved, run.path / BEST_MODEL)
        _warn(config, pictures, reader, saved)
        if evaluation is not None:
            evaluation.trial(trainer)
        if FINETUNE_CONFIG in run.files and saved is None:
            _log_expected_times(config, trainer, reader, eval_pictures, frozen)
        # Not before, so that a refused run leaves everything as it was
        run.begin(config)
        _fit(trainer, saver)
        return _result(trainer, run, evaluation)


def _log_expected_times(
    config: Config,
    trainer: Trainer,
    loader: ImageLoader,
    evaluated: build.Pictures | None,
    frozen: FrozenBackbone | None,
) -> None:
    """Say how long the whole network and its head alone would take, the latter at most where it is not `frozen`."""
    if device.is_gpu() or processes.world_size() > 1:
        return
    section = config.DataLoader.Train
    assert section is not None  # load_config requires it for training
    count = len(evaluated) if evaluated is not None else 0
    sentence = expected_times(
        frozen or FrozenBackbone(trainer.model, exports=False),
        trainer.losses,
        loader,
        section.sampler.batch_size,
        trainer.epochs,
        count,
    )
    get_logger().info(sentence, extra=on_console(sentence))


def _warn_about_workers(config: Config) -> None:
    sections = {"DataLoader.Train": config.DataLoader.Train}
    if config.Global.eval_during_train:
        sections["DataLoader.Eval"] = config.DataLoader.Eval
    build.warn_about_workers(sections)


def _saved(config: Config, allow_changed: bool) -> Checkpoint | None:
    """The checkpoint that Global.checkpoints names."""
    place, arch = config.Global.checkpoints, config.Arch
    if not place:
        return None
    return read_for(Path(place), arch.name, arch.class_num, allow_changed)


def _names_file(pictures: build.Pictures) -> dict[str, bytes]:
    """The class names by the name of their file, for class_to_index of a dataset that holds only some classes."""
    if not pictures.class_names:
        return {}
    return {NAMES_FILE: dump_class_names(pictures.class_names).encode()}


def _eval_pictures(
    config: Config, pictures: build.Pictures, open_pictures: OpenPictures
) -> build.Pictures | None:
    """The pictures of DataLoader.Eval, numbered as those of the training; None where nothing is evaluated."""
    if not config.Global.eval_during_train:
        return None
    section = config.DataLoader.Eval
    learned = classes.classes_of(config.DataLoader.Train, pictures)
    opened = open_pictures(section, config.Arch.class_num, learned)
    classes.check_numbering(section, opened, learned, training=True)
    return opened


def _facts(config: Config, pictures: build.Pictures, reader: Any) -> dict[str, Any]:
    """What checkpoints record of the run."""
    return {
        "arch": config.Arch.name,
        "seed": config.Global.seed,
        "epochs": config.Global.epochs,
        "threads": device.threads(),
        "kernels": device.kernels(),
        "processes": processes.world_size(),
        "update_freq": config.Global.update_freq,
        "recipe": recipe_of(config, pictures),
        "class_names": pictures.class_names,
        "order": reader.order,
        "config_sha256": hashlib.sha256(config.to_yaml().encode()).hexdigest(),
        "frozen": build.frozen_weights(config),
        "user_code": user_code.digests(),
        "versions": {"ppcls": __version__, "paddle": paddle.__version__},
    }


def _deployed(config: Config) -> str:
    """Which of the weights and their moving average evaluation chooses by and export takes."""
    return config.EMA.deploy if config.EMA else "weights"


def _saver(
    config: Config, output: Path, facts: dict[str, Any], record: dict[str, Any] | None
) -> SaveCheckpoints:
    settings = config.Global
    return SaveCheckpoints(
        output,
        settings.save_interval,
        settings.save_interval_steps,
        settings.keep,
        facts,
        record,
        before_evaluation=settings.eval_during_train,
        interval_minutes=settings.save_interval_minutes,
        on_error=settings.on_save_error,
        deployed=_deployed(config),
    )


def _evaluation(
    config: Config,
    pictures: build.Pictures | None,
    precision: Precision,
    frozen: FrozenBackbone | None = None,
) -> EvaluateEpochs | None:
    if pictures is None:
        return None
    # An unreadable picture that the trial has not met does not cost the epochs trained so far.
    reader = build.loader(
        config.DataLoader.Eval,
        pictures,
        config,
        on_error="skip",
        trial_on_error="raise",
    )
    evaluator = build.evaluator(config, reader)
    evaluator.context = precision.evaluation_context
    if frozen is not None:
        evaluator.loader = features_of(config.DataLoader.Eval, reader, frozen)
        evaluator.choose = Head
    settings = config.Global
    made = EvaluateEpochs(
        evaluator,
        settings.eval_interval,
        _deployed(config),
        settings.patience,
        settings.start_eval_epoch,
    )
    scores = len(pictures) * config.Arch.class_num
    if settings.report and processes.world_size() == 1 and scores <= _MOST_SCORES:
        made.collector = ScoreCollector()
    return made


def _callbacks(
    config: Config,
    output: Path,
    saver: SaveCheckpoints,
    evaluation: EvaluateEpochs | None,
) -> list[Callback]:
    """Callbacks in their order: a checkpoint is saved before the evaluation, which may fail."""
    callbacks: list[Callback] = []
    has_bar = build.has_bar(config)
    if has_bar:
        # First, so that its bar is closed before the lines of an epoch's end
        callbacks.append(ProgressBar(config.Global.console))
    callbacks += [ConsoleLog(config.Global.print_batch_step, has_bar), saver]
    if evaluation is not None:
        callbacks.append(evaluation)
    loggers = set(config.Global.loggers)
    if config.Global.use_visualdl:
        loggers.add("visualdl")
    if processes.is_first() and "visualdl" in loggers:
        callbacks.append(VisualDLLog(output / "vdl", evaluation))
    if processes.is_first() and "tensorboard" in loggers:
        callbacks.append(TensorBoardLog(output / "tensorboard", evaluation))
    if processes.is_first() and config.Global.report:
        best = None
        if evaluation is not None and evaluation.collector is not None:
            names = _names_to_report(config, evaluation)
            best = ReportBest(output, config.Arch.name, evaluation, names)
            callbacks.append(best)
        callbacks.append(DrawReport(output, evaluation, best))
    return callbacks


def _names_to_report(
    config: Config, evaluation: EvaluateEpochs
) -> Sequence[str] | None:
    """The names of the classes: those of the label file, or of the pictures; None if they are not known."""
    answer = build.postprocess(config)
    names = evaluation.evaluator.loader.images.class_names
    file = answer.class_id_map_file
    if file is not None and Path(file).is_file():
        names = load_class_names(file)
    if names is None or len(names) != config.Arch.class_num:
        return None
    return list(names)


def _log_plan(config: Config, trainer: Trainer, pictures: int) -> None:
    long, short = plan(config, trainer, pictures)
    get_logger().info(long, extra=on_console(short))


def plan(config: Config, trainer: Trainer, pictures: int) -> tuple[str, str]:
    """What a run is going to do, in the numbers that a recipe is known by: for the log, and for a console."""
    batch, count = build.global_batch(config), processes.world_size()
    epochs = "1 epoch" if trainer.epochs == 1 else f"{trainer.epochs} epochs"
    on = "1 process" if count == 1 else f"{count} processes"
    steps = groups(trainer.steps_per_epoch, trainer.update_freq)
    total = steps * trainer.epochs
    shown = range(0, total, max(1, total // 10_000))
    peak = max((trainer.lr_at(step) for step in shown), default=0.0)
    long = (
        f"{epochs} of {pictures:,} pictures, {trainer.epochs * pictures:,} in all; global batch "
        f"{batch} on {on}; {steps:,} steps per epoch, {total:,} in all; peak learning rate {peak:g}"
    )
    short = (
        f"{epochs} of {steps:,} steps; batch {batch} on {on}; {pictures:,} pictures; "
        f"peak learning rate {peak:g}"
    )
    return long, short


def _warn(
    config: Config, pictures: build.Pictures, reader: Any, saved: Checkpoint | None
) -> None:
    """Log warnings about a training that cannot succeed as it is configured."""
    if not processes.is_first():
        return
    has_weights = saved is not None or build.begins_with_weights(config)
    steps = reader.steps_per_epoch
    for warning in warnings_about(config, pictures, steps, has_weights):
        get_logger().warning(warning)


def _fit(trainer: Trainer, saver: SaveCheckpoints) -> None:
    """Run the loop to its end or to a signal."""
    # A launcher repeats its signal, which must not end this process before its last message
    with StopRequest():
        try:
            trainer.fit()
        except StoppedBySignal as interruption:
            get_logger().warning("%s; %s", interruption, saver.remedy())
            raise
    saver.require_saved()


def _result(
    trainer: Trainer, run: RunFolder, evaluation: EvaluateEpochs | None
) -> TrainingResult:
    """What the training has written, and its best evaluation."""
    config = FINETUNE_CONFIG if FINETUNE_CONFIG in run.files else CONFIG_FILE
    history = []
    for evaluated in evaluation.history if evaluation else ():
        history.append({**evaluated, "epoch": evaluated["epoch"] + 1})
    result = TrainingResult(
        output_dir=run.path,
        config_file=run.path / config,
        epochs=trainer.state.epoch,
        latest=run.path / LATEST,
        history=tuple(history),
    )
    best = dict(trainer.state.best)
    if not best:
        return result
    metric, epoch = best.pop("metric"), best.pop("epoch")
    del best["score"]
    return dataclasses.replace(
        result,
        best_model=run.path / BEST_MODEL,
        best_epoch=epoch + 1,
        metric=metric,
        best_metric=best[metric],
        metrics=best,
    )
