"""Optimizers and losses under the trainer; each resumes to the bits of the run that nobody stopped."""

import numpy as np
import paddle
import pytest

from ppcls.engine import checkpoint
from ppcls.engine.callbacks import SaveCheckpoints
from ppcls.loss import (
    CELoss,
    DistillationCELoss,
    DistillationDMLLoss,
    DistillationGTCELoss,
    DistillationJSDivLoss,
    DistillationKLDivLoss,
    weighted_sum,
)
from ppcls.optimizer import L2, OPTIMIZERS, SGD, Adam, AdamW, Constant, Momentum, RMSProp

SHARED = {"lr": Constant(0.1), "clip_norm_global": 0.5, "one_dim_param_no_weight_decay": True}
COMPONENTS = [
    SGD(**SHARED, regularizer=L2(0.1)),
    Momentum(**SHARED, regularizer=L2(0.1), use_nesterov=True),
    RMSProp(**SHARED, regularizer=L2(0.1), momentum=0.9, rho=0.9, epsilon=1e-3),
    Adam(lr=Constant(0.1), regularizer=L2(0.1)),
    AdamW(**SHARED, no_weight_decay_name="0.weight", weight_decay=0.1),
]


def weights(trainer):
    return {name: value.numpy() for name, value in trainer.model.state_dict().items()}


def test_every_optimizer_is_here():
    assert {type(component) for component in COMPONENTS} == {OPTIMIZERS[name] for name in OPTIMIZERS}


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: type(component).__name__)
def test_resumed_bit_for_bit(tmp_path, make_trainer, restore, component):
    def make(epochs, callbacks=()):
        trainer = make_trainer(callbacks, epochs=epochs)
        trainer.optimizer = component.build(0.1, list(trainer.model.named_parameters()))
        return trainer

    whole = make(3)
    whole.fit()
    make(1, [SaveCheckpoints(tmp_path, 1, None, 3, {})]).fit()
    resumed = restore(make(3), tmp_path / "latest")
    assert (resumed.state.epoch, resumed.state.step) == (1, 0)
    resumed.fit()
    for name, value in weights(whole).items():
        np.testing.assert_array_equal(value, weights(resumed)[name])
    if not isinstance(component, SGD):
        assert checkpoint.read(tmp_path).optimizer()


def test_a_clipped_run_takes_smaller_steps(make_trainer):
    moved = []
    for limit in (None, 0.01):
        trainer = make_trainer(epochs=1)
        before = weights(trainer)
        component = SGD(Constant(0.1), clip_norm_global=limit)
        trainer.optimizer = component.build(0.1, list(trainer.model.named_parameters()))
        trainer.fit()
        moved.append(np.sqrt(sum(((value - before[name]) ** 2).sum() for name, value in weights(trainer).items())))
    rates = 0.1 * (1 + 1 / 2 + 1 / 3 + 1 / 4)  # of the four steps
    assert moved[1] <= 0.01 * rates * (1 + 1e-5) < 0.1 * moved[0]


def test_each_of_several_losses_gets_to_the_log(make_trainer, recorder):
    trainer = make_trainer([recorder], epochs=1)
    losses = (CELoss(0.5), CELoss(2.0, class_weights=(1, 2, 3)))
    trainer.losses = lambda logits, label: weighted_sum(losses, logits, label)
    trainer.fit()
    for _, values in recorder.values:
        assert list(values) == ["top1", "top2", "CELoss", "CELoss_2", "loss"]
        assert values["loss"] == pytest.approx(values["CELoss"] + values["CELoss_2"], rel=1e-6)


class Pair(paddle.nn.Layer):
    """A student beside a frozen teacher of the same shape, whose scores are certain."""

    def __init__(self, teacher, student):
        super().__init__()
        self.teacher, self.student = teacher, student
        for parameter in teacher.parameters():
            parameter.set_value(8 * paddle.sin(100 * parameter))
            parameter.stop_gradient = True

    def forward(self, image):
        return {"Teacher": self.teacher(image), "Student": self.student(image)}


@pytest.mark.parametrize(
    "kind", [DistillationCELoss, DistillationKLDivLoss, DistillationDMLLoss, DistillationJSDivLoss]
)
def test_a_student_learns_from_a_frozen_teacher(make_trainer, recorder, kind):
    trainer = make_trainer([recorder], epochs=40)
    trainer.model = Pair(paddle.nn.Linear(3, 3), paddle.nn.Linear(3, 3))
    trainer.losses = lambda outputs, label: weighted_sum((kind(), DistillationGTCELoss(1e-6)), outputs, label)
    trainer.optimizer = Momentum(Constant(0.1)).build(0.1, list(trainer.model.named_parameters()))
    trainer.lr_at, trainer.metrics = lambda step: 0.1, ()
    taught = {name: value.numpy().copy() for name, value in trainer.model.teacher.state_dict().items()}
    trainer.fit()
    first, last = (recorder.values[step][1][kind.__name__] for step in (3, -1))
    assert last < first / 2
    for name, value in trainer.model.teacher.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), taught[name])
