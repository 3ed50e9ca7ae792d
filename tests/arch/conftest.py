"""What makes the tests of weights cheap: no values are drawn that others replace, no outline is made twice."""

import functools

import pytest

from helpers.small_families import shrink_large_families
from ppcls.arch.weights import fit


@pytest.fixture(scope="module", autouse=True)
def outlines_made_once():
    """A refusal looks at the outline of every model, and changes none. Other files have smaller models."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "outline", functools.cache(fit.outline))
        yield


@pytest.fixture(scope="module")
def no_initial_values():
    """Convolutions begin with zeros, for models that get all their weights from elsewhere."""
    from paddle.nn.initializer import Constant

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ppcls.arch.layers.KaimingNormal", Constant)
        yield


@pytest.fixture
def small_networks(monkeypatch):
    """Networks with few blocks, whose outlines are not kept for other tests."""
    shrink_large_families(monkeypatch)
    monkeypatch.setattr(fit, "outline", fit.outline.__wrapped__)
