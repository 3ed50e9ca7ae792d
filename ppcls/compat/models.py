"""Functions that make models, with the arguments that they have in PaddleClas."""

from __future__ import annotations

import functools
from collections.abc import Callable
from os import PathLike
from typing import TYPE_CHECKING, Any

from ppcls.arch.catalog import BACKBONES
from ppcls.arch.factory import entry_point, refuse_ssld

if TYPE_CHECKING:
    from ppcls.arch.layers import Backbone


def model(name: str) -> Callable[..., Backbone]:
    """Return the function that makes a model: `DLA34(pretrained=False, use_ssld=False, class_num=10)`."""
    make = entry_point(name)

    @functools.wraps(make)
    def build(
        pretrained: bool | str | PathLike[str] = False,
        use_ssld: bool = False,
        **keywords: Any,
    ) -> Backbone:
        refuse_ssld(use_ssld)
        return make(pretrained=pretrained, **keywords)

    # functools.wraps has copied the signature, which lacks use_ssld
    del build.__signature__, build.__wrapped__  # type: ignore[attr-defined]
    return build


def models_of(family: str) -> dict[str, Callable[..., Backbone]]:
    """Return the functions of one family, by the models' names."""
    package = f"ppcls.arch.families.{family}"
    functions = {}
    for name in BACKBONES:
        if BACKBONES[name].__module__.startswith(package + "."):
            functions[name] = model(name)
    return functions
