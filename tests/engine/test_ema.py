"""The moving average of the weights: its numbers, where it stands in for them, and that a checkpoint keeps it."""

import json
from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from ppcls.arch.weights.load import locate_weights
from ppcls.engine import checkpoint
from ppcls.engine.callbacks import EvaluateEpochs, SaveCheckpoints
from ppcls.engine.ema import MovingAverage
from ppcls.engine.trainer import Callback


@pytest.fixture
def network():
    """With batch norm, whose statistics are averaged too."""
    paddle.seed(3)
    return paddle.nn.Sequential(paddle.nn.Linear(3, 4), paddle.nn.BatchNorm1D(4), paddle.nn.Linear(4, 2))


def values(model):
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def wander(model, rng):
    """Gives a model other weights and statistics."""
    model.set_state_dict(
        {name: rng.normal(size=array.shape).astype("float32") for name, array in values(model).items()}
    )


@pytest.mark.parametrize("warm_up", [False, True])
def test_the_formula(network, warm_up):
    average = {name: array.astype("float64") for name, array in values(network).items()}
    ema, rng = MovingAverage(network, 0.3, warm_up), np.random.default_rng(0)
    for n in range(1, 9):
        wander(network, rng)
        ema.update(network)
        decay = min(0.3, (1 + n) / (10 + n)) if warm_up else 0.3  # below 0.3 for the first two steps
        average = {name: decay * average[name] + (1 - decay) * array for name, array in values(network).items()}
        assert ema.steps == n
        for name, array in ema.state().items():
            assert array.dtype == np.float32
            np.testing.assert_allclose(array, average[name], rtol=1e-5, atol=1e-6)
    assert set(ema.state()) == set(average)
    assert "1._mean" in average


def test_updating_leaves_the_weights_alone(network):
    before = values(network)
    MovingAverage(network, 0.9).update(network)
    for name, array in values(network).items():
        assert array.tobytes() == before[name].tobytes()


def test_swapped_in_and_out_bit_for_bit_even_where_something_fails(network):
    ema = MovingAverage(network, 0.3)
    average = ema.state()
    wander(network, np.random.default_rng(1))
    own = values(network)
    with pytest.raises(KeyError), ema.in_place_of_weights(network):
        for name, array in values(network).items():
            assert array.tobytes() == average[name].tobytes()
        raise KeyError
    for name, array in values(network).items():
        assert array.tobytes() == own[name].tobytes()
    for name, array in ema.state().items():
        assert array.tobytes() == average[name].tobytes()


def test_weights_that_are_saved_in_another_precision_are_the_ones_that_are_swapped(network):
    """Mixed precision of level O2 has `state_dict` give copies in float32; see `paddle.amp.decorate`."""

    def copies(state):
        for name, tensor in list(state.items()):
            state[name] = tensor.astype("float64")

    ema = MovingAverage(network, 0.3)
    average = ema.state()["0.weight"]
    wander(network, np.random.default_rng(1))
    network.register_state_dict_hook(copies)
    with ema.in_place_of_weights(network):
        assert network[0].weight.numpy().tobytes() == average.tobytes()


def test_saved_and_restored_it_goes_on_as_if_nothing_had_happened(network):
    one, rng = MovingAverage(network, 0.9, warm_up=True), np.random.default_rng(0)
    for _ in range(3):
        wander(network, rng)
        one.update(network)
    other = MovingAverage(network, 0.9, warm_up=True)
    other.restore(json_like(one.state()), one.steps)
    for _ in range(3):
        wander(network, rng)
        one.update(network)
        other.update(network)
    assert other.steps == 6
    for name, array in one.state().items():
        assert array.tobytes() == other.state()[name].tobytes()
    with pytest.raises(ValueError, match=r"the average of 0.weight is not there"):
        other.restore({}, 1)


def json_like(arrays):
    return {name: array.copy() for name, array in arrays.items()}


@pytest.mark.parametrize("deployed", ["average", "weights"])
def test_a_checkpoint_says_which_of_the_two_it_deploys(tmp_path, make_trainer, deployed):
    trainer = make_trainer(epochs=2)
    trainer.ema = MovingAverage(trainer.model, 0.9)
    trainer.callbacks = [SaveCheckpoints(tmp_path, 1, None, 1, {}, deployed=deployed)]
    trainer.fit()
    weights, average = values(trainer.model), trainer.ema.state()
    assert weights["0.weight"].tobytes() != average["0.weight"].tobytes()
    saved = checkpoint.read(tmp_path)
    assert (saved.states["deployed"], saved.states["average_steps"]) == (deployed, 8)
    assert set(saved.states["files"]) == {"ppcls.pdparams", "ppcls_other.pdparams", "ppcls.pdopt"}
    assert saved.parameters()["0.weight"].tobytes() == weights["0.weight"].tobytes()
    assert saved.average()["0.weight"].tobytes() == average["0.weight"].tobytes()
    for name in ("ppcls.pdparams", "ppcls_other.pdparams"):
        assert checkpoint.states_of(tmp_path / "latest" / name)["deployed"] == deployed
        assert checkpoint.read(tmp_path / "latest" / name).folder == tmp_path / "latest"
    offered = checkpoint.load_pickle(locate_weights("DLA34", tmp_path / "latest").path)["0.weight"]
    assert offered.tobytes() == (average if deployed == "average" else weights)["0.weight"].tobytes()


def test_a_checkpoint_without_it_has_no_second_file(tmp_path, make_trainer):
    make_trainer([SaveCheckpoints(tmp_path, 1, None, 1, {}, deployed="weights")], epochs=1).fit()
    states = json.loads((tmp_path / "latest" / "ppcls.pdstates").read_text())
    assert (states["deployed"], states["average_steps"]) == ("weights", None)
    assert not (tmp_path / "latest" / "ppcls_other.pdparams").exists()


class Weighing:
    """An evaluator whose accuracy tells which weights it saw."""

    should_stop = bool
    loader = SimpleNamespace(failures={})

    def __init__(self):
        self.seen = []

    def run(self, model, epoch):
        self.seen.append(float(model[0].weight.numpy().sum()))
        return {"top1": self.seen[-1]}


@pytest.mark.parametrize("deployed", ["average", "weights"])
def test_both_are_evaluated_and_the_deployed_one_decides(make_trainer, deployed):
    sums = []

    class Sums(Callback):
        def epoch_end(self, trainer):
            sums.append([float(trainer.model[0].weight.numpy().sum()), float(trainer.ema.state()["0.weight"].sum())])

    evaluator = Weighing()
    evaluation = EvaluateEpochs(evaluator, 1, deployed)
    trainer = make_trainer([Sums(), evaluation], epochs=3)
    trainer.ema = MovingAverage(trainer.model, 0.8)
    trainer.fit()
    assert evaluator.seen == [value for pair in sums for value in pair]
    decisive = [pair[deployed == "average"] for pair in sums]
    assert [entry["top1"] for entry in evaluation.history] == decisive
    assert trainer.state.best["score"] == max(decisive)
