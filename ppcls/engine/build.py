"""The only place where configuration becomes objects. None of them keeps the configuration."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Callable, Dict, List, Optional, Sequence

from ppcls.arch import build_model
from ppcls.arch.weights import load_weights
from ppcls.config import Config
from ppcls.data.image_list import ImageList
from ppcls.data.labels import load_class_names
from ppcls.data.loader import ImageLoader
from ppcls.data.transforms import Pipeline
from ppcls.engine.evaluator import Evaluator
from ppcls.loss import weighted_sum
from ppcls.utils.errors import UserError
from ppcls.utils.logging import get_logger


def images(section: Any, class_num: int) -> ImageList:
    """Opens and checks the pictures of DataLoader.Train or DataLoader.Eval."""
    return section.dataset.open(class_num)


def loader(section: Any, pictures: ImageList, config: Config, training: bool) -> ImageLoader:
    """The reader of DataLoader.Train or DataLoader.Eval; in evaluation an unreadable picture ends the run."""
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
        on_error=dataset.on_error or ("skip" if training else "raise"),
        class_num=config.Arch.class_num,
    )


def model(config: Config, untrained: bool = True) -> Any:
    """The backbone with its weights: Global.pretrained_model, or Arch.pretrained.

    Raises:
        UserError: no weights are configured and `untrained` does not allow that.
    """
    arguments = dataclasses.asdict(config.Arch)
    pretrained = config.Global.pretrained_model or arguments.pop("pretrained", None)
    arguments.pop("pretrained", None)
    if not pretrained and not untrained:
        raise UserError(
            "no weights are configured, so there is nothing to use; write -o Global.pretrained_model=PATH"
        )
    network = build_model(arguments.pop("name"), **arguments)
    if pretrained:
        load_weights(network, pretrained)
        get_logger().info("weights: %s", pretrained)
    return network


def losses(components: Sequence[Any]) -> Callable[[Any, Any], Dict[str, Any]]:
    """(logits, target) to the named losses, `loss` being their weighted sum."""
    return functools.partial(weighted_sum, tuple(components))


def metrics(components: Sequence[Any]) -> List[Any]:
    """Fresh accumulators."""
    return [component.accumulator() for component in components]


def evaluator(config: Config, reader: ImageLoader) -> Evaluator:
    """Evaluates with Loss.Eval and Metric.Eval."""
    return Evaluator(reader, losses(config.Loss.Eval), metrics(config.Metric.Eval), config.Global.print_batch_step)


def learning_rate(config: Config, steps_per_epoch: int) -> Callable[[int], float]:
    """Global step to learning rate, scaled to the real global batch where `lr.scale: linear` asks for it."""
    schedule = config.Optimizer.lr
    actual, recorded = config.DataLoader.Train.sampler.batch_size, config.Global.global_batch
    factor = 1.0
    if recorded and recorded != actual:
        if schedule.scale == "linear":
            factor = actual / recorded
        get_logger().info(
            "the recipe's global batch is %d, this run's is %d: learning rate times %g", recorded, actual, factor
        )
    return lambda step: factor * schedule.lr_at(step, steps_per_epoch, config.Global.epochs)


def class_names(config: Config, pictures: Optional[ImageList] = None) -> Optional[List[str]]:
    """Names by class id: of the folder that was trained on, or of Infer.PostProcess.class_id_map_file."""
    if pictures is not None and pictures.class_names:
        return list(pictures.class_names)
    file = config.Infer.PostProcess.class_id_map_file if config.Infer else None
    if file is None:
        return None
    names = load_class_names(file)
    if len(names) != config.Arch.class_num:
        raise UserError(
            f"{file}: {len(names)} class names for {config.Arch.class_num} classes; give the label file of these "
            "classes as Infer.PostProcess.class_id_map_file, or null"
        )
    return names
