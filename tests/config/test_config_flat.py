# ruff: noqa: E501 (whole messages stand in one line)
"""PaddleClas's flat 2.0 format: every key, whole files, overrides, lines, errors, and the way to today's format."""

import logging
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from helpers.checkout import ROOT
from helpers.messages import pattern, refusal, says
from ppcls.arch.catalog import BACKBONES
from ppcls.cli import main
from ppcls.config import load_config, migrate_config
from ppcls.config.override import put
from ppcls.config.paddleclas.flat_files import resolve
from ppcls.config.paddleclas.flat_keys import ROWS
from ppcls.engine.schema import registries
from ppcls.untrusted.yaml_nodes import Origin, Problems, as_node, find
from ppcls.utils.errors import ConfigError

FOLDER = Path(__file__).resolve().parent / "flat"
BEST, PLAIN, DARKNET = FOLDER / "DLA60_best.yaml", FOLDER / "DLA60.yaml", FOLDER / "DarkNet53.yaml"
# DarkNet53 where it is not built yet.
STAND_IN = [] if "DarkNet53" in BACKBONES else ["Arch.name=DLA34"]
MIXUP = [{"MixupOperator": {"alpha": 0.2}}]
TOPK, LOSS = "Metric.Eval", "Loss.Train.CELoss.epsilon"
SCHEDULE, MIXING = "Optimizer.lr", "DataLoader.Train.dataset.batch_transform_ops"
GONE = {}  # nothing is set

