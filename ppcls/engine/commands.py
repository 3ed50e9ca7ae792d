"""Train, evaluate, infer, export: each command's whole wiring, top to bottom."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import paddle
from tqdm import tqdm

from ppcls import __version__
from ppcls.arch.weights.load import record_of
from ppcls.config import Config
from ppcls.data.labels import dump_class_names
from ppcls.data.postprocess import best_of
from ppcls.engine import build, device, lr_finder, processes
from ppcls.engine.callbacks import (
    ConsoleLog,
    EvaluateEpochs,
    ProgressBar,
    SaveCheckpoints,
    VisualDLLog,
)
from ppcls.engine.callbacks.console import report_failures
from ppcls.engine.checkpoint import Checkpoint
from ppcls.engine.ema import MovingAverage
from ppcls.engine.exporter import example_input, export_bundle
from ppcls.engine.initial_statistics import settle_batch_norms
from ppcls.engine.input_size import at_size
from ppcls.engine.model_backend import ModelBackend
from ppcls.engine.precision import Precision
from ppcls.engine.prospects import warnings_about
from ppcls.engine.recipe import recipe_of
from ppcls.engine.resume import check_frozen, find_best, read_for, resume
from ppcls.engine.run_folder import CONFIG_FILE, NAMES_FILE, RunFolder, reserved
from ppcls.engine.signals import Interrupted, StopRequest
from ppcls.engine.trainer import Callback, Trainer, groups
from ppcls.inference.command import list_pictures, report
from ppcls.inference.output import open_results
from ppcls.inference.pictures import GOLDEN_PICTURE
from ppcls.inference.prediction import Prediction, Result
from ppcls.utils.errors import UserError
from ppcls.utils.files import BEST_MODEL, sha256_of
from ppcls.utils.logging import get_logger, setup_logging

_TOOLS = {"eval": "eval.py", "export": "export_model.py"}


def train(
    config: Config,
    allow_changed: bool = False,
    source: Path | None = None,
    files: Mapping[str, bytes] | None = None,
    open_pictures: Callable[..., build.Pictures] = build.images,
) -> int:
    """Trains as the configuration says; checkpoints, log and the resolved configuration go to the run's folder.

    Nothing is written before all that can be refused has been checked.

    Args:
        config: The configuration.
        allow_changed: Also resume a run that was trained otherwise.
        source: The configuration's file.
        files: Other files for the run's folder, by name.
        open_pictures: Opens DataLoader.Train and DataLoader.Eval, whose lists may be among these files.
    """
    start(config, parallel=True, keep_log=True)
    precision = build.precision(config)
    # A wrong list is said before a download
    pictures = open_pictures(config.DataLoader.Train, config.Arch.class_num)
    place = config.Global.checkpoints
    saved = (
        read_for(Path(place), config.Arch.name, config.Arch.class_num, allow_changed)
        if place
        else None
    )
    with reserved(config, saved, source) as run:
        run.files = {**(files or {}), **_names_file(pictures)}
        return _train(
            config, pictures, saved, precision, run, allow_changed, open_pictures
        )


def _names_file(pictures: build.Pictures) -> dict[str, bytes]:
    """The class names by the name of their file, for class_to_index of a dataset that holds only some classes."""
    return (
        {NAMES_FILE: dump_class_names(pictures.class_names).encode()}
        if pictures.class_names
        else {}
    )


def _train(
    config: Config,
    pictures: build.Pictures,
    saved: Checkpoint | None,
    precision: Precision,
    run: RunFolder,
    allow_changed: bool,
    open_pictures: Callable[..., build.Pictures],
) -> int:
    """Builds everything, begins the run in its folder, and trains."""
    learned, held_out = build.classes_of(config.DataLoader.Train, pictures), None
    # First, so that a wrong list is said before a download
    if config.Global.eval_during_train:
        held_out = open_pictures(config.DataLoader.Eval, config.Arch.class_num, learned)
        build.check_numbering(config.DataLoader.Eval, held_out, learned, training=True)
    resumed = saved.weights_file if saved else None
    model, config = build.model(
        config, training=True, resumed=resumed, allow_changed=allow_changed
    )
    assert config.Optimizer is not None  # load_config requires it for this command
    if config.Global.sync_batch_norm:
        device.needs_gpu(
            "synchronised batch norm", "write -o Global.sync_batch_norm=false"
        )
        model = paddle.nn.SyncBatchNorm.convert_sync_batchnorm(model)
    processes.same_as_first([*model.parameters(), *model.buffers()])
    reader = build.loader(config.DataLoader.Train, pictures, config, on_error="skip")
    lr_at = build.learning_rate(
        config, groups(reader.steps_per_epoch, config.Global.update_freq)
    )
    optimizer = config.Optimizer.build(lr_at(0), list(model.named_parameters()))
    model, optimizer = precision.prepare(model, optimizer)
    ema = (
        MovingAverage(model, config.EMA.decay, config.EMA.warm_up)
        if config.EMA
        else None
    )
    deployed = config.EMA.deploy if config.EMA else "weights"
    evaluation = None
    if held_out is not None:
        # An unreadable picture that the trial has not met does not cost the epochs trained so far.
        eval_reader = build.loader(
            config.DataLoader.Eval,
            held_out,
            config,
            on_error="skip",
            trial_on_error="raise",
        )
        evaluator = build.evaluator(config, eval_reader)
        evaluator.context = precision.evaluation_context
        evaluation = EvaluateEpochs(
            evaluator, config.Global.eval_interval, deployed, config.Global.patience
        )
    facts = {
        "arch": config.Arch.name,
        "seed": config.Global.seed,
        "epochs": config.Global.epochs,
        "threads": device.threads(),
        "processes": processes.world_size(),
        "update_freq": config.Global.update_freq,
        "recipe": recipe_of(config, pictures),
        "class_names": pictures.class_names,
        "order": reader.order,
        "config_sha256": hashlib.sha256(config.to_yaml().encode()).hexdigest(),
        "frozen": build.frozen_weights(config),
        "versions": {"ppcls": __version__, "paddle": paddle.__version__},
    }
    saver = SaveCheckpoints(
        run.path,
        config.Global.save_interval,
        config.Global.save_interval_steps,
        config.Global.keep,
        facts,
        record_of(build.learner(model).params),
        before_evaluation=config.Global.eval_during_train,
        interval_minutes=config.Global.save_interval_minutes,
        on_error=config.Global.on_save_error,
        deployed=deployed,
    )
    callbacks: list[Callback] = [ConsoleLog(config.Global.print_batch_step)]
    callbacks += [saver, evaluation] if evaluation else [saver]
    if processes.is_first():
        callbacks += (
            [VisualDLLog(run.path / "vdl", evaluation)]
            if config.Global.use_visualdl
            else []
        )
        callbacks += [ProgressBar()] if sys.stderr.isatty() else []
    trainer = Trainer(
        model=model,
        losses=build.losses(config.Loss.Train),
        optimizer=optimizer,
        lr_at=lr_at,
        loader=reader,
        epochs=config.Global.epochs,
        seed=config.Global.seed,
        metrics=build.metrics(config.Metric.Train),
        callbacks=callbacks,
        update_freq=config.Global.update_freq,
        precision=precision,
        ema=ema,
    )
    get_logger().info(plan(config, trainer, len(pictures)))
    if saved is not None:
        check_frozen(saved, facts["frozen"])
        resume(trainer, saved, facts["recipe"], config.Optimizer.lr, allow_changed)
        run.best = find_best(trainer, saved, run.path / BEST_MODEL)
    if processes.is_first():
        has_weights = saved is not None or build.begins_with_weights(config)
        for warning in warnings_about(
            config, pictures, reader.steps_per_epoch, has_weights
        ):
            get_logger().warning(warning)
    if evaluation is not None:
        evaluation.trial(trainer)
    # Not before, so that a run that is refused has left all as it was
    run.begin(config)
    # A launcher repeats its signal, which must not end this process before its last message
    with StopRequest():
        try:
            trainer.fit()
        except Interrupted as interruption:
            get_logger().warning("%s; %s", interruption, saver.remedy())
            return interruption.exit_code
    saver.require_saved()
    if processes.is_first():
        print_next(
            config,
            run.path
            / ("finetune.yaml" if "finetune.yaml" in run.files else CONFIG_FILE),
        )
    return 0


def print_next(config: Config, file: Path) -> None:
    """Prints the commands that evaluate and export what has been trained, ready to be pasted."""
    reader = config.DataLoader.Eval
    commands = ["eval"] if reader is not None and config.Metric.Eval else []
    commands += ["export"] if reader is not None else []
    if commands:
        print("\nNext:", flush=True)
    for command in commands:
        print(f"  {_started_by(command)} -c {shlex.quote(str(file))}", flush=True)


def _started_by(command: str) -> str:
    """How another command is started where this one was: by a program of the checkout, or as the package's."""
    tool = Path(sys.argv[0]).with_name(_TOOLS[command])
    # From another folder `-m ppcls` would not be found
    if tool.parent.name == "tools" and tool.is_file():
        return f"{shlex.quote(sys.executable)} {shlex.quote(str(tool))}"
    return (
        f"ppcls {command}"
        if shutil.which("ppcls")
        else f"{shlex.quote(sys.executable)} -m ppcls {command}"
    )


