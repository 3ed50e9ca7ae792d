"""Unmodified files in the manner of PaddleClas 2.1 to 2.5."""

from pathlib import Path

import pytest

import ppcls
from ppcls.config import load_config
from ppcls.engine.schema import registries
from ppcls.utils.errors import ConfigError

FOLDER = Path(__file__).parent / "paddleclas"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.fixture(autouse=True)
def imagenet():
    folder = Path("dataset/ILSVRC2012")
    folder.mkdir(parents=True)
    for name in ("train_list.txt", "val_list.txt"):
        (folder / name).write_text("")


def load(name, *overrides, command="train"):
    return load_config(FOLDER / f"{name}.yaml", overrides, registries(), command)


@pytest.mark.parametrize("command", ["train", "eval", "infer", "export"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_they_load_for_every_command(file, command):
    overrides = ["Infer.infer_imgs=dataset"] if command == "infer" else []
    config = load(file.stem, *overrides, command=command)
    assert config.Arch.name == file.stem.split("_v")[0]
    assert config.Arch.class_num == 1000
    assert config.Global.device == "gpu"
    labels = Path(ppcls.__file__).resolve().parent / "data" / "imagenet1k_labels.txt"
    assert config.Infer.PostProcess.class_id_map_file == str(labels)
    assert config.DataLoader.Train.sampler.batch_size == 64
    Path("resolved.yaml").write_text(config.to_yaml(), encoding="utf-8")
    assert load_config("resolved.yaml", overrides, registries(), command) == config


def test_there_are_three():
    assert [file.stem for file in FILES] == ["DLA34_v2.1", "DLA60x_v2.5", "SqueezeNet1_1_v2.3"]


def test_the_numbers_arrive():
    plain, mixed, squeeze = load("DLA34_v2.1"), load("DLA60x_v2.5"), load("SqueezeNet1_1_v2.3")
    assert plain.Optimizer.lr.values == (0.1, 0.01, 0.001, 0.0001)
    assert plain.Optimizer.regularizer.coeff == 1e-4
    assert plain.DataLoader.Eval.dataset.transform_ops[3].scale == 1 / 255
    assert plain.Metric.Train[0].ks == (1, 5)
    assert (mixed.Optimizer.lr.learning_rate, mixed.Optimizer.lr.warmup_epoch) == (0.1, 5)
    assert mixed.DataLoader.Train.dataset.batch_transform_ops[0].alpha == 0.2
    assert mixed.DataLoader.Train.dataset.transform_ops[1].backend == "pil"
    assert (mixed.Loss.Train[0].epsilon, mixed.Loss.Eval[0].epsilon) == (0.1, None)
    assert mixed.Metric.Train == ()
    assert squeeze.Optimizer.lr.learning_rate == 0.02
    assert len(squeeze.Infer.transforms) == 5


def test_another_preprocessing_for_inference_is_a_problem():
    with pytest.raises(ConfigError) as caught:
        load("DLA34_v2.1", "Infer.transforms.CropImage.size=256")
    (problem,) = caught.value.problems
    assert problem.endswith(
        "DLA34_v2.1.yaml:99 Infer.transforms: do not mean the same as DataLoader.Eval.dataset.transform_ops, which "
        "inference and export use; remove them or make them equal"
    )
    assert load("DLA34_v2.1", "Infer.transforms.CropImage.size=[224, 224]")


def test_their_picture_is_not_here():
    with pytest.raises(ConfigError) as caught:
        load("DLA34_v2.1", command="infer")
    (problem,) = caught.value.problems
    assert problem.endswith(
        "DLA34_v2.1.yaml:97 Infer.infer_imgs: there is no file or folder 'docs/images/whl/demo.jpg'; "
        "write the path of one, relative to the working directory"
    )


def test_what_they_may_say_elsewhere_is_named_line_by_line():
    text = (FOLDER / "DLA60x_v2.5.yaml").read_text(encoding="utf-8")
    for old, new in {
        "use_amp: False": "use_amp: True",
        "to_static: False": "to_static: True",
        "device: gpu": "device: npu",
        "- RandFlipImage:\n            flip_code: 1": "- AutoAugment:",
        "name: Momentum": "name: RMSProp",
    }.items():
        assert old in text
        text = text.replace(old, new)
    Path("c.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config("c.yaml", (), registries())
    lines = text.splitlines()
    assert caught.value.problems == [
        f"c.yaml:{lines.index(line) + 1} {sentence}"
        for line, sentence in (
            ("  device: npu", "Global.device: the device npu is not supported here; write auto, cpu or gpu"),
            ("  to_static: True", "Global.to_static: training as a static graph is not supported here; remove it"),
            ("AMP:", "AMP: mixed precision is not supported here; remove the section"),
            (
                "  name: RMSProp",
                "Optimizer.name: the optimizer RMSProp is not supported here; write Momentum, SGD or AdamW",
            ),
            (
                "        - AutoAugment:",
                "DataLoader.Train.dataset.transform_ops.2.AutoAugment: the transform AutoAugment is not supported "
                "here; remove it or write RandCropImage and RandFlipImage",
            ),
        )
    ]