# Old key, old value, what comes of it.
CASES = [
    ("mode", "train", GONE),
    ("mode", "valid", GONE),
    ("mode", None, GONE),
    ("ARCHITECTURE.name", "DLA34", {"Arch.name": "DLA34"}),
    ("ARCHITECTURE.params.dropout", 0.5, {"Arch.dropout": 0.5}),
    ("ARCHITECTURE.in_channels", 4, {"Arch.in_channels": 4}),
    ("pretrained_model", "output/DLA60/best_model/ppcls", {"Global.pretrained_model": "output/DLA60/best_model/ppcls"}),
    ("pretrained_model", "", GONE),
    ("checkpoints", "output/DLA60/5/ppcls", {"Global.checkpoints": "output/DLA60/5/ppcls"}),
    ("checkpoints", "", GONE),
    ("last_epoch", -1, GONE),
    ("last_epoch", None, GONE),
    ("load_static_weights", False, GONE),
    ("model_save_dir", "./output/", {"Global.output_dir": "./output/"}),
    ("classes_num", 102, {"Arch.class_num": 102}),
    ("total_images", 1281167, GONE),
    ("total_images", None, GONE),
    ("save_interval", 2, {"Global.save_interval": 2}),
    ("validate", False, {"Global.eval_during_train": False}),
    ("valid_interval", 3, {"Global.eval_interval": 3}),
    ("print_interval", 20, {"Global.print_batch_step": 20}),
    ("epochs", 120, {"Global.epochs": 120}),
    ("topk", 5, {TOPK: [{"TopkAcc": {"topk": [1, 5]}}], "Metric.Train": [{"TopkAcc": {"topk": [1, 5]}}]}),
    ("topk", 1, {TOPK: [{"TopkAcc": {"topk": [1]}}], "Metric.Train": [{"TopkAcc": {"topk": [1]}}]}),
    ("image_shape", [3, 256, 256], {"Global.image_shape": [3, 256, 256]}),
    ("use_gpu", True, {"Global.device": "gpu"}),
    ("use_gpu", False, {"Global.device": "cpu"}),
    ("use_mix", False, GONE),
    ("use_mix", 0, GONE),
    ("ls_epsilon", 0.1, {LOSS: 0.1}),
    ("ls_epsilon", -1, GONE),
    ("ls_epsilon", 0, GONE),
    ("use_distillation", False, GONE),
    ("VALID.mix", [], GONE),
    ("LEARNING_RATE.function", "Linear", {f"{SCHEDULE}.name": "Linear"}),
    ("LEARNING_RATE.function", "Cosine", {f"{SCHEDULE}.name": "Cosine"}),
    ("LEARNING_RATE.function", "CosineWarmup", {f"{SCHEDULE}.name": "Cosine", f"{SCHEDULE}.warmup_epoch": 5}),
    ("LEARNING_RATE.function", "Piecewise", {f"{SCHEDULE}.name": "Piecewise", f"{SCHEDULE}.gamma": 0.1}),
    ("LEARNING_RATE.params.lr", 0.1, {f"{SCHEDULE}.learning_rate": 0.1}),
    ("LEARNING_RATE.params.warmup_epoch", 3, {f"{SCHEDULE}.warmup_epoch": 3}),
    ("LEARNING_RATE.params.decay_epochs", [30, 60], {f"{SCHEDULE}.decay_epochs": [30, 60]}),
    ("LEARNING_RATE.params.gamma", 0.2, {f"{SCHEDULE}.gamma": 0.2}),
    ("LEARNING_RATE.params.end_lr", 0.01, {f"{SCHEDULE}.end_lr": 0.01}),
    ("LEARNING_RATE.params.steps", None, GONE),
    ("OPTIMIZER.function", "Momentum", {"Optimizer.name": "Momentum"}),
    ("OPTIMIZER.params.momentum", 0.8, {"Optimizer.momentum": 0.8}),
    ("OPTIMIZER.regularizer.function", "L2", {"Optimizer.regularizer.name": "L2"}),
    ("OPTIMIZER.regularizer.factor", 0.00007, {"Optimizer.regularizer.coeff": 0.00007}),
    ("TRAIN.shuffle_seed", 7, {"Global.seed": 7}),
    ("TRAIN.mix", MIXUP, {MIXING: MIXUP}),
    ("VALID.shuffle_seed", 7, GONE),
    *[
        case
        for old, new in (("TRAIN", "DataLoader.Train"), ("VALID", "DataLoader.Eval"))
        for case in (
            (f"{old}.batch_size", 64, {f"{new}.sampler.batch_size": 16}),
            (f"{old}.num_workers", 8, {f"{new}.loader.num_workers": 8}),
            (f"{old}.file_list", "list.txt", {f"{new}.dataset.cls_label_path": "list.txt"}),
            (f"{old}.data_dir", "pictures", {f"{new}.dataset.image_root": "pictures"}),
            (f"{old}.delimiter", "\t", {f"{new}.dataset.delimiter": "\t"}),
            (
                f"{old}.transforms",
                [{"ResizeImage": {"resize_short": 256, "interpolation": 2}}, {"ToCHWImage": None}],
                {f"{new}.dataset.transform_ops": [{"ResizeImage": {"resize_short": 256, "interpolation": "bicubic"}}, {"ToCHWImage": None}]},
            ),
        )
    ],
    ("is_distributed", True, GONE),
    *[(key, False, GONE) for key in ("multilabel", "use_dali", "use_aa", "use_xpu", "use_npu", "use_ema", "use_fp16", "use_pure_fp16")],
    ("use_fp16", True, {"AMP.use_amp": True}),
    ("use_pure_fp16", True, {"AMP.use_amp": True, "AMP.level": "O2"}),
    ("use_ema", True, {"EMA": {}}),
    *[(key, None, GONE) for key in ("ema_decay", "amp_scale_loss", "use_dynamic_loss_scaling")],
]  # fmt: skip
REFUSED = [
    ("mode", "export", "is 'export'; write train or valid, the command decides"),
    ("last_epoch", "5", "is '5'; write -1, or the epoch of checkpoints"),
    ("last_epoch", 5, "is 5, but ... a checkpoint ...; write checkpoints, or -1"),
    ("load_static_weights", True, "is true; ... static graph ...; save them as one .pdparams file and write false"),
    ("total_images", "many", "is 'many'; remove it, the pictures of the list are counted"),
    ("VALID.shuffle_seed", -1, "is -1; remove it, evaluation keeps the order of the list"),
    ("topk", 0, "is 0; write a whole number of at least 1"),
    ("topk", 1.5, "is 1.5; write a whole number of at least 1"),
    ("use_gpu", 1, "is 1; write true or false"),
    ("use_mix", "yes", "is 'yes'; write true or false"),
    ("use_mix", 2, "is 2; write true or false"),
    ("use_mix", True, "is true, but nothing mixes; write TRAIN.mix, such as [MixupOperator: {alpha: 0.2}]"),
    ("ls_epsilon", 1, "is 1; write a number above 0 and below 1, or -1 for none"),
    ("ls_epsilon", True, "is true; write a number above 0 and below 1, or -1 for none"),
    ("ls_epsilon", float("nan"), "is nan; write a number above 0 and below 1, or -1 for none"),
    ("use_distillation", True, "is true; write false, and Arch as in configs/DLA/DLA34_distill..."),
    ("LEARNING_RATE.params.steps", 100, "is 100; remove it, the rate falls until the last epoch"),
    ("TRAIN.batch_size", 66, "is 66 for all 4 processes together; write a multiple of 4"),
    ("VALID.mix", MIXUP, "is a list; pictures are not mixed in evaluation; remove it"),
    ("VALID.batch_size", 0, "is 0; write a whole number of at least 1"),
    ("VALID.batch_size", float("inf"), "is inf; write a whole number of at least 1"),
    ("multilabel", True, "is true; only single-label classification ...; remove it"),
    ("is_distributed", 1, "is 1; remove it, paddle.distributed.launch decides"),
    ("use_dali", True, "is true; DALI is not supported here; remove it"),
    ("use_aa", True, "is true; write the augmentation among the transforms"),
    ("use_xpu", True, "is true; only CPU and GPU are supported here; remove it"),
    ("use_npu", 0, "is 0; only CPU and GPU are supported here; remove it"),
]  # fmt: skip


