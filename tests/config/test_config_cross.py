import pytest

from helpers.messages import says
from ppcls.config import load_config
from ppcls.engine.schema import registries
from ppcls.loss import DistillationDMLLoss
from ppcls.utils.errors import ConfigError

INFER = """\
Infer:
  infer_imgs: .
  transforms:
    - Decode:
    - Crop: {size: [8, 8]}
    - Scale: {factor: 1.0/255.0}
    - ToCHWImage:
  PostProcess: {name: Topk, topk: 5}
"""


LOSS = "write the losses, such as `- CELoss:`"
METRIC = "write the metrics, such as `- TopkAcc:`"
READER = "write its dataset and sampler"
OR_NOT = ", or Global.eval_during_train: false"


@pytest.mark.parametrize(
    ("command", "override", "place", "who", "remedy"),
    [
        ("train", "Loss={}", " Loss.Train", "train", LOSS),
        ("train", "Loss.Train=[]", "", "train", LOSS),
        ("train", "Optimizer=", "", "train", "write the optimizer with its lr"),
        ("train", "DataLoader.Train=", "", "train", READER),
        ("train", "DataLoader.Eval=", "", "Global.eval_during_train", READER + OR_NOT),
        ("train", "Metric.Eval=", "", "Global.eval_during_train", METRIC + OR_NOT),
        ("lr-find", "Optimizer=", "", "lr-find", "write the optimizer with its lr"),
        ("lr-find", "DataLoader.Train=", "", "lr-find", READER),
        ("eval", "DataLoader.Eval=", "", "eval", READER),
        ("eval", "Metric={}", " Metric.Eval", "eval", METRIC),
        ("infer", "DataLoader.Eval=", "", "infer", "write its dataset, whose transforms are those of inference"),
        ("infer", "Infer.infer_imgs=", "", "infer", "write -o Infer.infer_imgs=PATH, a picture or a folder"),
        ("export", "DataLoader.Eval=", "", "export", "write its dataset, whose transforms the bundle carries"),
    ],
)
def test_what_a_command_needs(small, command, override, place, who, remedy):
    assert small.load(small.VALID + INFER, command=command)
    assert small.problems(small.VALID + INFER, override, command=command) == [
        f"-o {override}{place}: is missing, and {who} needs it; {remedy}"
    ]


def test_what_a_command_does_not_need(small):
    without_training = ("Loss={}", "Optimizer=", "DataLoader.Train=")
    for command in ("eval", "infer", "export"):
        assert small.load(small.VALID + INFER, *without_training, command=command).Optimizer is None
    assert small.load(small.VALID, "DataLoader.Eval=", "Metric.Eval=", "Global.eval_during_train=false")
    assert small.load(small.VALID, "DataLoader.Eval=", "Metric.Eval=", command="lr-find")


def test_a_wrong_section_is_not_called_missing(small):
    assert small.problems(small.VALID, "DataLoader.Eval=5") == [
        says("-o DataLoader.Eval=5: is 5; ... dataset, sampler, loader or null")
    ]


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("Metric.Eval.Accuracy.topk=[1, 11]", "is 11, but Arch.class_num is 10; write at most 10"),
        ("Metric.Eval.Accuracy.topk=12", "is 12, but Arch.class_num is 10; write at most 10"),
        ("Infer.PostProcess.topk=11", "is 11, but Arch.class_num is 10; write at most 10"),
    ],
)
def test_topk_over_class_num(small, override, problem):
    (found,) = small.problems(small.VALID + INFER, override)
    assert found.startswith(f"-o {override}") and found.endswith(f": {problem}")
    assert small.load(small.VALID + INFER, "Metric.Eval.Accuracy.topk=[1, 10]")


def test_topk_over_class_num_by_default(small):
    text = small.VALID.replace("- Accuracy: {topk: [1, 5]}", "- Accuracy:").replace("Net18", "Net18\n  class_num: 3")
    assert small.problems(text) == [
        says("c.yaml:37 Metric.Eval.0.Accuracy.topk: is 5, but Arch.class_num is 3; ... at most 3")
    ]


