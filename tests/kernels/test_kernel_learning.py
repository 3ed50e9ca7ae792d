"""One model of each family learns sixteen pictures of noise by heart, on oneDNN's kernels."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from helpers.small_families import shrink_large_families
from ppcls.arch import build_model
from ppcls.kernels import selection
from ppcls.utils import cpu

STEPS = 120
# Side of the pictures
FAMILIES = {
    "DLA34": 32,
    "DPN68": 32,
    "AlexNet": 63,
    "SqueezeNet1_1": 48,
    "DarkNet53": 32,
    "SENet154_vd": 32,
}


@pytest.mark.slow
@pytest.mark.parametrize("half", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("name", FAMILIES)
def test_sixteen_pictures_are_learnt(name, half, monkeypatch):
    if half and not cpu.has_bfloat16():
        pytest.skip("the processor does not multiply bfloat16 numbers")
    shrink_large_families(monkeypatch)
    selection.use("onednn")
    size = FAMILIES[name]
    rng = np.random.default_rng(0)
    image = paddle.to_tensor(rng.normal(size=(16, 3, size, size)).astype("float32"))
    label = paddle.to_tensor(np.arange(16) % 4)
    paddle.seed(0)
    model = build_model(name, class_num=4, drop_rate=0.0)
    trained = [value for value in model.parameters() if not value.stop_gradient]
    optimizer = paddle.optimizer.Adam(3e-4, parameters=trained)
    right = 0
    for _ in range(STEPS):
        with selection.bfloat16(half):
            logits = model(image)
        assert logits.dtype == paddle.float32
        right = int((logits.argmax(1) == label).sum())
        if right == 16:
            break
        F.cross_entropy(logits, label).backward()
        assert all(value.grad.dtype == paddle.float32 for value in trained)
        optimizer.step()
        optimizer.clear_grad()
    assert right == 16
