"""The range test on a bowl, whose every step is a formula, and the command on eight tiny pictures."""

import contextlib
import csv
import sys
from itertools import repeat
from types import SimpleNamespace

import numpy as np
import paddle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.messages import refusal, says
from helpers.pictures import save_picture, solid
from ppcls.cli import main
from ppcls.engine import lr_finder
from ppcls.engine.lr_finder import RangeTest, batches_of, range_test, smooth
from ppcls.engine.precision import Precision
from ppcls.utils.errors import UserError


class Weight(paddle.nn.Layer):
    """A model of one weight, which it gives whatever the picture."""

    def __init__(self, start):
        super().__init__()
        self.weight = self.create_parameter([], dtype="float64")
        self.weight.set_value(np.array(start))

    def forward(self, image):
        return self.weight


def bowl(curvature, low, high, steps, start=3.0):
    """Gradient descent on `curvature / 2 * w^2`, by a model of the one weight w."""
    model = Weight(start)
    model.eval()
    test = range_test(
        model,
        repeat(SimpleNamespace(image=None, label=None, index=[0])),
        lambda output, label: {"loss": curvature / 2 * output**2},
        lambda rate: paddle.optimizer.SGD(rate, model.parameters()),
        low,
        high,
        steps,
    )
    assert model.weight.item() == start and not model.training
    return test


def losses_by_hand(curvature, rates, start=3.0):
    """A step of rate r multiplies the weight by `1 - r * curvature`."""
    factors = np.cumprod(np.concatenate([[1.0], 1 - np.array(rates[:-1]) * curvature]))
    return curvature / 2 * (start * factors) ** 2


def test_every_step_on_a_bowl_by_its_formula():
    test = bowl(5.0, 1e-4, 100.0, 61)
    wanted = 1e-4 * 10 ** (np.arange(61) / 10)
    assert test.rates == pytest.approx(wanted[: len(test.rates)], rel=1e-12)
    assert test.losses == pytest.approx(losses_by_hand(5.0, wanted)[: len(test.losses)], rel=1e-4)
    assert len(test.losses) < 61  # beyond 2 / curvature the loss grows without end
    assert test.rates[-1] > 2 / 5


@pytest.mark.parametrize("curvature", [0.02, 5.0, 300.0])
def test_the_suggestion_on_a_bowl(curvature):
    """It is below the rate that would do it in a step, above a hundredth of that, and scales as the bowl does."""
    suggestion = bowl(curvature, 1e-5 / curvature, 100 / curvature, 100).suggestion
    assert 0.01 < suggestion * curvature < 1
    assert suggestion * curvature == pytest.approx(bowl(1.0, 1e-5, 100.0, 100).suggestion, rel=1e-6)


def test_the_suggestion_by_numbers():
    """Smoothed by one neighbour on each side; so are the slopes a decade: -1/3, -5/6, -7/6, 23/6, ... and -9 at last.

    The first means of these are -7/12, -7/9 and 11/18; what falls after the lowest loss, at 1000, does not count.
    """
    rates = [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8]
    losses = [5.0, 5.0, 4.0, 1.0, 2.0, 30.0, 30.0, 3.0, 3.0]
    test = RangeTest(rates, losses)
    assert test.smoothed == pytest.approx([5, 14 / 3, 10 / 3, 7 / 3, 11, 62 / 3, 21, 12, 3])
    assert test.suggestion == 10.0


def test_no_suggestion_from_noise():
    """Losses of 2.3 with a noise of 0.1 fall somewhere by chance; a fall of 0.5 stands out of it."""
    rng, rates = np.random.default_rng(0), np.geomspace(1e-5, 1, 100).tolist()
    noise = rng.normal(2.3, 0.1, 100)
    assert RangeTest(rates, noise.tolist()).suggestion is None
    fall = noise - 0.5 / (1 + np.exp(-(np.arange(100) - 60) / 4))  # steepest at step 60
    assert rates[52] < RangeTest(rates, fall.tolist()).suggestion < rates[68]


def test_no_suggestion_where_the_loss_only_rises():
    assert RangeTest([1, 2, 3], [1.0, 2.0, 3.0]).suggestion is None
    assert RangeTest([1], [1.0]).suggestion is None


def test_it_ends_at_four_times_the_lowest():
    losses = iter([8.0, 2.0, 2.0, 5.0, 8.0, 12.0, 99.0])
    model = paddle.nn.Linear(1, 1)
    test = range_test(
        model,
        repeat(SimpleNamespace(image=paddle.ones([1, 1]), label=None, index=[0])),
        lambda output, label: {"loss": 0 * output.sum() + next(losses)},
        lambda rate: paddle.optimizer.SGD(rate, model.parameters()),
        1e-3,
        1.0,
        50,
    )
    # The smoothed ones are 5, 4, 3, 5, 8.3, 10 when 12 is the last: it takes 99 to exceed 4 times 3.
    assert test.losses == [8.0, 2.0, 2.0, 5.0, 8.0, 12.0, 99.0]