def plan(config: Config, trainer: Trainer, pictures: int) -> str:
    """What a run is going to do, in the numbers that a recipe is known by."""
    steps = groups(trainer.steps_per_epoch, trainer.update_freq)
    total = steps * trainer.epochs
    peak = max(
        (trainer.lr_at(step) for step in range(0, total, max(1, total // 10_000))),
        default=0.0,
    )
    return (
        f"{trainer.epochs} epochs of {pictures:,} pictures, {trainer.epochs * pictures:,} in all; global batch "
        f"{build.global_batch(config)} on {processes.world_size()} processes; {steps:,} steps an epoch, {total:,} in "
        f"all; peak learning rate {peak:g}"
    )


def find_learning_rate(
    config: Config, output: str, low: float, high: float, steps: int
) -> int:
    """Trains some steps with a rising rate, draws the loss to `output` and logs where it falls fastest."""
    # Load_config requires both
    assert config.Optimizer is not None and config.DataLoader.Train is not None
    picture = lr_finder.check(output, low, high, steps)
    start(config)
    precision, group = build.precision(config), config.Global.update_freq
    pictures = build.images(config.DataLoader.Train, config.Arch.class_num)
    reader = build.loader(config.DataLoader.Train, pictures, config, on_error="skip")
    model, config = build.model(config, training=True)
    assert config.Optimizer is not None
    make_optimizer = functools.partial(
        config.Optimizer.build, named_parameters=list(model.named_parameters())
    )
    with contextlib.closing(lr_finder.batches_of(reader)) as batches:
        # On a terminal alone
        shown = tqdm(
            batches, total=steps * group, unit="batch", leave=False, disable=None
        )
        losses, seed = build.losses(config.Loss.Train), config.Global.seed
        test = lr_finder.range_test(
            model,
            shown,
            losses,
            make_optimizer,
            low,
            high,
            steps,
            seed,
            update_freq=group,
            precision=precision,
        )
    numbers = lr_finder.write(test, picture)
    report_failures(reader.failures)
    get_logger().info(
        "%d of %d steps, to a rate of %.3g: %s, %s",
        len(test.rates),
        steps,
        test.rates[-1],
        picture,
        numbers,
    )
    if test.suggestion is None:
        raise UserError(
            f"the loss never clearly fell from {low:g} to {test.rates[-1]:.3g}; write a lower --low or more --steps"
        )
    batch = build.global_batch(config)
    get_logger().info(
        "the loss falls fastest at a learning rate of %.3g, with batches of %d",
        test.suggestion,
        batch,
    )
    return 0


def start(config: Config, parallel: bool = False, keep_log: bool = False) -> None:
    """Log, device, other processes and seed: what stands before everything else.

    With `keep_log` the first process keeps the log's lines for the file of a run.
    """
    if not parallel:
        processes.refuse_several()
    setup_logging(keep_lines=keep_log and processes.is_first())
    get_logger().info(device.describe(device.select_device(config.Global.device)))
    processes.connect()
    paddle.seed(config.Global.seed)


def evaluate(config: Config, output: str | None = None) -> int:
    """Logs accuracy and loss of the configured weights on DataLoader.Eval; `output` gets one row per picture."""
    if output is not None and processes.world_size() > 1:
        raise UserError(
            "--output is written by one process; start the evaluation without the launcher"
        )
    start(config, parallel=True)
    build.require_weights(config)
    learned = build.learned_classes(config) or build.named_classes(config)
    pictures = build.images(config.DataLoader.Eval, config.Arch.class_num, learned)
    build.check_numbering(config.DataLoader.Eval, pictures, learned, training=False)
    model, config = build.model(config)
    reader = build.loader(config.DataLoader.Eval, pictures, config)
    evaluator = build.evaluator(config, reader)
    stop = StopRequest()
    evaluator.should_stop = functools.partial(_asked_to_stop, stop)
    try:
        with contextlib.ExitStack() as stack:
            if output is not None:
                rows = stack.enter_context(
                    open_results(output, build.postprocess(config).topk)
                )
                names = build.class_names(config, pictures)
                evaluator.on_batch = functools.partial(_write_rows, rows, names)
            stack.enter_context(processes.mourned())
            stack.enter_context(stop)
            if evaluator.run(model) is None:
                raise Interrupted(stop.signum or signal.SIGTERM)
            failures = processes.merged(reader.failures)
    except Interrupted as interruption:
        get_logger().warning(
            "%s before the last picture, so there is no result", interruption
        )
        return interruption.exit_code
    report_failures(failures)
    return 1 if failures else 0


def _asked_to_stop(stop: StopRequest) -> bool:
    """Whether a signal has come; where it came because another process died, that is said instead."""
    if stop:
        processes.check_all_live()
    return bool(stop)


def _write_rows(rows: Any, names: list[str] | None, batch: Any, logits: Any) -> None:
    """A row a picture of an evaluated batch."""
    scores = paddle.nn.functional.softmax(logits, axis=-1).numpy()
    for path, row in zip(batch.paths, scores):
        best = best_of(row, rows.topk)
        named = [names[i] for i in best] if names else []
        rows.write(Result(path, best, [float(row[i]) for i in best], named))


def infer(config: Config, output: str | None = None) -> int:
    """Prints the top classes of Infer.infer_imgs by the configured weights, without an export."""
    place = config.Infer.infer_imgs
    if place is None:
        raise UserError(
            "no pictures are given; write -o Infer.infer_imgs=PATH of a picture or a folder"
        )
    pictures = list_pictures(place)
    start(config)
    model, config = build.model(config)
    names, topk = build.class_names(config), build.postprocess(config).topk
    prediction = Prediction(
        build.eval_pipeline(config),
        ModelBackend(model),
        names,
        config.Infer.batch_size,
        topk,
    )
    return report(prediction, place, pictures, topk, output)


def export(
    config: Config,
    untrained: bool = False,
    golden_picture: str | None = None,
    opset: int | None = None,
    program_format: str = "json",
    size: tuple[int, int] | None = None,
) -> int:
    """Writes the bundle of the configured weights to Global.save_inference_dir, once it agrees with the model.

    With `opset` the bundle has the program as ONNX, too; `program_format` is json or pdmodel; `size` is (height,
    width) in place of the configuration's.
    """
    start(config)
    # Where the bundle is checked; a GPU may round products to TF32
    paddle.set_device("cpu")
    model, config = build.model(config, untrained=untrained)
    found = build.find_weights(config)
    config = at_size(config, size) if size else config
    folder, pipeline = (
        Path(config.Global.save_inference_dir).resolve(),
        build.eval_pipeline(config),
    )
    if found is None:
        settle_batch_norms(
            model, example_input(pipeline, GOLDEN_PICTURE, config.Global.image_shape)
        )
    agreement = export_bundle(
        model,
        pipeline,
        folder,
        architecture=config.Arch.name,
        class_num=config.Arch.class_num,
        image_shape=config.Global.image_shape,
        class_names=build.class_names(config),
        config_sha256=hashlib.sha256(config.to_yaml().encode()).hexdigest(),
        weights_sha256=sha256_of(found.path) if found else None,
        golden_picture=Path(golden_picture) if golden_picture else None,
        opset=opset,
        program_file=f"inference.{program_format}",
    )
    get_logger().info(
        "exported to %s; through Paddle Inference its input differs by %.1e, its scores by %.1e of their spread",
        folder, agreement.input_difference, agreement.score_difference,
    )  # fmt: skip
    if agreement.classes_compared < 2:
        get_logger().warning(
            "the example's scores are one 1 and else zeros, as weights gone astray may give: they could not be compared"
        )
    return 0


def reference(config: Config) -> ModelBackend:
    """The model of the configured weights on the CPU, for `ppcls verify` to compare a bundle with."""
    start(config)
    paddle.set_device("cpu")  # a GPU may round products to TF32
    return ModelBackend(build.model(config)[0])
