"""The only place where configuration becomes objects. None of them keeps the configuration."""

from __future__ import annotations

import dataclasses
import functools
import logging
import operator
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import paddle

from ppcls.arch.distillation import DistillationModelParams
from ppcls.arch.weights.load import Found, Loaded, build_with_weights, locate_weights
from ppcls.arch.weights.sources import SOURCES
from ppcls.config import Config
from ppcls.data.class_folders import class_folders
from ppcls.data.image_list import ImageList
from ppcls.data.labels import Classes, load_class_names
from ppcls.data.loader import ImageLoader
from ppcls.data.postprocess import Topk
from ppcls.data.shards import ShardList
from ppcls.data.transforms import TRANSFORMS, Pipeline
from ppcls.engine import checkpoint, device, processes
from ppcls.engine.ema import MovingAverage
from ppcls.engine.evaluator import Evaluator
from ppcls.engine.precision import MixedPrecision, Precision
from ppcls.loss import weighted_sum
from ppcls.utils.errors import UserError
from ppcls.utils.files import sha256_of
from ppcls.utils.logging import get_logger

Pictures = ImageList | ShardList


def images(section: Any, class_num: int, learned: Classes | None = None) -> Pictures:
    """Opens and checks the pictures of DataLoader.Train or DataLoader.Eval.

    Evaluation numbers class folders by the `learned` classes, and refuses others than these.
    """
    return section.dataset.open(class_num, learned)


def check_numbering(
    section: Any, pictures: Pictures, learned: Classes | None, training: bool
) -> None:
    """Refuses an evaluation list that numbers its classes by its own labels, where those of the training are unknown.

    Labels that count from 1 are clear for weights of any origin, but not beside a training list that counts from 0.
    Class folders are numbered in the order of their names then, as ImageNet's are, which is logged.
    """
    if learned is not None:
        return
    if (
        getattr(section.dataset, "class_to_index", "given") is None
        and pictures.class_names
    ):
        get_logger().log(
            logging.WARNING if training else logging.INFO,
            "%s: folders are numbered in the order of their names, so class 0 is %s, because the classes of the "
            "training have no names; class_to_index of the dataset names a file of another order",
            section.dataset.image_root, pictures.class_names[0],
        )  # fmt: skip
    if not getattr(pictures, "names_itself", False):
        return
    place = section.dataset.cls_label_path
    counts = pictures.class_names is not None and pictures.class_names[0] == "1"
    if counts and training:
        raise UserError(
            f"{place}: labels count from 1, but those of DataLoader.Train count from 0; write both from 0, or both "
            "from 1"
        )
    if not counts:
        raise UserError(
            f"{place}: labels are names, and the numbers of these classes are not known; give a file of the names in "
            "the order of the classes as DataLoader.Eval.dataset.class_names, or write numbers from 0 as labels"
        )


def classes_of(section: Any, pictures: Pictures) -> Classes | None:
    """The classes that DataLoader.Train counts by, for `images` of the evaluation; None if they have no names."""
    dataset = section.dataset
    keys = ("cls_label_path", "image_root", "shards")
    place = next(getattr(dataset, key) for key in keys if hasattr(dataset, key))
    if not pictures.class_names:
        return None
    return Classes(pictures.class_names, f"the training ({place})")