@given(losses=st.lists(st.floats(0, 1e3), min_size=1, max_size=60), scale=st.floats(1, 10))
def test_smoothing_keeps_bounds_and_scales(losses, scale):
    smoothed = smooth(losses)
    assert smoothed.min() >= min(losses) - 1e-9 and smoothed.max() <= max(losses) + 1e-9
    assert smooth([scale * loss for loss in losses]) == pytest.approx(scale * smoothed)
    assert smooth([7.0] * len(losses)) == pytest.approx([7.0] * len(losses))


def test_weights_statistics_and_mode_are_put_back_whatever_happens(make_trainer):
    trainer = make_trainer()
    model = paddle.nn.Sequential(paddle.nn.BatchNorm1D(3), trainer.model)
    model.train()
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}

    def failing():
        yield from trainer.loader.epoch(0)
        assert any((value.numpy() != before[name]).any() for name, value in model.state_dict().items())
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone"):
        range_test(
            model, failing(), trainer.losses, lambda rate: paddle.optimizer.SGD(rate, model.parameters()), 0.1, 1, 9
        )
    assert model.training
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])
    assert all(parameter.grad is None or not parameter.grad.numpy().any() for parameter in model.parameters())


def test_a_loss_that_is_not_finite_ends_it(make_trainer):
    trainer = make_trainer()
    trainer.loader.poison = (1, 1)

    def run():
        batches = batches_of(trainer.loader)
        return range_test(trainer.model, batches, trainer.losses, lambda rate: trainer.optimizer, 1e-4, 1e-3, 20)

    assert len(run().losses) == 5  # four of the first epoch, and one
    trainer.loader.poison = (0, 0)
    assert refusal(run) == says("no loss is finite ... learning rate of 0.0001; look at the weights and --low")


def test_batches_without_pictures():
    empty, full = (SimpleNamespace(index=np.arange(count)) for count in (0, 2))
    loader = SimpleNamespace(epoch=lambda epoch: [empty, full] if epoch < 2 else [empty])
    batches = batches_of(loader)
    assert [next(batches), next(batches)] == [full, full]
    with pytest.raises(UserError, match=r"not one picture of DataLoader\.Train could be read"):
        next(batches)


def steps_of_three_pictures(sizes, update_freq, precision=None):
    """Four steps over the pictures 1, 2 and 6, whose loss is their mean times a weight of 2."""
    pictures = np.split(np.array([[1.0], [2.0], [6.0]], "float32"), np.cumsum(sizes)[:-1])
    batches = [SimpleNamespace(image=paddle.to_tensor(p), label=None, index=p) for p in pictures]
    model = paddle.nn.Linear(1, 1, weight_attr=paddle.nn.initializer.Constant(2.0), bias_attr=False)
    return range_test(
        model,
        batches * 4,
        lambda output, label: {"loss": output.mean()},
        lambda rate: paddle.optimizer.SGD(rate, model.parameters()),
        0.1,
        0.8,
        4,
        update_freq=update_freq,
        precision=precision,
    )


@pytest.mark.parametrize(("sizes", "update_freq"), [([3], 1), ([1, 2], 2), ([2, 1], 2), ([1, 1, 1], 3)])
def test_a_step_of_several_batches_weighs_each_picture_alike(sizes, update_freq):
    test = steps_of_three_pictures(sizes, update_freq)
    assert test.rates == pytest.approx([0.1, 0.2, 0.4, 0.8])
    assert test.losses == pytest.approx([6.0, 5.1, 3.3, -0.3], rel=1e-5)  # 3 * (2 - 3 * the rates so far)


def test_batches_that_end_early_end_it():
    test = steps_of_three_pictures([3], 2)
    assert test.rates == pytest.approx([0.1, 0.2])


def test_it_computes_in_the_precision_of_the_training():
    """Each batch's forward and loss in its context; the model and the optimizer that it makes are used."""
    asked = []

    class Noting(Precision):
        def prepare(self, model, optimizer):
            asked.append("prepare")
            return super().prepare(model, optimizer)

        @contextlib.contextmanager
        def context(self):
            asked.append("cast")
            yield
            asked.append("no cast")

        def backward(self, loss):
            asked.append("backward")
            super().backward(loss)

        def step(self, optimizer):
            asked.append("step")
            return super().step(optimizer)

    steps_of_three_pictures([1, 2], 2, Noting())
    assert asked == ["prepare", *["cast", "no cast", "backward", "cast", "no cast", "backward", "step"] * 4]


