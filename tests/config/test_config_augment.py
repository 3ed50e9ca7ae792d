"""Augmentations as PaddleClas's files write them."""

from pathlib import Path

import pytest

from helpers.messages import says
from ppcls.config import load_config
from ppcls.data.batch_transforms import Cutmix, Mixup, OpSampler
from ppcls.data.transforms import AutoAugment, ColorJitter, RandAugment, RandomErasing
from ppcls.engine.schema import registries
from ppcls.utils.errors import ConfigError

FILE = Path(__file__).parent / "paddleclas" / "DLA60x_v2.5.yaml"
PLAIN = "        - RandFlipImage:\n            flip_code: 1\n"
AUGMENTED = """\
        - AutoAugment:
        - RandAugment:
            num_layers: 2
            magnitude: 5
        - ColorJitter:
            brightness: 0.4
            contrast: 0.4
            saturation: 0.4
            hue: 0.1
"""
ERASED = """\
        - RandomErasing:
            EPSILON: 0.25
            sl: 0.02
            sh: 1.0/3.0
            r1: 0.3
            mean: [0., 0., 0.]
            attempt: 10
            use_log_aspect: True
            mode: pixel
"""
MIXED = "        - MixupOperator:\n            alpha: 0.2\n"
SAMPLED = """\
        - OpSampler:
            MixupOperator:
              alpha: 0.8
              prob: 0.5
            CutmixOperator:
              alpha: 1.0
              prob: 0.5
"""
TRAIN = "DataLoader.Train.dataset"
pytestmark = pytest.mark.usefixtures("imagenet")


def load(*overrides, **replaced):
    text = FILE.read_text(encoding="utf-8")
    first, _, rest = text.partition("  Eval:\n    dataset")  # the training's transforms, not those of evaluation
    order = "            order: ''\n"
    for old, new in ((PLAIN, PLAIN + AUGMENTED), (order, order + ERASED), (MIXED, replaced.get("mixed", SAMPLED))):
        assert first.count(old) == 1
        first = first.replace(old, new)
    Path("c.yaml").write_text(f"{first}  Eval:\n    dataset{rest}", encoding="utf-8")
    return load_config("c.yaml", overrides, registries(), "train")


def problems(*overrides, **replaced):
    with pytest.raises(ConfigError) as caught:
        load(*overrides, **replaced)
    return caught.value.problems


def test_the_numbers_arrive():
    config = load()
    dataset = config.DataLoader.Train.dataset
    assert dataset.transform_ops[3:6] == (AutoAugment(), RandAugment(2, 5), ColorJitter(0.4, 0.4, 0.4, 0.1))
    assert dataset.transform_ops[7] == RandomErasing(0.25, 0.02, 1 / 3, 0.3, (0, 0, 0), 10, True, "pixel")
    assert dataset.batch_transform_ops == (OpSampler(Mixup(0.8, prob=0.5), Cutmix(1.0, prob=0.5)),)
    Path("resolved.yaml").write_text(config.to_yaml(), encoding="utf-8")
    assert load_config("resolved.yaml", (), registries(), "train") == config


def test_cutmix_alone():
    assert load(mixed="        - CutmixOperator:\n").DataLoader.Train.dataset.batch_transform_ops == (Cutmix(0.2),)


def test_what_is_left_out_of_the_sampler_is_never_chosen():
    (sampler,) = load(mixed="        - OpSampler: {CutmixOperator: }\n").DataLoader.Train.dataset.batch_transform_ops
    assert (sampler.CutmixOperator.prob, sampler.MixupOperator.prob) == (1, 0)


@pytest.mark.parametrize(
    ("keys", "numbers"),
    [
        ("{MixupOperator: {alpha: 0.2, prob: 0.6}, CutmixOperator: {prob: 0.5}}", (0.6, 0.5)),
        ("{MixupOperator: {alpha: 0.2}, CutmixOperator: {prob: 0.5}}", (1, 0.5)),
        ("{MixupOperator: {prob: 0}}", (0, 0)),
    ],
)
def test_the_sum_of_prob(keys, numbers):
    override = f"{TRAIN}.batch_transform_ops=[OpSampler: {keys}]"
    assert problems(override) == [
        says(
            f"-o {override} {TRAIN}.batch_transform_ops.0.OpSampler: ... MixupOperator is "
            f"{numbers[0]} ... CutmixOperator {numbers[1]} ... sum is above 0 and at most 1"
        )
    ]


def test_the_number_of_classes_inside_of_the_sampler():
    where = f"{TRAIN}.batch_transform_ops.0.OpSampler.CutmixOperator.class_num"
    assert problems(f"{where}=7") == [says(f"-o {where}=7: is 7, but Arch.class_num is 1000; remove it ...")]


def test_a_wrong_place_is_said_with_the_key():
    moved = f"{TRAIN}.transform_ops=[DecodeImage: , NormalizeImage: , RandAugment: ]"
    (problem,) = problems(moved)
    assert problem.endswith(f" {TRAIN}: RandAugment stands after NormalizeImage; write it before")


def test_keys_are_checked():
    where = f"{TRAIN}.transform_ops"
    assert problems(f"{where}.4.RandAugment.magnitude=11", f"{where}.7.RandomErasing.sl=0") == [
        says(f"-o {where}.4.RandAugment.magnitude=11: is 11; ... from 0 to 10"),
        says(f"-o {where}.7.RandomErasing.sl=0: is 0; ... above 0 and at most 1"),
    ]


@pytest.mark.parametrize("command", ["train", "eval", "infer", "export"])
def test_evaluation_draws_nothing(command):
    where = "DataLoader.Eval.dataset.transform_ops"
    override = f"{where}=[DecodeImage: , CropImage: , RandFlipImage: , AutoAugment: , NormalizeImage: ]"
    overrides = ["Infer.infer_imgs=dataset", override, f"Infer.transforms={override.partition('=')[2]}"]
    with pytest.raises(ConfigError) as caught:
        load_config(FILE, overrides, registries(), command)
    assert caught.value.problems == [
        f"-o {override} {where}.{place}: {name} draws at random, and evaluation is the same every time; remove it"
        for place, name in ((2, "RandFlipImage"), (3, "AutoAugment"))
    ]
