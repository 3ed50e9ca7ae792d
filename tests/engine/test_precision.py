"""Mixed precision, without a GPU: what Paddle is asked for, and what a checkpoint keeps of the scaler."""

import contextlib
import inspect
import json
import re
from types import SimpleNamespace

import numpy as np
import paddle
import pytest
from paddle.amp import grad_scaler

from helpers.messages import refusal, says
from helpers.tiny_run import note_values, prepare, use_tiny, values
from ppcls.cli import main
from ppcls.engine import checkpoint
from ppcls.engine.callbacks import EvaluateEpochs
from ppcls.engine.ema import MovingAverage
from ppcls.engine.precision import MixedPrecision, Precision
from ppcls.engine.trainer import Callback
from ppcls.utils import cpu
from ppcls.utils.errors import UserError

_OF_PADDLE = inspect.signature(paddle.amp.GradScaler)


class Scaler:
    """Counts what is asked of it; made and asked as Paddle's own is."""

    def __init__(self, **keywords):
        _OF_PADDLE.bind(**keywords)
        self.made_with, self.asked = keywords, []

    def scale(self, loss):
        self.asked.append("scale")
        return loss * 8.0

    def step(self, optimizer):
        self.asked.append("step")

    def update(self):
        self.asked.append("update")

    def is_enable(self):
        return False


@pytest.fixture
def calls(monkeypatch):
    """What Paddle's functions were called with, by name and argument; each call fits Paddle's own signature."""
    made = []

    def stub(name, answer):
        signature = inspect.signature(getattr(paddle.amp, name))

        def called(*arguments, **keywords):
            bound = signature.bind(*arguments, **keywords)
            bound.apply_defaults()
            made.append((name, dict(bound.arguments)))
            return answer(bound.arguments)

        monkeypatch.setattr(paddle.amp, name, called)

    stub("auto_cast", lambda given: contextlib.nullcontext())
    stub("decorate", lambda given: (("half", given["models"]), ("stepping copies", given["optimizers"])))
    monkeypatch.setattr(paddle.amp, "GradScaler", Scaler)
    return made


def of(calls, name):
    return [given for called, given in calls if called == name]