def loader(
    section: Any,
    pictures: Pictures,
    config: Config,
    on_error: str = "raise",
    trial_on_error: str = "raise",
) -> ImageLoader:
    """Makes the reader of DataLoader.Train or DataLoader.Eval.

    Args:
        section: DataLoader.Train or DataLoader.Eval.
        pictures: Its pictures.
        config: The configuration.
        on_error: What happens to an unreadable picture, `raise` or `skip`, unless the dataset says it.
        trial_on_error: The same before a training, in `ImageLoader.trial`.
    """
    dataset = section.dataset
    return ImageLoader(
        pictures,
        Pipeline(dataset.transform_ops),
        batch_transforms=dataset.batch_transform_ops,
        batch_size=section.sampler.batch_size,
        shuffle=section.sampler.shuffle,
        drop_last=section.sampler.drop_last,
        seed=config.Global.seed,
        num_workers=section.loader.num_workers,
        use_shared_memory=section.loader.use_shared_memory,
        on_error=dataset.on_error or on_error,
        trial_on_error=dataset.on_error or trial_on_error,
        class_num=config.Arch.class_num,
        rank=processes.rank(),
        world_size=processes.world_size(),
    )


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
    """The backbone with its weights, and the configuration completed by them.

    The weights are Global.pretrained_model's or else Arch.pretrained's. Arch gets the arguments that belong to them,
    and DataLoader.Eval their preprocessing unless Global.preprocessing keeps the configuration's. Training may
    start without weights, or with those of another number of classes; it keeps its own preprocessing. One that goes
    on takes its own weights, `resumed`, and looks for no others; with `allow_changed` they, too, may be those of
    another number of classes.

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
    loaded = build_with_weights(
        config.Arch, found, new_classifier=training and (allow_changed or not resumed)
    )
    get_logger().info("weights: %s", found.path)
    return loaded.model, _as_the_weights_have_it(config, loaded, training)


def _distillation_model(
    config: Config,
    arch: DistillationModelParams,
    resumed: Path | None,
    allow_changed: bool,
) -> tuple[Any, Config]:
    """The model that is trained, made first as if it were alone; then the frozen ones, with weights of their own."""
    models, members = {}, {}
    for name, params in sorted(
        arch.members.items(), key=lambda member: member[0] in arch.frozen
    ):
        alone = dataclasses.replace(config, Arch=params)
        if name in arch.frozen:
            loaded = build_with_weights(
                params, locate_weights(params.name, params.pretrained)
            )
            get_logger().info("weights of the frozen %s: %s", name, loaded.file.path)
            models[name], alone = (
                loaded.model,
                _as_the_weights_have_it(alone, loaded, training=True),
            )
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
    """The backbone that learns: of several models the one that is not frozen."""
    return (
        trained.learner
        if isinstance(trained.params, DistillationModelParams)
        else trained
    )


def frozen_weights(config: Config) -> dict[str, str]:
    """SHA-256 of the frozen models' files by the models' names; nothing where none is frozen."""
    arch = config.Arch
    if not isinstance(arch, DistillationModelParams):
        return {}
    files = {
        name: locate_weights(arch.members[name].name, arch.members[name].pretrained)
        for name in arch.frozen
    }
    return {name: sha256_of(found.path) for name, found in files.items()}


def require_weights(config: Config) -> None:
    """Refuses a configuration that names no weights; nothing is downloaded.

    Raises:
        UserError: none are configured.
    """
    if not (
        config.Global.pretrained_model or getattr(config.Arch, "pretrained", True)
    ):  # several models have their own
        raise UserError(
            "no weights are configured, so there is nothing to use; write -o Global.pretrained_model=PATH, or "
            "-o Arch.pretrained=true for the published ones"
        )


def find_weights(config: Config) -> Found | None:
    """The configured weights, downloaded if they are named, or None."""
    given = config.Global.pretrained_model or config.Arch.pretrained
    return locate_weights(config.Arch.name, given) if given else None


def begins_with_weights(config: Config) -> bool:
    """Whether a training begins with weights; one that learns from a frozen model counts as such."""
    arch = config.Arch
    frozen = isinstance(arch, DistillationModelParams) and bool(arch.frozen)
    return frozen or bool(
        config.Global.pretrained_model or getattr(arch, "pretrained", False)
    )


def _as_the_weights_have_it(config: Config, loaded: Loaded, training: bool) -> Config:
    """The configuration with the arguments and the preprocessing that belong to the weights; every change is logged."""
    changes = []
    for name, value in dataclasses.asdict(loaded.model.params).items():
        if value != getattr(config.Arch, name):
            changes.append(f"{name}={value}")
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
    """The model with the same weights in every process, and with synchronised batch norm if that is configured."""
    if config.Global.sync_batch_norm:
        device.needs_gpu(
            "synchronised batch norm", "write -o Global.sync_batch_norm=false"
        )
        model = paddle.nn.SyncBatchNorm.convert_sync_batchnorm(model)
    processes.same_as_first([*model.parameters(), *model.buffers()])
    return model


def moving_average(config: Config, model: Any) -> MovingAverage | None:
    """The moving average of the model's weights that the EMA section asks for."""
    section = config.EMA
    return MovingAverage(model, section.decay, section.warm_up) if section else None


def losses(components: Sequence[Any]) -> Callable[[Any, Any], dict[str, Any]]:
    """(logits, target) to the named losses, `loss` being their weighted sum."""
    return functools.partial(weighted_sum, tuple(components))


def metrics(components: Sequence[Any]) -> list[Any]:
    """Fresh accumulators."""
    return [component.accumulator() for component in components]


def evaluator(config: Config, reader: ImageLoader) -> Evaluator:
    """Evaluates with Loss.Eval and Metric.Eval; of several models the one that answers, as if it were alone."""
    parts = [_alone(section) for section in (config.Loss.Eval, config.Metric.Eval)]
    made = Evaluator(
        reader, losses(parts[0]), metrics(parts[1]), config.Global.print_batch_step
    )
    if isinstance(config.Arch, DistillationModelParams):
        made.choose = operator.attrgetter("infer_model")
    return made


