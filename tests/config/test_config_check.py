# ruff: noqa: E501 (whole messages stand in one line)
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import pytest

from helpers.messages import says
from ppcls.config import load_config
from ppcls.config.check import INVALID, Checker
from ppcls.config.paddleclas.dialect import Legacy
from ppcls.untrusted.yaml_nodes import Origin, Problems
from ppcls.untrusted.yaml_reader import read_yaml
from ppcls.utils.fields import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt, Range, Size


def check(annotation, text):
    problems = Problems()
    node = read_yaml(text, partial(Origin, "f"), problems)
    value = Checker({}, problems, Legacy()).check(annotation, node, "key")
    return value, [str(problem) for problem in problems]


@dataclass(frozen=True)
class Point:
    x: int
    y: float = 0.5
    _hidden: int = 3


@pytest.mark.parametrize(
    ("annotation", "text", "expected"),
    [
        (bool, "True", True),
        (int, "-5", -5),
        (int, "1e3", 1000),
        (int, "2.0", 2),
        (float, "3", 3.0),
        (float, "1e-4", 1e-4),
        (float, "1.0/255.0", 1 / 255),
        (float, "'1./255.'", 1 / 255),
        (PositiveFloat, "1/4", 0.25),
        (str, "yes", "yes"),
        (str, "'5'", "5"),
        (Any, "{a: [1]}", {"a": [1]}),
        (int | None, "~", None),
        (int | None, "5", 5),
        (Annotated[int | None, Range(low=1)], "", None),
        (Literal["a", "b"], "a", "a"),
        (Literal[1, 2], "2", 2),
        (Size, "224", 224),
        (Size, "[224, 192]", (224, 192)),
        (bool | str, "no", "no"),
        (int | float, "5", 5),
        (str | PositiveFloat, "5", 5.0),
        (tuple[int, ...], "[1, 2, 3]", (1, 2, 3)),
        (tuple[int, ...], "", ()),
        (tuple[int, float], "[1, 2]", (1, 2.0)),
        (Sequence[int], "[1]", (1,)),
        (list[int], "[1]", [1]),
        (tuple[int, str], "[1, a]", (1, "a")),
        (dict[str, int], "{1: 2}", {"1": 2}),
        (dict[int, float], "{1: 2}", {1: 2.0}),
        (Point, "{x: 1}", Point(1)),
        (Point | None, "{x: 1, y: 2}", Point(1, 2.0)),
    ],
)
def test_values(annotation, text, expected):
    value, problems = check(annotation, text)
    assert (value, type(value), problems) == (expected, type(expected), [])


@pytest.mark.parametrize(
    ("annotation", "text", "problem"),
    [
        (bool, "1", "key: is 1; write true or false"),
        (bool, "yes", "key: is 'yes'; write true or false"),
        (int, "true", "key: is true; write a whole number"),
        (int, "1.5", "key: is 1.5; write a whole number"),
        (int, ".inf", "key: is inf; write a whole number"),
        (int, "'5'", "key: is '5'; write a whole number"),
        (int, "1_000", "key: is '1_000'; write a whole number"),
        (int, "", "key: is empty; write a whole number"),
        (int, "[1]", "key: is a list; write a whole number"),
        (int, "{a: 1}", "key: is a mapping; write a whole number"),
        (int, "4/2", "key: is '4/2'; write a whole number"),
        (float, "true", "key: is true; write a number"),
        (float, ".nan", "key: is nan; write a number"),
        (float, "1e999", "key: is inf; write a number"),
        (float, "1.0/0.0", "key: is 1.0/0.0, a division by zero; ... such as 1.0/255.0"),
        (float, "1/2/3", "key: is '1/2/3'; write a number"),
        (str, "5", "key: is 5, which is not text; put it in quotes"),
        (str, "true", "key: is true, which is not text; put it in quotes"),
        (str, "", "key: is empty; write text"),
        (PositiveInt, "0", "key: is 0; write a whole number of at least 1"),
        (PositiveInt, "x", "key: is 'x'; write a whole number of at least 1"),
        (PositiveFloat, "0", "key: is 0; write a number above 0"),
        (NonNegativeFloat, "-0.1", "key: is -0.1; write a number of at least 0"),
        (Fraction, "1.1", "key: is 1.1; write a number from 0 to 1"),
        (Fraction, "3/2", "key: is '3/2'; write a number from 0 to 1"),
        (Annotated[int, Range()], "x", "key: is 'x'; write a whole number"),
        (PositiveInt | None, "0", "key: is 0; write a whole number of at least 1 or null"),
        (str | None, "None", "key: is the text None; write null for nothing"),
        (Literal["a", "b"], "c", "key: is 'c'; write 'a' or 'b'"),
        (Literal[1, 2], "true", "key: is true; write 1 or 2"),
        (Size, "-1", "key: is -1; write a whole number of at least 1 or a list of 2 ... at least 1"),
        (Size, "[1, 2, 3]", "key: is a list; write a whole number of at least 1 or a list of 2 ... at least 1"),
        (Size, "[224, 0]", "key.1: is 0; write a whole number of at least 1"),
        (int | float, ".nan", "key: is nan; write a whole number or a number"),
        (tuple[int, ...], "5", "key: is 5; write a list of whole numbers"),
        (list[int], "5", "key: is 5; write a list of whole numbers"),
        (tuple[int, str], "[1]", "key: is a list; write a list of 2 (a whole number, text)"),
        (dict[str, int], "5", "key: is 5; write a mapping whose values are each a whole number"),
        (dict[str, int], "{a: x}", "key.a: is 'x'; write a whole number"),
        (dict[int, int], "{a: 1}", "key.a: is 'a'; write a whole number"),
        (Point, "5", "key: is 5; write a mapping of x, y"),
        (Point, "", "key.x: is missing; write a whole number"),
        (Point, "{x: 1, z: 2}", "key: unknown key 'z'; write one of x, y"),
        (Point, "{x: 1, _hidden: 2}", "key: unknown key '_hidden'; write one of x, y"),
        (Point, "{x: 1, Y: 2}", "key: unknown key 'Y'. Did you mean 'y'?"),
    ],
)  # fmt: skip
def test_problems(annotation, text, problem):
    value, problems = check(annotation, text)
    assert (value is INVALID or "unknown key" in problem, problems) == (True, [says(f"f:1 {problem}")])