@pytest.mark.parametrize("level", ["O1", "O2"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_level_and_dtype_reach_the_casts(calls, level, dtype):
    with MixedPrecision(level, dtype, 1024.0, True).context():
        pass
    (given,) = of(calls, "auto_cast")
    assert (given["enable"], given["level"], given["dtype"]) == (True, level, dtype)


def test_only_level_o2_changes_model_and_optimizer(calls):
    assert MixedPrecision("O1", "float16", 1024.0, True).prepare("model", "optimizer") == ("model", "optimizer")
    assert calls == []
    prepared = MixedPrecision("O2", "bfloat16", 1024.0, True).prepare("model", "optimizer")
    assert prepared == (("half", "model"), ("stepping copies", "optimizer"))
    (given,) = of(calls, "decorate")
    wanted = {"level": "O2", "dtype": "bfloat16", "master_weight": True, "save_dtype": "float32"}
    assert {key: given[key] for key in wanted} == wanted


@pytest.mark.parametrize(
    ("level", "evaluate", "casts"), [("O1", False, 0), ("O1", True, 1), ("O2", False, 0), ("O2", True, 1)]
)
def test_evaluation_is_in_float32_unless_asked(calls, level, evaluate, casts):
    with MixedPrecision(level, "float16", 1024.0, True, evaluate).evaluation_context():
        pass
    assert len(of(calls, "auto_cast")) == casts


class Halved:
    """A network as level O2 holds it, on a CPU: weights in half precision beside float32 ones that differ from them."""

    def __init__(self, dtype):
        paddle.seed(2)
        self.model = paddle.nn.Sequential(paddle.nn.Linear(3, 5), paddle.nn.BatchNorm1D(5), paddle.nn.Linear(5, 2))
        self.model[2].bias.stop_gradient = True  # frozen, so without a float32 one
        self.full = {name: tensor.numpy() for name, tensor in self.model.state_dict().items()}
        trained = [*self.model[0].parameters(), self.model[2].weight]
        self.masters = {parameter.name: parameter.detach().clone() for parameter in trained}
        for layer in (self.model[0], self.model[2]):
            layer.to(dtype=dtype)
        self.model.eval()

    def state_dict(self):
        return {"master_weights": self.masters, f"{self.model[0].weight.name}_velocity_0": paddle.zeros([3, 5])}

    def bits(self):
        return {name: (str(value.dtype), value.numpy().tobytes()) for name, value in self.model.state_dict().items()}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_float32_weights_of_o2_are_evaluated_and_the_half_ones_come_back_to_the_bit(calls, dtype):
    halved = Halved(dtype)
    before, image = halved.bits(), paddle.to_tensor(np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3))
    x, full = image.numpy(), halved.full
    bias = halved.model[2].bias.astype("float32").numpy()  # half is all there is of it
    hidden = (x @ full["0.weight"] + full["0.bias"]) / np.sqrt(1 + 1e-5)
    precision = MixedPrecision("O2", dtype, 1024.0, True)
    with pytest.raises(KeyError), precision.evaluation_weights(halved.model, halved):
        logits = halved.model(image)
        assert logits.dtype == paddle.float32
        np.testing.assert_allclose(logits.numpy(), hidden @ full["2.weight"] + bias, rtol=1e-5, atol=1e-6)
        raise KeyError
    assert halved.bits() == before
    for parameter in halved.model[0].parameters():  # which the optimizer's own were not touched by
        name = "0.weight" if parameter.ndim == 2 else "0.bias"
        assert halved.masters[parameter.name].numpy().tobytes() == full[name].tobytes()


@pytest.mark.parametrize(("level", "evaluate"), [("O1", False), ("O1", True), ("O2", True)])
def test_the_weights_stay_where_evaluation_in_half_precision_is_asked_for_or_none_are_half(calls, level, evaluate):
    halved = Halved("bfloat16")
    before = halved.bits()
    with MixedPrecision(level, "bfloat16", 1024.0, True, evaluate).evaluation_weights(halved.model, halved):
        assert halved.bits() == before


def test_the_average_of_o2_takes_in_the_float32_weights(calls, make_trainer):
    halved = Halved("bfloat16")
    trainer = make_trainer()
    trainer.model, trainer.optimizer = halved.model, halved
    halved.clear_grad = lambda set_to_zero: None
    trainer.precision, trainer.ema = MixedPrecision("O2", "bfloat16", 1024.0, True), MovingAverage(halved.model, 0.0)
    trainer.precision.step = lambda optimizer: True
    trainer._pictures = trainer._unit = 2.0
    before = halved.bits()
    trainer._learn()
    assert trainer.ema.average["0.weight"].numpy().tobytes() == halved.full["0.weight"].tobytes()
    assert halved.bits() == before


def test_the_average_of_o2_is_evaluated_in_float32_and_saved_beside_the_float32_weights(calls, make_trainer, tmp_path):
    halved, seen = Halved("bfloat16"), []

    class Looking:
        should_stop = bool
        loader = SimpleNamespace(failures={})

        def run(self, model, epoch):
            seen.append({name: value.numpy() for name, value in model.state_dict().items()})
            return {"top1": 0.5}

    trainer = make_trainer()
    trainer.model, trainer.optimizer = halved.model, halved
    trainer.precision, trainer.ema = MixedPrecision("O2", "bfloat16", 1024.0, True), MovingAverage(halved.model, 0.9)
    average = np.full([3, 5], 0.1, "float32")  # no number of bfloat16
    trainer.ema.average["0.weight"] = paddle.to_tensor(average)
    before = halved.bits()
    EvaluateEpochs(Looking(), 1).epoch_end(trainer)
    assert [weights["0.weight"].tobytes() for weights in seen] == [halved.full["0.weight"].tobytes(), average.tobytes()]
    assert halved.bits() == before
    assert halved.masters[halved.model[0].weight.name].numpy().tobytes() == halved.full["0.weight"].tobytes()
    checkpoint.write(
        tmp_path / "latest", checkpoint.snapshot(halved.model, halved, {"epoch": 1, "step": 0}, trainer.ema.state())
    )
    saved = checkpoint.read(tmp_path)
    assert saved.parameters()["0.weight"].tobytes() == halved.full["0.weight"].tobytes()  # what was evaluated
    assert saved.average()["0.weight"].tobytes() == average.tobytes()


@pytest.mark.parametrize(("dtype", "enabled"), [("float16", True), ("bfloat16", False)])
def test_only_float16_has_its_loss_scaled(monkeypatch, dtype, enabled):
    monkeypatch.setattr(paddle.amp, "GradScaler", Scaler)
    precision = MixedPrecision("O1", dtype, 512.0, False)
    assert precision.scaler.made_with == {
        "enable": enabled, "init_loss_scaling": 512.0, "use_dynamic_loss_scaling": False,
    }  # fmt: skip


def test_gradients_are_of_the_scaled_loss_and_add_up_until_the_step(monkeypatch):
    monkeypatch.setattr(paddle.amp, "GradScaler", Scaler)
    precision = MixedPrecision("O1", "float16", 8.0, True)
    weight = paddle.to_tensor([1.0, 2.0], stop_gradient=False)
    precision.backward((weight * 3.0).sum())
    precision.backward((weight * 1.0).sum())
    assert weight.grad.numpy().tolist() == [32.0, 32.0]
    assert precision.scaler.asked == ["scale", "scale"]
    assert precision.step(None)
    assert precision.scaler.asked == ["scale", "scale", "step", "update"]


class OverflowingScaler(Scaler):
    """Finds that the gradients of the second step have overflowed, and leaves it out as Paddle's does."""

    def scale(self, loss):
        return loss

    def step(self, optimizer):
        super().step(optimizer)
        self._cache_found_inf = self.asked.count("step") == 2
        if not self._cache_found_inf:
            optimizer.step()

    def is_enable(self):
        return True


def test_a_step_that_is_left_out_leaves_the_moving_average_alone(calls, monkeypatch, make_trainer):
    class Look(Callback):
        def step_end(self, trainer):
            weights.append(trainer.model[0].weight.numpy())
            averages.append(trainer.ema.state()["0.weight"])
            counted.append(trainer.ema.steps)

    monkeypatch.setattr(paddle.amp, "GradScaler", OverflowingScaler)
    weights, averages, counted = [], [], []
    trainer = make_trainer([Look()], epochs=1, precision=MixedPrecision("O1", "float16", 1.0, False))
    trainer.ema = MovingAverage(trainer.model, 0.5)
    trainer.fit()
    assert counted == [1, 1, 2, 3]
    assert weights[1].tobytes() == weights[0].tobytes() != weights[2].tobytes()
    assert averages[1].tobytes() == averages[0].tobytes()
    np.testing.assert_allclose(averages[2], (averages[0] + weights[2]) / 2, rtol=1e-6)


def test_paddles_own_scaler_tells_that_it_left_a_step_out(monkeypatch):
    """On a CPU it disables itself, so it believes that this is a GPU."""
    place = SimpleNamespace(is_gpu_place=lambda: True)
    monkeypatch.setattr(grad_scaler, "_dygraph_tracer", lambda: SimpleNamespace(_expected_place=place))
    precision, weight = MixedPrecision("O1", "float16", 8.0, False), paddle.create_parameter([1], "float32")
    weight.set_value(np.ones(1, "float32"))
    optimizer = paddle.optimizer.SGD(0.5, parameters=[weight])
    seen = []
    for gradient in (1.0, np.inf, 2.0):
        precision.backward((weight * gradient).sum())
        seen.append((precision.step(optimizer), weight.item()))
        optimizer.clear_grad()
    assert seen == [(True, 0.5), (False, 0.5), (True, -0.5)]


STATE = {
    "scale": np.array([2048.0], "float32"), "incr_ratio": 2.0, "decr_ratio": 0.5, "incr_every_n_steps": 2000,
    "decr_every_n_nan_or_inf": 1, "incr_count": 1234, "decr_count": 1, "use_dynamic_loss_scaling": True,
}  # fmt: skip


def scaler_of_paddle(monkeypatch):
    """Paddle's own scaler, which disables itself on a CPU; its state is read and written as on a GPU."""
    with pytest.warns(UserWarning) if paddle.get_device() == "cpu" else contextlib.nullcontext():
        precision = MixedPrecision("O1", "float16", 1024.0, True)
    scaler = precision.scaler
    if not scaler.is_enable():
        scaler._enable = True
        for key in STATE:
            setattr(scaler, f"_{key}", None)
        scaler._scale = paddle.to_tensor(np.array([1024.0], "float32"))
    return precision


def test_the_scalers_state_is_plain_and_comes_back_to_the_bit(monkeypatch):
    one, other = scaler_of_paddle(monkeypatch), scaler_of_paddle(monkeypatch)
    one.scaler.load_state_dict(STATE)
    saved = json.loads(json.dumps(one.state()))
    assert saved == {"level": "O1", "dtype": "float16", "scaler": {**STATE, "scale": [2048.0]}}
    other.restore(saved)
    assert set(other.scaler.state_dict()) == set(STATE)
    for key, value in other.scaler.state_dict().items():
        assert np.asarray(value).tolist() == np.asarray(STATE[key]).tolist(), key


def test_bfloat16_has_no_scaler_to_keep():
    precision = MixedPrecision("O2", "bfloat16", 1024.0, True)
    assert precision.state() == {"level": "O2", "dtype": "bfloat16", "scaler": {}}
    precision.restore(precision.state())


def test_another_precision_is_refused():
    saved = MixedPrecision("O1", "bfloat16", 1024.0, True).state()
    with pytest.raises(UserError, match=r"trained in mixed precision; resume with the AMP section that it was"):
        Precision().restore(saved)
    for state, was in ((None, "float32"), (saved, "O1 bfloat16")):
        assert refusal(MixedPrecision("O2", "bfloat16", 1024.0, True).restore, state) == says(
            f"the checkpoint was trained in {was}, ... O2 bfloat16; resume with the AMP section ..."
        )
    Precision().restore(None)


def test_float32_is_plain_arithmetic():
    precision, weight = Precision(), paddle.to_tensor([1.0], stop_gradient=False)
    optimizer = paddle.optimizer.SGD(0.5, parameters=[weight])
    with precision.context(), precision.evaluation_context():
        precision.backward((weight * 3.0).sum())
    assert precision.step(optimizer)
    assert weight.numpy().tolist() == [-0.5]
    assert precision.prepare("model", "optimizer") == ("model", "optimizer")
    assert precision.state() is None


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("AMP={dtype: bfloat16, level: O2}", "AMP.level O2 with AMP.dtype bfloat16 needs a GPU; ... write "
         "-o AMP.level=O1 -o AMP.dtype=bfloat16, or remove ... -o AMP.use_amp=false"),
        ("AMP.use_amp=true", "AMP.level O1 with AMP.dtype float16 needs a GPU; ..."),
        ("Global.sync_batch_norm=true", "... no effect in Paddle on a CPU; write -o Global.sync_batch_norm=false"),
    ],
)  # fmt: skip
def test_a_cpu_is_refused_in_one_sentence(tmp_path, monkeypatch, capsys, override, sentence):
    prepare(tmp_path, 0)
    use_tiny(monkeypatch.setattr)
    monkeypatch.setattr(cpu, "has_bfloat16", lambda: True)
    assert main(["train", "-c", str(tmp_path / "config_0.yaml"), "-o", override]) == 2
    assert capsys.readouterr().err == says(sentence + "\n")
    assert not (tmp_path / "SqueezeNet1_1" / "latest").exists()