CONFIG = """
Global: {{epochs: 1, device: cpu}}
Arch: {{name: DLA46_c, class_num: 2}}
Loss: {{Train: [CELoss: {{}}]}}
Optimizer: {{name: Momentum, lr: {{name: Constant, learning_rate: 0.001}}, regularizer: {{name: L2, coeff: 1e-4}}}}
DataLoader:
  Train:
    dataset:
      name: ImageFolder
      image_root: {home}/data
      transform_ops: [DecodeImage: {{}}, ResizeImage: {{size: 32}}, NormalizeImage: {{}}]
    sampler: {{name: DistributedBatchSampler, batch_size: 8}}
    loader: {{num_workers: 0}}
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Eight pictures of two colours, and the configuration of a training; the working folder."""
    for index in range(8):
        save_picture(tmp_path / "data" / "ab"[index % 2] / f"{index}.png", solid((40, 200)[index % 2]))
    (tmp_path / "config.yaml").write_text(CONFIG.format(home=tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command(home, capsys):
    assert main(["lr-find", "-c", "config.yaml", "--low", "1e-4", "--high", "1", "--steps", "20"]) == 0
    out = capsys.readouterr().out
    with (home / "lr_find.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["learning_rate", "loss", "smoothed_loss"]
    rates, losses, smoothed = (np.array(column, float) for column in zip(*rows))
    assert 2 < len(rates) <= 20
    assert rates == pytest.approx(1e-4 * 10 ** (4 * np.arange(len(rates)) / 19))
    assert losses[0] == pytest.approx(np.log(2), abs=0.3)
    assert smoothed == pytest.approx(smooth(losses))
    suggestion = RangeTest(rates.tolist(), losses.tolist()).suggestion
    assert f"the loss falls fastest at a learning rate of {suggestion:.3g}, with batches of 8\n" in out
    with Image.open(home / "lr_find.png") as picture:
        assert picture.size == (800, 500)
    assert sorted(path.name for path in home.iterdir()) == ["config.yaml", "data", "lr_find.csv", "lr_find.png"]


def test_the_command_gathers_as_training_does(home, capsys, monkeypatch):
    """Two batches of four are a step of eight."""
    given = {}

    def noting(*arguments, **keywords):
        given.update(keywords)
        return RangeTest([1.0, 10.0, 100.0, 1e3, 1e4], [5.0, 5.0, 4.0, 1.0, 2.0])

    monkeypatch.setattr(lr_finder, "range_test", noting)
    words = ["-o", "Global.update_freq=2", "-o", "DataLoader.Train.sampler.batch_size=4"]
    assert main(["lr-find", "-c", "config.yaml", *words]) == 0
    assert (given["update_freq"], type(given["precision"])) == (2, Precision)
    assert ", with batches of 8\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "AMP.use_amp=true"], "... AMP ... remove the AMP section or ..."),
        (["--low", "0"], "--low is 0 and --high is 10; write ... above 0, the lower one first"),
        (["--low", "2", "--high", "1"], "--low is 2 and --high is 1; write ... above 0, the lower one first"),
        (["--high", "nan"], "--low is 1e-05 and --high is nan; write ... above 0, the lower one first"),
        (["--steps", "9"], "--steps is 9; write ... at least 10, such as 100"),
        (["--output", "curve.jpg"], "--output is curve.jpg; write the path of a .png ..."),
        (["-o", "Loss.Train=[]"], "Loss.Train ... is missing, and lr-find needs it; ... `- CELoss:`"),
        (["-o", "Optimizer="], "Optimizer ... is missing, and lr-find needs it; ... its lr"),
        (["-o", "DataLoader.Train.dataset.image_root=nowhere"], "there is no folder 'nowhere'"),
        (["-o", "Optimizer.no_weight_decay_name=norm"], "no parameter's name holds 'norm'"),
    ],
)  # fmt: skip
def test_a_users_mistake_comes_before_any_training(home, capsys, words, message):
    assert main(["lr-find", "-c", "config.yaml", *words]) == 2
    assert capsys.readouterr().err == says(f"... {message} ...\n")
    assert not list(home.glob("*.csv"))


@pytest.mark.parametrize("name", ["train.png", "train.csv"])
def test_a_users_file_is_not_replaced_by_a_curve(home, capsys, name):
    (home / name).write_text("a/1.png,0\n")
    assert main(["lr-find", "-c", "config.yaml", "--output", "train.png"]) == 2
    assert f"{name} is there already and is not a curve of lr-find" in capsys.readouterr().err
    assert (home / name).read_text() == "a/1.png,0\n"


def test_an_earlier_curve_is_replaced(home):
    curve = RangeTest([1.0, 10.0, 100.0], [3.0, 2.0, 1.0])
    lr_finder.write(curve, home / "lr_find.png")
    assert lr_finder.check(str(home / "lr_find.png"), 1e-5, 1, 10) == home / "lr_find.png"


def test_a_loss_that_never_falls(home, capsys, monkeypatch):
    monkeypatch.setattr(lr_finder, "range_test", lambda *_, **__: RangeTest([1e-5, 2e-5], [1.0, 2.0]))
    assert main(["lr-find", "-c", "config.yaml"]) == 2
    assert capsys.readouterr().err == says(
        "the loss never clearly fell from 1e-05 to 2e-05; ... --low or more --steps\n"
    )
    assert (home / "lr_find.png").exists()


def test_without_matplotlib_one_sentence_names_the_remedy(home, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["lr-find", "-c", "config.yaml"]) == 2
    assert capsys.readouterr().err == "matplotlib is not installed; run `pip install 'ppcls[analysis]'`\n"
