"""`train`, `evaluate`, `export` and `finetune` from Python: what they return, and that nothing is left behind."""

import logging
import os
import re
import signal
from pathlib import Path

import paddle
import pytest
import yaml

import ppcls
from helpers.messages import says
from helpers.tiny_run import prepare_own, use_tiny
from ppcls import Classifier, EvaluationResult, UserError, evaluate, export, finetune, train
from ppcls.cli import main
from ppcls.engine.trainer import Trainer
from ppcls.kernels import selection
from ppcls.untrusted.unpickle import load_pickle

RUN = Path("output/SqueezeNet1_1")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with twenty pictures in four classes, and own.yaml, a training of one epoch into output."""
    use_tiny(monkeypatch.setattr)
    prepare_own(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def weights(folder):
    return {
        name: value.tobytes()
        for name, value in load_pickle(folder / "ppcls.pdparams").items()
        if hasattr(value, "tobytes")
    }


def test_a_training_is_that_of_the_command_and_says_what_it_wrote(here):
    """Twice in one process, by a path and by a mapping: the same weights to the bit."""
    result = train("own.yaml", epochs=2, console="quiet")
    assert (result.output_dir, result.config_file, result.latest) == (RUN, RUN / "config.yaml", RUN / "latest")
    assert (result.epochs, result.metric, result.best_model) == (2, "top1", RUN / "best_model")
    assert [evaluated["epoch"] for evaluated in result.history] == [1, 2]
    best = max(result.history, key=lambda evaluated: evaluated["top1"])
    assert (result.best_epoch, result.best_metric) == (best["epoch"], best["top1"])
    assert dict(result.metrics) == {"top1": best["top1"], "loss": best["loss"]}
    log = (RUN / "train.log").read_text()
    assert f"best top1: {result.best_metric:.5f} in epoch:{result.best_epoch - 1}" in log
    mapping = yaml.safe_load(Path("own.yaml").read_text())
    again = train(mapping, overrides={"Global.epochs": 2}, output_dir=here / "again", console="quiet")
    assert again.output_dir == here / "again" / "SqueezeNet1_1"
    assert main(["train", "-c", "own.yaml", "-o", "Global.epochs=2", "-o", "Global.output_dir=command"]) == 0
    expected = weights(here / "command" / "SqueezeNet1_1" / "latest")
    assert weights(result.latest) == weights(again.latest) == expected


def test_the_way_to_an_answer(here, capsys):
    result = train("own.yaml", console="quiet")
    evaluated = evaluate(result, console="quiet")
    assert isinstance(evaluated, EvaluationResult)
    assert (evaluated.pictures, evaluated.failures) == (20, {})
    assert evaluated.metrics == pytest.approx(result.metrics)
    some = evaluate(result, weights=result.latest, data="data", output="rows.csv", batch_size=3, console="quiet")
    assert some.metrics["top1"] == evaluated.metrics["top1"]
    assert len(Path("rows.csv").read_text().splitlines()) == 21
    bundle = export(result, output_dir="bundle", console="quiet")
    assert bundle.folder == here / "bundle"
    assert bundle.input_difference < 1e-6 and bundle.score_difference < 1e-4
    answers = list(Classifier(bundle, topk=1).predict("data/a"))
    assert len(answers) == 5 and {answer.name for answer in answers} <= set("abcd")
    assert capsys.readouterr().out == ""


def test_own_pictures(here, capsys):
    result = finetune(
        here / "data", "SqueezeNet1_1", pretrained=False, epochs=1, batch_size=4, output_dir="tuned", device="cpu",
        overrides=["Global.image_shape=[3, 32, 32]", "DataLoader.Train.dataset.transform_ops.RandCropImage.size=32",
                   "DataLoader.Eval.dataset.transform_ops.ResizeImage.resize_short=32",
                   "DataLoader.Eval.dataset.transform_ops.CropImage.size=32"],
    )  # fmt: skip
    assert result.config_file == Path("tuned/SqueezeNet1_1/finetune.yaml")
    assert (result.epochs, result.best_epoch) == (1, 1)
    said = capsys.readouterr().out
    assert "4 classes (a, b, c, d), 16 pictures to learn from, 4 to validate\n" in said
    assert "\nbatch size 4, 1 epoch of 4 steps\n" in said
    assert re.search(r"\nepoch 1/1  eval   top1 \d", said)
    assert "Next:" not in said


def test_nothing_of_the_process_is_changed(here, capsys):
    """Log, signals, device, kernels and random numbers; a program's own handler gets every line."""
    logger, lines = logging.getLogger("ppcls"), []

    class Own(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())

    own = Own()
    logger.addHandler(own)
    logger.setLevel(logging.INFO)
    paddle.set_device("cpu")
    paddle.seed(7)
    expected = paddle.rand([4]).numpy().tolist()
    paddle.seed(7)

    def state():
        signals = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)]
        log = (list(logger.handlers), logger.level, logger.propagate, list(logger.filters))
        return log, signals, paddle.get_device(), selection.selected(), Path.cwd()

    before = state()
    train("own.yaml", overrides={"DataLoader.Train.loader.num_workers": 1, "Global.cpu_kernels": "onednn"})
    assert state() == before
    with pytest.raises(UserError):
        train("own.yaml", overrides={"Global.existing_run": "refuse"})
    assert state() == before
    assert paddle.rand([4]).numpy().tolist() == expected
    assert len([line for line in lines if line.startswith("END epoch:0   train ")]) == 1
    assert capsys.readouterr().out.count(" INFO: END epoch:0   train ") == 1


