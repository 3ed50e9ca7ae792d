"""The components that a configuration may name. Paddle is not loaded: a component is defined without it."""

from __future__ import annotations

from ppcls.arch.catalog import BACKBONES
from ppcls.arch.distillation import DistillationModelParams
from ppcls.data.batch_transforms import BATCH_TRANSFORMS
from ppcls.data.datasets import DATASETS
from ppcls.data.postprocess import POSTPROCESSES
from ppcls.data.sampler import SAMPLERS
from ppcls.data.transforms import TRANSFORMS
from ppcls.loss import LOSSES
from ppcls.metric import METRICS
from ppcls.optimizer import OPTIMIZERS, REGULARIZERS, SCHEDULES
from ppcls.utils.registry import Registry


def registries() -> dict[str, Registry]:
    """Every registry by its kind, as `ppcls.config.load_config` takes them."""
    every = (
        _architectures(), DATASETS, TRANSFORMS, BATCH_TRANSFORMS, SAMPLERS, POSTPROCESSES,
        LOSSES, METRICS, OPTIMIZERS, SCHEDULES, REGULARIZERS,
    )  # fmt: skip
    return {registry.kind: registry for registry in every}


def _architectures() -> Registry:
    """What `Arch.name` can name: every backbone, and DistillationModel, which is none."""
    registry = Registry(BACKBONES.kind)
    for name in BACKBONES:
        registry.register(name)(BACKBONES[name])
    registry.register("DistillationModel")(DistillationModelParams)
    return registry
