"""`Arch.name: DistillationModel`: a model that is trained beside others that are not. Loads no Paddle."""
# No `from __future__ import annotations`: the annotations are read when a configuration is checked.

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from ppcls.arch.catalog import BACKBONES, BackboneParams
from ppcls.arch.factory import build_backbone
from ppcls.arch.weights.sources import SOURCES
from ppcls.utils.errors import suggest
from ppcls.utils.fields import Component, NonNegativeInt, ReadPath
from ppcls.utils.load_paddle import load_paddle
from ppcls.utils.registry import Registry

if TYPE_CHECKING:
    from ppcls.arch.distillation_network import DistillationModel
    from ppcls.arch.layers import Backbone

__all__ = ["DistillationModelParams", "architectures"]


@dataclass(frozen=True)
class DistillationModelParams:
    """A student that learns from frozen teachers (Hinton et al. 2015, arXiv:1503.02531), as PaddleClas writes it.

    Attributes:
        name: `DistillationModel`.
        class_num: Length of the logits of each model.
        models: A name of your choice to a backbone, each in a mapping of its own.
        freeze_params_list: For each of them whether it is frozen; all are but one.
        pretrained_list: For each of them what its `pretrained` says; null leaves that to the model.
        infer_model_name: The one that is evaluated and exported.
    """

    name: str
    class_num: NonNegativeInt = 1000
    models: tuple[dict[str, Annotated[Any, Component("backbone")]], ...] = ()
    freeze_params_list: tuple[bool, ...] = ()
    pretrained_list: (
        tuple[bool | Annotated[str, ReadPath("weights", SOURCES)] | None, ...] | None
    ) = None
    infer_model_name: str = "Student"

    def __post_init__(self) -> None:
        if len(self.models) < 2 or any(len(model) != 1 for model in self.models):
            raise ValueError(
                "models is no list of two or more `name: {name: DLA34}`; write one item for each model"
            )
        names = _names(self.models)
        if len(set(names)) < len(names):
            raise ValueError(
                f"models has the names {', '.join(names)}; write a different one for each model"
            )
        for what, given in (
            ("freeze_params_list", self.freeze_params_list),
            ("pretrained_list", self.pretrained_list),
        ):
            if given is not None and len(given) != len(names):
                raise ValueError(
                    f"{what} has the length {len(given)} for {len(names)} models; write a value for each"
                )
        if self.infer_model_name not in names:
            near = suggest(self.infer_model_name, names)
            raise ValueError(
                f"infer_model_name is {self.infer_model_name}{near}; write one of {', '.join(names)}"
            )
        trained = [
            name for name, frozen in zip(names, self.freeze_params_list) if not frozen
        ]
        if len(trained) != 1:
            raise ValueError(
                f"freeze_params_list leaves {' and '.join(trained) or 'no model'} to be trained; write false for one "
                "model and true for the others"
            )
        for model, listed in zip(
            self.models, self.pretrained_list or [None] * len(names)
        ):
            for name, params in model.items():
                self._check(name, params, listed)

    def _check(self, name: str, params: Any, listed: bool | str | None) -> None:
        if not isinstance(params, BackboneParams):
            raise ValueError(
                f"the model {name} is made of several itself; write one backbone, such as DLA34"
            )
        if params.class_num != self.class_num:
            raise ValueError(
                f"the model {name} has class_num {params.class_num}, but Arch.class_num is {self.class_num}; write "
                "the number once, as Arch.class_num"
            )
        if listed is not None and params.pretrained not in (False, listed):
            raise ValueError(
                f"the model {name} has pretrained {params.pretrained}, but pretrained_list has {listed} for it; write "
                "one of the two"
            )
        if name in self.frozen and not (listed or params.pretrained):
            raise ValueError(
                f"the model {name} is frozen and has no weights that another could learn from; write its pretrained"
            )

    @property
    def members(self) -> dict[str, BackboneParams]:
        """The models by their names, each with the weights that `pretrained_list` may have for it."""
        members = {
            name: params for model in self.models for name, params in model.items()
        }
        listed = self.pretrained_list or [None] * len(members)
        return {
            name: params if given is None else replace(params, pretrained=given)
            for (name, params), given in zip(members.items(), listed)
        }

    @property
    def frozen(self) -> tuple[str, ...]:
        """The names of those that are not trained."""
        return tuple(
            name
            for name, frozen in zip(_names(self.models), self.freeze_params_list)
            if frozen
        )

    def completed(
        self, members: Mapping[str, BackboneParams]
    ) -> "DistillationModelParams":
        """The same with other arguments of its models."""
        return replace(
            self,
            models=tuple({name: members[name]} for name in self.members),
            pretrained_list=None,
        )

    def build(self) -> "DistillationModel":
        """The models with their weights: those that are drawn come from Paddle's generator.

        Raises:
            UserError: Paddle is missing, or weights cannot be had or do not fit.
        """
        models = {name: build_backbone(params) for name, params in self.members.items()}
        return self.assemble(models)

    def assemble(self, models: Mapping[str, "Backbone"]) -> "DistillationModel":
        """Puts finished models together; those of `frozen` are frozen by it."""
        load_paddle()
        from ppcls.arch.distillation_network import DistillationModel

        return DistillationModel(self, models)


def _names(models: Iterable[Mapping[str, Any]]) -> list[str]:
    return [name for model in models for name in model]


def architectures() -> Registry:
    """What `Arch.name` may say: every backbone, and DistillationModel, which is none."""
    registry = Registry(BACKBONES.kind)
    for name in BACKBONES:
        registry.register(name)(BACKBONES[name])
    registry.register("DistillationModel")(DistillationModelParams)
    return registry