def test_class_num_of_a_batch_transform(small):
    text = small.VALID.replace(
        "name: Pictures", "name: Pictures\n      batch_transform_ops: [Blend: {class_num: 5}]", 1
    )
    assert small.problems(text) == [
        says(
            "c.yaml:17 DataLoader.Train.dataset.batch_transform_ops.0.Blend.class_num: is 5, but "
            "Arch.class_num is 10; remove it ..."
        )
    ]
    assert small.load(text, "Arch.class_num=5").DataLoader.Train.dataset.batch_transform_ops[0].class_num == 5


def test_class_weights_for_every_class():
    losses = "Loss.Train=[CELoss: {class_weights: [1, 2, 3]}]"
    with pytest.raises(ConfigError) as caught:
        load_config("DLA34", [losses], registries(), check_paths=False)
    assert caught.value.problems == [
        says(f"-o {losses} Loss.Train.0.CELoss.class_weights: has 3 numbers, but Arch.class_num is 1000; ...")
    ]
    shrunk = [losses, "Arch.class_num=3", "Metric.Eval.TopkAcc.topk=1", "Metric.Train.TopkAcc.topk=1", "Infer={}"]
    config = load_config("DLA34", shrunk, registries(), check_paths=False)
    assert config.Loss.Train[0].class_weights == (1.0, 2.0, 3.0)


def test_a_loss_as_paddleclas_writes_it():
    pair = (
        "Loss.Train=[DistillationDMLLoss: {weight: 1.0, act: %s, key: logits, model_name_pairs: [[Student, Teacher]]}]"
    )
    (loss,) = load_config("DLA34_distill_DLA102", [pair % "softmax"], registries(), check_paths=False).Loss.Train
    assert loss == DistillationDMLLoss(1.0, (("Student", "Teacher"),), "logits")
    with pytest.raises(ConfigError, match="act: probabilities are always computed by softmax here; remove it"):
        load_config("DLA34_distill_DLA102", [pair % "sigmoid"], registries(), check_paths=False)


def test_infer_transforms_that_mean_the_same(small):
    assert len(small.load(small.VALID + INFER).Infer.transforms) == 4


@pytest.mark.parametrize(
    "override",
    [
        "Infer.transforms.Crop.size=9",
        "Infer.transforms.Crop.size=[8, 9]",
        "Infer.transforms.Decode.to_rgb=false",
        "Infer.transforms.Scale.factor=0.0039",
        "Infer.transforms.3={Scale: null}",
    ],
)
def test_infer_transforms_that_do_not(small, override):
    text = small.VALID + INFER.replace("Infer:", "Infer:\n  infer_imgs: .")
    assert small.problems(text, override, command="infer")[-1].endswith(
        ": do not mean the same as DataLoader.Eval.dataset.transform_ops, which inference and export "
        "use; remove them or make them equal"
    )


def test_infer_transforms_that_are_impossible(small):
    assert small.problems(small.VALID + INFER, "Infer.transforms=[]") == [
        "-o Infer.transforms=[]: do nothing; write one at least"
    ]


def test_scale_needs_the_global_batch(small):
    text = small.VALID.replace("rate: 0.1", "rate: 0.1\n    scale: linear")
    assert small.problems(text) == [says("c.yaml:13 Optimizer.lr.scale: ... batch ...; write Global.global_batch")]
    assert small.load(text, "Global.global_batch=256").Optimizer.lr.scale == "linear"


def test_what_contradicts_is_reported_beside_what_is_wrong_elsewhere(small):
    text = small.VALID.replace("Net18", "Net18\n  class_num: 3")
    assert small.problems(text, "Global.seed=x", "Optimizer.lr.scale=linear") == [
        says("c.yaml:37 Metric.Eval.0.Accuracy.topk: is 5, but Arch.class_num is 3; ... at most 3"),
        "-o Global.seed=x: is 'x'; write a whole number of at least 0",
    ]
