"""`ppcls verify`: the table, the exit code, and the model itself as the reference."""

import numpy as np
import paddle
import pytest

from helpers.messages import says
from helpers.pictures import save_list
from ppcls.cli import main
from ppcls.deployment.verify.forms import REFERENCE
from ppcls.inference import Bundle, Golden
from ppcls.inference.backends import open_backend

MODEL = ["-c", "SqueezeNet1_1", "-o", "Global.image_shape=[3,64,64]", "-o", "Arch.class_num=5"]
MODEL += ["-o", "Infer.PostProcess=null", "-o", "DataLoader.Eval.dataset.transform_ops=" + str(
    [{"DecodeImage": {}}, {"ResizeImage": {"size": 64}}, {"NormalizeImage": None}, {"ToCHWImage": None}]
).replace("None", "null").replace("'", "")]  # fmt: skip


@pytest.fixture
def pictures(tmp_path):
    return save_list(tmp_path, [0, 1, 2])


def test_a_bundle_that_is_as_exported_passes(exported, capsys):
    assert main(["verify", str(exported), "--backend", "paddle:float32"]) == 0
    header, row, last = capsys.readouterr().out.splitlines()
    assert header.split()[0] == "Backend" and row.split()[:2] == ["paddle", "float32"] and row.endswith("passed")
    assert last == "compared with the model's scores of the golden picture"


def test_other_golden_scores_make_the_exit_code_1(copy, capsys, write_golden):
    golden = Golden.load(copy / "golden.npz")
    write_golden(copy, Golden(golden.picture, golden.input, np.roll(golden.scores, 1)))
    assert main(["verify", str(copy), "--backend", "paddle:float32"]) == 1
    assert "FAILED: " in capsys.readouterr().out


def test_the_model_itself_can_be_the_reference(tmp_path, pictures, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from ppcls.arch import SqueezeNet1_1

    for seed in (1, 2):
        paddle.seed(seed)
        paddle.save(SqueezeNet1_1(class_num=5).state_dict(), f"w{seed}.pdparams")
    assert main(["export", *MODEL, "-o", "Global.pretrained_model=w1"]) == 0
    capsys.readouterr()
    verify = ["verify", "inference", "--backend", "paddle:float32", "--data", str(pictures), *MODEL]
    assert main([*verify, "-o", "Global.pretrained_model=w1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "compared with the given model, on 3 pictures"
    assert main([*verify, "-o", "Global.pretrained_model=w2"]) == 1
    assert "FAILED: scores differ by up to " in capsys.readouterr().out


def test_a_temperature_is_folded_into_the_program(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from ppcls.arch import SqueezeNet1_1

    paddle.seed(1)
    paddle.save(SqueezeNet1_1(class_num=5).state_dict(), "w.pdparams")
    model = [*MODEL, "-o", "Global.pretrained_model=w"]
    assert main(["export", *model]) == 0
    plain = Golden.of(Bundle.load("inference"))
    assert main(["export", *model, "--temperature", "0.25"]) == 0
    sharp = Golden.of(Bundle.load("inference"))
    expected = plain.scores**4 / (plain.scores**4).sum()
    assert np.abs(plain.scores - expected).max() > 1e-3
    assert np.allclose(sharp.scores, expected, atol=1e-6)
    verify = ["verify", "inference", "--backend", "paddle:float32", *model]
    assert main(verify) == 1
    assert main([*verify, "--temperature", "0.25"]) == 0
    capsys.readouterr()
    assert main(["export", *model, "--temperature", "-1"]) == 2
    assert capsys.readouterr().err.startswith("the temperature is -1; write a number above 0")
    assert main(["export", *model, "--temperature", "no_report"]) == 2
    assert capsys.readouterr().err.startswith("no_report is not a report of `ppcls eval --report`")
    assert main(["verify", "inference", "--temperature", "2"]) == 2
    assert capsys.readouterr().err.endswith("give -c as well\n")


@pytest.mark.parametrize("option", ["--batch-size", "--threads"])
def test_no_pictures_at_a_time_and_no_threads_are_refused(exported, capsys, option):
    with pytest.raises(SystemExit) as caught:
        main(["verify", str(exported), "--backend", "paddle", option, "0"])
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        f"ppcls verify: argument {option}: '0' is not a whole number from 1; see `ppcls verify --help`\n"
    )


def test_an_override_of_no_configuration_is_refused(exported, capsys):
    assert main(["verify", str(exported), "-o", "Global.seed=3"]) == 2
    assert capsys.readouterr().err == says("-o Global.seed=3 needs a configuration ...; give one with -c\n")


def test_class_folders_are_labels(exported, tmp_path, pictures, capsys):
    """Where each picture lies in the folder of the class that the program finds, all answers are right."""
    bundle = Bundle.load(exported)
    inputs = np.stack([bundle.pipeline.from_file(tmp_path / f"{index}.png") for index in range(3)])
    found = open_backend(bundle, REFERENCE.settings()).run(inputs).argmax(axis=1)
    for index, label in enumerate(found):
        folder = tmp_path / "val" / bundle.class_names[label]
        folder.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{index}.png").rename(folder / f"{index}.png")
    assert main(["verify", str(exported), "--backend", "paddle:float32", "--data", str(tmp_path / "val")]) == 0
    reference = capsys.readouterr().out.splitlines()[1]
    assert reference.split()[:2] == ["reference", "float32"] and reference.split()[5:7] == ["100.00", "100.00"]
