"""A student trained beside a frozen teacher: steps by their numbers, what moves and what must not, checkpoints."""

import re
from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from helpers.messages import refusal, says
from helpers.pictures import save_class_folders
from helpers.tiny_run import Tiny, use_tiny
from ppcls.arch import build_model
from ppcls.arch.distillation import DistillationModelParams
from ppcls.arch.families.dla.facts import DLAParams
from ppcls.arch.families.squeezenet.facts import SqueezeNet1_1Params
from ppcls.config import load_config
from ppcls.engine import build
from ppcls.engine.ema import MovingAverage
from ppcls.engine.evaluate import evaluate
from ppcls.engine.export import export
from ppcls.engine.infer import infer
from ppcls.engine.lr_finder import range_test
from ppcls.engine.schema import registries
from ppcls.engine.train import train
from ppcls.engine.trainer import Callback, Trainer, step_seed
from ppcls.loss import DistillationGTCELoss, DistillationKLDivLoss, weighted_sum
from ppcls.metric import DistillationTopkAcc
from ppcls.untrusted.unpickle import load_pickle
from ppcls.utils.errors import UserError

STUDENT = "{name: DLA46_c, class_num: 4, drop_rate: 0.3}"
CONFIG = """
Global: {{epochs: 2, device: cpu, console: paddleclas, output_dir: {out}, image_shape: [3, 32, 32],
  save_inference_dir: {out}/bundle}}
Arch: {arch}
Loss: {{Train: {train}, Eval: [CELoss: {{}}]}}
Optimizer: {{name: Momentum, momentum: 0.9, lr: {{name: Constant, learning_rate: 0.001}}}}
DataLoader:
  Train:
    dataset: &data
      name: ImageFolder
      image_root: {home}/data
      transform_ops: [DecodeImage: {{}}, ResizeImage: {{size: 32}}, NormalizeImage: {{}}]
    sampler: {{name: DistributedBatchSampler, batch_size: 4, shuffle: true}}
    loader: {{num_workers: 0}}
  Eval:
    dataset: *data
    sampler: {{name: DistributedBatchSampler, batch_size: 8}}
    loader: {{num_workers: 0}}
Infer: {{infer_imgs: {home}/data, PostProcess: {{name: Topk, topk: 2}}}}
Metric: {{Eval: [TopkAcc: {{topk: [1, 2]}}]}}
"""
PAIR = """{{name: DistillationModel, class_num: 4, freeze_params_list: [true, false], models: [
  {{Teacher: {{name: DLA46_c, drop_rate: 0.5, pretrained: {home}/teacher.pdparams}}}}, {{Student: {student}}}]}}"""
LOSSES = "[DistillationKLDivLoss: {weight: 0.7}, DistillationGTCELoss: {weight: 0.3}]"


