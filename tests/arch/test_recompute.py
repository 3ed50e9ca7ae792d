"""Gradient checkpointing: the same training step with fewer inner results kept."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import paddle
import pytest

from helpers.small_families import shrink_large_families
from ppcls.arch import Backbone, build_model
from ppcls.arch.layers import Block

# Paddle says so whenever a batch norm trains.
pytestmark = pytest.mark.filterwarnings("ignore:When training, we now always track global mean:UserWarning")

FAMILIES = ["DLA46_c", "DLA60_res2net", "DPN68", "SqueezeNet1_1", "DarkNet53", "AlexNet"]


class Step(NamedTuple):
    loss: float
    gradients: dict[str, np.ndarray]
    statistics: dict[str, np.ndarray]


def noise(*shape: int) -> paddle.Tensor:
    return paddle.to_tensor(np.random.RandomState(0).normal(size=shape).astype("float32"))


def step(model: Backbone) -> Step:
    """One forward and one backward pass; dropout draws from the same seed every time."""
    model.train()
    paddle.seed(5)
    loss = paddle.nn.functional.cross_entropy(model(noise(2, 3, 64, 64)), paddle.to_tensor([1, 2]))
    loss.backward()
    gradients = {name: p.grad.numpy() for name, p in model.named_parameters() if p.grad is not None}
    statistics = {n: v.numpy() for n, v in model.state_dict().items() if n.endswith(("._mean", "._variance"))}
    return Step(float(loss), gradients, statistics)


def twins(name: str, **keywords: Any) -> list[Backbone]:
    """The same model without and with gradient checkpointing."""
    plain, sparing = build_model(name, class_num=4, **keywords), build_model(name, class_num=4, **keywords)
    sparing.set_state_dict(plain.state_dict())
    sparing.set_recompute()
    assert (plain.params.recompute, sparing.params.recompute) == (False, True)
    return [plain, sparing]


def assert_same_step(found: Step, expected: Step) -> None:
    assert found.loss == expected.loss
    assert list(found.gradients) == list(expected.gradients)
    for key, value in expected.gradients.items():
        np.testing.assert_allclose(found.gradients[key], value, rtol=0, atol=1e-5 * np.abs(value).max(), err_msg=key)
    for key, value in expected.statistics.items():
        np.testing.assert_array_equal(found.statistics[key], value, err_msg=key)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_step_is_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink_large_families(monkeypatch)
    plain, sparing = twins(name, drop_rate=0.3)
    assert_same_step(step(sparing), step(plain))


def test_senet_and_a_second_step() -> None:
    # One of SENet154_vd's 50 blocks stands for all; a second step finds the momenta as they were.
    from ppcls.arch.families.senet.network import SEBottleneck

    x = noise(2, 64, 8, 8)
    results = []
    for recompute in (False, True):
        paddle.seed(2)
        block = SEBottleneck(64, 128, stride=2)
        block.recompute = recompute
        for _ in range(2):
            value = x.detach()
            value.stop_gradient = False
            block(value).square().sum().backward()
        results.append([value.numpy() for value in block.state_dict().values()])
        results[-1] += [p.grad.numpy() for p in block.parameters() if p.grad is not None]
    for found, expected in zip(results[1], results[0]):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


class Counted(Block):
    """Counts its passes; batch norm and dropout inside."""

    def __init__(self) -> None:
        super().__init__()
        self.bn = paddle.nn.BatchNorm2D(3, momentum=0.5)
        self.dropout = paddle.nn.Dropout(0.5)
        self.passes = 0

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        self.passes += 1
        return self.dropout(self.bn(x))


def run(block: Counted, needs_gradient: bool = True) -> np.ndarray:
    x = noise(4, 3, 5, 5) + 2
    x.stop_gradient = not needs_gradient
    out = block(x)
    (out * out).sum().backward()
    return out.numpy()


def test_what_a_block_does_twice_and_what_once() -> None:
    block = Counted()
    block.recompute = True
    mean = (noise(4, 3, 5, 5) + 2).numpy().mean(axis=(0, 2, 3))
    run(block)
    assert block.passes == 2
    np.testing.assert_allclose(block.bn._mean.numpy(), mean / 2, rtol=1e-5)  # once: twice would be 3 / 4
    assert block.bn._momentum == 0.5
    run(block)
    np.testing.assert_allclose(block.bn._mean.numpy(), mean * 3 / 4, rtol=1e-5)
    block.recompute, block.passes = False, 0
    run(block)
    assert block.passes == 1


def test_statistics_would_be_updated_twice_without_care(monkeypatch: pytest.MonkeyPatch) -> None:
    block = Counted()
    block.recompute = True
    monkeypatch.setattr(Block, "_first_or_second_pass", paddle.nn.Layer.__call__)
    run(block)
    mean = (noise(4, 3, 5, 5) + 2).numpy().mean(axis=(0, 2, 3))
    np.testing.assert_allclose(block.bn._mean.numpy(), mean * 3 / 4, rtol=1e-5)


def test_dropout_is_drawn_alike_in_both_passes() -> None:
    block = Counted()
    block.recompute = True
    paddle.seed(3)
    out = run(block)
    # The gradient of sum(out ** 2) by the bias is the sum of 2 * out * 2 over what dropout kept.
    np.testing.assert_allclose(block.bn.bias.grad.numpy(), (4 * out).sum(axis=(0, 2, 3)), rtol=1e-4)


def test_blocks_behind_frozen_layers_train_as_well() -> None:
    block = Counted()
    block.recompute = True
    run(block, needs_gradient=False)
    assert block.passes == 1  # Paddle would give the block's parameters no gradient
    assert np.any(block.bn.weight.grad.numpy())
    plain, sparing = twins("SqueezeNet1_1", drop_rate=0.0)
    for model in (plain, sparing):
        for parameter in model.stem.parameters():
            parameter.stop_gradient = True
    assert_same_step(step(sparing), step(plain))


def test_only_training_with_gradients_recomputes() -> None:
    block = Counted()
    block.recompute = True
    block.eval()
    run(block)
    assert block.passes == 1
    block.train()
    with paddle.no_grad():
        block(noise(1, 3, 2, 2))
    assert block.passes == 2


@pytest.mark.parametrize(
    ("name", "blocks"),
    [("DLA46_c", 18), ("DPN107", 35), ("SqueezeNet1_1", 8), ("DarkNet53", 23), ("SENet154_vd", 50), ("AlexNet", 1)],
)
def test_the_argument_reaches_every_block(name: str, blocks: int) -> None:
    with paddle.LazyGuard():  # no values
        sparing, plain = build_model(name, recompute=True), build_model(name)
    assert [part.recompute for part in sparing.sublayers() if isinstance(part, Block)] == [True] * blocks
    assert [part.recompute for part in plain.sublayers() if isinstance(part, Block)] == [False] * blocks
