# ruff: noqa: E501 (whole messages stand in one line)
"""DistillationModel: what its configuration may say, by the library's own components."""

import dataclasses

import pytest

from helpers.messages import says
from ppcls.arch import list_models
from ppcls.arch.catalog import BACKBONES
from ppcls.arch.distillation import DistillationModelParams
from ppcls.arch.families.dla.facts import DLAParams
from ppcls.config import find_config, load_config
from ppcls.data.postprocess import Topk
from ppcls.engine.schema import registries
from ppcls.loss import DistillationDMLLoss
from ppcls.utils.errors import ConfigError

RECIPE = "DLA34_distill_DLA102"
PARTS = ("Train", "Eval")
# As PaddleClas writes such a file.
PADDLECLAS = """
Global: {epochs: 360, class_num: 10}
Arch:
  name: "DistillationModel"
  class_num: &class_num 10
  pretrained_list:
  freeze_params_list:
  - True
  - False
  infer_model_name: "Student"
  models:
    - Teacher:
        name: DLA102
        class_num: *class_num
        pretrained: True
        use_ssld: False
    - Student:
        name: DLA34
        class_num: *class_num
        pretrained: False
Loss:
  Train:
    - DistillationDMLLoss:
        weight: 1.0
        model_name_pairs:
        - ["Student", "Teacher"]
  Eval:
    - CELoss:
        weight: 1.0
Optimizer: {name: Momentum, momentum: 0.9, lr: {name: Cosine, learning_rate: 0.2, warmup_epoch: 5}}
DataLoader:
  Train: &reader
    dataset: {name: ImageNetDataset, image_root: ., cls_label_path: list.txt, transform_ops: [DecodeImage: {to_rgb: True, channel_first: False}]}
    sampler: {name: DistributedBatchSampler, batch_size: 64}
  Eval: *reader
Infer:
  infer_imgs: .
  PostProcess: {name: DistillationPostProcess, func: Topk, model_name: Student, key: None, topk: 5}
Metric:
  Train:
    - DistillationTopkAcc:
        model_key: "Student"
        topk: [1, 5]
  Eval:
    - DistillationTopkAcc:
        model_key: "Student"
        topk: [1, 5]
"""


def load(source, *overrides, command="train", check_paths=False):
    return load_config(source, overrides, registries(), command, check_paths=check_paths)


def problem(override, source=RECIPE):
    """What is wrong with a configuration and this override: one sentence, after the key."""
    with pytest.raises(ConfigError) as caught:
        load(source, override)
    (text,) = caught.value.problems
    return text.replace(f"-o {override}", "").removeprefix(":").replace(f"{find_config(source)}:5", "").strip()


def test_a_file_of_paddleclas_is_read_as_it_is(tmp_path):
    (tmp_path / "theirs.yaml").write_text(PADDLECLAS, encoding="utf-8")
    config = load(tmp_path / "theirs.yaml")
    assert config.Arch == DistillationModelParams(
        "DistillationModel",
        10,
        ({"Teacher": DLAParams("DLA102", 10, pretrained=True)}, {"Student": DLAParams("DLA34", 10)}),
        (True, False),
    )
    assert config.Arch.frozen == ("Teacher",)
    assert config.Loss.Train == (DistillationDMLLoss(),)
    assert config.Infer.PostProcess == Topk(5)
    (tmp_path / "again.yaml").write_text(config.to_yaml(), encoding="utf-8")
    assert load(tmp_path / "again.yaml") == config


def test_the_models_have_the_classes_of_the_whole():
    config = load(RECIPE, "Arch.class_num=7", "Infer={}")
    assert [params.class_num for params in config.Arch.members.values()] == [7, 7]


def test_a_list_of_weights_goes_before_the_models_own():
    config = load(RECIPE, "Arch.pretrained_list=[null, some.pdparams]")
    assert [params.pretrained for params in config.Arch.members.values()] == [True, "some.pdparams"]
    completed = config.Arch.completed(config.Arch.members)
    assert completed.members == config.Arch.members
    assert completed.pretrained_list is None
    assert dataclasses.replace(config.Arch, pretrained_list=None) != completed