def test_ctrl_c_saves_and_interrupts(here, monkeypatch):
    step = Trainer._step

    def interrupted(self, batch):
        if self.state.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train("own.yaml", console="quiet")
    resumed = train("own.yaml", resume=RUN / "latest", console="quiet")
    assert resumed.epochs == 1
    assert "resumed output/SqueezeNet1_1/latest at epoch 0, step " in (RUN / "train.log").read_text()
    whole = train("own.yaml", output_dir="whole", console="quiet")
    assert weights(resumed.latest) == weights(whole.latest)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: train("DLA43"), "there is no configuration ... DLA43 ... DLA34 ..."),
        (lambda: train("own.yaml", epochs=0), "-o Global.epochs=0: ..."),
        (lambda: train({"base": "own.yaml", "Global": {"epohs": 1}}),
         "the given mapping Global: unknown key 'epohs'. Did you mean 'epochs'?"),
        (lambda: train({"base": "own.yaml", "Arch": object()}), "the given mapping ... object ... write ..."),
        (lambda: train("own.yaml", overrides="Global.epochs=1"), "overrides is the text ... ['Global.epochs=1'] ..."),
        (lambda: train("own.yaml", overrides={"Global.seed": {1}}), "Global.seed: {1} ... write ..."),
        (lambda: evaluate("own.yaml"), "no weights are configured ..."),
        (lambda: evaluate("own.yaml", data="gone"), "--data: there is no folder or list gone; ..."),
        (lambda: export("own.yaml", opset=13), "opset is 13, but onnx is False; write onnx=True as well"),
        (lambda: export("own.yaml", untrained=True, size="12y"), "a size of '12y'; write ..."),
        (lambda: finetune("gone"), "there is no folder gone; ..."),
    ],
)  # fmt: skip
def test_a_mistake_is_the_sentence_of_the_command(here, call, message):
    with pytest.raises(UserError) as error:
        call()
    assert says(message) == str(error.value)
    assert not Path("output").exists()


def test_every_public_name_is_there_and_documented():
    for name in ppcls.__all__:
        value = getattr(ppcls, name)
        assert name == "__version__" or value.__doc__
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        ppcls.trian  # noqa: B018
