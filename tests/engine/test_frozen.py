"""A head that trains on kept features ends where it ends in the whole model with a frozen backbone."""

import re
import tempfile
from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from helpers.pictures import noise, save_picture
from ppcls.arch.families.squeezenet.facts import SqueezeNet1_1Params
from ppcls.cli import main
from ppcls.deployment.legacy_program import NotInThisFormat
from ppcls.engine import checkpoint, frozen, train
from ppcls.engine.expected_time import expected_times
from ppcls.engine.feature_store import FeatureStore
from ppcls.engine.frozen import FrozenBackbone
from ppcls.inference import Bundle
from ppcls.inference.backends.default import paddle_has_openvino
from ppcls.untrusted.unpickle import load_pickle
from ppcls.utils.errors import Unavailable
from ppcls.utils.logging import get_logger

WEIGHTS = "weights.pdparams"


def raising(error):
    def call(*arguments):
        raise error

    return call


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PPCLS_HOME", str(tmp_path / "home"))
    for index in range(10):
        save_picture(tmp_path / "data" / "ab"[index % 2] / f"{index}.png", noise(72, 68, seed=index))
    paddle.seed(3)
    model = SqueezeNet1_1Params("SqueezeNet1_1", class_num=2).make()
    paddle.save(model.state_dict(), WEIGHTS)
    return tmp_path


def finetune(output, *words):
    command = ["finetune", "data", "--arch", "SqueezeNet1_1", "--pretrained", WEIGHTS, "--freeze", "backbone"]
    small = [
        "Global.device=cpu", "Global.image_shape=[3, 64, 64]", "Global.report=false", "Global.epochs=3",
        "DataLoader.Train.dataset.transform_ops.ResizeImage.resize_short=66",
        "DataLoader.Train.dataset.transform_ops.CropImage.size=64",
        "DataLoader.Eval.dataset.transform_ops.ResizeImage.resize_short=66",
        "DataLoader.Eval.dataset.transform_ops.CropImage.size=64",
        "DataLoader.Train.loader.num_workers=0", "DataLoader.Eval.loader.num_workers=0",
    ]  # fmt: skip
    overrides = [word for key in small for word in ("-o", key)]
    return main([*command, "--batch-size", "4", "--output", output, *overrides, *words])


def state_of(output):
    arrays = load_pickle(f"{output}/SqueezeNet1_1/latest/ppcls.pdparams")
    return {name: np.asarray(value) for name, value in arrays.items() if isinstance(value, np.ndarray)}


def test_it_ends_where_the_whole_model_does_and_reads_each_picture_once(here, monkeypatch):
    computed = []
    monkeypatch.setattr(train, "expected_times", lambda *arguments: "")
    run = frozen.FrozenBackbone.run
    monkeypatch.setattr(
        frozen.FrozenBackbone, "run", lambda self, image: computed.append(len(image)) or run(self, image)
    )
    assert finetune("kept") == 0
    # The first epoch's pictures, and those of the evaluation, which its trial has computed
    assert sum(computed) <= 2 * 10
    first = sum(computed)
    assert finetune("again") == 0
    assert sum(computed) - first <= 2  # the trial of the evaluation
    monkeypatch.setattr(train, "frozen_backbone", lambda *arguments: None)
    assert finetune("whole") == 0
    kept, again, whole = map(state_of, ("kept", "again", "whole"))
    assert kept and kept.keys() == whole.keys()
    for name, value in whole.items():
        np.testing.assert_allclose(kept[name], value, rtol=0, atol=1e-4, err_msg=name)
        np.testing.assert_array_equal(kept[name], again[name], err_msg=name)
    before = dict(paddle.load(WEIGHTS))
    for name in ("stem.weight", "fire9.squeeze.weight"):
        np.testing.assert_array_equal(kept[name], before[name].numpy())
    assert np.abs(kept["fc.weight"] - before["fc.weight"].numpy()).max() > 1e-3


class Doubling(paddle.nn.Layer):
    """A layer that is not of this package."""

    def forward(self, x):
        return 2 * x


def backbone():
    paddle.seed(3)
    model = SqueezeNet1_1Params("SqueezeNet1_1", class_num=2, freeze="backbone").make()
    model.train()
    return model


@pytest.mark.skipif(not paddle_has_openvino(), reason="this build of Paddle carries no OpenVINO")
def test_an_engine_computes_the_features_of_the_kernels_and_changes_nothing(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model = backbone()
    before = {name: value.numpy() for name, value in model.state_dict().items()}
    paddle.seed(5)
    drawn = paddle.rand([3]).numpy()
    paddle.seed(5)
    caplog.set_level("INFO", "ppcls")
    monkeypatch.setattr(get_logger(), "propagate", True)
    by_engine, by_kernels = (FrozenBackbone(model, exports) for exports in (True, False))
    for side in (64, 80, 64):
        image = paddle.to_tensor(np.random.default_rng(side).normal(size=(3, 3, side, side)).astype("float32"))
        features, wanted = by_engine.run(image), by_kernels.run(image)
        assert features.shape == wanted.shape == (3, 512, side // 16 - 1, side // 16 - 1)
        np.testing.assert_allclose(features, wanted, rtol=0, atol=1e-5 * wanted.max())
    assert [record.message for record in caplog.records] == ["features are computed by OpenVINO inside Paddle"] * 2
    np.testing.assert_array_equal(paddle.rand([3]).numpy(), drawn)
    assert model.training and list(tmp_path.iterdir()) == []
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"paddle_has_openvino": lambda: False}, []),
        ({"save_legacy_network": raising(NotInThisFormat("no such format"))}, ["no such format"]),
        ({"save_legacy_network": raising(OSError("no space"))}, ["no space"]),
        ({"open_program": raising(Unavailable("no engine"))}, ["no engine"]),
    ],
)
def test_the_kernels_that_train_compute_features_where_no_engine_can(changes, said, monkeypatch, caplog):
    caplog.set_level("INFO", "ppcls")
    monkeypatch.setattr(get_logger(), "propagate", True)
    for name, value in {"paddle_has_openvino": lambda: True, **changes}.items():
        monkeypatch.setattr(frozen, name, value)
    model = backbone()
    image = paddle.ones([1, 3, 64, 64])
    computed = [FrozenBackbone(model, exports).run(image) for exports in (True, False)]
    np.testing.assert_array_equal(*computed)
    messages = [record.message for record in caplog.records]
    assert messages == [f"features are computed by the kernels that train: {reason}" for reason in said]