def test_an_annotation_that_cannot_be_checked_is_a_fault_of_the_program():
    with pytest.raises(AssertionError, match="cannot be checked against"):
        check(complex, "1")


OPERATION = "write the {}'s name, a colon, and its keys on lines indented deeper ..."


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("epochs: 2", "epoch: 2", "c.yaml:2 Global: unknown key 'epoch'. Did you mean 'epochs'?"),
        ("epochs: 2", "epochs: 2\n  checkpoints: 5", "c.yaml:3 Global.checkpoints: is 5; write the path of a run's or checkpoint's folder ..."),
        ("root: .", "root: 5", "c.yaml:17 DataLoader.Train.dataset.root: is 5; write the path ..."),
        ("Global:\n  epochs: 2", "Global: 2", "c.yaml:1 Global: is 2; write a mapping of epochs, checkpoints, ... sync_batch_norm"),
        ("epochs: 2", "epochs: 0", "c.yaml:2 Global.epochs: is 0; write ... at least 1"),
        ("Global:\n  epochs: 2", "Global:\n  seed: 2", "c.yaml:1 Global.epochs: is missing; write ... at least 1"),
        ("  name: Net18", "  name: Net19", "c.yaml:4 Arch.name: there is no backbone named 'Net19' (did you mean Net18?); ... --import FILE"),
        ("  name: Net18", "  name: x", "c.yaml:4 Arch.name: there is no backbone named 'x'; known: Net18, Net50; ... --import FILE"),
        ("  name: Net18", "  name: 18", "c.yaml:4 Arch.name: is 18, ... not text; put it in quotes"),
        ("  name: Net18", "  classes: 18", "c.yaml:3 Arch.name: is missing; write the name ... Net18, Net50"),
        ("Arch:\n  name: Net18", "Arch: Net18", "c.yaml:3 Arch: is 'Net18'; write a mapping ..."),
        ("Arch:\n  name: Net18\n", "", "c.yaml:1 Arch: is missing; write a mapping ..."),
        ("rate: 0.1", "rate: 0", "c.yaml:12 Optimizer.lr.rate: is 0; write a number above 0"),
        ("CE: {weight: 1.0}", "CE: {weight: 1.0, x: 1}", "c.yaml:7 Loss.Train.0.CE: unknown key 'x'; ... weight, class_weights"),
        ("CE: {weight: 1.0}", "CE: {class_weights: {0: x}}", "c.yaml:7 Loss.Train.0.CE.class_weights.0: is 'x'; write a number"),
        ("CE: {weight: 1.0}", "CF: {weight: 1.0}", "c.yaml:7 Loss.Train.0.CF: there is no loss named 'CF'; known: CE, MixCE; ... --import FILE"),
        ("CE: {weight: 1.0}", "CE:\n      weight: 1.0", "c.yaml:7 Loss.Train.0: holds 2 keys (CE, weight); " + OPERATION.format("loss")),
        ("- CE: {weight: 1.0}", "- C", "c.yaml:7 Loss.Train.0: is 'C'; " + OPERATION.format("loss")),
        ("- CE: {weight: 1.0}", "- CE", "c.yaml:7 Loss.Train.0: is 'CE'; " + OPERATION.format("loss")),
        ("Train:\n    - CE: {weight: 1.0}", "Train: CE", "c.yaml:6 Loss.Train: is 'CE'; write a list of items, each the loss's name, a colon, and its keys ..."),
        ("- Accuracy: {topk: [1, 5]}", "- Accuracy: {topk: [1, 0]}", "c.yaml:36 Metric.Eval.0.Accuracy.topk.1: is 0; write ... at least 1"),
    ],
)  # fmt: skip
def test_sections(small, old, new, problem):
    assert old in small.VALID
    assert any(found == says(problem) for found in small.problems(small.VALID.replace(old, new, 1)))


