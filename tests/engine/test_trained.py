"""Evaluation, inference and export take the weights of the configuration's own run, and no other run's."""

import json
import shlex
import sys
from pathlib import Path

import pytest
import yaml

from helpers.messages import refusal, says
from helpers.tiny_run import enter_own
from ppcls.cli import main
from ppcls.engine import next_commands
from ppcls.engine.trained import load_with_weights
from ppcls.utils.errors import ConfigError

RUN = Path("output/SqueezeNet1_1")
BEST = f"weights: {RUN}/best_model, the best of the run (epoch 1, top1 "


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with a blank in its name, pictures and `own.yaml`."""
    place = tmp_path / "my work"
    place.mkdir()
    enter_own(place, monkeypatch)
    return place


def options(overrides):
    return [word for override in overrides for word in ("-o", override)]


def train(*overrides, file="own.yaml"):
    assert main(["train", "-c", str(file), *options(overrides)]) == 0


def weights(*overrides, file="own.yaml", command="eval"):
    """The weights that a command would take."""
    return load_with_weights(str(file), overrides, command).Global.pretrained_model


def test_the_best_of_the_run_is_taken_and_said(here, capsys):
    assert weights() is None
    assert capsys.readouterr().err == ""
    train()
    for command in ("eval", "export"):
        assert weights(command=command) == f"{RUN}/best_model"
        error = capsys.readouterr().err
        assert error.startswith(BEST)
        assert error.endswith(f") in {RUN}; to use others write -o Global.pretrained_model=PATH\n")
    assert weights("Infer.infer_imgs=data", command="infer") == f"{RUN}/best_model"


@pytest.mark.parametrize("command", ["eval", "infer", "export"])
def test_a_checkpoint_to_go_on_from_is_not_passed_over(here, command):
    assert refusal(weights, "Global.checkpoints=run/latest", command=command) == says(
        f"-o Global.checkpoints=run/latest: ...; for {command} write -o Global.pretrained_model=run/latest"
    )
    assert weights("Global.checkpoints=null") is None


def test_without_an_evaluation_it_is_the_latest(here, capsys):
    train("Global.eval_during_train=false")
    capsys.readouterr()
    assert weights() == f"{RUN}/latest"
    assert "the latest checkpoint of the run, which has no best_model," in capsys.readouterr().err


@pytest.mark.parametrize(
    ("override", "taken"),
    [("Global.pretrained_model=output/SqueezeNet1_1/latest", f"{RUN}/latest"), ("Global.pretrained_model=null", None),
     ("Arch.pretrained=true", None), ("Arch={name: SqueezeNet1_1, class_num: 4, pretrained: true}", None),
     (" Arch.pretrained =false", None)],
)  # fmt: skip
def test_the_command_line_prevails(here, capsys, override, taken):
    train()
    capsys.readouterr()
    assert weights(override) == taken
    assert capsys.readouterr().err == ""


def test_how_the_run_began_is_not_what_is_evaluated(here):
    """The file's own weights are those that training began with, as `finetune` writes them."""
    train()
    RUN.rename("begun")
    own = Path("own.yaml").read_text()
    for section, begins in (("Arch: {", "pretrained: begun/latest, "), ("Global: {", "pretrained_model: begun, ")):
        Path("own.yaml").write_text(own.replace(section, section + begins))
        train("Global.existing_run=overwrite")
        assert weights() == f"{RUN}/best_model"
    Path("own.yaml").write_text(own.replace("Arch: {", "Arch: {pretrained: begun/best_model, "))
    assert weights() is None


def test_weights_that_the_run_began_with_may_be_gone(here):
    train()
    RUN.rename("begun")
    own = Path("own.yaml").read_text()
    Path("own.yaml").write_text(own.replace("Arch: {", "Arch: {pretrained: begun/latest, "))
    train()
    Path("begun").rename("elsewhere")
    assert weights() == f"{RUN}/best_model"
    with pytest.raises(ConfigError, match=r"Arch.pretrained: begun/latest: no weights there"):
        weights("Global.output_dir=nowhere")


@pytest.mark.parametrize(
    ("override", "key"),
    [("DataLoader.Train.dataset.image_root=others", "DataLoader.Train.dataset.image_root is '{here}/data' in "),
     ("Arch.class_num=5", "Arch.class_num is 4 in "),
     ("DataLoader.Train=null", "DataLoader.Train.dataset.image_root is '{here}/data' in ")],
)  # fmt: skip
def test_another_configurations_run_is_not_taken(here, capsys, override, key):
    train()
    Path("others").mkdir()
    capsys.readouterr()
    assert weights(override) is None
    error = capsys.readouterr().err
    assert error.startswith(f"{RUN}/best_model is not used, because {key.format(here=here)}{RUN}/config.yaml and ")
    assert error.endswith(f" here; to use it anyway write -o Global.pretrained_model={RUN}/best_model\n")
    assert error.count("\n") == 1


