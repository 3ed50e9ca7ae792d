"""Train, evaluate, infer, export: each command's whole wiring, top to bottom."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Dict, Optional

import paddle

from ppcls import __version__
from ppcls.config import Config
from ppcls.engine import build, checkpoint, device
from ppcls.engine.callbacks import ConsoleLog, EvaluateEpochs, ProgressBar, SaveCheckpoints, VisualDLLog
from ppcls.engine.signals import Interrupted
from ppcls.engine.trainer import Callback, Trainer, TrainState
from ppcls.utils.errors import UserError
from ppcls.utils.files import write_atomically
from ppcls.utils.logging import get_logger, setup_logging


def train(config: Config) -> int:
    """Trains as the configuration says; checkpoints, log and the resolved configuration go to the run's folder."""
    output = Path(config.Global.output_dir) / config.Arch.name
    start(config, output / "train.log")
    write_atomically(output / "config.yaml", config.to_yaml().encode())
    pictures = build.images(config.DataLoader.Train, config.Arch.class_num)
    reader = build.loader(config.DataLoader.Train, pictures, config, training=True)
    model = build.model(config)
    lr_at = build.learning_rate(config, reader.steps_per_epoch)
    evaluation = None
    if config.Global.eval_during_train:
        held_out = build.images(config.DataLoader.Eval, config.Arch.class_num)
        eval_reader = build.loader(config.DataLoader.Eval, held_out, config, training=False)
        evaluation = EvaluateEpochs(build.evaluator(config, eval_reader), config.Global.eval_interval)
    facts = {
        "arch": config.Arch.name,
        "seed": config.Global.seed,
        "threads": device.threads(),
        "class_names": build.class_names(config, pictures),
        "versions": {"ppcls": __version__, "paddle": paddle.__version__},
    }
    saver = SaveCheckpoints(
        output, config.Global.save_interval, config.Global.save_interval_steps, config.Global.keep, facts
    )
    callbacks: list[Callback] = [ConsoleLog(config.Global.print_batch_step)]
    callbacks += [evaluation] if evaluation else []
    callbacks += [VisualDLLog(output / "vdl", evaluation)] if config.Global.use_visualdl else []
    callbacks += [ProgressBar()] if sys.stderr.isatty() else []
    trainer = Trainer(
        model=model,
        losses=build.losses(config.Loss.Train),
        optimizer=config.Optimizer.build(model),
        lr_at=lr_at,
        loader=reader,
        epochs=config.Global.epochs,
        seed=config.Global.seed,
        metrics=build.metrics(config.Metric.Train),
        callbacks=[*callbacks, saver],
    )
    if config.Global.checkpoints:
        resume(trainer, checkpoint.read(Path(config.Global.checkpoints)))
    try:
        trainer.fit()
    except Interrupted as interruption:
        get_logger().warning("%s; go on with -o Global.checkpoints=%s", interruption, output / "latest")
        return interruption.exit_code
    return 0


def start(config: Config, log_file: Optional[Path] = None) -> None:
    """Log, device and seed: what stands before everything else."""
    setup_logging(log_file)
    if int(os.environ.get("PADDLE_TRAINERS_NUM", "1")) > 1:
        raise UserError("this version runs on one process; start it without paddle.distributed.launch")
    get_logger().info(device.describe(device.select_device(config.Global.device)))
    paddle.seed(config.Global.seed)


def resume(trainer: Trainer, saved: checkpoint.Checkpoint) -> None:
    """Puts a run where a checkpoint says it stood."""
    states = saved.states
    if states["step"] and states["steps_per_epoch"] != trainer.steps_per_epoch:
        raise UserError(
            f"{saved.folder}: saved at step {states['step']} of {states['steps_per_epoch']} an epoch, but this run has "
            f"{trainer.steps_per_epoch}; resume with the batch size and list it was saved with"
        )
    trainer.model.set_state_dict(saved.parameters())
    checkpoint.restore_optimizer(trainer.model, trainer.optimizer, saved.optimizer())
    trainer.state = TrainState(states["epoch"], states["step"], states["best"])
    trainer.averages.restore(states["averages"])
    for metric, state in zip(trainer.metrics, states["metrics"]):
        metric.restore(state)
    get_logger().info("resumed %s at epoch %d, step %d", saved.folder, states["epoch"], states["step"])
    if states["threads"] != device.threads():
        get_logger().info(
            "it was saved with %d threads, this run has %d: the same to rounding, not to the bit",
            states["threads"], device.threads(),
        )  # fmt: skip
    if states["epoch"] >= trainer.epochs:
        get_logger().info("all %d epochs are trained; raise Global.epochs to go on", trainer.epochs)