def test_the_kernels_that_train_compute_the_features_of_a_users_layers(monkeypatch):
    """Paddle would rewrite their code to trace it, and some cannot be traced."""
    monkeypatch.setattr(frozen, "paddle_has_openvino", lambda: True)
    monkeypatch.setattr(frozen, "save_legacy_network", raising(AssertionError))
    model = backbone()
    image = paddle.ones([1, 3, 64, 64])
    plain = FrozenBackbone(model, exports=False).run(image)
    model.shrink = paddle.nn.Sequential(Doubling(), model.shrink)
    doubled = FrozenBackbone(model, exports=True).run(image)
    assert doubled.shape == plain.shape and np.abs(doubled - plain).max() > 0


@pytest.mark.parametrize("scale", [1.0, np.inf])
@pytest.mark.parametrize("training", [True, False])
def test_the_trial_of_the_expected_time_changes_nothing(training, scale):
    model = SqueezeNet1_1Params("SqueezeNet1_1", class_num=2, freeze=2).make()
    (model.train if training else model.eval)()
    modes = [layer.training for layer in model.sublayers()]
    frozen = [each.stop_gradient for each in model.parameters()]
    before = {name: value.numpy() for name, value in model.state_dict().items()}
    batch = SimpleNamespace(image=paddle.ones([2, 3, 64, 64]), label=paddle.zeros([2]), index=[0, 1])
    loader = SimpleNamespace(trial=lambda *counts: batch, images=range(10))
    expected_times(
        FrozenBackbone(model, exports=False), lambda logits, label: {"loss": logits.mean() * scale}, loader, 3, 3, 4
    )
    assert [layer.training for layer in model.sublayers()] == modes
    assert [each.stop_gradient for each in model.parameters()] == frozen and model.params.freeze == 2
    assert [each.grad for each in model.parameters()] == [None] * len(model.parameters())
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])


def test_a_fine_tuning_can_be_resumed_in_another_process(here):
    """Paddle numbers the optimizers that a parameter has had, and a new process begins with 0."""
    assert finetune("kept") == 0
    state = checkpoint.read(here / "kept/SqueezeNet1_1/latest").optimizer()
    assert sorted(state) == ["fc.bias/velocity_0", "fc.weight/velocity_0"]


def test_the_expected_time_is_said_and_its_trial_changes_nothing(here, capsys):
    assert finetune("kept") == 0
    sentence = capsys.readouterr().out.partition("expected time, from a trial of 4 pictures: ")[2]
    assert re.match(r"[\d.]+ s for the whole network, [\d.]+ s for the head alone \(--freeze backbone\)", sentence)
    model = SqueezeNet1_1Params("SqueezeNet1_1", class_num=2, freeze="backbone").make()
    model.train()
    before = {name: value.numpy() for name, value in model.state_dict().items()}
    batch = SimpleNamespace(image=paddle.ones([2, 3, 64, 64]), label=paddle.zeros([2]), index=[0, 1])
    loader = SimpleNamespace(trial=lambda *counts: batch, images=range(10))
    text = expected_times(
        FrozenBackbone(model, exports=False), lambda logits, label: {"loss": logits.mean()}, loader, 3, 3, 4
    )
    assert text.startswith("expected time, from a trial of 2 pictures: ")
    assert model.training and model.params.freeze == "backbone" and model.stem.weight.stop_gradient
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])


def test_the_result_is_an_ordinary_bundle(here):
    assert finetune("kept") == 0
    assert main(["export", "-c", "kept/SqueezeNet1_1/finetune.yaml", "-o", "Global.save_inference_dir=bundle"]) == 0
    assert Bundle.load("bundle").architecture_arguments["class_num"] == 2


def test_the_store_is_bounded_and_forgets_the_network_used_longest_ago(tmp_path):
    features = np.arange(8, dtype=np.float32)
    old = FeatureStore(tmp_path / "old", limit=400)
    for digest in ("aa", "bb"):
        old.put(digest, features)
    assert "aa" in old and "cc" not in old and "" not in old
    np.testing.assert_array_equal(old.get("bb"), features)
    new = FeatureStore(tmp_path / "new", limit=400)
    assert not (tmp_path / "old").exists()
    for number in range(40):
        new.put(f"{number:02}", features)
    assert 1 <= sum(f"{number:02}" in new for number in range(40)) <= 12