def test_a_run_on_colours_is_not_taken_for_gray_pictures(here, capsys):
    train()
    capsys.readouterr()
    ops = "DataLoader.Eval.dataset.transform_ops"
    gray = ("Arch.in_channels=1", f"{ops}.DecodeImage.channels=1", f"{ops}.NormalizeImage={{mean: [0.5], std: [0.2]}}")
    assert weights(*gray, "Global.image_shape=[1, 16, 16]") is None
    assert f"{RUN}/best_model is not used, because Arch.in_channels is 3 in " in capsys.readouterr().err


def test_a_record_that_cannot_be_read_is_another_configurations(here, capsys):
    train()
    (RUN / "config.yaml").write_text("Global: [")
    capsys.readouterr()
    assert weights() is None
    assert f"{RUN}/config.yaml cannot be read as the configuration" in capsys.readouterr().err


def test_evaluating_other_pictures_is_the_same_run(here):
    train()
    assert weights("DataLoader.Eval.dataset.image_root=data", "Global.device=cpu") == f"{RUN}/best_model"


def test_the_configuration_of_a_moved_run_means_that_run(here):
    train()
    train()
    assert weights(file=f"{RUN}.1/config.yaml") == f"{RUN}.1/best_model"
    assert weights(file=f"{RUN}/config.yaml") == f"{RUN}/best_model"


def test_training_and_untrained_exports_take_none(here, capsys):
    train()
    capsys.readouterr()
    assert main(["train", "-c", str(RUN / "config.yaml"), "--print-config"]) == 0
    out, err = capsys.readouterr()
    assert (yaml.safe_load(out)["Global"]["pretrained_model"], err) == (None, "")
    assert main(["export", "-c", "own.yaml", "--untrained", "--print-config"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["Global"]["pretrained_model"] is None
    assert main(["eval", "-c", "own.yaml", "--print-config"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["Global"]["pretrained_model"] == f"{RUN}/best_model"


@pytest.mark.parametrize("place", ["output", "my output; no 'other'"])
def test_the_printed_commands_run_as_they_stand(here, capsys, monkeypatch, place):
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    train(f"Global.output_dir={json.dumps(place)}", f"Global.save_inference_dir={json.dumps(str(here / 'bundle'))}")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3] == "Next:"
    evaluate, export = (shlex.split(line) for line in lines[-2:])
    assert evaluate == ["ppcls", "eval", "-c", f"{place}/SqueezeNet1_1/config.yaml"]
    assert export == ["ppcls", "export", "-c", f"{place}/SqueezeNet1_1/config.yaml"]
    assert main(evaluate[1:]) == 0
    assert f"weights: {place}/SqueezeNet1_1/best_model/ppcls.pdparams" in capsys.readouterr().out
    assert main(export[1:]) == 0
    saved = json.loads(Path(place, "SqueezeNet1_1/best_model/ppcls.pdstates").read_text())
    settings = yaml.safe_load((here / "bundle" / "inference.yml").read_text())
    assert saved["files"]["ppcls.pdparams"] in json.dumps(settings)


def test_a_program_of_the_checkout_prints_its_neighbours(here, capsys, monkeypatch):
    """From a folder of a user's `python -m ppcls` finds no ppcls there."""
    tools = Path(next_commands.__file__).parents[2] / "tools"
    monkeypatch.setattr("sys.argv", [str(tools / "train.py")])
    train()
    evaluate, export = (shlex.split(line) for line in capsys.readouterr().out.splitlines()[-2:])
    assert evaluate == [sys.executable, str(tools / "eval.py"), "-c", f"{RUN}/config.yaml"]
    assert export == [sys.executable, str(tools / "export_model.py"), "-c", f"{RUN}/config.yaml"]


def test_commands_that_cannot_run_are_not_printed(here, capsys, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    train("Global.eval_during_train=false", "Metric.Eval=[]")
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith(f" -m ppcls export -c {RUN}/config.yaml")
    train("Global.eval_during_train=false", "DataLoader.Eval=null", "Metric.Eval=[]", "Loss.Eval=[]")
    assert "Next:" not in capsys.readouterr().out
