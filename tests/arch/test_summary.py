"""`ppcls summary` and `summarize`: rows and totals against the table of models and against arithmetic by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import paddle
import pytest
from paddle import nn

from helpers.messages import says
from ppcls.arch import build_model
from ppcls.arch.model_table import MODELS
from ppcls.arch.summary import LayerRow, Summary, summarize
from ppcls.cli import main
from ppcls.utils.errors import UserError


class Toy(nn.Layer):
    """[N, 4, 8, 8] to [N, 5]; `idle` is never called, `scale` belongs to a layer that holds others."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 5)
        self.idle = nn.Linear(2, 2)
        self.body = nn.Sequential(nn.Conv2D(4, 6, 3, padding=1, groups=2, bias_attr=False), nn.BatchNorm2D(6))
        self.twice = nn.Conv2D(6, 6, 1)
        self.scale = self.create_parameter([6, 1, 1])

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        x = self.twice(self.twice(self.body(x) * self.scale)[:, :, ::2, ::2])  # first on 8 x 8, then on 4 x 4
        return self.fc(x.mean([2, 3]))


CONV = LayerRow("body.0", "Conv2D", (6, 8, 8), params=6 * 2 * 9, macs=6 * 64 * 2 * 9, calls=1)
NORM = LayerRow("body.1", "BatchNorm2D", (6, 8, 8), params=12, calls=1)
TWICE = LayerRow("twice", "Conv2D", (6, 8, 8), params=6 * 6 + 6, macs=36 * 64 + 36 * 16, calls=2)
FC = LayerRow("fc", "Linear", (5,), params=35, macs=30, calls=1)
ITSELF = LayerRow("", "Toy", (5,), params=6, calls=1)
IDLE = LayerRow("idle", "Linear", None, params=6)
TOY_TABLE = """\
Layer          Type         Output shape  Parameters   MACs  Calls
body.0         Conv2D       [6, 8, 8]            108  6,912      1
body.1         BatchNorm2D  [6, 8, 8]             12      0      1
twice          Conv2D       [6, 8, 8]             42  2,880      2
fc             Linear       [5]                   35     30      1
(the network)  Toy          [5]                    6      0      1
idle           Linear       -                      6      0      -

Trainable parameters                               209
Parameters with batch-norm statistics              221
MACs (multiply-accumulates)                      9,822
FLOPs (2 x MACs)                                19,644
Size of float32 weights (MB)                      0.00"""


@pytest.fixture(scope="module")
def toy() -> Iterator[Summary]:
    yield summarize(Toy(), (8, 8), in_channels=4)


@pytest.fixture(scope="module")
def dla34() -> Iterator[Summary]:
    yield summarize(build_model("DLA34"))


def sums(rows: list[LayerRow]) -> tuple[int, int]:
    return sum(row.params for row in rows), sum(row.macs for row in rows)


@pytest.mark.parametrize("name", ["DLA34", "DLA46_c", "DLA46x_c", "SqueezeNet1_0", "SqueezeNet1_1"])
def test_totals_are_the_table_s(name: str) -> None:
    info, summary = MODELS[name], summarize(build_model(name))
    assert summary.trainable_params == info.trainable_params
    assert summary.params_with_statistics == info.params_with_statistics
    assert summary.macs == info.macs
    assert sums(list(summary.rows)) == (summary.trainable_params, summary.macs)


def test_rows_of_dla34(dla34: Summary) -> None:
    assert dla34.rows[:3] == (
        LayerRow("base_layer.0", "Conv2D", (16, 224, 224), params=2352, macs=118_013_952, calls=1),
        LayerRow("base_layer.1", "BatchNorm2D", (16, 224, 224), params=32, calls=1),
        LayerRow("level0.0", "Conv2D", (16, 224, 224), params=2304, macs=115_605_504, calls=1),
    )
    assert dla34.rows[-1] == LayerRow("fc", "Conv2D", (1000, 1, 1), params=513_000, macs=512_000, calls=1)
    assert [row for row in dla34.rows if row.calls == 4] == [LayerRow("shrink", "MaxPool2D", (32, 56, 56), calls=4)]
    assert (dla34.flops, dla34.megabytes) == (6_120_087_552, 63.030368)


def test_rows_of_a_toy_are_what_arithmetic_says(toy: Summary) -> None:
    assert toy.rows == (CONV, NORM, TWICE, FC, ITSELF, IDLE)
    assert toy.blocks == (LayerRow("body", "Sequential", (6, 8, 8), params=120, macs=6912, calls=1),)
    assert (toy.trainable_params, toy.params_with_statistics, toy.macs) == (209, 221, 9822)


def test_the_table_of_a_toy(toy: Summary) -> None:
    assert toy.table() == TOY_TABLE
    assert toy.table(2) == TOY_TABLE  # nothing lies deeper


def test_depth_merges_what_lies_deeper_and_loses_nothing(toy: Summary, dla34: Summary) -> None:
    lines = toy.table(depth=1).splitlines()
    assert lines[1:3] == [
        "body           Sequential  [6, 8, 8]            120  6,912      1",
        "twice          Conv2D      [6, 8, 8]             42  2,880      2",
    ]
    for depth in (1, 2, 3, 9):
        cells = [line.replace(",", "").split()[-3:-1] for line in dla34.table(depth).splitlines()[1:-6]]
        assert (sum(int(params) for params, _ in cells), sum(int(macs) for _, macs in cells)) == (
            dla34.trainable_params,
            dla34.macs,
        )
    assert [line.split()[0] for line in dla34.table(depth=1).splitlines()[1:-6]] == [
        *("base_layer", "level0", "level1", "shrink", "level2", "level3", "level4", "level5", "pool", "dropout", "fc")
    ]
    with pytest.raises(ValueError, match="depth is 0; give a whole number of at least 1"):
        dla34.table(0)


