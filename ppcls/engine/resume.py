"""Resuming from a checkpoint: compare it with the run, then restore its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.engine import checkpoint, device, optimizer_state, processes
from ppcls.engine.ema import MovingAverage
from ppcls.engine.recipe import differences, in_one_line, same_pictures
from ppcls.engine.states import STATES, DamagedStates, is_number, require_keys, shown
from ppcls.engine.trainer import Trainer, TrainState, groups
from ppcls.untrusted.weights_paths import BEST_MODEL
from ppcls.utils import user_code
from ppcls.utils.errors import UserError, expect, translated
from ppcls.utils.fields import require
from ppcls.utils.files import resolved
from ppcls.utils.logging import get_logger, on_console

# What a resumed training needs beside the weights
_NEEDED = ("arch", "steps_per_epoch", "best", "averages", "metrics", "threads")
_OTHER_CHECKPOINT = "give the folder of an older checkpoint, or start a new training without Global.checkpoints"


def resume(
    trainer: Trainer,
    saved: checkpoint.Checkpoint,
    recipe: dict[str, Any],
    schedule: Any,
    allow_changed: bool = False,
) -> None:
    """Restore the state of a checkpoint into a run.

    Args:
        trainer: the run, which has done nothing yet, with the checkpoint's weights in its model.
        saved: the checkpoint.
        recipe: the run's, see `recipe_of`.
        schedule: of learning rates; only used to report what another number of epochs changes.
        allow_changed: resume although the recipe is not the checkpoint's. Values without a meaning under the new one
            are reset, which is logged.

    Raises:
        UserError: the checkpoint is of another recipe.
    """
    states = saved.states
    changed = _differences(trainer, saved, recipe)
    if changed and not allow_changed:
        raise UserError(
            f"{saved.folder}: this run would not continue as it began: {in_one_line(list(changed.values()))}; resume "
            "with what it was trained with, or add --allow-changed"
        )
    for text in changed.values():
        get_logger().warning("resumed though %s", text)
    step = _step_of(trainer, saved, changed)
    order = states.get("order", trainer.loader.order)
    if states["step"] and order != trainer.loader.order:
        raise UserError(
            f"{saved.folder}: saved within an epoch {order}, but this run's are {trainer.loader.order}; resume with "
            "the processes, workers and shuffle_buffer it was saved with, or from an epoch's end"
        )
    trainer.state = TrainState(states["epoch"], step, states["best"])
    replaced = _replaced(trainer.model, saved) if allow_changed else []
    if replaced:
        parts = "the optimizer's state"
        if trainer.ema:
            parts += " and the moving average"
        get_logger().warning(
            "for what is new in the model (%s) %s start again, too",
            ", ".join(replaced),
            parts,
        )
    if begins_anew(changed):
        get_logger().warning("the optimizer is another one, so its state starts again")
    else:
        optimizer_state.restore_optimizer(
            trainer.model, trainer.optimizer, saved.optimizer(), replaced
        )
    if not any(key.startswith("AMP") for key in changed):
        trainer.precision.restore(states.get("precision"))
    restore_average(trainer, saved, allow_changed, replaced)
    if processes.is_first():  # the others count from zero, and all are summed
        trainer.averages.restore(states["averages"])
        restore_metrics(trainer, saved)
    get_logger().info(
        "resumed %s at epoch %d, step %d", saved.folder, states["epoch"], step,
        extra=on_console(f"resumed {saved.folder} after {_done(trainer, states['epoch'], step)}"),
    )  # fmt: skip
    _say_what_else_differs(trainer, states, schedule)


def read_for(
    path: Path, arch: str, class_num: int, allow_changed: bool = False
) -> checkpoint.Checkpoint:
    """Read the checkpoint at `path` and check that it is of the model `arch` and of `class_num` classes.

    With `allow_changed`, it may be of another number of classes.

    Raises:
        UserError: none is there that verifies, or it is of another model.
    """
    saved = checkpoint.read(path)
    with translated(
        DamagedStates, lambda error: UserError(f"{error}; {_OTHER_CHECKPOINT}")
    ):
        require_keys(saved.folder / STATES, saved.states, _NEEDED)
    if saved.passed_over:
        get_logger().warning(
            "%s is the newest whole checkpoint; passed over: %s",
            saved.folder,
            "; ".join(saved.passed_over),
        )
    if saved.states["arch"] != arch:
        raise UserError(
            f"{saved.folder}: saved of {saved.states['arch']}, but Arch.name is {arch}; write "
            f"-o Arch.name={saved.states['arch']}, or start a new training, without Global.checkpoints, from the "
            f"published weights of {arch} with -o Arch.pretrained=true"
        )
    classes = (saved.states.get("recipe") or {}).get("Arch.class_num", class_num)
    if classes != class_num and not allow_changed:
        raise UserError(
            f"{saved.folder}: this run would not continue as it began: Arch.class_num was {shown(classes)} and is "
            f"{class_num}; resume with what it was trained with, or add --allow-changed, which begins with a new "
            "classifier"
        )
    return saved


def check_frozen(saved: checkpoint.Checkpoint, frozen: Mapping[str, str]) -> None:
    """Check that the teachers have the same weights as before; `frozen` comes from `build.frozen_weights`.

    Raises:
        UserError: a frozen model has other weights than it had.
    """
    taught = saved.states.get("frozen", {})
    for name in {**taught, **frozen}:
        then, now = taught.get(name, "none"), frozen.get(name, "none")
        if then != now:
            raise UserError(
                f"{saved.folder}: learnt from other weights of {name} (sha256 {then[:8]}, here {now[:8]}); give the "
                f"file it was trained with as the pretrained of {name}"
            )


def _differences(
    trainer: Trainer, saved: checkpoint.Checkpoint, recipe: dict[str, Any]
) -> dict[str, str]:
    """Describe what has changed in the recipe, by key."""
    then = saved.states.get("recipe")
    # Older checkpoints have none
    return {} if then is None else differences(then, recipe)


def _step_of(
    trainer: Trainer, saved: checkpoint.Checkpoint, changed: Mapping[str, str]
) -> int:
    """Convert the saved step of the epoch to this run's steps, which may accumulate another number of batches."""
    step, then, now = (
        saved.states["step"],
        saved.states["steps_per_epoch"],
        trainer.steps_per_epoch,
    )
    if not step or then == now:
        return step
    freq = saved.states.get("update_freq")
    if freq and same_pictures(changed):  # saved between two steps of the optimizer
        return min(groups(step, freq) * trainer.update_freq, now)
    raise UserError(
        f"{saved.folder}: saved at step {step} of {then} an epoch, but this run has {now}; resume with the batch size "
        "and list it was saved with, or from an epoch's end"
    )


