"""Unmodified files in the manner of PaddleClas 2.1 to 2.5."""

from pathlib import Path

import pytest

import ppcls
from helpers.messages import says
from ppcls.config import load_config
from ppcls.data.postprocess import ThreshOutput
from ppcls.data.transforms import TimmAutoAugment
from ppcls.engine.schema import registries
from ppcls.metric import TprAtFpr
from ppcls.utils.errors import ConfigError

FOLDER = Path(__file__).parent / "paddleclas"
FILES = sorted(FOLDER.glob("*.yaml"))
pytestmark = pytest.mark.usefixtures("imagenet")


def load(name, *overrides, command="train", say=None):
    return load_config(FOLDER / f"{name}.yaml", overrides, registries(), command, say=say)


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


@pytest.mark.parametrize("command", ["train", "eval"])
def test_another_preprocessing_for_inference_is_a_line_in_training_and_evaluation(command):
    lines = []
    changed = load("DLA34_v2.1", "Infer.transforms.CropImage.size=256", command=command, say=lines.append)
    assert changed.DataLoader == load("DLA34_v2.1", command=command).DataLoader
    assert lines == [
        says(
            "...DLA34_v2.1.yaml:99 Infer.transforms: do not mean the same as DataLoader.Eval... "
            f"{command} continues, infer and export will refuse this"
        )
    ]


@pytest.mark.parametrize("command", ["infer", "export"])
def test_another_preprocessing_for_inference_is_a_problem(command):
    Path("p").mkdir()
    with pytest.raises(ConfigError) as caught:
        load("DLA34_v2.1", "Infer.transforms.CropImage.size=256", "Infer.infer_imgs=p", command=command)
    (problem,) = caught.value.problems
    assert problem.endswith(
        "DLA34_v2.1.yaml:99 Infer.transforms: do not mean the same as DataLoader.Eval.dataset.transform_ops, which "
        "inference and export use; remove them or make them equal"
    )
    assert load("DLA34_v2.1", "Infer.transforms.CropImage.size=[224, 224]")


OPERATIONS = "DataLoader.Train.dataset.transform_ops"


@pytest.mark.parametrize(
    ("key", "harmless", "other", "sentence"),
    [
        ("1.RandCropImage.progress_size", ["null"], "[160]", "a transform is the same ... remove it"),
        ("3.NormalizeImage.output_fp16", [False], True, "half precision is not supported here; remove it"),
    ],
)  # fmt: skip
def test_keys_of_transforms_that_do_nothing_here(key, harmless, other, sentence):
    plain = load("DLA34_v2.1")
    for value in harmless:
        assert load("DLA34_v2.1", f"{OPERATIONS}.{key}={value}") == plain
    with pytest.raises(ConfigError) as caught:
        load("DLA34_v2.1", f"{OPERATIONS}.{key}={other}")
    assert caught.value.problems == [says(f"-o {OPERATIONS}.{key}={other}: {sentence}")]


@pytest.mark.parametrize("key", ["0.DecodeImage.to_np", "1.ResizeImage.return_numpy"])
def test_transforms_pass_on_arrays_whatever_the_key_says(key):
    resized = [f"{OPERATIONS}.1={{ResizeImage: {{size: 224}}}}"]
    changed, lines = f"{OPERATIONS}.{key}=True", []
    plain = load("DLA34_v2.1", *resized, f"{OPERATIONS}.{key}=False")
    assert load("DLA34_v2.1", *resized, changed, say=lines.append) == plain
    assert lines == [f"-o {changed}: accepted without effect: transforms always pass on arrays here"]


def test_the_size_of_timm_augmentations_has_no_effect():
    keys = "config_str: rand-m9-mstd0.5-inc1, interpolation: bicubic"
    lines = []
    written = f"{OPERATIONS}.2={{TimmAutoAugment: {{{keys}, img_size: [192, 256]}}}}"
    config = load("DLA34_v2.1", written, say=lines.append)
    assert config == load("DLA34_v2.1", f"{OPERATIONS}.2={{TimmAutoAugment: {{{keys}}}}}")
    assert config.DataLoader.Train.dataset.transform_ops[2] == TimmAutoAugment()
    assert lines == [
        says("... TimmAutoAugment.img_size: accepted without effect: pictures are translated by a share ...")
    ]


