"""The registry of backbones and the arguments that all of them take. Loads no Paddle."""
# No `from __future__ import annotations`: the annotations are read when a configuration is checked.

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ppcls.arch.weights.sources import SOURCES
from ppcls.utils.fields import (
    BelowOne,
    CheckedFields,
    NonNegativeInt,
    PositiveInt,
    ReadPath,
    require,
)
from ppcls.utils.load_paddle import load_paddle
from ppcls.utils.registry import Registry

if TYPE_CHECKING:
    from ppcls.arch.layers import Backbone

# A class of arguments per model name. The families in `ppcls.arch.families` register theirs.
BACKBONES = Registry("backbone")


@dataclass(frozen=True)
class BackboneParams(CheckedFields):
    """The arguments of every backbone. A family adds its own in a subclass, whose `_make` makes the network.

    Attributes:
        name: The model's name.
        class_num: Length of the logits; 0 leaves the classifier out and gives pooled features.
        in_channels: Channels of the input.
        drop_rate: Share of values that dropout removes before the classifier, in training only.
        pretrained: False; True for the official ImageNet weights; the name of a source of such weights (`timm`); the
            address of a weights file (http or https); or the path of one or of a checkpoint's folder.
        use_ema: Whether a file that holds both weights and their exponential moving average gives the average, as
            timm has it.
        recompute: Whether training keeps the inputs of blocks only and computes the rest again in the backward
            pass: less memory for about a third more time.
        freeze: What training leaves as it is: `backbone` for all that comes before the head, or the number of stages
            from the stem on; 0 for nothing. Batch norms are in evaluation mode there.
    """

    name: str
    class_num: NonNegativeInt = 1000
    in_channels: PositiveInt = 3
    drop_rate: BelowOne = 0.0
    pretrained: bool | Annotated[str, ReadPath("weights", SOURCES)] = False
    use_ema: bool = True
    recompute: bool = False
    freeze: Literal["backbone"] | NonNegativeInt = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.pretrained != "",
            "pretrained is ''; write true, false, a source's name, an address or a path",
        )

    @property
    def own_arguments(self) -> dict[str, Any]:
        """The arguments that only the model's family has: its geometry."""
        common = {field.name for field in fields(BackboneParams)}
        own = {}
        for field in fields(self):
            if field.name not in common:
                own[field.name] = getattr(self, field.name)
        return own

    @property
    def record(self) -> dict[str, Any] | None:
        """What weights do not show of their model: the arguments of its own family. None if it has no such."""
        arguments = self.own_arguments
        if arguments:
            return {"model": self.name, "arguments": arguments}
        return None

    def make(self) -> "Backbone":
        """A new model with weights drawn from Paddle's generator, whatever `pretrained` says.

        Raises:
            Unavailable: Paddle, or something that it needs, is missing.
        """
        load_paddle()
        model = self._make()
        model.set_recompute(self.recompute)
        model.freeze(self.freeze)
        return model

    def _make(self) -> "Backbone":
        """A new network; Paddle is there when this is called."""
        raise NotImplementedError
