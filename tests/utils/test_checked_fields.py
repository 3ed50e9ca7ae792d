"""Components made in Python are checked against the annotations that configurations are checked against."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from ppcls.data.batch_transforms import BATCH_TRANSFORMS
from ppcls.data.datasets import DATASETS
from ppcls.data.postprocess import POSTPROCESSES
from ppcls.data.sampler import SAMPLERS
from ppcls.data.transforms import TRANSFORMS
from ppcls.loss.celoss import LOSSES
from ppcls.metric import METRICS
from ppcls.optimizer import OPTIMIZERS, REGULARIZERS, SCHEDULES
from ppcls.utils.fields import (
    BelowOne,
    CheckedFields,
    Component,
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Range,
    Size,
    allows,
)

REGISTRIES = (
    BATCH_TRANSFORMS,
    DATASETS,
    LOSSES,
    METRICS,
    OPTIMIZERS,
    POSTPROCESSES,
    REGULARIZERS,
    SAMPLERS,
    SCHEDULES,
    TRANSFORMS,
)


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_every_component_checks_its_fields(registry):
    unchecked = [name for name in registry if not issubclass(registry[name], CheckedFields)]
    assert unchecked == [] and registry.names()


@pytest.mark.parametrize(
    ("annotation", "right", "wrong"),
    [
        (int, [0, -3, np.int64(2)], [1.0, True, "1", None]),
        (float, [0.5, 2, np.float32(0.5)], ["0.5", True, None]),
        (bool, [True], [1, None]),
        (str, ["a", ""], [1, None]),
        (Any, [1, None, "a"], []),
        (PositiveInt, [1], [0, -1, float("nan")]),
        (NonNegativeInt, [0], [-1]),
        (PositiveFloat, [1e-9], [0, -1.0, float("nan")]),
        (NonNegativeFloat, [0], [-1e-9]),
        (Fraction, [0, 1], [1.001, -0.001, float("nan")]),
        (BelowOne, [0, 0.999], [1, -0.001]),
        (PositiveInt | None, [None, 1], [0]),
        (Size, [4, (4, 5), [4, 5]], [0, (4,), (4, 0), (1, 2, 3), 4.5]),
        (tuple[Fraction, ...], [(), (0, 1), [0.5]], [(2,), 0.5, "1"]),
        (list[int], [[1, 2]], [["1"]]),
        (Literal["a", 1, None], ["a", 1, None], ["b", True, 2]),
        (Annotated[Any, Component("loss")], [None, object()], []),
    ],
)
def test_values_that_an_annotation_allows(annotation, right, wrong):
    assert [value for value in right if not allows(annotation, value)] == []
    assert [value for value in wrong if allows(annotation, value)] == []


@dataclass(frozen=True)
class Parent(CheckedFields):
    rate: BelowOne = 0.5
    mode: Literal["slow", "fast"] = "slow"
    sizes: tuple[PositiveInt, ...] = (1,)


@dataclass(frozen=True)
class Child(Parent):
    steps: Annotated[int, Range(low=1, high=9)] = 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rate": 1}, "rate is 1; write a number of at least 0 and below 1"),
        ({"mode": "idle"}, "mode is 'idle'; write 'slow' or 'fast'"),
        ({"sizes": (1, 0)}, "sizes is [1, 0]; write a list of whole numbers of at least 1"),
        ({"steps": 10}, "steps is 10; write a whole number from 1 to 9"),
    ],
)
def test_a_wrong_value_is_named_with_what_to_write(values, message):
    with pytest.raises(ValueError) as caught:
        Child(**values)
    assert str(caught.value) == message
    assert Child(0.9, "fast", (3,), 9).steps == 9