def test_what_a_component_refuses_itself(small):
    text = small.VALID.replace("Crop: {size: 8}", "Crop: {area: [0.9, 0.1]}", 1)
    assert small.problems(text) == [
        says("c.yaml:20 DataLoader.Train.dataset.transform_ops.1.Crop: area is [0.9, 0.1]; ... smaller number first")
    ]


def test_a_component_without_keys_may_have_no_unknown_ones(small):
    text = small.VALID.replace("- Decode:", "- ToCHWImage: {axis: 1}", 1)
    assert small.problems(text) == [
        says("c.yaml:19 DataLoader.Train.dataset.transform_ops.0.ToCHWImage: unknown key 'axis'; remove it ...")
    ]


def test_all_problems_come_together_by_file_and_line_and_overrides_last(small):
    text = small.VALID.replace("rate: 0.1", "rate: x").replace("epochs: 2", "epochs: 2\n  epochs: 3\n  sed: 4")
    text = text.replace("Batches", "Batchs", 1).replace("size: 8", "size: 8.5", 1)
    assert small.problems(text, "Global.seed=-1", "Arch.class_num=x", "Zoo=1") == [
        says("c.yaml:3 Global.epochs: ... twice, first in line 2; remove one"),
        "c.yaml:4 Global: unknown key 'sed'. Did you mean 'seed'?",
        "c.yaml:14 Optimizer.lr.rate: is 'x'; write a number above 0",
        says("c.yaml:22 DataLoader.Train.dataset.transform_ops.1.Crop.size: is 8.5; ... a list of 2 ... at least 1"),
        says("c.yaml:25 DataLoader.Train.sampler.name: ... 'Batchs' (did you mean Batches?); ... --import FILE"),
        says("-o Zoo=1: unknown key 'Zoo'; write one of Global, Arch, Loss, ... EMA"),
        "-o Global.seed=-1: is -1; write a whole number of at least 0",
        says("-o Arch.class_num=x: is 'x'; write ... at least 1"),
    ]


def test_the_error_is_all_of_them_in_one_text(small):
    with pytest.raises(ValueError) as caught:
        small.load("Global: 1\nArch: 2")
    assert str(caught.value) == (
        "c.yaml:1 Global: is 1; write a mapping of epochs, checkpoints, pretrained_model, preprocessing, output_dir, "
        "existing_run, device, cpu_kernels, seed, save_interval, save_interval_steps, save_interval_minutes, on_save_error, keep, "
        "eval_during_train, eval_interval, start_eval_epoch, patience, print_batch_step, console, report, loggers, use_visualdl, image_shape, save_inference_dir, "
        "global_batch, update_freq, sync_batch_norm\n"
        "c.yaml:1 Loss.Train: is missing, and train needs it; write the losses, such as `- CELoss:`\n"
        "c.yaml:1 Optimizer: is missing, and train needs it; write the optimizer with its lr\n"
        "c.yaml:1 DataLoader.Train: is missing, and train needs it; write its dataset and sampler\n"
        "c.yaml:2 Arch: is 2; write a mapping of the backbone's name and keys"
    )


def test_a_file_that_cannot_be_read_on_is_reported_alone(small):
    assert small.problems("Global: {epoch: 1}\n\tArch: 1", "Zoo=1") == [
        says("c.yaml:2: ... indented with a tab; indent YAML with spaces")
    ]


def test_what_is_loaded(small):
    config = small.load()
    assert config.Global.epochs == 2
    assert config.Global.device == "auto"
    assert (config.Arch.name, config.Arch.class_num) == ("Net18", 10)
    assert config.Optimizer.lr.rate == 0.1
    assert config.DataLoader.Train.sampler.batch_size == 4
    assert config.DataLoader.Train.loader.num_workers is None
    assert [type(op).__name__ for op in config.DataLoader.Train.dataset.transform_ops] == ["Decode", "Crop", "Scale"]
    assert config.DataLoader.Eval.dataset.transform_ops[2].factor == 1 / 255
    assert config.Metric.Eval[0].topk == (1, 5)
    assert config.Metric.Train == ()
    with pytest.raises(AttributeError):
        config.Global.epochs = 3


def test_the_registries_are_no_part_of_what_is_configured(small):
    config = small.load()
    others = {**small.registries, "another kind": small.registries["loss"]}
    assert load_config("c.yaml", (), others) == config
    assert "egistr" not in repr(config)


def test_overriding_a_name_keeps_the_other_keys(small):
    config = small.load(small.VALID, "Arch.class_num=7", "Arch.name=Net50")
    assert (config.Arch.name, config.Arch.class_num) == ("Net50", 7)