@pytest.fixture(scope="module", autouse=True)
def small_models():
    """DLA46_c and SqueezeNet1_1 are networks of two layers here, with batch norm and dropout."""
    with pytest.MonkeyPatch.context() as patch:
        use_tiny(patch.setattr)
        patch.setattr(DLAParams, "_make", lambda params: Tiny(params))
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Eight noisy pictures of four classes, and the weights of a teacher."""
    place = tmp_path_factory.mktemp("distillation")
    save_class_folders(place / "data", "abcd", 8)
    for seed, name in enumerate(("teacher", "other")):
        paddle.seed(seed)
        model = build_model("DLA46_c", class_num=4)
        model.fc.weight.set_value(20 * model.fc.weight)  # sure of what it says
        paddle.save(model.state_dict(), str(place / f"{name}.pdparams"))
    return place


@pytest.fixture
def config(home, tmp_path):
    """The configuration of a command: the pair's, or the student's alone."""

    def make(*overrides, command="train", alone=False):
        arch = STUDENT if alone else PAIR.format(home=home, student=STUDENT)
        losses = "[CELoss: {}]" if alone else LOSSES
        text = CONFIG.format(home=home, out=tmp_path / "output", arch=arch, train=losses)
        (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
        return load_config(tmp_path / "c.yaml", overrides, registries(), command)

    return make


@pytest.fixture
def params(home):
    """A teacher with batch norm and dropout, and another kind of student."""
    teacher = DLAParams("DLA46_c", 4, drop_rate=0.5, pretrained=str(home / "teacher.pdparams"))
    student = SqueezeNet1_1Params("SqueezeNet1_1", 4)
    return DistillationModelParams("DistillationModel", 4, ({"Student": student}, {"Teacher": teacher}), (False, True))


class OneBatch:
    """Steps of the same four pictures."""

    images = SimpleNamespace(paths=[f"{index}.png" for index in range(4)])

    def __init__(self, steps):
        rng = np.random.default_rng(1)
        image = paddle.to_tensor(rng.standard_normal((4, 3, 32, 32)).astype("float32"))
        self.batch = SimpleNamespace(image=image, label=paddle.to_tensor([0, 1, 2, 3]), index=np.arange(4))
        self.steps_per_epoch = steps

    def epoch(self, epoch, start_step=0):
        yield from [self.batch] * (self.steps_per_epoch - start_step)


def trainer_of(model, steps, **keywords):
    losses = (DistillationKLDivLoss(0.7, temperature=2.0), DistillationGTCELoss(0.3))
    return Trainer(
        model=model,
        losses=lambda outputs, label: weighted_sum(losses, outputs, label),
        optimizer=paddle.optimizer.SGD(0.01, parameters=model.parameters()),
        lr_at=lambda step: 0.01,
        loader=OneBatch(steps),
        epochs=1,
        seed=3,
        metrics=[DistillationTopkAcc(1, "Student").accumulator(), DistillationTopkAcc(2, "Teacher").accumulator()],
        **keywords,
    )


def bits(model):
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_one_step_by_its_numbers(params):
    """The losses by the formulas of the papers, and their gradients by hand at the student's logits."""
    paddle.seed(0)
    model = params.build()
    learner, teacher = model.learner, model.frozen["Teacher"]
    image, labels = OneBatch(1).batch.image, np.arange(4)
    taught = teacher(image).numpy().astype("float64")
    learner.train()
    paddle.seed(step_seed(3, 0, 0))
    logits = learner(image)
    said = logits.numpy().astype("float64")
    ours, theirs = softmax(said / 2), softmax(taught / 2)
    kl = 0.7 * 4 * (theirs * np.log(theirs / ours)).sum(axis=1).mean()
    ce = 0.3 * -np.log(softmax(said)[labels, labels]).mean()
    gradient = (0.7 * 2 * (ours - theirs) + 0.3 * (softmax(said) - np.eye(4))) / 4
    logits.backward(paddle.to_tensor(gradient.astype("float32")))
    learnt = [(name, value) for name, value in learner.named_parameters() if not value.stop_gradient]
    expected = {name: value.numpy() - 0.01 * value.grad.numpy() for name, value in learnt}
    learner.clear_gradients()
    trainer = trainer_of(model, 1, callbacks=[Noted()])
    trainer.fit()
    (values,) = trainer.callbacks[0].values
    assert list(values) == ["top1", "top2", "DistillationKLDivLoss", "DistillationGTCELoss", "loss"]
    assert values["DistillationKLDivLoss"] == pytest.approx(kl, rel=1e-5)
    assert values["DistillationGTCELoss"] == pytest.approx(ce, rel=1e-5)
    assert values["loss"] == pytest.approx(kl + ce, rel=1e-5)
    assert values["top1"] == (said.argmax(axis=1) == labels).mean()
    for name, value in learnt:
        np.testing.assert_allclose(value.numpy(), expected[name], rtol=1e-5, atol=1e-7)


class Noted(Callback):
    """The values after each step."""

    def __init__(self):
        self.values = []

    def step_end(self, trainer):
        self.values.append(trainer.values())


def test_the_teacher_stays_to_the_bit_and_the_student_moves(params):
    paddle.seed(0)
    model = params.build()
    teacher = model.frozen["Teacher"]
    image = OneBatch(1).batch.image
    before, student, answer = bits(teacher), bits(model.learner), teacher(image).numpy().tobytes()
    model.train()
    teacher.train()  # even so
    ema = MovingAverage(model, 0.5)
    trainer_of(model, 3, ema=ema).fit()
    assert bits(teacher) == before
    assert not teacher.training
    assert all(parameter.grad is None and parameter.stop_gradient for parameter in teacher.parameters())
    assert all(bits(model.learner)[name] != student[name] for name, _ in model.learner.named_parameters())
    image.stop_gradient = False
    outputs = model(image)
    assert list(outputs) == ["Student", "Teacher"]
    assert outputs["Teacher"].numpy().tobytes() == answer  # neither dropout nor the batch's statistics
    assert (outputs["Teacher"].stop_gradient, outputs["Student"].stop_gradient) == (True, False)
    model.eval()
    assert list(model(image)) == ["Student", "Teacher"]


def test_what_walks_the_model_meets_the_student_alone(params):
    model = params.build()
    assert {id(value) for value in model.parameters()} == {id(value) for value in model.learner.parameters()}
    assert model.buffers() == []  # which the teacher has
    assert list(model.state_dict()) == list(model.learner.state_dict())
    assert list(MovingAverage(model, 0.5).average) == list(model.learner.state_dict())
    other = params.build()
    assert other.set_state_dict(model.state_dict()) == ([], [])
    assert bits(other) == bits(model)
    assert model.infer_model is model.learner
    assert build.learner(model) is model.learner
    assert build.learner(model.learner) is model.learner


def test_a_range_test_leaves_both_as_they_were(params):
    model = params.build()
    before = bits(model), bits(model.frozen["Teacher"])
    trainer = trainer_of(model, 10)
    found = range_test(
        model, trainer.loader.epoch(0), trainer.losses, lambda rate: trainer.optimizer, 1e-6, 1e-4, 10, seed=3
    )
    assert len(found.losses) == 10
    assert (bits(model), bits(model.frozen["Teacher"])) == before


