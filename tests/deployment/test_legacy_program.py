"""`inference.pdmodel`: written by a child in Paddle 2's format, and checked against the model as every bundle is."""

from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from helpers.messages import refusal, says
from helpers.new_process import output_of, with_checkout
from ppcls.arch import build_model
from ppcls.cli import main
from ppcls.data.transforms import CropImage, DecodeImage, NormalizeImage, Pipeline, ResizeImage
from ppcls.deployment import legacy_program
from ppcls.engine import exporter
from ppcls.engine.exporter import export_bundle
from ppcls.inference import Bundle, Classifier, GoldenMismatch

PIPELINE = Pipeline([DecodeImage(), ResizeImage(resize_short=72), CropImage(size=64), NormalizeImage()])


def model(name):
    paddle.seed(1)
    return build_model(name, class_num=7)


def export(network, folder, **changes):
    name = network.params.name
    arguments = {"architecture": name, "class_num": 7, "image_shape": (3, 64, 64), "program_file": "inference.pdmodel"}
    return export_bundle(network, PIPELINE, folder, **{**arguments, **changes})


def test_the_program_computes_what_the_model_does(tmp_path):
    network = model("DLA46_c")
    assert export(network, tmp_path / "bundle").score_difference < 1e-4
    names = sorted(path.name for path in (tmp_path / "bundle").iterdir())
    assert names == ["golden.npz", "inference.pdiparams", "inference.pdmodel", "inference.yml"]
    assert Bundle.load(tmp_path / "bundle").program.file == "inference.pdmodel"
    network.eval()
    batch = np.random.default_rng(0).normal(size=(3, 3, 64, 64)).astype("float32")
    expected = paddle.nn.functional.softmax(network(paddle.to_tensor(batch)), axis=-1).numpy()
    for onednn in (True, False):
        backend = Classifier(tmp_path / "bundle", onednn=onednn)._prediction.backend
        np.testing.assert_allclose(backend.run(batch), expected, rtol=0, atol=1e-5)


def test_a_wrong_program_is_noticed_and_the_old_bundle_stays(tmp_path, monkeypatch):
    network = model("SqueezeNet1_1")
    export(network, tmp_path / "bundle", weights_sha256="old", program_file="inference.json")
    original = exporter.save_legacy_program
    paddle.seed(2)
    other = build_model("SqueezeNet1_1", class_num=7)
    monkeypatch.setattr(exporter, "save_legacy_program", lambda network, *rest: original(other, *rest))
    with pytest.raises(GoldenMismatch, match="scores are off by"):
        export(network, tmp_path / "bundle")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert Bundle.load(tmp_path / "bundle").weights_sha256 == "old"


def test_what_paddle_cannot_write_is_one_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    calls = []

    def fail(command, **options):
        calls.append((command[-2], options["env"]["FLAGS_enable_pir_api"]))
        return SimpleNamespace(
            returncode=1, stderr="Traceback ...\nTypeError: tanh(): must be Value, but got Variable\n"
        )

    monkeypatch.setattr(legacy_program.subprocess, "run", fail)
    assert refusal(export, model("SqueezeNet1_1"), tmp_path / "bundle") == says(
        "Paddle cannot write SqueezeNet1_1 ... (TypeError: tanh(): must be Value, but got "
        "Variable); ... without --format pdmodel"
    )
    assert calls == [("ppcls.deployment.legacy_program", "0")]
    assert list(tmp_path.iterdir()) == []


def test_the_sigmoid_that_paddle_2s_programs_get():
    """SENet154_vd's gates; the whole model is written in tests/extras."""
    code = """
import numpy as np, paddle
from ppcls.deployment.legacy_program import _sigmoid
paddle.enable_static()
x = paddle.static.data("x", [None, 3], "float32")
y = _sigmoid(x)
values = np.float32([[-90, 0, 2]])
(found,) = paddle.static.Executor(paddle.CPUPlace()).run(feed={"x": values}, fetch_list=[y])
assert np.allclose(found, 1 / (1 + np.exp(-values.astype("float64"))), rtol=0, atol=1e-7), found
print(type(paddle.static.default_main_program()).__module__)
"""
    environment = with_checkout(FLAGS_enable_pir_api="0", PYTHONWARNINGS="ignore")
    assert output_of("-c", code, environment=environment) == "paddle.base.framework\n"


def test_the_command_writes_it_at_another_size(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ppcls.py").write_text("raise SystemExit('another ppcls was imported')")
    words = ["export", "-c", "SqueezeNet1_1", "--untrained", "--format", "pdmodel", "--size", "96x64"]
    assert main([*words, "-o", "Global.save_inference_dir=out"]) == 0
    bundle = Bundle.load("out")
    assert (bundle.program.file, bundle.input.shape) == ("inference.pdmodel", (-1, 3, 96, 64))
    assert bundle.pipeline.ops[1:3] == (ResizeImage(resize_short=110), CropImage(size=(64, 96)))
