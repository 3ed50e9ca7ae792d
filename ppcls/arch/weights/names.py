"""How other libraries name the layers of a family: from our names to theirs, so files can be written as well.

A naming takes the model's name and its layers in order and gives their name of each. What is dropped, scaled or
shifted in a conversion is an attribute of the layout. Each family registers its own layouts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ppcls.arch.model_table import MODELS, info_of

Naming = Callable[[str, Sequence[str]], dict[str, str]]
Rule = tuple[str, str]


@dataclass(frozen=True)
class Layout:
    """A foreign dictionary of a family.

    Attributes:
        source: Who writes it, as `ppcls.arch.weights.sources` names it.
        naming: Their layers by ours.
        torch: Whether it is a torch dictionary: other names of statistics, matrices as [out, in].
        matrices: Pattern of our layers whose weights are matrices there.
        factors: Our tensors that are theirs times a factor.
        arguments: What the model has to be made with, for the same values to mean the same function.
        epsilon: What batch norm adds to the variance there, where the model here has an argument for it.
        unused: Their key and our modules to the reason to drop it, since ours lack it; None if there is none.
    """

    source: str
    naming: Naming
    torch: bool = False
    matrices: str = ""
    factors: Mapping[str, float] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    epsilon: float | None = None
    unused: Callable[[str, frozenset[str]], str | None] = lambda key, modules: None

    def own_arguments(self) -> dict[str, Any]:
        """The arguments of the model that these weights were trained with, where the layout knows them."""
        if self.epsilon is None:
            return dict(self.arguments)
        return {**self.arguments, "epsilon": self.epsilon}


def same(model: str, layers: Sequence[str]) -> dict[str, str]:
    """The naming of this library."""
    return {layer: layer for layer in layers}


def rules(*pairs: Rule) -> Naming:
    """A naming by patterns of a whole layer's name; the first pattern that matches gives theirs."""
    compiled = [(re.compile(pattern), theirs) for pattern, theirs in pairs]

    def named(layer: str) -> str:
        for pattern, theirs in compiled:
            match = pattern.fullmatch(layer)
            if match is not None:
                return match.expand(theirs)
        raise AssertionError(f"no rule of this naming matches the layer {layer}")

    def naming(model: str, layers: Sequence[str]) -> dict[str, str]:
        return {layer: named(layer) for layer in layers}

    return naming


def numbered(pattern: str, theirs: Callable[..., str], *others: Rule) -> Naming:
    """A naming of which one pattern needs arithmetic on its groups: `theirs(model, *groups)`."""
    compiled = re.compile(pattern)
    by_rules = rules(*others)

    def naming(model: str, layers: Sequence[str]) -> dict[str, str]:
        named: dict[str, str] = {}
        for layer in layers:
            match = compiled.fullmatch(layer)
            if match is None:
                named.update(by_rules(model, [layer]))
            else:
                named[layer] = theirs(model, *match.groups())
        return named

    return naming


OURS = Layout("ppcls", same)
# The layouts of each family, filled by `ppcls.arch.family.register_family`
LAYOUTS: dict[str, list[Layout]] = {}


def layouts_of(model: str) -> list[Layout]:
    """The layouts in which other libraries write a model's weights."""
    return LAYOUTS.get(info_of(model).family, [])


def models_with_layout(source: str) -> list[str]:
    """The models of which a source's weights can be read."""
    return [
        model
        for model in MODELS
        if any(layout.source == source for layout in layouts_of(model))
    ]
