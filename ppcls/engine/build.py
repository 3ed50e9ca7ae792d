"""Objects from a configuration, which is read only here. None of them keeps the configuration."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import paddle

from ppcls.arch.distillation import DistillationModelParams
from ppcls.arch.weights.load import Found, Loaded, build_with_weights, locate_weights
from ppcls.config import Config
from ppcls.data.labels import Classes, ImageList
from ppcls.data.loader import ImageLoader
from ppcls.data.postprocess import ThreshOutput, Topk
from ppcls.data.shards import ShardList
from ppcls.data.transforms import TRANSFORMS, Pipeline
from ppcls.data.transforms.views import TestTime, Views
from ppcls.engine import device, processes
from ppcls.engine.ema import MovingAverage
from ppcls.engine.evaluator import Evaluator
from ppcls.engine.precision import CpuMixedPrecision, MixedPrecision, Precision
from ppcls.loss import weighted_sum
from ppcls.utils import cpu
from ppcls.utils.errors import UserError, expect
from ppcls.utils.files import sha256_of
from ppcls.utils.logging import get_logger
from ppcls.utils.terminal import shows_bars

# The order of shards depends on the number, so it is the same on every machine
_WORKERS_OF_SHARDS = 4

Pictures = ImageList | ShardList


def images(section: Any, class_num: int, learned: Classes | None = None) -> Pictures:
    """Open and check the pictures of DataLoader.Train or DataLoader.Eval.

    Evaluation numbers class folders by the `learned` classes, and refuses other classes.
    """
    return section.dataset.open(class_num, learned)


def loader(
    section: Any,
    pictures: Pictures,
    config: Config,
    on_error: str = "raise",
    trial_on_error: str = "raise",
    views: TestTime | None = None,
) -> ImageLoader:
    """Make the reader of DataLoader.Train or DataLoader.Eval.

    Args:
        section: DataLoader.Train or DataLoader.Eval.
        pictures: Its pictures.
        config: The configuration.
        on_error: The treatment of an unreadable picture, `raise` or `skip`, unless the dataset has a key for it.
        trial_on_error: The same before a training, in `ImageLoader.trial`.
        views: Several views of each picture, for `OverViews`.
    """
    dataset = section.dataset
    transforms = Pipeline(dataset.transform_ops)
    if views is not None:
        transforms = Views(transforms, views)
    return ImageLoader(
        pictures,
        transforms,
        batch_transforms=dataset.batch_transform_ops,
        batch_size=section.sampler.batch_size,
        shuffle=section.sampler.shuffle,
        drop_last=section.sampler.drop_last,
        seed=config.Global.seed,
        num_workers=_workers(section, pictures),
        use_shared_memory=section.loader.use_shared_memory,
        on_error=dataset.on_error or on_error,
        trial_on_error=dataset.on_error or trial_on_error,
        class_num=config.Arch.class_num,
        rank=processes.rank(),
        world_size=processes.world_size(),
    )


def _workers(section: Any, pictures: Pictures) -> int:
    """The configured number of reading processes, or one that suits the machine."""
    configured = section.loader.num_workers
    if configured is not None:
        return int(configured)
    if isinstance(pictures, ShardList):
        return _WORKERS_OF_SHARDS
    return cpu.workers_for_this_process(device.is_gpu())


def warn_about_workers(sections: Mapping[str, Any]) -> None:
    """Log one line if more reading processes are configured than there are cores.

    Args:
        sections: DataLoader.Train or DataLoader.Eval or both, by these keys. A section may be None.
    """
    cores = cpu.threads_for_this_process()
    found = []
    for key, section in sections.items():
        if section is not None and (section.loader.num_workers or 0) > cores:
            found.append(f"{key}.loader.num_workers: {section.loader.num_workers}")
    if found and processes.is_first():
        get_logger().warning(
            "%s, but there %s for this process, so the workers slow each other down; remove the key for a number that "
            "suits the machine", " and ".join(found), "is 1 core" if cores == 1 else f"are {cores} cores",
        )  # fmt: skip


def eval_pipeline(config: Config) -> Pipeline:
    """The preprocessing of evaluation, which inference and export share."""
    # Load_config requires it where it is read
    assert config.DataLoader.Eval is not None
    return Pipeline(config.DataLoader.Eval.dataset.transform_ops)


def model(
    config: Config,
    training: bool = False,
    untrained: bool = False,
    resumed: Path | None = None,
    allow_changed: bool = False,
) -> tuple[Any, Config]:
    """Make the backbone with its weights, and the configuration completed by them.

    The weights are Global.pretrained_model's or else Arch.pretrained's. Arch gets the arguments that belong to them,
    and DataLoader.Eval their preprocessing unless Global.preprocessing keeps the configuration's. Training may
    start without weights, or with those of another number of classes; it keeps its own preprocessing. A resumed
    one takes the checkpoint's weights, `resumed`; with `allow_changed` these, too, may be those of another number of
    classes.

    Raises:
        UserError: no weights are configured, and neither `training` nor `untrained` allows that.
    """
    if isinstance(config.Arch, DistillationModelParams):
        if training:
            return _distillation_model(config, config.Arch, resumed, allow_changed)
        config = _evaluated_alone(config, config.Arch)
    if not (training or untrained):
        require_weights(config)
    found = Found(resumed) if resumed else find_weights(config)
    if found is None:
        return config.Arch.make(), config
    may_differ = allow_changed or not resumed
    loaded = build_with_weights(
        config.Arch, found, new_classifier=training and may_differ
    )
    get_logger().info("weights: %s", found.path)
    return loaded.model, _as_the_weights_have_it(config, loaded, training)


def _distillation_model(
    config: Config,
    arch: DistillationModelParams,
    resumed: Path | None,
    allow_changed: bool,
) -> tuple[Any, Config]:
    """Make the model that is trained as if it were alone; then the frozen ones, with their own weights."""
    models, members = {}, {}
    trained_first = sorted(arch.members, key=lambda name: name in arch.frozen)
    for name in trained_first:
        params = arch.members[name]
        alone = dataclasses.replace(config, Arch=params)
        if name in arch.frozen:
            found = locate_weights(params.name, params.pretrained)
            loaded = build_with_weights(params, found)
            get_logger().info("weights of the frozen %s: %s", name, loaded.file.path)
            models[name] = loaded.model
            alone = _as_the_weights_have_it(alone, loaded, training=True)
        else:
            models[name], alone = model(
                alone, training=True, resumed=resumed, allow_changed=allow_changed
            )
        members[name] = alone.Arch
    config = dataclasses.replace(config, Arch=arch.completed(members))
    return config.Arch.assemble(models), config


def _evaluated_alone(config: Config, arch: DistillationModelParams) -> Config:
    """The configuration of the model that is evaluated and exported."""
    name = arch.infer_model_name
    if name in arch.frozen and config.Global.pretrained_model:
        raise UserError(
            f"{config.Global.pretrained_model}: these weights are for the model that is trained, but {name} "
            "(Arch.infer_model_name) is frozen and has weights of its own; leave Global.pretrained_model out"
        )
    return dataclasses.replace(config, Arch=arch.members[name])


def learner(trained: Any) -> Any:
    """Return the backbone that learns; if there are several models, the one that is not frozen."""
    if isinstance(trained.params, DistillationModelParams):
        return trained.learner
    return trained


def frozen_weights(config: Config) -> dict[str, str]:
    """SHA-256 of the frozen models' files by the models' names; nothing where none is frozen."""
    arch = config.Arch
    if not isinstance(arch, DistillationModelParams):
        return {}
    digests = {}
    for name in arch.frozen:
        member = arch.members[name]
        found = locate_weights(member.name, member.pretrained)
        digests[name] = sha256_of(found.path)
    return digests


def require_weights(config: Config) -> None:
    """Check that a configuration names weights; nothing is downloaded.

    Raises:
        UserError: none are configured.
    """
    # The models of a distillation have weights of their own
    of_arch = getattr(config.Arch, "pretrained", True)
    expect(
        config.Global.pretrained_model or of_arch,
        "no weights are configured, so there is nothing to use; write -o Global.pretrained_model=PATH, or "
        "-o Arch.pretrained=true for the published ones",
    )


def find_weights(config: Config) -> Found | None:
    """Find the configured weights, and download named ones; None if there are none."""
    given = config.Global.pretrained_model or config.Arch.pretrained
    if given:
        return locate_weights(config.Arch.name, given)
    return None


def begins_with_weights(config: Config) -> bool:
    """Whether a training begins with weights; one that learns from a frozen model counts as such."""
    arch = config.Arch
    if isinstance(arch, DistillationModelParams) and arch.frozen:
        return True
    of_arch = getattr(arch, "pretrained", False)
    return bool(config.Global.pretrained_model or of_arch)


def _as_the_weights_have_it(config: Config, loaded: Loaded, training: bool) -> Config:
    """Set the arguments and the preprocessing that belong to the weights; every change is logged."""
    changes = [
        f"{name}={value}"
        for name, value in dataclasses.asdict(loaded.model.params).items()
        if value != getattr(config.Arch, name)
    ]
    if changes:
        get_logger().info("made with %s, as these weights need it", ", ".join(changes))
    config = dataclasses.replace(config, Arch=loaded.model.params)
    preprocessing, section = loaded.preprocessing, config.DataLoader.Eval
    if preprocessing is None or section is None or config.Arch.in_channels != 3:
        return config
    transforms = []
    for op in preprocessing.transform_ops():
        for name, keys in op.items():
            transforms.append(TRANSFORMS[name](**keys))
    ops = tuple(transforms)
    if TRANSFORMS.same_meaning(ops, section.dataset.transform_ops):
        return config
    if training or config.Global.preprocessing == "config":
        get_logger().info(
            "%s's weights were evaluated with another preprocessing: %s",
            loaded.source,
            preprocessing,
        )
        return config
    get_logger().info(
        "preprocessing is that of %s's weights: %s; Global.preprocessing=config would keep the configuration's",
        loaded.source, preprocessing,
    )  # fmt: skip
    reader = dataclasses.replace(
        section, dataset=dataclasses.replace(section.dataset, transform_ops=ops)
    )
    return dataclasses.replace(
        config,
        Global=dataclasses.replace(
            config.Global, image_shape=(3, preprocessing.size, preprocessing.size)
        ),
        DataLoader=dataclasses.replace(config.DataLoader, Eval=reader),
        Infer=dataclasses.replace(config.Infer, transforms=None),
    )


def for_all_processes(config: Config, model: Any) -> Any:
    """Copy the weights to every process, and synchronise batch norm if that is configured."""
    if config.Global.sync_batch_norm:
        device.needs_gpu(
            "synchronised batch norm", "write -o Global.sync_batch_norm=false"
        )
        model = paddle.nn.SyncBatchNorm.convert_sync_batchnorm(model)
    processes.same_as_first([*model.parameters(), *model.buffers()])
    return model


def learnt_parameters(model: Any) -> list[tuple[str, Any]]:
    """The parameters that are not frozen, by their names; a batch norm's statistics are left to the optimizer."""
    frozen = {each.name for each in getattr(model, "_frozen_parameters", ())}
    named = model.named_parameters()
    return [(name, each) for name, each in named if each.name not in frozen]


