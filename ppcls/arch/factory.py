"""From a name or a configuration's mapping to a model. Loads Paddle only when a model is made."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from ppcls.arch.catalog import BACKBONES, BackboneParams
from ppcls.utils.errors import UserError, expect, suggest
from ppcls.utils.fields import require
from ppcls.utils.load_paddle import load_paddle, missing_gpu

if TYPE_CHECKING:
    from ppcls.arch.layers import Backbone

_MODES = ("train", "eval", "infer", "export")


def list_models(pattern: str = "*") -> list[str]:
    """Names of the models that match a shell pattern (`DLA*x*`), in order of registration."""
    lower = pattern.lower()
    return [name for name in BACKBONES if fnmatchcase(name.lower(), lower)]


def build_model(
    model: str | Mapping[str, Any], mode: str = "train", **keywords: Any
) -> Backbone:
    """Makes a model.

    Args:
        model: A name, or PaddleClas's mapping: `{"Arch": {"name": "DLA34", "class_num": 10}}` or what stands under
            its `Arch`. Other sections beside `Arch` are not read. Its keys `use_ssld: false` and
            `infer_add_softmax`, which concern other weights and exported programs, change nothing;
            `use_sync_bn: true` makes batch norm take its statistics over all processes, on GPUs.
        mode: What PaddleClas makes the model for: train, eval, infer or export. It makes no difference.
        **keywords: The arguments of that model, see the `facts` of its family in `ppcls.arch.families`; they
            override the mapping's. With `class_num` and `pretrained` together the model starts with a new classifier,
            and a warning says so, where the weights have none or one of another number of classes.

    Raises:
        UserError: The model or the argument is unknown, or `use_sync_bn` is set and there is no GPU.
        ValueError: an argument's value is impossible.
    """
    require(mode in _MODES, f"mode is {mode!r}; give {', '.join(_MODES)}")
    if isinstance(model, str):
        return _build(model, keywords)
    arch = model.get("Arch", model)
    expect(
        isinstance(arch, Mapping) and isinstance(arch.get("name"), str),
        f"{arch!r} names no model; write `name: DLA34` in it",
    )
    arguments = {**arch, **keywords}
    refuse_ssld(arguments.pop("use_ssld", False))
    arguments.pop("infer_add_softmax", None)
    synchronised = arguments.pop("use_sync_bn", False)
    backbone = _build(arguments.pop("name"), arguments)
    return _synchronised(backbone) if synchronised else backbone


def refuse_ssld(use_ssld: bool) -> None:
    """Refuse PaddleClas's argument for weights by its distillation, which its models of this library do not have.

    Raises:
        UserError: it is not False.
    """
    if use_ssld:
        raise UserError(
            "use_ssld is true, but no SSLD weights are published for these models; write use_ssld=False, "
            "or give a file of weights as pretrained"
        )


def _synchronised(model: Backbone) -> Backbone:
    paddle = load_paddle()
    without = missing_gpu()
    if without is not None:
        raise UserError(
            f"use_sync_bn is true, which needs a GPU, and {without}; write use_sync_bn: false"
        )
    return paddle.nn.SyncBatchNorm.convert_sync_batchnorm(model)


def build_backbone(params: BackboneParams, new_classifier: bool = False) -> Backbone:
    """Makes a model with weights drawn from Paddle's generator, or loaded from `params.pretrained`.

    Args:
        params: The model's arguments.
        new_classifier: Whether the model keeps a classifier of its own, with drawn weights, where the file has
            none, or one of another number of classes; a warning says so.

    Raises:
        UserError: Paddle is missing, or the weights cannot be had or do not fit the model.
    """
    if not params.pretrained:
        return params.make()
    # Loads NumPy, which a model without pretrained weights does not need
    from ppcls.arch.weights.load import build_with_weights, locate_weights

    found = locate_weights(params.name, params.pretrained)
    return build_with_weights(params, found, new_classifier).model


def _build(name: str, arguments: Mapping[str, Any]) -> Backbone:
    params = _params(name, arguments)
    # Only who asks for a number of classes wants weights that have another number
    return build_backbone(params, new_classifier="class_num" in arguments)


def entry_point(name: str) -> Callable[..., Backbone]:
    """The function that stands for a model: `DLA34(class_num=10)`."""
    cls = BACKBONES[name]

    def build(**keywords: Any) -> Backbone:
        return build_model(name, **keywords)

    build.__name__ = build.__qualname__ = name
    build.__module__ = "ppcls.arch"
    build.__doc__ = (
        f"Makes {name}. {inspect.getdoc(cls)}\n\n{inspect.getdoc(BackboneParams)}"
    )
    keyword_only = []
    for parameter in list(inspect.signature(cls).parameters.values())[1:]:
        keyword_only.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
    build.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]
    return build


def _params(name: str, arguments: Mapping[str, Any]) -> BackboneParams:
    cls = BACKBONES[name]
    known = list(inspect.signature(cls).parameters)[1:]
    unknown = [f"{key}{suggest(key, known)}" for key in arguments if key not in known]
    if unknown:
        raise UserError(
            f"{name} has no argument {', '.join(unknown)}; it has {', '.join(known)}"
        )
    return cls(name, **arguments)