def test_bfloat16_is_refused_where_a_cpu_does_not_compute_it(tmp_path, monkeypatch, capsys):
    prepare(tmp_path, 0)
    use_tiny(monkeypatch.setattr)
    half = ["-o", "AMP={dtype: bfloat16, level: O1}"]
    command = ["train", "-c", str(tmp_path / "config_0.yaml"), *half]
    monkeypatch.setattr(cpu, "has_bfloat16", lambda: True)
    assert main([*command, "-o", "Global.cpu_kernels=paddle"]) == 2
    assert capsys.readouterr().err == says(
        "mixed precision (AMP) on a CPU is computed by oneDNN, but convolutions are by Paddle (as chosen); write "
        "-o Global.cpu_kernels=onednn, or remove ...\n"
    )
    monkeypatch.setattr(cpu, "has_bfloat16", lambda: False)
    assert main(command) == 2
    assert capsys.readouterr().err == says(
        "mixed precision (AMP) needs a GPU, or a processor that multiplies bfloat16 numbers (avx512_bf16 or amx_bf16 "
        "in /proc/cpuinfo); remove the AMP section or write -o AMP.use_amp=false\n"
    )


@pytest.mark.skipif(not cpu.has_bfloat16(), reason="the processor does not multiply bfloat16 numbers")
def test_bfloat16_on_a_cpu_resumes_to_the_bit(tmp_path, monkeypatch):
    """Three epochs at once, and two and one: equal losses and weights; float32 ones differ."""
    prepare(tmp_path, 0)
    use_tiny(monkeypatch.setattr)

    def train(name, *overrides):
        (tmp_path / name).mkdir(exist_ok=True)
        words = [f"Global.output_dir={tmp_path / name}", "Global.cpu_kernels=onednn", *overrides]
        words = [word for override in words for word in ("-o", override)]
        assert main(["train", "-c", str(tmp_path / "config_0.yaml"), *words]) == 0
        folder = tmp_path / name / "SqueezeNet1_1" / "latest"
        saved = paddle.load(str(folder / "ppcls.pdparams"), return_numpy=True)
        weights = {name: value for name, value in saved.items() if isinstance(value, np.ndarray)}
        return weights, json.loads((folder / "ppcls.pdstates").read_text())

    half = "AMP={dtype: bfloat16, level: O1}"
    schedule = "Optimizer.lr={name: Constant, learning_rate: 0.1}"
    whole, states = train("whole", schedule, half, "Global.epochs=3")
    train("halves", schedule, half, "Global.epochs=2")
    checkpoint = f"Global.checkpoints={tmp_path / 'halves' / 'SqueezeNet1_1'}"
    halves, _ = train("halves", schedule, half, "Global.epochs=3", checkpoint)
    plain, _ = train("plain", schedule, "Global.epochs=3")
    assert (states["precision"]["level"], states["precision"]["dtype"]) == ("O1", "bfloat16")
    different = []
    for name, weight in whole.items():
        assert weight.dtype == np.float32
        assert weight.tobytes() == halves[name].tobytes(), name
        different.append(not np.array_equal(weight, plain[name]))
    assert any(different)


