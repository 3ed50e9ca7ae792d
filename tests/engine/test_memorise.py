"""A backbone, its loss and the training loop together can learn: eight pictures of noise, by heart."""

from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from ppcls.arch import DLA34
from ppcls.engine.trainer import Trainer
from ppcls.loss import CELoss, weighted_sum
from ppcls.metric import TopkAcc


@pytest.mark.slow
def test_dla34_memorises_8_pictures():
    rng = np.random.default_rng(0)
    image = paddle.to_tensor(rng.normal(size=(8, 3, 32, 32)).astype("float32"))
    label = paddle.to_tensor(rng.permutation(8))
    batch = SimpleNamespace(image=image, label=label, index=np.arange(8))
    paddle.seed(0)
    model = DLA34(class_num=8)
    trainer = Trainer(
        model=model,
        losses=lambda logits, target: weighted_sum((CELoss(),), logits, target),
        optimizer=paddle.optimizer.Momentum(0.01, 0.9, parameters=model.parameters()),
        lr_at=lambda step: 0.01 * (1 - step / 30),
        loader=SimpleNamespace(steps_per_epoch=1, epoch=lambda epoch, start_step: iter([batch])),
        epochs=30,
        seed=0,
    )
    trainer.fit()
    model.eval()
    counter = TopkAcc(1).accumulator()
    counter.update(model(image), label)
    assert counter.result() == {"top1": 1.0}