def moving_average(config: Config, model: Any) -> MovingAverage | None:
    """The moving average of the model's weights that the EMA section asks for."""
    section = config.EMA
    if section:
        return MovingAverage(model, section.decay, section.warm_up)
    return None


def losses(components: Sequence[Any]) -> Callable[[Any, Any], dict[str, Any]]:
    """Make a function of (logits, target) that computes the named losses; `loss` is their weighted sum."""
    return functools.partial(weighted_sum, tuple(components))


def metrics(components: Sequence[Any]) -> list[Any]:
    """Make an empty accumulator for each metric."""
    return [component.accumulator() for component in components]


def has_bar(config: Config) -> bool:
    """Whether this process draws a bar of its steps."""
    return config.Global.console != "quiet" and processes.is_first() and shows_bars()


def evaluator(config: Config, reader: ImageLoader) -> Evaluator:
    """Make the evaluator of Loss.Eval and Metric.Eval; of several models it evaluates the exported one."""
    made = Evaluator(
        reader,
        losses(_alone(config.Loss.Eval)),
        metrics(_alone(config.Metric.Eval)),
        config.Global.print_batch_step,
        has_bar=has_bar(config),
    )
    if isinstance(config.Arch, DistillationModelParams):
        made.choose = operator.attrgetter("infer_model")
    return made


