"""What is known of the models without measuring: sizes, and the figures that others published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ppcls.arch.model_table import LATENCIES, LATENCY_BATCHES, MODELS, Published

# The sources of published accuracies, and their names in tables
SOURCES = {"paddleclas": "PaddleClas", "timm": "timm", "ucbdrive": "ucbdrive/dla"}
_IMAGENET_CLASSES = 1000


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a model without measuring.

    Attributes:
        params_m: Trainable parameters in 1e6.
        flops_g: Floating-point operations in 1e9, two for each multiply-accumulate.
        top1: ImageNet top-1 in percent, as PaddleClas publishes it.
        published: Milliseconds that PaddleClas prints, by the device and precision (`V100 FP32`) and the batch size.
    """

    params_m: float
    flops_g: float
    top1: float | None = None
    published: Mapping[str, Mapping[int, float]] = field(default_factory=dict)


def model_facts() -> dict[str, ModelFacts]:
    """The facts of every model whose size is known, by its name."""
    facts = {}
    for name, info in MODELS.items():
        if info.trainable_params is None or info.flops is None:
            continue
        latencies = {}
        for kind, latency_of in LATENCIES.items():
            published = latency_of(info)
            if published:
                latencies[kind] = dict(zip(LATENCY_BATCHES, published))
        top1 = info.published.get("paddleclas", Published()).top1
        facts[name] = ModelFacts(
            info.trainable_params / 1e6, info.flops / 1e9, top1, latencies
        )
    return facts


def published_accuracies(model: str, classes: int) -> dict[str, Published]:
    """The ImageNet accuracies that others print of a model, by source; none for other numbers of classes."""
    info = MODELS.get(model)
    if info is None or classes != _IMAGENET_CLASSES:
        return {}
    found = {}
    for source in SOURCES:
        accuracy = info.published.get(source, Published())
        if accuracy.top1 is not None:
            found[source] = accuracy
    return found
