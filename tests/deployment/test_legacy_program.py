"""`inference.pdmodel`: written by a child in Paddle 2's format, and checked against the model as every bundle is."""

import numpy as np
import paddle
import pytest

from helpers.messages import refusal, says
from helpers.new_process import output_of, with_checkout
from ppcls.arch import build_model
from ppcls.arch.families.squeezenet.network import SqueezeNet
from ppcls.cli import main
from ppcls.data.transforms import CropImage, DecodeImage, NormalizeImage, Pipeline, ResizeImage
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


class OfPaddle3(SqueezeNet):
    """An operator's binding takes tensors and values of Paddle 3's programs, and nothing of Paddle 2's."""

    def forward_head(self, x):
        return paddle._C_ops.sigmoid(SqueezeNet.forward_head(self, x))


def test_what_paddle_cannot_write_is_one_sentence_and_leaves_nothing(tmp_path):
    network = model("SqueezeNet1_1")
    network.__class__ = OfPaddle3
    sentence = says("Paddle cannot write SqueezeNet1_1 as inference.pdmodel (... sigmoid... with --format json")
    assert refusal(export, network, tmp_path / "bundle") == sentence
    assert list(tmp_path.iterdir()) == []


def test_the_fastest_format_is_paddle_3s_for_what_paddle_2s_cannot_be_written(tmp_path, caplog):
    network = model("SqueezeNet1_1")
    export(network, tmp_path / "bundle", program_file=None)
    assert Bundle.load(tmp_path / "bundle").program.file == "inference.pdmodel"
    network.__class__ = OfPaddle3
    export(network, tmp_path / "bundle", program_file=None)
    assert Bundle.load(tmp_path / "bundle").program.file == "inference.json"
    assert [message.partition(" (")[0] for message in caplog.messages[-1:]] == [
        "Paddle cannot write SqueezeNet1_1 as inference.pdmodel"
    ]


def test_writing_it_leaves_paddle_as_it_was(tmp_path):
    sigmoid, network = paddle.nn.functional.sigmoid, model("SqueezeNet1_1")
    image = paddle.to_tensor(np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype("float32"))
    network.eval()
    before = network(image).numpy()
    export(network, tmp_path / "bundle")
    assert paddle.nn.functional.sigmoid is sigmoid
    assert paddle.framework.in_pir_mode() is False and paddle.framework.use_pir_api()
    np.testing.assert_array_equal(network(image).numpy(), before)
    network.train()
    network(image).mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


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
