"""Gray pictures from training to a bundle, and configurations that contradict themselves about channels."""

import importlib.util
import os

import numpy as np
import paddle
import pytest
from PIL import Image

from helpers.pictures import save_class_folders
from helpers.tiny_run import use_tiny
from ppcls.cli import main
from ppcls.config import load_config
from ppcls.data.transforms import DecodeImage
from ppcls.engine import build
from ppcls.engine.recipe import differences
from ppcls.engine.schema import registries
from ppcls.inference.bundle import Bundle
from ppcls.inference.classifier import Classifier
from ppcls.inference.golden import Golden
from ppcls.utils.errors import ConfigError

CONFIG = """
Global: {epochs: 1, device: cpu, output_dir: out, image_shape: [1, 32, 32]}
Arch: {name: SqueezeNet1_1, class_num: 2, in_channels: 1}
Loss: {Train: [CELoss: {}], Eval: [CELoss: {}]}
Optimizer: {name: Momentum, lr: {name: Constant, learning_rate: 0.01}}
DataLoader:
  Train:
    dataset:
      name: ImageFolder
      image_root: data
      transform_ops:
        - DecodeImage: {channels: 1}
        - RandCropImage: {size: 32}
        - RandFlipImage: {}
        - NormalizeImage: &normalize {mean: [0.459], std: [0.226]}
    sampler: {name: DistributedBatchSampler, batch_size: 4, shuffle: true}
    loader: {num_workers: 0}
  Eval:
    dataset:
      name: ImageFolder
      image_root: data
      transform_ops: [DecodeImage: {channels: 1}, ResizeImage: {size: 32}, NormalizeImage: *normalize]
    sampler: {name: DistributedBatchSampler, batch_size: 8}
    loader: {num_workers: 0}
Metric: {Eval: [TopkAcc: {topk: 1}]}
Infer: {PostProcess: {name: Topk, topk: 2}}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    use_tiny(monkeypatch.setattr)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG)
    save_class_folders(tmp_path / "data", ("ash", "oak"), 8)
    return tmp_path


def run(command, *overrides):
    return main([command, "-c", "config.yaml", *(word for text in overrides for word in ("-o", text))])


def test_from_training_to_a_bundle(here):
    assert run("train") == 0
    weights = "Global.pretrained_model=out/SqueezeNet1_1/best_model"
    assert run("eval", weights) == 0
    onnx = ["--onnx"] if importlib.util.find_spec("paddle2onnx") else []
    assert main(["export", "-c", "config.yaml", "-o", weights, *onnx]) == 0

    bundle = Bundle.load("inference")
    assert (bundle.input.shape, bundle.input.color) == ((-1, 1, 32, 32), "GRAY")
    assert Golden.of(bundle).input.shape == (1, 1, 32, 32)
    config = load_config("config.yaml", [weights], registries(), "export")
    assert bundle.pipeline == build.eval_pipeline(config)

    picture = "data/oak/1.png"
    model = build.model(config)[0]
    model.eval()
    logits = model(paddle.to_tensor(bundle.pipeline.from_file(picture)[np.newaxis]))
    expected = paddle.nn.functional.softmax(logits).numpy()[0]
    colors = np.asarray(Image.open(picture))
    classifier = Classifier("inference")
    gray = np.repeat(DecodeImage(channels=1)(colors), 3, axis=2)
    (from_file,) = classifier.predict(picture)
    (from_colors,) = classifier.predict(colors, color="RGB")
    (from_gray,) = classifier.predict(gray, color="BGR")
    for result in (from_file, from_colors, from_gray):
        np.testing.assert_allclose(result.scores, sorted(expected, reverse=True), atol=1e-5)
    assert sorted(from_file.names) == ["ash", "oak"]
    assert os.path.exists("inference/inference.onnx") == bool(onnx)  # noqa: PTH110


DECODES = "DataLoader.{}.dataset.transform_ops.DecodeImage.channels"
COLORS = [
    f"DataLoader.{part}.dataset.transform_ops=[DecodeImage: {{}}, ResizeImage: {{size: 32}}, NormalizeImage: {{}}]"
    for part in ("Train", "Eval")
]


@pytest.mark.parametrize(
    ("command", "overrides", "problems"),
    [
        ("train", ["Arch.in_channels=3"], [("Train", "is 1, but Arch.in_channels is 3;"), ("Eval", "is 1, but Arch")]),
        ("train", COLORS[:1], [("Train", "is 3, but Arch.in_channels is 1; for gray pictures write channels: 1")]),
        ("export", COLORS[:1], []),
        ("export", COLORS[1:], [("Eval", "is 3, but Arch.in_channels is 1;")]),
        ("lr-find", COLORS[1:], []),
        ("train", ["Global.image_shape=[3, 32, 32]"],
         [("shape", "is [3, 32, 32], which begins with the channels, but Arch.in_channels is 1")]),
        ("train", [*COLORS, "Arch.in_channels=3"],
         [("shape", "is [1, 32, 32], which begins with the channels, but Arch.in_channels is 3")]),
        ("train", [*COLORS, "Arch.in_channels=4"], [("Train", "is 3, but Arch.in_channels is 4"), ("Eval", "is 3,")]),
        ("train", [*COLORS, "Arch.in_channels=3", "Global.image_shape=[3, 32, 32]"], []),
    ],
)  # fmt: skip
def test_contradictions_are_found_when_the_configuration_is_checked(here, command, overrides, problems):
    if not problems:
        load_config("config.yaml", overrides, registries(), command)
        return
    with pytest.raises(ConfigError) as caught:
        load_config("config.yaml", overrides, registries(), command)
    assert len(caught.value.problems) == len(problems)
    for found in caught.value.problems:
        assert any(
            f"{'Global.image_shape' if place == 'shape' else DECODES.format(place)}: {text}" in found
            or (found.startswith("-o Global.image_shape=") and text in found)
            for place, text in problems
        ), found


def test_a_transform_that_needs_colours_is_refused_with_its_line(here, capsys):
    assert run("train", "DataLoader.Train.dataset.transform_ops.1={RandAugment: {}}") == 2
    assert "RandAugment needs colours, but DecodeImage gives one" in capsys.readouterr().err
    assert not (here / "out").exists()


def test_a_checkpoint_from_before_a_key_was_there_can_be_resumed():
    """It had what is the key's default now."""
    decode = "DataLoader.Train.dataset.transform_ops.0.DecodeImage"
    now = {f"{decode}.to_rgb": True, f"{decode}.channels": 3, f"{decode}.max_scans": DecodeImage().max_scans}
    then = {f"{decode}.to_rgb": True}
    assert differences(then, now) == {}
    gray = {**now, f"{decode}.channels": 1}
    assert differences(then, gray) == {f"{decode}.channels": f"{decode}.channels was 3 and is 1"}
    assert list(differences({}, now)) == list(now)  # another transform
    rates = {"Optimizer.lr.name": "Cosine", "Optimizer.lr.learning_rate": 0.1}
    assert differences(rates, {**rates, "Optimizer.lr.by_epoch": False}) == {}
    assert list(differences(rates, {**rates, "Optimizer.lr.by_epoch": True})) == ["Optimizer.lr.by_epoch"]