def _replaced(model: Any, saved: checkpoint.Checkpoint) -> list[str]:
    """List the model's tensors that the checkpoint has in another shape, or not at all."""
    then = {name: list(np.shape(array)) for name, array in saved.parameters().items()}
    return [
        name
        for name, tensor in model.state_dict().items()
        if then.get(name) != list(tensor.shape)
    ]


def find_best(trainer: Trainer, saved: checkpoint.Checkpoint, own: Path) -> Path | None:
    """Find the checkpoint of the best evaluation so far; None if there was no evaluation or it is lost.

    If it is lost, a warning is logged and the best is determined again. Every process must call this.

    Args:
        trainer: The resumed run.
        saved: The checkpoint that it resumes from.
        own: The `best_model` of the run's folder. In the folder of `saved` it may be newer than `saved`.
    """
    best = trainer.state.best
    if not best:
        return None
    run = saved.folder.parent
    found = None
    if processes.is_first():
        is_own_run = resolved(run) == resolved(own.parent)
        found = _place_of_best(saved.folder, best, is_own_run)
    found = processes.gather(found)[0]
    if found is None:
        get_logger().warning(
            "the weights of the best %s so far (%.5f in epoch:%d) are not in %s any more; the best "
            "is counted from here on",
            best["metric"], best[best["metric"]], best["epoch"], run,
        )  # fmt: skip
        trainer.state.best = {}
    return found


def _place_of_best(
    folder: Path, best: Mapping[str, Any], is_own_run: bool
) -> Path | None:
    """Look for the best evaluation's checkpoint in the run of the checkpoint `folder`."""
    run = folder.parent
    best_model = _best_of(run / BEST_MODEL)
    if best_model == best:
        return run / BEST_MODEL
    # This run may have written a better one after the checkpoint that it is resumed from
    if best_model and is_own_run and _is_as_good(best_model, best):
        return run / BEST_MODEL
    for place in (folder, run / f"epoch_{best['epoch'] + 1}"):
        if _best_of(place) == best:
            return place
    return None


def _best_of(folder: Path) -> dict[str, Any] | None:
    """The best evaluation of a checkpoint whose own weights reached it; None for any other folder."""
    try:
        states = checkpoint.read(folder).states
    except UserError:
        return None
    best = states["best"]
    if not best or (states["epoch"], states["step"]) != (best["epoch"] + 1, 0):
        return None
    return best