def test_a_block_with_parameters_of_its_own_is_counted_once() -> None:
    summary = summarize(nn.Sequential(Toy(), nn.ReLU()), (8, 8), in_channels=4)
    assert [line.split()[0:3:2] for line in summary.table(1).splitlines()[1:3]] == [["0", "[5]"], ["1", "[5]"]]
    assert summary.table(1).splitlines()[1].split()[-3:] == ["209", "9,822", "1"]
    assert summary.table(2).splitlines()[4].split() == ["0", "Toy", "[5]", "6", "0", "1"]
    assert [row.name for row in summary.rows] == ["0.body.0", "0.body.1", "0.twice", "0.fc", "0", "1", "0.idle"]


def test_a_block_s_content_is_not_that_of_a_name_that_begins_alike() -> None:
    layers = [nn.Sequential(nn.Conv2D(3, 3, 1)) for _ in range(11)]  # names 0 to 10
    summary = summarize(nn.Sequential(*layers), (4, 4))
    assert [(row.name, row.params) for row in summary.blocks] == [(str(n), 12) for n in range(11)]


def test_shared_and_frozen_parameters() -> None:
    first, second = nn.Conv2D(3, 3, 1), nn.Conv2D(3, 3, 1)
    second.weight = first.weight
    second.bias.stop_gradient = True
    summary = summarize(nn.Sequential(first, second), (4, 4))
    assert [row.params for row in summary.rows] == [12, 0]
    assert [row.macs for row in summary.rows] == [144, 144]


def test_a_layer_that_holds_others_and_computes_keeps_its_macs() -> None:
    outer = nn.Conv2D(3, 2, 1)
    outer.add_sublayer("idle", nn.ReLU())
    for parameter in outer.parameters():
        parameter.stop_gradient = True
    summary = summarize(outer, (4, 4))
    assert [(row.name, row.params, row.macs) for row in summary.rows] == [("", 0, 96), ("idle", 0, 0)]
    assert (summary.trainable_params, summary.params_with_statistics, summary.macs) == (0, 8, 96)


def test_a_network_of_one_layer() -> None:
    (row,) = summarize(nn.Conv2D(3, 2, 1), (4, 4)).rows
    assert row == LayerRow("", "Conv2D", (2, 4, 4), params=8, macs=96, calls=1)


def test_the_network_is_left_as_it_was() -> None:
    model = build_model("DLA46_c", class_num=3)
    model.train()
    model.level0.eval()
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    summarize(model, (64, 64))
    assert (model.training, model.pool.training, model.level0.training) == (True, True, False)
    assert not any(layer._forward_post_hooks for layer in model.sublayers(include_self=True))
    assert all((value.numpy() == before[name]).all() for name, value in model.state_dict().items())
    with pytest.raises(UserError):
        summarize(model, (4, 4))
    assert (model.training, model.level0.training) == (True, False)
    assert not any(layer._forward_post_hooks for layer in model.sublayers(include_self=True))


def test_the_channels_are_the_backbone_s() -> None:
    summary = summarize(build_model("SqueezeNet1_1", in_channels=1, class_num=0), (32, 64))
    assert summary.rows[0] == LayerRow("stem", "Conv2D", (64, 16, 32), params=640, macs=64 * 512 * 9, calls=1)
    assert summary.rows[-1] == LayerRow("dropout", "Dropout")


def test_the_command_prints_the_table(capsys: pytest.CaptureFixture[str], dla34: Summary) -> None:
    assert main(["summary", "DLA34"]) == 0
    assert capsys.readouterr().out == dla34.table() + "\n"
    options = ["--size", "64x96", "--class-num", "7", "--in-channels", "1", "--depth", "1"]
    assert main(["summary", "DLA46_c", *options]) == 0
    expected = summarize(build_model("DLA46_c", class_num=7, in_channels=1), (64, 96)).table(1)
    assert capsys.readouterr().out == expected + "\n"


def test_the_default_size_is_the_model_s(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(MODELS, "DLA46_c", replace(MODELS["DLA46_c"], input_size=(3, 64, 96)))
    assert main(["summary", "DLA46_c", "--depth", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[2:5] == ["[16,", "64,", "96]"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["dla34"],
            "... 'dla34' (did you mean DLA34?); ... --import FILE",
        ),
        (
            ["DLA34", "--size", "100"],
            "DLA34 ... 100 x 100 pixels; ... multiples of 32",
        ),
        (["DLA34", "--class-num", "-1"], "DLA34: class_num is -1; write a whole number of at least 0"),
        (["DLA34", "--in-channels", "0"], "DLA34: in_channels is 0; write a whole number of at least 1"),
    ],
)
def test_mistakes_are_sentences(capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str) -> None:
    assert main(["summary", *arguments]) == 2
    assert capsys.readouterr() == ("", says(sentence + "\n"))


@pytest.mark.parametrize("size", ["0", "x", "224x", "x224", "1x2x3", "-3", "10000", "224X224", "٣٢", "32 "])
def test_sizes_that_are_none(capsys: pytest.CaptureFixture[str], size: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["summary", "DLA34", f"--size={size}"])
    assert stopped.value.code == 2
    assert f"{size!r} is not a size; give pixels from 1 to 9999: 224," in capsys.readouterr().err


@pytest.mark.parametrize("depth", ["0", "-1", "two"])
def test_depths_that_are_none(capsys: pytest.CaptureFixture[str], depth: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["summary", "DLA34", f"--depth={depth}"])
    assert stopped.value.code == 2
    assert f"{depth!r} is not a depth; give a whole number of at least 1" in capsys.readouterr().err
