"""Every model against the logits of the library that it comes from, and against exact counts."""

from __future__ import annotations

import gc
from typing import Any, NamedTuple

import arch_facts as facts
import numpy as np
import paddle
import pytest

from ppcls.arch import build_model, list_models
from ppcls.arch.model_table import MODELS

pytestmark = pytest.mark.usefixtures("no_initial_values")

TORCHVISION = {"stem_padding": 0, "ceil_pooling": True}


# Of these, a smaller model of the same class and all of its parts is measured in every run.
LARGER = ("DLA102x", "DLA102x2", "DLA169", "DPN98", "DPN107", "DPN131")


class Measured(NamedTuple):
    loaded: Any
    logits: Any
    macs: int
    trainable: int
    with_statistics: int


@pytest.fixture(
    scope="module", params=[pytest.param(False, id="usual"), pytest.param(True, id="larger", marks=pytest.mark.long)]
)
def measured(request: pytest.FixtureRequest, no_initial_values: None) -> dict[str, Measured]:
    names = [name for name in list_models() if _fact_of(name) and (name in LARGER) == request.param]
    return {name: _measure(name) for name in names}


def _fact_of(name: str) -> tuple[str, str] | None:
    """The source of a model's reference logits and its name there; None for a model without a reference."""
    for source, theirs in (("paddleclas", name), ("timm", name.lower())):
        if (facts.FACTS / source / f"{theirs}.npy").is_file():
            return source, theirs
    return None


def test_every_reference_of_paddleclas_belongs_to_a_model() -> None:
    references = {path.stem for path in (facts.FACTS / "paddleclas").glob("*.npy")}
    assert references == {name for name, info in MODELS.items() if "paddleclas" in info.published}
    assert len(references) >= 20


def _measure(name: str) -> Measured:
    source = _fact_of(name)
    model = build_model(name)
    model.eval()
    loaded = model.set_state_dict(facts.state(*source))
    macs: list[int] = []

    def count(layer: Any, inputs: Any, output: paddle.Tensor) -> None:
        inputs_of_one = layer.weight.shape[:1] if isinstance(layer, paddle.nn.Linear) else layer.weight.shape[1:]
        macs.append(int(np.prod(output.shape[1:])) * int(np.prod(inputs_of_one)))

    for layer in model.sublayers():
        if isinstance(layer, (paddle.nn.Conv2D, paddle.nn.Linear)):
            layer.register_forward_post_hook(count)
    with paddle.no_grad():
        logits = model(paddle.to_tensor(facts.pictures(2, *facts.input_size(*source)))).numpy()
    sizes = [(p.size, not p.stop_gradient) for p in model.parameters()]
    trainable = sum(size for size, trained in sizes if trained)
    del model
    gc.collect()  # the layers and their hooks refer to one another
    return Measured(loaded, logits, sum(macs), trainable, sum(size for size, _ in sizes))


def test_all_models_give_the_logits_of_their_origin(measured: dict[str, Measured]) -> None:
    deviations = {name: facts.deviation(m.logits, facts.logits(*_fact_of(name))) for name, m in measured.items()}
    assert {name: value for name, value in deviations.items() if not value < 2e-4} == {}


def test_every_model_of_the_table_has_a_reference() -> None:
    assert {name for name in list_models() if _fact_of(name)} >= {*facts.table(), *LARGER}


def test_absolute_logits_are_those_of_the_origin_too(measured: dict[str, Measured]) -> None:
    # The measure above looks at a difference of two pictures and does not see what both have in common.
    for name, m in measured.items():
        reference = facts.logits(*_fact_of(name))
        np.testing.assert_allclose(m.logits, reference, rtol=0, atol=1e-4 * np.abs(reference).max(), err_msg=name)


def test_the_dictionaries_fill_everything(measured: dict[str, Measured]) -> None:
    assert {name: m.loaded for name, m in measured.items()} == {name: ([], []) for name in measured}


def test_parameters_are_counted_exactly(measured: dict[str, Measured]) -> None:
    ours = {name: (m.trainable, m.with_statistics) for name, m in measured.items()}
    assert ours == {n: (MODELS[n].trainable_params, MODELS[n].params_with_statistics) for n in measured}


def test_parameters_of_the_larger_models_are_counted_exactly() -> None:
    for name in LARGER:
        with paddle.LazyGuard():  # no values
            sizes = [(p.size, not p.stop_gradient) for p in build_model(name).parameters()]
        counted = sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes)
        assert counted == (MODELS[name].trainable_params, MODELS[name].params_with_statistics), name


def test_multiply_accumulates_are_as_stated(measured: dict[str, Measured]) -> None:
    for name, m in measured.items():
        assert m.macs == pytest.approx(MODELS[name].macs, rel=0.005), name


@pytest.mark.parametrize(
    ("source", "name", "arguments"),
    [
        ("timm", "DLA34", {}),
        ("timm", "DLA60", {}),
        ("ucbdrive", "DLA34", {}),
        ("ucbdrive", "DLA60", {}),
        ("timm", "DPN68", {"epsilon": 1e-3}),
        ("timm", "DPN68", {"epsilon": 1e-5}),  # the variances take the difference
        ("timm", "DarkNet53", {"activation_slope": 0.01}),
        ("torchvision", "AlexNet", {}),
        ("torchvision", "SqueezeNet1_0", TORCHVISION),
        ("torchvision", "SqueezeNet1_1", TORCHVISION),
    ],
)
def test_other_sources_give_their_logits(source: str, name: str, arguments: dict[str, Any]) -> None:
    model, fact = build_model(name, **arguments), name.lower()
    model.eval()
    assert model.set_state_dict(facts.state(source, fact)) == ([], [])
    with paddle.no_grad():
        logits = model(paddle.to_tensor(facts.pictures(2, *facts.input_size(source, fact)))).numpy()
    reference = facts.logits(source, fact)
    assert facts.deviation(logits, reference) < 2e-4
    np.testing.assert_allclose(logits, reference, rtol=0, atol=1e-4 * np.abs(reference).max())