TWO = "Arch: models is not ... `name: {name: DLA34}`; write one item for each model"
ERRORS = {
    "Arch.models.1.Student.class_num=8": "Arch: the model Student has class_num 8, but Arch.class_num is 1000; ... once, as Arch.class_num",
    "Arch.freeze_params_list=[true]": "Arch: freeze_params_list has the length 1 for 2 models; write a value for each",
    "Arch.pretrained_list=[null, null, true]": "Arch: pretrained_list has the length 3 for 2 models; write a value for each",
    "Arch.freeze_params_list=[true, true]": "Arch: freeze_params_list leaves no model ...; write false for one model ...",
    "Arch.freeze_params_list=[false, false]": "Arch: freeze_params_list leaves Teacher and Student ...; write false for one model ...",
    "Arch.pretrained_list=[timm, null]": "Arch: the model Teacher has pretrained True, but pretrained_list has timm ...; write one of the two",
    "Arch.models.0.Teacher.pretrained=false": "Arch: the model Teacher is frozen ...; write its pretrained",
    "Arch.infer_model_name=Studnet": "Arch: infer_model_name is Studnet (did you mean Student?); write one of Teacher, Student",
    "Arch.models=[{A: {name: DLA34}}]": TWO,
    "Arch.models=[{A: {name: DLA34}, B: {name: DLA34}}, {C: {name: DLA34}}]": TWO,
    "Arch.models=[{A: {name: DLA34}}, {A: {name: DLA34}}]": "Arch: models has the names A, A; write a different ...",
    "Arch.models.0.Teacher.name=DLA43": "... no backbone named 'DLA43' (did you mean DLA34?); ... --import FILE",
    "Arch.models.0.Teacher.use_ssld=true": "distilled weights (SSLD) ...; download the file and give its path as Arch.pretrained",
    "Arch.models.1.Student={name: DistillationModel, freeze_params_list: [false, true], models: [{Student: {name: DLA34}}, {B: {name: DLA34, pretrained: true}}]}": "Arch: the model Student ... write one backbone, such as DLA34",
    "Loss.Train=[DistillationDMLLoss: {model_name_pairs: [[Studnet, Teacher]]}]": "Loss.Train.0.DistillationDMLLoss: names the model Studnet (did you mean Student?), but Arch has Teacher and Student; write one of them",
    "Loss.Train=[DistillationKLDivLoss: {model_name_pairs: [[Teacher, Student]]}]": "Loss.Train.0.DistillationKLDivLoss: teaches Teacher alone, ... frozen; write what learns, ...",
    "Loss.Train=[DistillationGTCELoss: {model_names: [Teacher]}]": "Loss.Train.0.DistillationGTCELoss: teaches Teacher alone, ... frozen; write what learns, ...",
    "Loss.Train=[CELoss: {}]": "Loss.Train.0.CELoss: ... but Arch has Teacher and Student; write DistillationGTCELoss",
    "Metric.Train=[TopkAcc: {}]": "Metric.Train.0.TopkAcc: ... but Arch has Teacher and Student; write DistillationTopkAcc",
    "Metric.Train=[DistillationTopkAcc: {model_key: Pupil}]": "Metric.Train.0.DistillationTopkAcc: ... Pupil, but Arch has Teacher and Student; write one ...",
    "Metric.Train=[DistillationTopkAcc: {feature_key: x}]": "Metric.Train.0.DistillationTopkAcc.feature_key: ... logits ...; remove it",
    "Loss.Eval=[DistillationJSDivLoss: {}]": "Loss.Eval.0.DistillationJSDivLoss: reads Teacher, ...; write that, or Teacher as Arch.infer_model_name",
    "Metric.Eval=[DistillationTopkAcc: {model_key: Teacher}]": "Metric.Eval.0.DistillationTopkAcc: reads Teacher, ...; write that, or Teacher as Arch.infer_model_name",
    "Infer.PostProcess={name: DistillationPostProcess, func: ThreshOutput}": "Infer.PostProcess.func: is 'ThreshOutput', ... Topk; write that or remove it",
    "Infer.PostProcess={name: DistillationPostProcess, model_name: Teacher}": "Infer.PostProcess.model_name: is 'Teacher', ... Student; write that or remove it",
    "Infer.PostProcess={name: DistillationPostProcess, key: early}": "Infer.PostProcess.key: is 'early', ... logits; write that or remove it",
}  # fmt: skip


