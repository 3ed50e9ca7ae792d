"""`Arch.name: DistillationModel`: a model that is trained beside frozen ones. Loads no Paddle."""
# No `from __future__ import annotations`: the annotations are read when a configuration is checked.

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from ppcls.arch.catalog import BackboneParams
from ppcls.arch.factory import build_backbone
from ppcls.arch.weights.sources import SOURCES
from ppcls.utils.errors import suggest
from ppcls.utils.fields import Component, NonNegativeInt, ReadPath, require
from ppcls.utils.load_paddle import load_paddle

if TYPE_CHECKING:
    from ppcls.arch.distillation_network import DistillationModel
    from ppcls.arch.layers import Backbone


@dataclass(frozen=True)
class DistillationModelParams:
    """A student that learns from frozen teachers (Hinton et al. 2015, arXiv:1503.02531), as PaddleClas writes it.

    Attributes:
        name: `DistillationModel`.
        class_num: Length of the logits of each model.
        models: A name of your choice to a backbone, each in a mapping of its own.
        freeze_params_list: For each model whether it is frozen; all but one are.
        pretrained_list: For each model its `pretrained`; null leaves that to the model.
        infer_model_name: The model that is evaluated and exported.
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
        self._check_names()
        self._check_length("freeze_params_list", self.freeze_params_list)
        self._check_length("pretrained_list", self.pretrained_list)
        self._check_roles()
        pretrained = self._pretrained()
        for name, params in self._backbones().items():
            self._check_model(name, params, pretrained[name])

    def _check_names(self) -> None:
        if len(self.models) < 2 or any(len(model) != 1 for model in self.models):
            raise ValueError(
                "models is not a list of two or more `name: {name: DLA34}`; write one item for each model"
            )
        names = [next(iter(model)) for model in self.models]
        require(
            len(set(names)) == len(names),
            f"models has the names {', '.join(names)}; write a different one for each model",
        )

    def _check_length(self, key: str, given: tuple[Any, ...] | None) -> None:
        count = len(self.models)
        if given is not None and len(given) != count:
            raise ValueError(
                f"{key} has the length {len(given)} for {count} models; write a value for each"
            )

    def _check_roles(self) -> None:
        """Check that one model is trained, and that the one to evaluate is among the models."""
        names = list(self._backbones())
        if self.infer_model_name not in names:
            near = suggest(self.infer_model_name, names)
            raise ValueError(
                f"infer_model_name is {self.infer_model_name}{near}; write one of {', '.join(names)}"
            )
        trained = [name for name in names if name not in self.frozen]
        require(
            len(trained) == 1,
            f"freeze_params_list leaves {' and '.join(trained) or 'no model'} to be trained; write false for one "
            "model and true for the others",
        )

    def _check_model(self, name: str, params: Any, listed: bool | str | None) -> None:
        """Check one model against its entries in the lists."""
        require(
            isinstance(params, BackboneParams),
            f"the model {name} is made of several itself; write one backbone, such as DLA34",
        )
        require(
            params.class_num == self.class_num,
            f"the model {name} has class_num {params.class_num}, but Arch.class_num is {self.class_num}; write "
            "the number once, as Arch.class_num",
        )
        if listed is not None and params.pretrained not in (False, listed):
            raise ValueError(
                f"the model {name} has pretrained {params.pretrained}, but pretrained_list has {listed} for it; write "
                "one of the two"
            )
        has_weights = listed or params.pretrained
        if name in self.frozen and not has_weights:
            raise ValueError(
                f"the model {name} is frozen and has no weights that another could learn from; write its pretrained"
            )

    def _backbones(self) -> dict[str, BackboneParams]:
        """The models by their names, as `models` has them."""
        backbones: dict[str, BackboneParams] = {}
        for model in self.models:
            backbones.update(model)
        return backbones

    def _pretrained(self) -> dict[str, bool | str | None]:
        """What `pretrained_list` has for each model."""
        names = list(self._backbones())
        if self.pretrained_list is None:
            return dict.fromkeys(names)
        return dict(zip(names, self.pretrained_list))

    @property
    def members(self) -> dict[str, BackboneParams]:
        """The models by their names, with the weights of `pretrained_list`."""
        members = self._backbones()
        for name, pretrained in self._pretrained().items():
            if pretrained is not None:
                members[name] = replace(members[name], pretrained=pretrained)
        return members

    @property
    def frozen(self) -> tuple[str, ...]:
        """The names of the models that are not trained."""
        pairs = zip(self._backbones(), self.freeze_params_list)
        return tuple(name for name, frozen in pairs if frozen)

    def completed(
        self, members: Mapping[str, BackboneParams]
    ) -> "DistillationModelParams":
        """The same with other arguments of its models."""
        models = tuple({name: members[name]} for name in self._backbones())
        return replace(self, models=models, pretrained_list=None)

    def build(self) -> "DistillationModel":
        """The models with their weights: those that are drawn come from Paddle's generator.

        Raises:
            UserError: Paddle is missing, or weights cannot be had or do not fit.
        """
        models: dict[str, Backbone] = {}
        for name, params in self.members.items():
            models[name] = build_backbone(params)
        return self.assemble(models)

    def assemble(self, models: Mapping[str, "Backbone"]) -> "DistillationModel":
        """Put finished models together, and freeze those of `frozen`."""
        load_paddle()
        from ppcls.arch.distillation_network import DistillationModel

        return DistillationModel(self, models)
