"""PaddleClas's `ppcls.utils.save_load`: pretrained weights for a model that exists."""

from __future__ import annotations

import os
from typing import Any

from ppcls.arch.factory import refuse_ssld
from ppcls.arch.layers import Backbone
from ppcls.arch.weights.load import load_weights, locate_weights
from ppcls.compat.absent import explain


def load_dygraph_pretrain(
    model: Backbone | list[Backbone],
    pretrained_path: str | os.PathLike[str],
    use_ssld: bool = False,
) -> None:
    """Fill a model with weights: every tensor, or none at all.

    Args:
        model: A model, or several that get the same weights.
        pretrained_path: A file of weights, with or without its suffix `.pdparams`, or an address (http or https).
        use_ssld: Must be False.

    Raises:
        UserError: the file cannot be read, or its weights do not fit the model.
    """
    refuse_ssld(use_ssld)
    for one in model if isinstance(model, list) else [model]:
        load_weights(one, locate_weights(one.params.name, pretrained_path).path)


def __getattr__(name: str) -> Any:
    full = f"{__name__}.{name}"
    sentence = explain(full)
    if sentence is None:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    raise ImportError(sentence, name=full)
