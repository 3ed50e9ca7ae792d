"""The transforms that belong to a model."""

from __future__ import annotations

from typing import Any, NamedTuple

from ppcls.data.transforms.pipeline import Pipeline
from ppcls.utils.errors import UserError, expect


class ModelTransforms(NamedTuple):
    """The transforms of a model: `train, evaluation = for_model(model)`.

    Attributes:
        train: A random part, resized to the model's input, and flipped at random; needs a generator for each picture.
        evaluation: As the model's weights were evaluated.
    """

    train: Pipeline
    evaluation: Pipeline


def for_model(model: Any) -> ModelTransforms:
    """The transforms for training a model further and for evaluating it.

    Size, resampling, mean and standard deviation are those of the model's weights where these state them (published
    ones, and files that `ppcls convert` wrote), otherwise the model's own. It is the counterpart of timm's
    `create_transform(**resolve_data_config({}, model=model))`.

    Args:
        model: A model of `ppcls.arch`, perhaps within `paddle.DataParallel`.

    Raises:
        UserError: It is not such a model, or its input is not a picture of one or three channels.
    """
    model = getattr(model, "_layers", model)  # of paddle.DataParallel
    preprocessing = getattr(model, "preprocessing", None)
    if preprocessing is None:
        raise UserError(
            f"a {type(model).__name__} does not say what its pictures look like; give a model that build_model of "
            "ppcls.arch made"
        )
    channels = model.params.in_channels
    expect(
        channels in (1, 3),
        f"the model reads {channels} channels (in_channels), and pictures have 1 or 3",
    )
    return ModelTransforms(
        Pipeline.from_list(preprocessing.training_ops(channels)),
        Pipeline.from_list(preprocessing.transform_ops(channels)),
    )