def resolved(tree, *overrides, processes=4):
    """The plain tree of today, the lines, and the problems."""
    problems = Problems()
    node, lines = resolve(as_node(tree, Origin("old.yaml", 3)), overrides, processes, problems)
    return node, lines, [str(problem) for problem in problems]


def nested(key, value):
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def written(value):
    return yaml.safe_dump(value, default_flow_style=True).split("\n...")[0].strip()


def load(path, *overrides, command="train", **options):
    return load_config(path, overrides, registries(), command, check_paths=False, say=[].append, **options)


def problems_of(text, *overrides):
    Path("old.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load("old.yaml", *overrides)
    return caught.value.problems


@pytest.mark.parametrize(("key", "value", "expected"), CASES)
def test_every_key_in_a_file(key, value, expected):
    groups = {group: {} for group in ("OPTIMIZER", key.partition(".")[0])}  # the first one makes a file flat
    without, _, _ = resolved(groups if "." in key else {"OPTIMIZER": {}})
    node, lines, problems = resolved({**groups, **nested(key, value)})
    assert problems == []
    if key == "TRAIN.mix":
        expected = {MIXING: []}  # since use_mix does not stand there
    for new, made in {**expected, **({"Global.global_batch": value} if key == "TRAIN.batch_size" else {})}.items():
        place, is_there = find(node, new)
        assert (place.plain(), is_there, str(place.origin)) == (made, True, "old.yaml:3")
        put(without, new.split("."), place, Problems())
    assert node.plain() == without.plain()
    assert any(key.split(".")[0] in line for line in lines)


@pytest.mark.parametrize(("key", "value", "expected"), CASES)
def test_every_key_as_an_override_of_a_file_of_today(key, value, expected):
    today = {"Loss": {"Train": [{"CELoss": {}}]}, "Metric": {"Train": [{"TopkAcc": {}}]}}
    override = f"{key}={written(value)}"
    node, lines, problems = resolved(today, override)
    assert problems == []
    for new, made in expected.items():
        place, is_there = find(node, new)
        assert (place.plain(), is_there) == (made, True)
    if not expected:
        assert node.plain() == today
    (line,) = lines
    row = next(row for row in ROWS if row.old in (key, f"{key.rpartition('.')[0]}.*"))
    where = f"read as {row.new.replace('*', key.split('.')[-1])}" if row.new else "nothing to do here"
    detail = f" ({key} 64 over 4 processes is 16 each)" if "batch_size" in key else ""
    assert line == f"-o {override}: {where}{detail}"


def test_every_row_has_a_case():
    keys = [case[0] for case in CASES]
    tried = {row.old for row in ROWS if row.old in keys}
    for row in ROWS:
        if row.old.endswith(".*"):
            assert any(key.startswith(row.old[:-1]) and key not in tried for key in keys), row
        else:
            assert row.old in tried, row
    refusing = [row.old for row in ROWS if not row.new]
    assert {key for key, _, _ in REFUSED} >= set(refusing)


def test_the_document_has_every_row():
    text = (ROOT / "docs" / "paddleclas_2_0.md").read_text(encoding="utf-8")
    for row in ROWS:
        reader, _, key = row.old.partition(".")
        if (
            row.new
            and reader in ("TRAIN", "VALID")
            and key in ("file_list", "data_dir", "delimiter", "transforms", "batch_size", "num_workers")
        ):
            old, new = f"TRAIN.{key}", row.new.replace("Eval", "Train")
        else:
            old, new = row.old, row.new
        assert f"| `{old}` | {f'`{new}`' if new else ''}" in text, row


@pytest.mark.parametrize(("key", "value", "sentence"), REFUSED)
def test_what_is_refused(key, value, sentence):
    _, _, problems = resolved({"ARCHITECTURE": {"name": "X"}, **nested(key, value)})
    assert problems == [says(f"old.yaml:3 {key}: {sentence}")]
    override = f"{key}={written(value)}"
    _, _, problems = resolved({}, override)
    assert problems == [says(f"-o {override}: {sentence}")]


def plain_of(config):
    return yaml.safe_load(config.to_yaml())


def differences(one, other, key=""):
    """Dotted keys by which two plain configurations differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            found
            for name in {**one, **other}
            for found in differences(one.get(name), other.get(name), f"{key}.{name}".lstrip("."))
        ]
    return [] if one == other else [key]


SAID_OTHERWISE = [  # the same places and steps in other words, and what is no part of an old file
    "Global.output_dir",
    "DataLoader.Train.dataset.image_root",
    "DataLoader.Train.dataset.cls_label_path",
    "DataLoader.Train.dataset.transform_ops",
    "DataLoader.Train.loader.num_workers",
    "DataLoader.Eval.dataset.image_root",
    "DataLoader.Eval.dataset.cls_label_path",
    "DataLoader.Eval.dataset.transform_ops",
    "DataLoader.Eval.loader.num_workers",
    "Infer.PostProcess",
]


@pytest.mark.parametrize(
    ("path", "overrides"), [(BEST, []), (PLAIN, ["VALID.batch_size=256"]), (DARKNET, STAND_IN)], ids=lambda case: getattr(case, "stem", "")
)  # fmt: skip
def test_a_whole_file_means_what_the_recipe_of_today_means(path, overrides):
    old = load(path, *overrides, processes=4)
    new = load(path.stem, *[override for override in overrides if override in STAND_IN])
    assert differences(plain_of(old), plain_of(new)) == SAID_OTHERWISE
    for section in ("Train", "Eval"):
        one, other = getattr(old.DataLoader, section).dataset, getattr(new.DataLoader, section).dataset
        assert Path(one.image_root) == Path(other.image_root)
        assert Path(one.cls_label_path) == Path(other.cls_label_path)
        assert registries()["transform"].same_meaning(one.transform_ops, other.transform_ops)
    assert Path(old.Global.output_dir) == Path(new.Global.output_dir)


def test_numbers_of_whole_files():
    best, plain, darknet = load(BEST), load(PLAIN), load(DARKNET, *STAND_IN)
    assert (best.Global.global_batch, best.DataLoader.Train.sampler.batch_size) == (512, 512)
    assert (type(best.Optimizer.lr).__name__, best.Optimizer.lr.learning_rate, best.Optimizer.lr.warmup_epoch) == (
        "Cosine",
        0.04,
        5,
    )
    assert best.DataLoader.Train.dataset.transform_ops[1].interpolation == "bicubic"
    assert best.DataLoader.Train.dataset.transform_ops[3].scale == 1 / 255
    assert (plain.Optimizer.lr.decay_epochs, plain.Optimizer.lr.gamma) == ((30, 60, 90), 0.1)
    assert [metric.ks for metric in (*plain.Metric.Train, *plain.Metric.Eval)] == [(1, 5), (1, 5)]
    assert (best.Metric.Train, [metric.ks for metric in best.Metric.Eval]) == ((), [(1, 5)])
    assert (
        darknet.DataLoader.Eval.dataset.transform_ops[1].resize_short,
        darknet.DataLoader.Eval.dataset.transform_ops[2].size,
    ) == (292, 256)


def test_old_and_new_overrides_of_a_flat_file():
    config = load(
        PLAIN, "epochs=3", "LEARNING_RATE.params.lr=0.2", "TRAIN.transforms.RandCropImage.size=96",
        "TRAIN.batch_size=64", "classes_num=3", "Global.keep=1", "pretrained_model=x.pdparams", processes=2,
    )  # fmt: skip
    assert (config.Global.epochs, config.Global.keep, config.Optimizer.lr.learning_rate) == (3, 1, 0.2)
    assert (config.DataLoader.Train.sampler.batch_size, config.Global.global_batch) == (32, 256)
    assert config.DataLoader.Train.dataset.transform_ops[1].size == 96
    assert config.Global.pretrained_model == "x.pdparams"
    assert config.Metric.Eval[0].ks == (1, 3)  # no more than there are classes


def test_mixing_can_be_turned_off_and_on():
    off = load(BEST, "use_mix=False")
    assert off.DataLoader.Train.dataset.batch_transform_ops == ()
    assert [metric.ks for metric in off.Metric.Train] == [(1, 5)]
    on = load(PLAIN, "use_mix=1", "TRAIN.mix=[MixupOperator: {alpha: 0.3}]")
    assert on.DataLoader.Train.dataset.batch_transform_ops[0].alpha == 0.3
    assert on.Metric.Train == ()


def test_old_overrides_of_a_file_of_today():
    config = load(
        "DLA60_best", "epochs=3", "Global.epochs=4", "use_mix=True", "topk=1", "ls_epsilon=-1", "pretrained_model=",
        "LEARNING_RATE={function: Linear, params: {lr: 0.2}}", "TRAIN.batch_size=256", "model_save_dir=here",
        "TRAIN.transforms.RandCropImage.interpolation=0", "VALID.transforms.1.ResizeImage.resize_short=232", processes=2,
    )  # fmt: skip
    assert (config.Global.epochs, config.Global.output_dir, config.Global.pretrained_model) == (4, "here", None)
    assert (type(config.Optimizer.lr).__name__, config.Optimizer.lr.learning_rate) == ("Linear", 0.2)
    assert config.DataLoader.Train.dataset.batch_transform_ops[0].alpha == 0.2
    assert (config.Metric.Train, [metric.ks for metric in config.Metric.Eval]) == ((), [(1,)])
    assert config.Loss.Train[0].epsilon is None
    assert (config.DataLoader.Train.sampler.batch_size, config.Global.global_batch) == (128, 512)
    assert config.DataLoader.Train.dataset.transform_ops[1].interpolation == "nearest"
    assert config.DataLoader.Eval.dataset.transform_ops[1].resize_short == 232


def test_later_overrides_win_over_earlier_ones():
    assert load("DLA60", "Global.epochs=4", "epochs=3").Global.epochs == 3
    assert load("DLA60", "pretrained_model=x", "pretrained_model=''").Global.pretrained_model is None
    assert load("DLA60", "last_epoch=5", "checkpoints=output/DLA60").Global.checkpoints == "output/DLA60"


def test_a_schedule_keeps_what_is_set():
    tree = {"Optimizer": {"lr": {"warmup_epoch": 2, "gamma": 0.5}}}
    for name in ("CosineWarmup", "Piecewise"):
        node, _, _ = resolved(tree, f"LEARNING_RATE.function={name}")
        assert (find(node, f"{SCHEDULE}.warmup_epoch")[0].value, find(node, f"{SCHEDULE}.gamma")[0].value) == (2, 0.5)
    node, _, _ = resolved({"Optimizer": {"lr": {"values": [1, 2]}}}, "LEARNING_RATE.function=Piecewise")
    assert node.plain() == {"Optimizer": {"lr": {"values": [1, 2], "name": "Piecewise"}}}


def test_a_flat_file_may_be_a_base_and_have_one():
    Path("base.yaml").write_text(PLAIN.read_text(encoding="utf-8"), encoding="utf-8")
    Path("leaf.yaml").write_text("base: base.yaml\nepochs: 7\nTRAIN: {num_workers: 0}\n", encoding="utf-8")
    config = load("leaf.yaml")
    assert (config.Global.epochs, config.DataLoader.Train.loader.num_workers) == (7, 0)
    Path("leaf.yaml").write_text("base: base.yaml\nGlobal: {epochs: 8, keep: null}\n", encoding="utf-8")
    config = load("leaf.yaml")
    assert (config.Global.epochs, config.Global.keep, config.Global.output_dir) == (8, None, "./output/")


def test_no_old_key_is_overruled_in_silence():
    Path("leaf.yaml").write_text(
        "base: DLA60\nTRAIN: {batch_size: 8}\nuse_mix: false\nls_epsilon: 0.1\n", encoding="utf-8"
    )
    with pytest.raises(ConfigError) as caught:  # use_mix asks for what the base does anyway
        load("leaf.yaml", "epochs=3")
    configs = ROOT / "configs" / "_base_"
    found = [problem.replace(str(configs), "") for problem in caught.value.problems]
    assert [re.sub(r":\d+;", ":N;", problem) for problem in found] == [
        says("leaf.yaml:2 TRAIN.batch_size: ... /pictures_224.yaml:N; write DataLoader.Train.sampler.batch_size ..."),
        says("leaf.yaml:4 ls_epsilon: ... /imagenet.yaml:N; write Loss.Train.CELoss.epsilon instead, or remove that"),
        says("-o epochs=3: ... /dla.yaml:N; write Global.epochs instead, or remove that"),
    ]


def test_lines_of_a_file(caplog):
    lines = []
    load_config(BEST, ["epochs=3", "Arch.class_num=10"], registries(), check_paths=False, processes=4, say=lines.append)
    assert lines == [
        says(f"{BEST}: mode, last_epoch, ... use_distillation: nothing to do here"),
        "-o epochs=3: read as Global.epochs",
        says(f"{BEST}: checkpoints, ... image_shape, TRAIN.shuffle_seed: read as Global"),
        f"{BEST}: ARCHITECTURE.name, classes_num: read as Arch",
        f"{BEST}: LEARNING_RATE, OPTIMIZER: read as Optimizer",
        says(f"{BEST}: TRAIN, use_mix: read as DataLoader.Train (... 512 over 4 processes is 128 each)"),
        says(f"{BEST}: VALID: read as DataLoader.Eval (... 256 over 4 processes is 64 each)"),
        f"{BEST}: ls_epsilon: read as Loss",
        f"{BEST}: topk: read as Metric",
    ]
    with caplog.at_level(logging.INFO, "ppcls"):
        load_config("DLA60", ["epochs=3"], registries(), check_paths=False)
    assert caplog.messages == ["-o epochs=3: read as Global.epochs"]


def test_no_line_for_what_is_refused():
    _, lines, problems = resolved({"ARCHITECTURE": {"name": "X"}, "load_static_weights": True, "topk": 0})
    assert (lines, len(problems)) == (["old.yaml: ARCHITECTURE.name: read as Arch"], 2)


def test_training_without_accuracies_stays_so():
    node, _, _ = resolved({"Metric": {"Train": []}}, "topk=2")
    assert node.plain()["Metric"] == {"Train": [], "Eval": [{"TopkAcc": {"topk": [1, 2]}}]}


def test_mixed_precision_and_averages_are_read():
    settings = {"use_fp16": True, "amp_scale_loss": 128.0, "use_dynamic_loss_scaling": False, "use_ema": True}
    node, lines, problems = resolved({"OPTIMIZER": {}, **settings, "ema_decay": 0.99})
    assert problems == []
    assert node.plain()["AMP"] == {"use_amp": True, "scale_loss": 128.0, "use_dynamic_loss_scaling": False}
    assert node.plain()["EMA"] == {"decay": 0.99}
    assert lines[-2:] == [
        "old.yaml: use_ema, ema_decay: read as EMA",
        "old.yaml: use_fp16, amp_scale_loss, use_dynamic_loss_scaling: read as AMP",
    ]


def test_what_mixed_precision_and_averages_would_be_like_is_not_read_where_there_are_none():
    node, lines, problems = resolved({"OPTIMIZER": {}, "amp_scale_loss": 128.0, "use_ema": False, "ema_decay": 0.99})
    assert (problems, "AMP" in node.value, "EMA" in node.value) == ([], False, False)
    assert lines[-2:] == [
        "old.yaml: use_ema, ema_decay: read as EMA (the weights are not averaged)",
        "old.yaml: amp_scale_loss: read as AMP (mixed precision is off)",
    ]


def test_an_override_switches_the_mixed_precision_of_a_file_off():
    node, _, problems = resolved({"AMP": {"use_amp": True}, "EMA": {}}, "use_fp16=False", "use_ema=False")
    assert problems == []
    assert (node.plain()["AMP"], node.plain()["EMA"]) == ({"use_amp": False}, None)


def test_a_switch_of_mixed_precision_is_true_or_false():
    for key in ("use_fp16", "use_pure_fp16", "use_ema"):
        assert resolved({"OPTIMIZER": {}, key: 3})[2] == [f"old.yaml:3 {key}: is 3; write true or false"]


def test_lines_of_what_is_left_out():
    _, lines, _ = resolved(
        {"TRAIN": {"mix": MIXUP}, "use_mix": False, "last_epoch": 5, "checkpoints": "x"}, processes=1
    )
    assert lines == [
        "old.yaml: checkpoints: read as Global",
        says("old.yaml: last_epoch: nothing to do ..."),
        "old.yaml: TRAIN.mix, use_mix: read as DataLoader.Train (nothing is mixed)",
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("epochs: 120", "epoch: 120", "unknown key 'epoch'. Did you mean 'epochs'?"),
        ("epochs: 120", "epochs: 0", "Global.epochs: is 0; write a whole number of at least 1"),
        ("    batch_size: 256", "    batchsize: 256", "TRAIN: unknown key 'batchsize'. Did you mean 'batch_size'?"),
        ("    batch_size: 256", "    qqqq: 1", "TRAIN: unknown key 'qqqq'; write one of shuffle_seed, file_list, ... mix"),
        ("        gamma: 0.1", "        gama: 0.1", "Optimizer.lr: unknown key 'gama'. Did you mean 'gamma'?"),
        ("    function: 'Piecewise'", "    function: 'ExponentialWarmup'", "Optimizer.lr.name: the schedule ExponentialWarmup ...; write Cosine, ... Linear, Polynomial or Constant"),
        ("    function: 'Piecewise'", "    func: 'Piecewise'", "LEARNING_RATE: unknown key 'func'. Did you mean 'function'?"),
        ("use_mix: False", "use_mix: True", "use_mix: is true, but nothing mixes; write TRAIN.mix, such as [MixupOperator: {alpha: 0.2}]"),
        ("    params: {momentum: 0.9}", "    params: 0.9", "OPTIMIZER.params: is not a mapping; write its keys indented ..."),
        ("        - RandCropImage: {size: 224}", "        - RandCropImage: {sise: 224}", "DataLoader.Train.dataset.transform_ops.1.RandCropImage: unknown key 'sise'. Did you mean 'size'?"),
        ("        - RandFlipImage: {flip_code: 1}", "        - RandFlipImage: {flip_code: 7}", None),
        ("total_images: 1281167", "Slim: {name: quant}", "Slim: quantization and pruning ... remove the section"),
    ],
)  # fmt: skip
def test_errors_name_the_old_file_and_line(old, new, problem):
    text = PLAIN.read_text(encoding="utf-8")
    assert text.count(f"{old}\n") == 1
    line = text[: text.index(old)].count("\n") + 1
    found = problems_of(text.replace(f"{old}\n", f"{new}\n"))
    (mine,) = [one for one in found if one.startswith((f"old.yaml:{line} ", f"old.yaml:{line}:"))]
    assert problem is None or mine.removeprefix(f"old.yaml:{line}").lstrip(": ") == says(problem)


def test_a_missing_key_is_reported_where_its_group_begins():
    text = PLAIN.read_text(encoding="utf-8")
    for group, line, problem in (
        ("TRAIN:", '    data_dir: ./dataset/ILSVRC2012/\n', "DataLoader.Train.dataset.image_root: is missing; write the path of a folder"),
        ("LEARNING_RATE:", "        lr: 0.1\n", "Optimizer.lr: values is missing; write a learning ... decay_epochs"),
        ("ARCHITECTURE:", "    name: DLA60\n", "Arch.name: is missing"),
    ):  # fmt: skip
        number = text.splitlines().index(group) + 1
        (found,) = problems_of(text.replace(line, "", 1).replace("ARCHITECTURE:\npre", "ARCHITECTURE: {}\npre"))
        assert re.match(pattern(f"old.yaml:{number} {problem}"), found)


def test_old_overrides_that_go_nowhere():
    today = {"Global": {"epochs": 1}}
    assert resolved(today, "epochs.x=3")[2] == [
        says("-o epochs.x=3: Global.epochs is a value ...; set Global.epochs itself")
    ]
    assert resolved({}, "use_gpu.x=3")[2] == [says("-o use_gpu.x=3: use_gpu is a value ...; set use_gpu itself")]
    assert resolved({}, "TRAIN.sampler=3")[2] == [says("-o TRAIN.sampler=3: unknown key 'sampler'; write one of shuffle_seed, file_list, ... mix")]  # fmt: skip
    assert resolved({}, "TRAIN=3")[2] == [says("-o TRAIN=3: is not a mapping; write its keys ...: shuffle_seed, ... num_workers, mix")]  # fmt: skip
    assert resolved({}, "epochs")[2] == ["-o epochs: is not an override; write -o Section.key=value"]
    assert resolved({}, "epochs=[")[2][0].startswith("-o epochs=[: is not YAML")


@pytest.mark.parametrize(
    ("key", "new"),
    [("epochs: 5", "Global.epochs"), ("pretrained_model: x", "Global.pretrained_model"), ("use_gpu: true", "Global.device"),
     ("classes_num: 5", "Arch.class_num"), ("topk: 5", "Metric.Eval.TopkAcc.topk"), ("ls_epsilon: 1", LOSS), ("use_mix: 0", MIXING)],
)  # fmt: skip
def test_a_key_of_then_in_a_file_of_today_is_told_its_name(small, key, new):
    line = small.VALID.count("\n") + 1
    assert small.problems(f"{small.VALID}{key}\n") == [
        f"c.yaml:{line} {key.partition(':')[0]}: belongs to a section; write {new}"
    ]
    (problem,) = small.problems(f"{small.VALID}mode: train\n")
    assert problem.startswith(f"c.yaml:{line}: unknown key 'mode'")


def test_the_weights_of_an_old_command():
    override = "pretrained_model='output/DLA60/best_model/ppcls'"
    lines = []
    Path("dataset/ILSVRC2012").mkdir(parents=True)
    Path("dataset/ILSVRC2012/val_list.txt").touch()
    with pytest.raises(ConfigError) as caught:
        load_config("DLA60_best", [override, "load_static_weights=False"], registries(), "eval", say=lines.append)
    (problem,) = caught.value.problems
    assert problem.startswith(
        f"-o {override} Global.pretrained_model: output/DLA60/best_model/ppcls: no weights there; "
    )
    assert lines == [
        f"-o {override}: read as Global.pretrained_model",
        "-o load_static_weights=False: nothing to do here",
    ]
    weights = Path("output/DLA60/best_model/ppcls.pdparams")
    weights.parent.mkdir(parents=True)
    weights.touch()
    config = load_config("DLA60_best", [override, "load_static_weights=False"], registries(), "eval", say=lines.append)
    assert config.Global.pretrained_model == "output/DLA60/best_model/ppcls"


@pytest.mark.parametrize("path", [BEST, PLAIN, DARKNET], ids=lambda path: path.stem)
@pytest.mark.parametrize("processes", [1, 4])
def test_a_migrated_file_is_equal(path, processes):
    overrides = STAND_IN if path is DARKNET else []
    text = migrate_config(path, overrides, registries(), processes)
    Path("new.yaml").write_text(text, encoding="utf-8")
    lines = []
    migrated = load_config("new.yaml", [], registries(), check_paths=False, say=lines.append)
    assert migrated == load(path, *overrides, processes=processes)
    assert lines == []
    assert refusal(migrate_config, "new.yaml", [], registries()) == says(
        "new.yaml is not in PaddleClas's flat 2.0 format; ..."
    )


def test_migrated_text():
    Path("old.yaml").write_text(
        "ARCHITECTURE: {name: DLA34}\nepochs: 2\npretrained_model: ''\nVALID:\n  batch_size: 8\n  file_list: l.txt\n"
        "  data_dir: d\n  transforms:\n    - DecodeImage:\n    - NormalizeImage: {scale: 1./255.}\n",
        encoding="utf-8",
    )
    assert (
        migrate_config("old.yaml", ["epochs=3"], registries(), 2)
        == """\
# Migrated from old.yaml, which was in PaddleClas's 2.0 format; its batch was that of all processes,
# and sampler.batch_size is that of each of 2.
Global:
  epochs: 3
Arch:
  name: DLA34
Loss:
  Train:
    - CELoss:
        weight: 1.0
  Eval:
    - CELoss:
        weight: 1.0
DataLoader:
  Eval:
    dataset:
      name: ImageNetDataset
      cls_label_path: l.txt
      image_root: d
      transform_ops:
        - DecodeImage: null
        - NormalizeImage:
            scale: 1./255.
    sampler:
      name: DistributedBatchSampler
      batch_size: 4
Metric:
  Eval:
    - TopkAcc:
        topk: [1, 5]
  Train:
    - TopkAcc:
        topk: [1, 5]
"""
    )


def test_migrating_reports_what_is_wrong():
    Path("old.yaml").write_text("ARCHITECTURE: {name: DLA34}\nepochs: 0\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        migrate_config("old.yaml", [], registries())
    assert caught.value.problems == [says("old.yaml:2 Global.epochs: is 0; write ... at least 1")]


def test_the_command(capsys, monkeypatch):
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "4")
    assert main(["config", "--migrate", str(BEST), "-o", "epochs=3"]) == 0
    out, err = capsys.readouterr()
    assert (
        yaml.safe_load(out)["Global"]["epochs"],
        yaml.safe_load(out)["DataLoader"]["Train"]["sampler"]["batch_size"],
        err,
    ) == (3, 128, "")
    assert main(["config", "-c", "DLA60", "-o", "epochs=3"]) == 0
    out, err = capsys.readouterr()
    assert err == "-o epochs=3: read as Global.epochs\n"
    assert main(["train", "-c", "DLA60", "-o", "Global.epochs=3", "--print-config"]) == 0
    assert out == capsys.readouterr().out
    assert main(["config", "--migrate", "DLA60"]) == 2


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(["Piecewise", "CosineWarmup", "DLA34", "1./255."]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "lr", "ResizeImage", "interpolation", "batch_size", "x"]) | st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
KEYS = [row.old.replace("*", "gamma") for row in ROWS]


def merged(settings):
    tree = {}
    for key, value in settings.items():
        node = tree
        *above, last = key.split(".")
        for part in above:
            node = node.setdefault(part, {}) if isinstance(node.setdefault(part, {}), dict) else {}
        node[last] = value
    return tree


@given(
    settings=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8),
    groups=st.dictionaries(st.sampled_from(["TRAIN", "VALID", "OPTIMIZER", "ARCHITECTURE", "Arch", "Loss", "Metric", "y"]), VALUES, max_size=2),
    overrides=st.lists(st.tuples(st.sampled_from(["epochs", "topk", "use_mix", "TRAIN", "TRAIN.mix", "LEARNING_RATE.params.lr", "VALID.transforms.0", "Loss"]), st.sampled_from(["1", "[1]", "{a: 1}", "x", "", "[", "{transforms: [1]}"])), max_size=3),
    whole=st.booleans(),
    processes=st.integers(1, 3),
)  # fmt: skip
def test_any_mapping_loads_or_is_a_config_error(settings, groups, overrides, whole, processes):
    tree = merged(settings)
    tree = {**yaml.safe_load(PLAIN.read_text(encoding="utf-8")), **tree, **groups} if whole else {**tree, **groups}
    Path("any.yaml").write_text(yaml.safe_dump(tree, allow_unicode=False), encoding="utf-8")
    try:
        load("any.yaml", *("=".join(pair) for pair in overrides), processes=processes)
    except ConfigError as error:
        assert error.problems


@given(
    key=st.sampled_from(
        [*KEYS, "TRAIN.transforms.RandCropImage.size", "VALID.transforms.0", "topk.x", "TRAIN", "OPTIMIZER.regularizer"]
    ),
    value=VALUES,
)
def test_any_old_override_loads_or_is_a_config_error(key, value):
    try:
        load("DLA60_best", f"{key}={written(value)}", processes=2)
    except ConfigError as error:
        assert error.problems