def _is_as_good(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one["metric"] == other["metric"] and one["score"] >= other["score"]


def begins_anew(changed: Mapping[str, str]) -> bool:
    """Whether this run cannot use the optimizer's saved state: the optimizer or the weights' precision is another."""
    return "Optimizer.name" in changed or '"O2"' in changed.get("AMP.level", "")


def _done(trainer: Trainer, epochs: int, step: int) -> str:
    """`2 of 20 epochs and 3 of 90 steps`."""
    done = f"{epochs} of {trainer.epochs} epochs"
    if step:
        return f"{done} and {step} of {trainer.steps_per_epoch} steps"
    return done


def _say_what_else_differs(
    trainer: Trainer, states: dict[str, Any], schedule: Any
) -> None:
    """Log the differences that do not prevent resuming."""
    other_code = user_code.difference(states.get("user_code", {}))
    if other_code is not None:
        get_logger().warning(
            "it was saved with other user code (--import): %s", other_code
        )
    if states["threads"] != device.threads():
        get_logger().info(
            "it was saved with %d threads, this run has %d: the same to rounding, not to the bit",
            states["threads"], device.threads(),
        )  # fmt: skip
    # Older checkpoints do not record them
    kernels, here = states.get("kernels"), device.kernels()
    if kernels is not None and kernels != here:
        get_logger().info(
            "it was saved with the kernels of %s, but this run has those of %s: the same to rounding, not to the bit",
            _listed(kernels), _listed(here),
        )  # fmt: skip
    now = (processes.world_size(), trainer.update_freq)
    before = (states.get("processes", now[0]), states.get("update_freq", now[1]))
    if before != now:
        get_logger().info(
            "it was saved by %d processes with Global.update_freq %d, this run has %d with %d: batch transforms, "
            "dropout and batch norm draw otherwise",
            *before, *now,
        )  # fmt: skip
    steps = groups(trainer.steps_per_epoch, trainer.update_freq)
    then, epochs = states.get("epochs"), trainer.epochs
    if then and _rates_differ(schedule, steps, then, epochs):
        text = "Global.epochs was %d and is %d, so the learning rates are others from here on"
        get_logger().warning(text, then, epochs)
    if states["epoch"] >= epochs:
        get_logger().info(
            "all %d epochs are trained; raise Global.epochs to continue", epochs
        )


def _rates_differ(schedule: Any, steps: int, then: int, now: int) -> bool:
    """Whether another number of epochs changes the learning rate of an epoch that both have."""
    for epoch in range(min(then, now) + 1):
        step = epoch * steps
        if schedule.lr_at(step, steps, then) != schedule.lr_at(step, steps, now):
            return True
    return False


def _listed(kernels: Mapping[str, str]) -> str:
    """Format kernels as in `device cpu, MKL_DEBUG_CPU_TYPE 5`."""
    return ", ".join(f"{name} {value or 'unset'}" for name, value in kernels.items())


def restore_average(
    trainer: Trainer,
    saved: checkpoint.Checkpoint,
    allow_changed: bool = False,
    replaced: Sequence[str] = (),
) -> None:
    """Restore the moving average, except for `replaced`, which start from the current weights."""
    steps, ema = saved.states.get("average_steps"), trainer.ema
    if (ema is None) != (steps is None) and not allow_changed:
        had = "without" if steps is None else "with"
        raise UserError(
            f"{saved.folder}: trained {had} a moving average (EMA); resume {had} the EMA section"
        )
    if ema is None:
        return
    if steps is None:
        trainer.ema = MovingAverage(trainer.model, ema.decay, ema.warm_up)
        get_logger().warning(
            "the weights' moving average starts from the current weights"
        )
        return
    average = saved.average()
    for name, array in ema.state().items():
        if name in replaced:
            average[name] = array
        expect(
            name in average and average[name].shape == array.shape,
            f"{saved.folder}: the moving average of {name} is missing or has another shape; "
            f"{_OTHER_CHECKPOINT}",
        )
    ema.restore(average, steps)


def restore_metrics(trainer: Trainer, saved: checkpoint.Checkpoint) -> None:
    """Restore what the training metrics had counted of the epoch."""
    states = saved.states["metrics"]
    with translated(
        ValueError,
        lambda error: UserError(
            f"{saved.folder}: Metric.Train differs: {error}; resume with the metrics it was trained with"
        ),
    ):
        require(
            len(states) == len(trainer.metrics),
            f"saved with {len(states)} metrics, asked for {len(trainer.metrics)}",
        )
        for metric, state in zip(trainer.metrics, states):
            _require_form(metric.state(), state)
            metric.restore(state)


def _require_form(fresh: Mapping[str, Any], saved: Mapping[str, Any]) -> None:
    """Check that a metric's saved state has the keys and types of a fresh one.

    Raises:
        ValueError: it has others.
    """
    require(
        fresh.keys() == saved.keys(),
        f"saved with the values {sorted(saved)}, not {sorted(fresh)}",
    )
    for key, value in fresh.items():
        if _kind(saved[key]) != _kind(value):
            raise ValueError(f"{key} is {shown(saved[key])}")


def _kind(value: Any) -> str:
    """Name the type of a value of JSON; whole and other numbers are one type."""
    if is_number(value):
        return "number"
    if isinstance(value, list):
        return f"list of {', '.join(set(map(_kind, value)))}"
    return type(value).__name__
