import math

import numpy as np
import paddle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.messages import says
from ppcls.optimizer import SCHEDULES, Constant, Cosine, Linear, MultiStepDecay, Piecewise, Step

STEPS, EPOCHS = 10, 100  # steps an epoch, epochs


def rates(schedule, steps_per_epoch=STEPS, epochs=EPOCHS):
    return [schedule.lr_at(step, steps_per_epoch, epochs) for step in range(steps_per_epoch * epochs)]


def at(schedule, *steps):
    return [schedule.lr_at(step, STEPS, EPOCHS) for step in steps]


def test_constant():
    assert set(rates(Constant(0.3))) == {0.3}


def test_cosine_by_its_numbers():
    assert at(Cosine(0.4), 0, 500, 1000) == pytest.approx([0.4, 0.2, 0.0])
    assert at(Cosine(0.4), 1, 250, 750, 999) == pytest.approx(
        [0.2 * (1 + math.cos(math.pi * step / 1000)) for step in (1, 250, 750, 999)]
    )
    assert at(Cosine(0.4, eta_min=0.1), 0, 500, 1000) == pytest.approx([0.4, 0.25, 0.1])


def test_cosine_decays_over_what_the_warm_up_leaves():
    schedule = Cosine(0.4, warmup_epoch=20, warmup_start_lr=0.1)
    assert at(schedule, 0, 100, 199, 200, 600, 1000) == pytest.approx([0.1, 0.25, 0.3985, 0.4, 0.2, 0.0])


def test_linear_by_its_numbers():
    assert at(Linear(0.4), 0, 1, 250, 1000) == pytest.approx([0.4, 0.3996, 0.3, 0.0])
    assert at(Linear(0.4, end_lr=0.1), 0, 500, 1000) == pytest.approx([0.4, 0.25, 0.1])
    assert at(Linear(0.4, power=2.0), 500) == pytest.approx([0.1])
    assert at(Linear(0.4, warmup_steps=200), 100, 200, 600) == pytest.approx([0.2, 0.4, 0.2])


def test_polynomial_by_its_numbers():
    schedule = SCHEDULES["Polynomial"](0.4, warmup_epoch=20, end_lr=0.1, power=2.0)
    assert at(schedule, 0, 100, 200, 600, 800, 1000) == pytest.approx([0.0, 0.2, 0.4, 0.175, 0.11875, 0.1])
    assert SCHEDULES["Polynomial"] is SCHEDULES["Poly"] is SCHEDULES["Linear"]


def test_step_by_its_numbers():
    schedule = Step(0.8, step_size=30, gamma=0.5)
    assert at(schedule, 0, 299, 300, 599, 600, 900, 999) == [0.8, 0.8, 0.4, 0.4, 0.2, 0.1, 0.1]


def test_parts_of_an_epoch_count_in_whole_steps():
    """2.4 epochs of 10 steps are 24 steps, and 0.01 epochs one step at least."""
    schedule = Step(0.1, step_size=2.4, gamma=0.5)
    assert [schedule.lr_at(step, 10, 100) for step in (0, 23, 24, 47, 48)] == [0.1, 0.1, 0.05, 0.05, 0.025]
    assert [Step(0.1, step_size=0.01, gamma=0.5).lr_at(step, 10, 4) for step in (0, 1, 2)] == [0.1, 0.05, 0.025]
    assert Step(0.1, step_size=2.46, gamma=0.5).lr_at(24, 10, 100) == 0.05


def test_milestones_by_their_numbers():
    schedule = MultiStepDecay(0.1, milestones=(2, 3), gamma=0.5)
    assert [schedule.lr_at(step, 10, 4) for step in (0, 19, 20, 29, 30, 39)] == [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]