def test_a_section_that_is_switched_off_is_float32(tmp_path, monkeypatch):
    prepare(tmp_path, 0)
    use_tiny(monkeypatch.setattr)
    words = ["-o", "AMP.use_amp=false", "-o", "Global.epochs=1"]
    assert main(["train", "-c", str(tmp_path / "config_0.yaml"), *words]) == 0
    states = json.loads((tmp_path / "SqueezeNet1_1" / "latest" / "ppcls.pdstates").read_text())
    assert states["precision"] is None


@pytest.mark.gpu
@pytest.mark.parametrize("level", ["O1", "O2"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_run_on_a_gpu_learns_and_resumes(tmp_path, monkeypatch, level, dtype):
    """Four epochs at once, and two and two: the same pictures, and losses equal but for the order of a GPU's sums."""
    prepare(tmp_path, 0)
    use_tiny(monkeypatch.setattr)

    def train(name, *overrides):
        (tmp_path / name).mkdir(exist_ok=True)
        with monkeypatch.context() as patch:
            note_values(tmp_path / name / "values.txt", patch.setattr)
            words = [f"Global.output_dir={tmp_path / name}", "Global.device=gpu", f"AMP={{level: {level}}}"]
            words += [f"AMP.dtype={dtype}", "AMP.scale_loss=1024", *overrides]
            words = [word for override in words for word in ("-o", override)]
            assert main(["train", "-c", str(tmp_path / "config_0.yaml"), *words]) == 0

    schedule = "Optimizer.lr={name: Constant, learning_rate: 0.1}"
    train("plain", schedule)
    train("halves", schedule, "Global.epochs=2")
    train("halves", schedule, f"Global.checkpoints={tmp_path / 'halves' / 'SqueezeNet1_1'}")
    last = "train 3 7"
    losses = [float.fromhex(values(tmp_path / name)[last].split("loss=")[1]) for name in ("plain", "halves")]
    assert losses[0] == pytest.approx(losses[1], rel=2e-2)
    assert losses[0] < 1.5
    states = json.loads((tmp_path / "halves" / "SqueezeNet1_1" / "latest" / "ppcls.pdstates").read_text())
    assert (states["precision"]["level"], states["precision"]["dtype"]) == (level, dtype)
    assert ("scale" in states["precision"]["scaler"]) == (dtype == "float16")


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_an_evaluation_of_o2_during_training_is_that_of_its_checkpoint_in_float32(tmp_path, monkeypatch, capsys, dtype):
    """The same loss to the rounding of TF32, whose steps are a tenth of float16's."""
    prepare(tmp_path, 0)
    use_tiny(monkeypatch.setattr)
    config = ["-c", str(tmp_path / "config_0.yaml"), "-o", "Global.device=gpu"]
    words = ["-o", "AMP={level: O2}", "-o", f"AMP.dtype={dtype}", "-o", "AMP.scale_loss=1024", "-o", "EMA=null"]
    assert main(["train", *config, *words, "-o", "Global.epochs=2"]) == 0
    weights = f"Global.pretrained_model={tmp_path / 'SqueezeNet1_1' / 'latest'}"
    assert main(["eval", *config, "-o", weights]) == 0
    losses = re.findall(r"END epoch:\S+ +valid .*loss: ([\d.]+),", capsys.readouterr().out)
    assert len(losses) == 3
    assert float(losses[1]) == pytest.approx(float(losses[2]), rel=1e-4)