@pytest.mark.parametrize("override", ERRORS)
def test_errors_are_one_sentence(override):
    assert problem(override) == says(ERRORS[override])


def test_names_of_models_mean_nothing_where_there_is_one():
    assert problem("Loss.Train=[DistillationDMLLoss: {}]", source="DLA34") == says(
        "Loss.Train.0.DistillationDMLLoss: ... but Arch is one model; write CELoss"
    )
    assert problem("Metric.Eval=[DistillationTopkAcc: {}]", source="DLA34") == says(
        "Metric.Eval.0.DistillationTopkAcc: ... but Arch is one model; write TopkAcc"
    )


@pytest.mark.parametrize(
    "overrides",
    [
        ["Loss.Eval=[CELoss: {}]", "Metric.Eval=[TopkAcc: {}]"],
        ["Arch.infer_model_name=Teacher", "Loss.Eval=[CELoss: {}]", "Metric.Eval=[DistillationTopkAcc: {model_key: Teacher}]"],
        ["Metric.Train=[DistillationTopkAcc: {model_key: Teacher}]"],
        ["Loss.Train=[DistillationJSDivLoss: {model_name_pairs: [[Teacher, Student]]}]"],
    ],
)  # fmt: skip
def test_what_may_be_read(overrides):
    assert load(RECIPE, *overrides).Arch.frozen == ("Teacher",)


def test_weights_of_the_frozen_are_looked_for_in_training_alone(tmp_path):
    data = [f"DataLoader.{part}.dataset.image_root={tmp_path}" for part in PARTS]
    data += [f"DataLoader.{part}.dataset.cls_label_path={tmp_path}/l" for part in PARTS]
    (tmp_path / "l").touch()
    gone = [*data, "Infer={}", "Arch.models.0.Teacher.pretrained=gone.pdparams"]
    with pytest.raises(
        ConfigError, match=r"^-o Arch.models.0.Teacher.pretrained=gone.pdparams: gone.pdparams: no weights there"
    ):
        load(RECIPE, *gone, check_paths=True)
    assert load(RECIPE, *gone, command="eval", check_paths=True).Arch.members["Teacher"].pretrained == "gone.pdparams"


def test_it_is_no_backbone():
    assert "DistillationModel" in registries()["backbone"]
    assert "DistillationModel" not in BACKBONES
    assert "DistillationModel" not in list_models()
    assert registries()["backbone"].names() == [*BACKBONES.names(), "DistillationModel"]


def test_the_recipe_is_dla34s_but_for_the_teacher():
    config, alone = load(RECIPE), load("DLA34")
    assert config.Arch.members == {"Teacher": DLAParams("DLA102", pretrained=True), "Student": alone.Arch}
    same = {"Arch": alone.Arch, "Loss": alone.Loss, "Metric": alone.Metric}
    assert dataclasses.replace(config, **same, _registries={}) == dataclasses.replace(alone, _registries={})
    assert [(type(loss).__name__, loss.weight, loss.model_names) for loss in config.Loss.Train] == [
        ("DistillationDMLLoss", 1.0, ("Student", "Teacher")),
        ("DistillationGTCELoss", 1.0, ("Student",)),
    ]
    lines = find_config(RECIPE).read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"# python tools/train.py -c configs/DLA/{RECIPE}.yaml"
    assert lines[1].startswith("# 4 devices x 64 = global batch 256, 120 epochs; no accuracy has been measured ")