def test_rates_by_epoch():
    """Half a cosine over 4 epochs: 1, (1 + sqrt(1/2)) / 2, 1/2 ..., each for ten steps."""
    schedule = Cosine(0.1, by_epoch=True)
    expected = [0.1 * (1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in range(4)]
    assert [schedule.lr_at(step, 10, 4) for step in range(40)] == pytest.approx(np.repeat(expected, 10))
    warm = Linear(0.3, warmup_epoch=3, warmup_start_lr=0.06, by_epoch=True)
    assert [warm.lr_at(10 * epoch + 9, 10, 6) for epoch in range(6)] == pytest.approx([0.06, 0.14, 0.22, 0.3, 0.2, 0.1])
    assert [Step(0.1, step_size=2, gamma=0.5, by_epoch=True).lr_at(step, 10, 4) for step in (19, 20)] == [0.1, 0.05]
    stretches = Piecewise(decay_epochs=(1, 3), values=(3, 2, 1), by_epoch=True)
    assert [stretches.lr_at(step, 10, 4) for step in (9, 10, 29, 30)] == [3, 2, 2, 1]


@pytest.mark.parametrize("warmup", [0, 2])
def test_rates_by_epoch_agree_with_paddles_own(warmup):
    """Paddle's schedulers, stepped once per epoch as PaddleClas does with by_epoch."""
    epochs = 7
    inner = paddle.optimizer.lr.CosineAnnealingDecay(0.1, epochs - warmup, eta_min=0.01)
    theirs = inner if not warmup else paddle.optimizer.lr.LinearWarmup(inner, warmup, 0.02, 0.1)
    ours = Cosine(0.1, eta_min=0.01, warmup_epoch=warmup, warmup_start_lr=0.02, by_epoch=True)
    for epoch in range(epochs):
        assert ours.lr_at(5 * epoch + 3, 5, epochs) == pytest.approx(theirs())
        theirs.step()


def test_piecewise_by_its_numbers():
    schedule = Piecewise(decay_epochs=(30, 60, 90), values=(0.1, 0.01, 0.001, 0.0001))
    assert at(schedule, 0, 299, 300, 599, 600, 899, 900, 999) == [
        0.1, 0.1, 0.01, 0.01, 0.001, 0.001, 0.0001, 0.0001,
    ]  # fmt: skip


def test_piecewise_by_gamma():
    schedule = Piecewise(0.8, decay_epochs=(30, 60), gamma=0.5)
    assert at(schedule, 0, 299, 300, 600) == [0.8, 0.8, 0.4, 0.2]


def test_epochs_count_from_the_start_whatever_the_warm_up():
    warm = {"warmup_epoch": 5, "warmup_start_lr": 0.0}
    piecewise = Piecewise(decay_epochs=(30,), values=(0.1, 0.01), **warm)
    assert at(piecewise, 0, 25, 50, 299, 300) == pytest.approx([0, 0.05, 0.1, 0.1, 0.01])
    assert at(Step(0.1, **warm), 0, 25, 50, 299, 300) == pytest.approx([0, 0.05, 0.1, 0.1, 0.01])


def test_a_warm_up_over_a_boundary_ends_where_the_decay_has_come_to():
    schedule = Piecewise(decay_epochs=(2,), values=(0.1, 0.01), warmup_epoch=5)
    assert at(schedule, 25, 49, 50, 51) == pytest.approx([0.005, 0.0098, 0.01, 0.01])


def test_warm_up_in_steps_and_in_parts_of_an_epoch():
    assert at(Constant(0.4, warmup_steps=4), 0, 1, 3, 4) == pytest.approx([0, 0.1, 0.3, 0.4])
    assert at(Constant(0.4, warmup_epoch=0.4), 0, 1, 3, 4) == pytest.approx([0, 0.1, 0.3, 0.4])
    assert at(Constant(0.4, warmup_start_lr=0.8, warmup_steps=4), 0, 2, 4) == pytest.approx([0.8, 0.6, 0.4])


def test_a_warm_up_as_long_as_the_training_never_ends():
    assert rates(Cosine(0.4, warmup_epoch=5), 2, 4) == pytest.approx([0.04 * step for step in range(8)])


@pytest.mark.parametrize("warmup", [0, 5])
def test_cosine_and_linear_agree_with_paddles_own(warmup):
    total = (EPOCHS - warmup) * STEPS
    cosine = paddle.optimizer.lr.CosineAnnealingDecay(0.1, total, eta_min=0.001)
    linear = paddle.optimizer.lr.PolynomialDecay(0.1, total, end_lr=0.001, power=2.0)
    for ours, theirs in ((Cosine, cosine), (Linear, linear)):
        if warmup:
            theirs = paddle.optimizer.lr.LinearWarmup(theirs, warmup * STEPS, 0.01, 0.1)
        own = {"eta_min": 0.001} if ours is Cosine else {"end_lr": 0.001, "power": 2.0}
        schedule = ours(0.1, warmup_epoch=warmup, warmup_start_lr=0.01, **own)
        wanted = []
        for _ in range(STEPS * EPOCHS):
            wanted.append(theirs())
            theirs.step()
        assert np.abs(np.array(rates(schedule)) - wanted).max() < 1e-9


def test_linear_scaling():
    assert Cosine(0.1, scale="linear").factor(64, 256) == 0.25
    assert Cosine(0.1).factor(64, 256) == 1.0


positive = st.floats(1e-6, 10)
warm_ups = st.one_of(
    st.fixed_dictionaries({"warmup_epoch": st.floats(0, 12), "warmup_start_lr": st.floats(0, 10)}),
    st.fixed_dictionaries({"warmup_steps": st.integers(0, 80), "warmup_start_lr": st.floats(0, 10)}),
)


@st.composite
def schedules(draw):
    """A schedule that falls, and its rates."""
    name = draw(st.sampled_from(sorted(SCHEDULES)))
    lr, warm_up = draw(positive), draw(warm_ups)
    low = lr * draw(st.floats(0, 1))
    boundaries = tuple(sorted(draw(st.sets(st.integers(1, 12), max_size=3))))
    own = {
        "Constant": {},
        "Cosine": {"eta_min": low},
        **{alias: {"end_lr": low, "power": draw(st.floats(0.5, 3))} for alias in ("Linear", "Polynomial", "Poly")},
        "ConstLR": {},
        "Step": {"step_size": draw(st.integers(1, 12) | st.floats(0.1, 12)), "gamma": draw(st.floats(0, 1))},
        "MultiStepDecay": {"milestones": boundaries or (1,), "gamma": draw(st.floats(0, 1))},
        "Piecewise": {"decay_epochs": boundaries, "values": tuple(lr / (1 + i) for i in range(len(boundaries) + 1))},
    }[name]
    return SCHEDULES[name](learning_rate=lr, **warm_up, **own)


@given(schedule=schedules(), steps_per_epoch=st.integers(1, 7), epochs=st.integers(1, 12))
def test_every_schedule_warms_up_in_a_line_and_then_only_falls(schedule, steps_per_epoch, epochs):
    values = np.array([schedule.lr_at(step, steps_per_epoch, epochs) for step in range(steps_per_epoch * epochs + 100)])
    warmup = schedule.warmup_steps or round(schedule.warmup_epoch * steps_per_epoch)
    highest = max(schedule.learning_rate, schedule.warmup_start_lr)
    assert (values >= 0).all() and (values <= highest * (1 + 1e-12)).all()
    assert (np.diff(values[warmup:]) <= 1e-12).all()
    if warmup:
        assert np.allclose(
            np.diff(values[: warmup + 1]), (values[warmup] - schedule.warmup_start_lr) / warmup, atol=1e-9
        )


@given(
    lr=positive, share=st.floats(0, 1), power=st.floats(0.1, 5), warm_up=st.integers(0, 30), epochs=st.integers(1, 12)
)
def test_polynomial_and_cosine_end_at_their_ends(lr, share, power, warm_up, epochs):
    for schedule in (
        Linear(lr, end_lr=share * lr, power=power, warmup_steps=warm_up),
        Cosine(lr, eta_min=share * lr, warmup_steps=warm_up),
    ):
        last = max(7 * epochs, warm_up + 1)
        assert schedule.lr_at(last, 7, epochs) == pytest.approx(share * lr, abs=1e-12)
        rising = np.diff([schedule.lr_at(step, 7, epochs) for step in range(min(warm_up, 7 * epochs - 1) + 1)])
        assert (rising > 0).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Cosine(-0.1), "learning_rate is -0.1; write a number above 0"),
        (
            lambda: Cosine(0.1, warmup_epoch=5, warmup_steps=3),
            "warmup_epoch is 5 and warmup_steps is 3; ... one of the two",
        ),
        (
            lambda: Piecewise(decay_epochs=(30, 60), values=(0.1, 0.01)),
            "values has 2 numbers for 2 decay_epochs; ... one more value ...",
        ),
        (
            lambda: Piecewise(decay_epochs=(60, 30), values=(3, 2, 1)),
            "decay_epochs is [60, 30]; write epochs in rising order",
        ),
        (
            lambda: Piecewise(0.2, decay_epochs=(30,), values=(0.1, 0.01)),
            "learning_rate is 0.2 and the first of values is 0.1; ... equal",
        ),
        (
            lambda: Cosine(0.1, warmup_steps=3, by_epoch=True),
            "warmup_steps is 3, but by_epoch changes the rate once per epoch; write warmup_epoch",
        ),
        (
            lambda: Step(0.1, step_size=2.4, by_epoch=True),
            "step_size is 2.4, but by_epoch changes the rate once per epoch; write a whole number",
        ),
        (lambda: MultiStepDecay(0.1, milestones=(3, 2)), "milestones is [3, 2]; write epochs in rising order"),
        (lambda: MultiStepDecay(0.1), "milestones is missing; write the epochs at which the rate falls"),
        (
            lambda: Piecewise(0.1, decay_epochs=(30,)),
            "values is missing; ... for each stretch between decay_epochs",
        ),
        (
            lambda: Piecewise(decay_epochs=(30,), values=(0.1, 0.01), gamma=0.1),
            "gamma is set beside values, ...; leave one ... out",
        ),
    ],
)
def test_impossible_values_are_refused(make, message):
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == says(message)


def test_the_first_value_may_be_repeated_as_paddleclas_does():
    wordy = Piecewise(0.1, decay_epochs=(30,), values=(0.1, 0.01))
    assert rates(wordy) == rates(Piecewise(decay_epochs=(30,), values=(0.1, 0.01)))


def test_names():
    assert SCHEDULES.names() == [
        "Constant", "ConstLR", "Cosine", "Linear", "Polynomial", "Poly", "Step", "MultiStepDecay", "Piecewise",
    ]  # fmt: skip
