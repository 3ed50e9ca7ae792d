"""What `ppcls models` prints: the models that can be built, and what is known of each. Loads no Paddle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ppcls.arch.factory import list_models
from ppcls.arch.model_table import ModelInfo, Published, info_of
from ppcls.arch.weights.sources import weights_of
from ppcls.utils.errors import UserError, suggest
from ppcls.utils.terminal import aligned

_ACCURACY_SOURCES = ("paddleclas", "timm")  # the first that prints one is shown
_HEADER = (
    *("Model", "Family", "Params (M)", "MACs (G)", "Input (HxW)"),
    *("Top-1 (%)", "Top-5 (%)", "Accuracy by", "Weights of"),
)
_TEXT_COLUMNS = frozenset(("Model", "Family", "Accuracy by", "Weights of"))

# What a narrow terminal does without, the first one first
_OPTIONAL = ("Family", "Accuracy by", "Input (HxW)", "Top-5 (%)", "MACs (G)")


@dataclass(frozen=True)
class ListedModel:
    """One line of the list.

    Attributes:
        name: The name that a configuration and `build_model` use.
        family: The family that it belongs to.
        trainable_params: Parameters that are trained, for 1,000 classes; None if nobody has counted them.
        macs: Multiply-accumulates of convolutions and fully connected layers, one picture of `input_size`; None if
            nobody has counted them.
        input_size: Channels, height and width that `macs` and the accuracies are for.
        top1: ImageNet accuracy in percent, as `accuracy_source` prints it.
        top5: The same.
        accuracy_source: Who published the two: paddleclas or timm.
        weights: Who published weights that `pretrained` can name, the one that `pretrained: True` means first.
    """

    name: str
    family: str
    trainable_params: int | None
    macs: int | None
    input_size: tuple[int, int, int]
    top1: float | None
    top5: float | None
    accuracy_source: str | None
    weights: tuple[str, ...]


def listed_models(pattern: str = "*") -> list[ListedModel]:
    """The models whose names match a shell pattern, as `list_models` takes it.

    Raises:
        UserError: no name matches; the sentence has the nearest name or family.
    """
    names = list_models(pattern)
    if not names:
        every = list_models()
        families = [f"{info_of(name).family}*" for name in every]
        near = suggest(pattern, [*every, *families])
        raise UserError(f"no model matches {pattern!r}{near}; `ppcls models` lists all")
    return [_listed(info_of(name)) for name in names]


def as_table(models: Sequence[ListedModel], width: int | None = None) -> str:
    """The list for a terminal: one line per model under a header that names the units.

    Args:
        models: The models.
        width: The characters of a line, for which columns are left out; None for the whole table.
    """
    cells = [_cells(model) for model in models]
    return aligned(_HEADER, cells, _TEXT_COLUMNS, width, _OPTIONAL)


def as_json(models: Sequence[ListedModel]) -> str:
    """The list for a machine: an array of objects with the fields of `ListedModel`, null for what is not known."""
    return json.dumps([asdict(model) for model in models], indent=2)


def _listed(info: ModelInfo) -> ListedModel:
    source = _accuracy_source(info)
    figures = Published() if source is None else info.published[source]
    return ListedModel(
        name=info.name,
        family=info.family,
        trainable_params=info.trainable_params,
        macs=info.macs,
        input_size=info.input_size,
        top1=figures.top1,
        top5=figures.top5,
        accuracy_source=source,
        weights=tuple(dict.fromkeys(row.source for row in weights_of(info.name))),
    )


def _accuracy_source(info: ModelInfo) -> str | None:
    for source in _ACCURACY_SOURCES:
        if info.published.get(source, Published()).top1 is not None:
            return source
    return None


def _cells(model: ListedModel) -> tuple[str, ...]:
    _, height, width = model.input_size
    return (
        model.name,
        model.family,
        _decimals(model.trainable_params, 1e6),
        _decimals(model.macs, 1e9),
        f"{height}x{width}",
        _decimals(model.top1),
        _decimals(model.top5),
        model.accuracy_source or "-",
        ", ".join(model.weights) or "-",
    )


def _decimals(value: float | None, unit: float = 1) -> str:
    return "-" if value is None else f"{value / unit:.2f}"
