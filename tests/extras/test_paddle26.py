"""The models on Paddle 2.6.2: one or two of each family against PaddleClas's logits, and one against timm's."""

from __future__ import annotations

import arch_facts as facts
import numpy as np
import paddle
import pytest

from ppcls.arch import build_model
from ppcls.arch.model_table import MODELS

NAMES = ("DLA34", "DLA46_c", "DPN68", "AlexNet", "SqueezeNet1_1", "DarkNet53", "SENet154_vd")


def test_this_is_paddle_26() -> None:
    assert paddle.__version__ == "2.6.2"


def test_every_family_is_covered() -> None:
    assert {MODELS[name].family for name in NAMES} == {info.family for info in MODELS.values()}


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_paddleclas(name: str) -> None:
    _check(name, facts.paddleclas_state(name), facts.paddleclas_logits(name))


def test_logits_are_timm() -> None:
    # PaddleClas has no Res2Net blocks.
    _check("DLA60_res2net", facts.state("timm", "dla60_res2net"), facts.logits("timm", "dla60_res2net"))


def _check(name: str, state: dict[str, np.ndarray], reference: np.ndarray) -> None:
    model = build_model(name)
    model.eval()
    assert model.set_state_dict(state) == ([], [])
    with paddle.no_grad():
        logits = model(paddle.to_tensor(facts.pictures(2, *MODELS[name].input_size[1:]))).numpy()
    assert facts.deviation(logits, reference) < 2e-4
    np.testing.assert_allclose(logits, reference, rtol=0, atol=1e-4 * np.abs(reference).max())
