"""Every implemented model against PaddleClas's logits and against exact counts."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple

import arch_facts as facts
import numpy as np
import paddle
import pytest

from ppcls.arch import build_model, list_models
from ppcls.arch.catalog import MODELS


class Measured(NamedTuple):
    loaded: Any
    logits: np.ndarray
    macs: int
    trainable: int
    with_statistics: int


@pytest.fixture(scope="module")
def measured() -> Dict[str, Measured]:
    pictures = paddle.to_tensor(facts.pictures(2, 224, 224))
    return {name: _measure(name, pictures) for name in list_models()}


def _measure(name: str, pictures: paddle.Tensor) -> Measured:
    model = build_model(name)
    model.eval()
    loaded = model.set_state_dict(facts.paddleclas_state(name))
    macs = []

    def count(layer: paddle.nn.Conv2D, inputs: Any, output: paddle.Tensor) -> None:
        macs.append(int(np.prod(output.shape[1:])) * int(np.prod(layer.weight.shape[1:])))

    for layer in model.sublayers():
        if isinstance(layer, paddle.nn.Conv2D):
            layer.register_forward_post_hook(count)
    with paddle.no_grad():
        logits = model(pictures).numpy()
    sizes = [(p.size, not p.stop_gradient) for p in model.parameters()]
    trainable = sum(size for size, trained in sizes if trained)
    return Measured(loaded, logits, sum(macs), trainable, sum(size for size, _ in sizes))


def test_twelve_models_give_paddleclas_logits(measured: Dict[str, Measured]) -> None:
    deviations = {n: facts.deviation(m.logits, facts.paddleclas_logits(n)) for n, m in measured.items()}
    assert {name: value for name, value in deviations.items() if not value < 2e-4} == {}
    assert len(deviations) == 12


def test_absolute_logits_are_paddleclas_too(measured: Dict[str, Measured]) -> None:
    # The measure above looks at a difference of two pictures and does not see what both have in common.
    for name, m in measured.items():
        reference = facts.paddleclas_logits(name)
        np.testing.assert_allclose(m.logits, reference, rtol=0, atol=1e-4 * np.abs(reference).max(), err_msg=name)


def test_paddleclas_dictionary_fills_everything(measured: Dict[str, Measured]) -> None:
    assert {name: m.loaded for name, m in measured.items()} == {name: ([], []) for name in measured}


def test_parameters_are_counted_exactly(measured: Dict[str, Measured]) -> None:
    ours = {name: (m.trainable, m.with_statistics) for name, m in measured.items()}
    assert ours == {n: (MODELS[n].trainable_params, MODELS[n].params_with_statistics) for n in list_models()}


def test_multiply_accumulates_are_as_stated(measured: Dict[str, Measured]) -> None:
    for name, m in measured.items():
        assert m.macs == pytest.approx(MODELS[name].macs, rel=0.005), name


@pytest.mark.parametrize("name", list_models("DLA*"))
def test_dla_names_and_shapes_are_paddleclas(name: str) -> None:
    with paddle.LazyGuard():  # shapes only, no values
        ours = {key: list(value.shape) for key, value in build_model(name).state_dict().items()}
    assert ours == facts.paddleclas_shapes(name)
