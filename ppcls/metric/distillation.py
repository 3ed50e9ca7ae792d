from dataclasses import dataclass
from typing import Any

from ppcls.metric.topk import METRICS, TopkAcc, TopkCounter
from ppcls.utils.errors import UserError, suggest


@METRICS.register()
@dataclass(frozen=True)
class DistillationTopkAcc(TopkAcc):
    """TopkAcc of one of several models, the one that is called `model_key`.

    Attributes:
        model_key: the model whose answers count.
    """

    model_key: str = "Student"

    @property
    def model_names(self) -> tuple[str, ...]:
        """The models whose logits it reads."""
        return (self.model_key,)

    def accumulator(self) -> "NamedTopkCounter":
        """A counter that has seen nothing."""
        return NamedTopkCounter(self.ks, self.model_key)

    def alone(self) -> TopkAcc:
        """The same of a model that gives its logits alone."""
        return TopkAcc(self.topk)


class NamedTopkCounter(TopkCounter):
    """Counts what one of several models answers."""

    def __init__(self, ks: tuple[int, ...], model_key: str) -> None:
        super().__init__(ks)
        self.model_key = model_key

    def update(self, logits: Any, target: Any) -> None:
        """Counts a batch; `logits` are by the models' names.

        Raises:
            UserError: the model is not among them.
        """
        if self.model_key not in logits:
            near = suggest(self.model_key, logits)
            raise UserError(
                f"a metric names the model {self.model_key}{near}, but the models are {', '.join(logits)}; write one"
            )
        super().update(logits[self.model_key], target)