def _alone(components: Sequence[Any]) -> list[Any]:
    return [
        component.alone() if hasattr(component, "alone") else component
        for component in components
    ]


def global_batch(config: Config) -> int:
    """Pictures of one step of the optimizer, over all processes."""
    assert config.DataLoader.Train is not None  # load_config requires it for training
    return (
        config.DataLoader.Train.sampler.batch_size
        * processes.world_size()
        * config.Global.update_freq
    )


def precision(config: Config) -> Precision:
    """What the AMP section asks for.

    Raises:
        UserError: it asks for mixed precision, and the device is a CPU.
    """
    section = config.AMP
    if section is None or not section.use_amp:
        return Precision()
    device.needs_gpu(
        "mixed precision (AMP)", "remove the AMP section or write -o AMP.use_amp=false"
    )
    return MixedPrecision(
        section.level,
        section.dtype,
        section.scale_loss,
        section.use_dynamic_loss_scaling,
        section.use_fp16_test,
    )


def learning_rate(config: Config, steps_per_epoch: int) -> Callable[[int], float]:
    """Global step to learning rate; says so where the global batch is not the recipe's."""
    # Load_config requires both
    assert config.Optimizer is not None and config.DataLoader.Train is not None
    schedule, epochs = config.Optimizer.lr, config.Global.epochs
    actual, recorded = global_batch(config), config.Global.global_batch
    factor = schedule.factor(actual, recorded) if recorded else 1.0
    if recorded and recorded != actual:
        what = (
            f"is multiplied by {factor:g}"
            if schedule.scale
            else "stays; Optimizer.lr.scale: linear would adapt it"
        )
        get_logger().info(
            "the recipe's global batch is %d, this run's is %d; the learning rate %s",
            recorded,
            actual,
            what,
        )
    return lambda step: factor * schedule.lr_at(step, steps_per_epoch, epochs)


def postprocess(config: Config) -> Topk:
    """Infer.PostProcess, or the five best classes of all there are."""
    return config.Infer.PostProcess or Topk(min(5, config.Arch.class_num))


def class_names(config: Config, pictures: Pictures | None = None) -> list[str] | None:
    """Names by class id: of the configured label file, else those the weights were trained with, else the folder's.

    Raises:
        UserError: there are not `class_num` names.
    """
    file = postprocess(config).class_id_map_file
    if file is None:
        return _names_of_weights(config) or (pictures.class_names if pictures else None)
    names = load_class_names(file)
    if len(names) != config.Arch.class_num:
        raise UserError(
            f"{file}: {len(names)} class names for {config.Arch.class_num} classes; give the label file of these "
            "classes as Infer.PostProcess.class_id_map_file, or null"
        )
    return names


def _names_of_weights(config: Config) -> list[str] | None:
    """The names in the configured checkpoint, as many as the loaded weights have classes."""
    names = learned_class_names(config)
    if names and len(names) != config.Arch.class_num:
        given = config.Global.pretrained_model or config.Arch.pretrained
        raise UserError(
            f"{given}: {checkpoint.STATES} of this checkpoint has {len(names)} class names, but its weights have "
            f"{config.Arch.class_num} classes; take another checkpoint, or delete {checkpoint.STATES}"
        )
    return names


def learned_class_names(config: Config) -> list[str] | None:
    """The names in the configured checkpoint of ours; other weights, PaddleClas's among them, know none."""
    found = find_weights(config)
    states = checkpoint.states_of(found.path) if found else None
    return states.get("class_names") if states else None


def learned_classes(config: Config) -> Classes | None:
    """The classes of the configured checkpoint of ours; nothing is downloaded for it."""
    given = config.Global.pretrained_model or getattr(config.Arch, "pretrained", None)
    if not isinstance(given, str) or given in SOURCES or "://" in given:
        return None
    names = learned_class_names(config)
    return Classes(names, f"the training of {given}") if names else None


def named_classes(config: Config) -> Classes | None:
    """The classes of the configured label file, where each class folder of DataLoader.Eval has one of its names.

    They number the folders of weights that know no names themselves.
    """
    # Load_config requires it where it is read
    assert config.DataLoader.Eval is not None
    dataset, file = (
        config.DataLoader.Eval.dataset,
        postprocess(config).class_id_map_file,
    )
    if file is None or getattr(dataset, "class_to_index", file) is not None:
        return None
    names = load_class_names(file)
    if len(names) != config.Arch.class_num or not set(
        class_folders(dataset.image_root)
    ) <= set(names):
        return None
    get_logger().info(
        "%s: folders are numbered by the names in %s", dataset.image_root, file
    )
    return Classes(names, file)
