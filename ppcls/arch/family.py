"""Registration of a family: its rows in the tables of models, of layouts and of weights. Loads no Paddle."""

from __future__ import annotations

from collections.abc import Iterable

from ppcls.arch.model_table import MODELS, ModelInfo
from ppcls.arch.weights.names import LAYOUTS, Layout
from ppcls.arch.weights.sources import PretrainedWeights, add_weights
from ppcls.utils.fields import require


def register_family(
    models: Iterable[ModelInfo],
    layouts: Iterable[Layout] = (),
    weights: Iterable[PretrainedWeights] = (),
) -> None:
    """Adds what is known of models of one family.

    The models can be built once their arguments are registered too, with `ppcls.arch.catalog.BACKBONES.register`.

    Args:
        models: Their rows, all of the same `family`. A family that is there already gets further models.
        layouts: The layouts in which other libraries write the weights of this family.
        weights: Published weights; the first of a model are those that `pretrained: true` means.

    Raises:
        ValueError: The models are of several families or of none, or one of them has a row already.
    """
    rows = list(models)
    families = {row.family for row in rows}
    require(
        len(families) == 1,
        f"models of one family are needed, not of {sorted(families)}",
    )
    for row in rows:
        require(row.name not in MODELS, f"the model {row.name} is in the table already")
        MODELS[row.name] = row
    LAYOUTS.setdefault(families.pop(), []).extend(layouts)
    add_weights(weights)
