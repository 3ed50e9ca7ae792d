"""How the dictionaries of other libraries name what the models here are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Mapping

from ppcls.arch.catalog import MODELS
from ppcls.utils.errors import UserError

# Paddle adds it to what it saves: a table of parameter names, not a tensor.
_NAME_TABLE = "StructuredToParameterName@@"


@dataclass(frozen=True)
class Layout:
    """A family's names in a foreign dictionary. What is not listed has the same name and meaning here.

    Attributes:
        layers: Their name of a layer to ours.
        factors: Their name of a tensor to what it is multiplied by.
    """

    layers: Mapping[str, str] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)


_FIRE = {"_conv._conv": "squeeze", "_conv_path1._conv": "expand1x1", "_conv_path2._conv": "expand3x3"}

PADDLECLAS: Dict[str, Layout] = {
    "SqueezeNet": Layout(
        layers={
            "_conv": "stem",
            **{f"_conv{n}.{their}": f"fire{n + 1}.{our}" for n in range(1, 9) for their, our in _FIRE.items()},
            "_conv9": "fc",
        },
        # Dropout of 0.5 scales by 0.5 in evaluation there and by 1 / 0.5 in training here. The next layer's weight
        # takes the difference, which makes both modes exact. Its bias stands behind the product and stays.
        factors={"_conv9.weight": 0.5},
    ),
}


def convert_state_dict(model_name: str, state: Mapping[str, Any]) -> Dict[str, Any]:
    """Renames a PaddleClas dictionary's entries, and scales them where the same function needs other numbers.

    A dictionary with the names of this library comes back as it is, and so does an entry that nobody knows:
    whether the result fits is for whoever loads it to say.

    Args:
        model_name: The model's name, such as `SqueezeNet1_1`.
        state: Arrays or tensors by name.

    Raises:
        UserError: two entries of `state` mean the same one here.
    """
    layout = PADDLECLAS.get(MODELS[model_name].family, Layout())
    sources: Dict[str, str] = {}
    converted: Dict[str, Any] = {}
    for key, value in state.items():
        if key == _NAME_TABLE:
            continue
        layer, dot, leaf = key.rpartition(".")
        target = layout.layers.get(layer, layer) + dot + leaf
        if target in converted:
            raise UserError(f"{model_name}: the weights name {target} twice, as {sources[target]} and as {key}")
        sources[target] = key
        converted[target] = value * layout.factors[key] if key in layout.factors else value
    return converted