def test_an_answer_by_a_threshold_is_for_two_classes():
    answer = "Infer.PostProcess={name: ThreshOutput, threshold: 0.9, label_0: nobody, label_1: someone}"
    assert load("DLA34_v2.1", answer, "Arch.class_num=2").Infer.PostProcess == ThreshOutput(0.9, "nobody", "someone")
    with pytest.raises(ConfigError) as caught:
        load("DLA34_v2.1", answer)
    assert caught.value.problems == [
        says(f"-o {answer} Infer.PostProcess.name: is for 2 classes, ... 1000; write Topk")
    ]
    metric = "Metric.Eval=[TprAtFpr: {max_fpr: 0.01}]"
    assert load("DLA34_v2.1", metric, "Arch.class_num=2").Metric.Eval == (TprAtFpr(0.01),)
    with pytest.raises(ConfigError) as caught:
        load("DLA34_v2.1", metric)
    assert caught.value.problems == [says(f"-o {metric} Metric.Eval.0.TprAtFpr: is for 2 classes, ...; write TopkAcc")]


NORMALIZE = "Infer.transforms.NormalizeImage"
CHW = "Infer.transforms=[DecodeImage: , ResizeImage: {resize_short: 256}, CropImage: {size: 224}, ToCHWImage: , "


@pytest.mark.parametrize(
    "overrides",
    [
        [f"{NORMALIZE}.order=hwc"],
        [CHW + "NormalizeImage: {order: chw}]"],
        [CHW[:-14] + " NormalizeImage: ]"],
        [
            "Infer.transforms=[DecodeImage: , ResizeImage: {resize_short: 256}, NormalizeImage: , "
            "CropImage: {size: 224}]"
        ],
    ],
)
def test_transforms_that_mean_the_same(overrides):
    assert load("DLA34_v2.1", *overrides).Arch.name == "DLA34"


def test_transforms_in_an_impossible_order():
    with pytest.raises(ConfigError) as caught:
        load("DLA34_v2.1", "Infer.transforms=[ToCHWImage: ]")
    assert caught.value.problems == [
        says(
            "-o Infer.transforms=[ToCHWImage: ]: ... DecodeImage, not ToCHWImage; write `- "
            "DecodeImage: {to_rgb: True}` first"
        )
    ]


def test_an_impossible_order_of_evaluation_is_reported_there_alone():
    evaluated = "DataLoader.Eval.dataset"
    with pytest.raises(ConfigError) as caught:
        load("DLA34_v2.1", f"{evaluated}.transform_ops=[ToCHWImage: ]")
    (problem,) = caught.value.problems
    assert f" {evaluated}: transforms start with DecodeImage, not ToCHWImage; write " in problem


def test_an_operation_by_its_place_alone():
    with pytest.raises(ConfigError) as caught:
        load("DLA34_v2.1", "DataLoader.Eval.dataset.transform_ops.1.size=32")
    where = "DataLoader.Eval.dataset.transform_ops.1"
    assert caught.value.problems == [
        f"-o {where}.size=32: {where} is ResizeImage; write {where}.ResizeImage.size, "
        f"or set {where} to another operation"
    ]


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
        "eval_mode: classification": "eval_mode: retrieval",
        "device: gpu": "device: npu",
        "- RandFlipImage:\n            flip_code: 1": "- AugMix:",
        "name: Momentum": "name: Lamb",
    }.items():
        assert old in text
        text = text.replace(old, new)
    Path("c.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config("c.yaml", (), registries())
    lines = text.splitlines()
    assert caught.value.problems == [
        says(f"c.yaml:{lines.index(line) + 1} {sentence}")
        for line, sentence in (
            ("  device: npu", "Global.device: the device npu ... write auto, cpu or gpu"),
            ("  eval_mode: retrieval", "Global.eval_mode: only single-label classification ... remove it"),
            (
                "  name: Lamb",
                "Optimizer.name: the optimizer Lamb ... write Momentum, SGD, RMSProp, Adam or AdamW",
            ),
            (
                "        - AugMix:",
                "... DataLoader.Train.dataset.transform_ops.2.AugMix: ...; remove it or write RandAugment",
            ),
        )
    ]