def test_the_student_begins_as_it_would_alone(config):
    paddle.seed(0)
    model, completed = build.model(config(), training=True)
    paddle.seed(0)
    alone, _ = build.model(config(alone=True), training=True)
    assert bits(model) == bits(alone)
    assert completed.Arch.members == config().Arch.members


def arrays(place, name):
    return {key: value.tobytes() for key, value in load_pickle(place / name).items() if hasattr(value, "tobytes")}


def test_a_resumed_run_ends_in_the_same_bits(config, tmp_path, monkeypatch):
    average = "EMA={decay: 0.5}"
    run = tmp_path / "output" / "DistillationModel"
    assert train(config(average)).epochs == 2
    whole = [arrays(run / "latest", f"ppcls{suffix}") for suffix in (".pdparams", "_other.pdparams", ".pdopt")]
    there = f"Global.output_dir={tmp_path / 'half'}"
    half = tmp_path / "half" / "DistillationModel"
    assert train(config(average, there, "Global.epochs=1")).epochs == 1
    assert arrays(half / "latest", "ppcls_other.pdparams") != whole[1]
    assert train(config(average, there, f"Global.checkpoints={half}")).epochs == 2
    assert [arrays(half / "latest", f"ppcls{suffix}") for suffix in (".pdparams", "_other.pdparams", ".pdopt")] == whole


def test_other_weights_of_the_teacher_do_not_resume(config, home, tmp_path):
    train(config("Global.epochs=1", "Global.eval_during_train=false"))
    run = tmp_path / "output" / "DistillationModel"
    other = f"Arch.models.0.Teacher.pretrained={home / 'other.pdparams'}"
    assert re.fullmatch(
        r"\S+/latest: learnt from other weights of Teacher \(sha256 [0-9a-f]{8}, here [0-9a-f]{8}\); give the file "
        "it was trained with as the pretrained of Teacher",
        refusal(train, config(other, f"Global.checkpoints={run}")),
    )


def evaluation(capsys):
    """Accuracies and loss of the last evaluation that was logged."""
    return re.findall(r"valid (top1: .*?, loss: [\d.]+), ", capsys.readouterr().out)[-1]


def test_the_checkpoint_is_one_of_the_student(config, tmp_path, capsys):
    train(config())
    trained = evaluation(capsys)
    best = tmp_path / "output" / "DistillationModel" / "latest"
    assert set(arrays(best, "ppcls.pdparams")) == set(build_model("DLA46_c", class_num=4).state_dict())
    weights = f"Global.pretrained_model={best}"
    answers = []
    for alone in (False, True):
        assert evaluate(config(weights, command="eval", alone=alone)).failures == {}
        assert evaluation(capsys) == trained
        file = tmp_path / f"{alone}.csv"
        assert infer(config(weights, command="infer", alone=alone), str(file)) == 0
        answers.append(file.read_text())
    assert answers[0] == answers[1]
    assert answers[0].count("\n") == 9


def test_export_is_of_the_student(config, tmp_path, capsys):
    assert export(config(command="export"), untrained=True).folder == tmp_path / "output" / "bundle"
    assert "architecture: DLA46_c" in (tmp_path / "output" / "bundle" / "inference.yml").read_text()


def test_a_frozen_model_may_be_the_one_that_answers(config, tmp_path, capsys):
    train(config("Arch.infer_model_name=Teacher"))
    first, second = re.findall(r"valid (top1: .*?, loss: [\d.]+), ", capsys.readouterr().out)
    assert evaluate(config("Arch.infer_model_name=Teacher", command="eval")).failures == {}
    assert evaluation(capsys) == first == second
    weights = f"Global.pretrained_model={tmp_path / 'output' / 'DistillationModel' / 'latest'}"
    with pytest.raises(UserError, match=r"latest: these weights are for the model that is trained, but Teacher \(Arch"):
        evaluate(config("Arch.infer_model_name=Teacher", weights, command="eval"))


def test_a_teacher_of_other_classes_is_refused(config, home, tmp_path):
    model = build_model("DLA46_c", class_num=5)
    paddle.save(model.state_dict(), str(tmp_path / "five.pdparams"))
    five = f"Arch.models.0.Teacher.pretrained={tmp_path / 'five.pdparams'}"
    with pytest.raises(UserError, match=r"five.pdparams: fc.weight .*\[5, 16, 1, 1\] .*DLA46_c.*\[4,"):
        train(config(five))


def test_a_metric_of_a_model_that_is_not_there():
    counter = DistillationTopkAcc(1, "Pupil").accumulator()
    assert refusal(counter.update, {"Student": None, "Teacher": None}, None) == says(
        "a metric names the model Pupil, but the models are Student, Teacher; ..."
    )