def _alone(components: Sequence[Any]) -> list[Any]:
    """Replace each loss or metric of several models by the one of a single model."""
    single = []
    for component in components:
        has_single = hasattr(component, "alone")
        single.append(component.alone() if has_single else component)
    return single


def global_batch(config: Config) -> int:
    """Pictures of one step of the optimizer, over all processes."""
    assert config.DataLoader.Train is not None  # load_config requires it for training
    return (
        config.DataLoader.Train.sampler.batch_size
        * processes.world_size()
        * config.Global.update_freq
    )


def precision(config: Config) -> Precision:
    """Make the precision that the AMP section asks for.

    Raises:
        UserError: the device cannot do what it asks for.
    """
    section = config.AMP
    if section is None or not section.use_amp:
        return Precision()
    if device.of_mixed_precision(section.level, section.dtype) == "cpu":
        return CpuMixedPrecision(section.use_fp16_test)
    return MixedPrecision(
        section.level,
        section.dtype,
        section.scale_loss,
        section.use_dynamic_loss_scaling,
        section.use_fp16_test,
    )


def learning_rate(config: Config, steps_per_epoch: int) -> Callable[[int], float]:
    """Make a function from the global step to the learning rate; log a global batch that differs from the recipe's."""
    # Load_config requires both
    assert config.Optimizer is not None and config.DataLoader.Train is not None
    schedule, epochs = config.Optimizer.lr, config.Global.epochs
    actual, recorded = global_batch(config), config.Global.global_batch
    factor = schedule.factor(actual, recorded) if recorded else 1.0
    if recorded and recorded != actual:
        what = "stays; Optimizer.lr.scale: linear would adapt it"
        if schedule.scale:
            what = f"is multiplied by {factor:g}"
        get_logger().info(
            "the recipe's global batch is %d, this run's is %d; the learning rate %s",
            recorded,
            actual,
            what,
        )
    return lambda step: factor * schedule.lr_at(step, steps_per_epoch, epochs)


def postprocess(config: Config) -> Topk | ThreshOutput:
    """Infer.PostProcess, or the five best classes of all there are."""
    return config.Infer.PostProcess or Topk(min(5, config.Arch.class_num))
