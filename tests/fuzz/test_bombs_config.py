"""Configurations that are out of proportion: each is read or refused within the bounds of `helpers.bounds`."""

import itertools
import os
from pathlib import Path

import pytest

from helpers.bounds import MEGABYTES, SECONDS, costs_of
from helpers.fuzzing import FUZZING
from helpers.messages import refusal, says
from ppcls.config import load_config, load_deploy_config
from ppcls.config.eval_data import EvalData
from ppcls.engine.schema import registries
from ppcls.utils.errors import UserError

SIZE = 1_000_000 if FUZZING else 100_000
VALUES = 45_000 if FUZZING else 5_000  # as many as the reader lets through, to reach what is behind it
REGISTRIES = registries()


def lines(line, start=""):
    return start + line * (SIZE // len(line))


def items(item, start, end, count=VALUES):
    return start + item * count + end


def doubled(first, line):
    """A file whose lines each refer to the one before many times."""
    names = [f"a{number}" for number in range(20)]
    return f"a0: &a0 {first}\n" + "".join(line(name, before) for before, name in itertools.pairwise(names))


TRAIN = "DataLoader: {Train: {dataset: {name: ImageFolder, image_root: '', transform_ops: "
BOMBS = {
    # The reader
    "aliases of aliases in lists": doubled("[x]", lambda name, before: f"{name}: &{name} [{f'*{before},' * 9}]\n"),
    "aliases of aliases in mappings": doubled(
        "{k: v}", lambda name, before: f"{name}: &{name} {{{', '.join(f'k{k}: *{before}' for k in range(9))}}}\n"
    ),
    "merges of merges": doubled("{x: 1}", lambda name, before: f"{name}: &{name} {{<<: [*{before}, *{before}]}}\n"),
    "one wide merge": "a: {<<: [{" + "".join(f"k{k}: 1, " for k in range(VALUES)) + "}" + ", {}" * VALUES + "]}",
    "the same merge again": lines("  <<: *a\n", "a: &a {x: 1}\nb:\n"),
    "many items": lines("a,", "Global: [") + "]",
    "many lines": lines("- a\n", "Global:\n"),
    "many mappings": lines("{},", "Global: [") + "]",
    "many anchors": "Global:\n" + "".join(f"- &a{number} 1\n" for number in range(VALUES)),
    "many tags": lines("- !!x 1\n", "Global:\n"),
    "brackets": "[" * SIZE,
    "braces": lines("{a: "),
    "dashes": lines("- "),
    "question marks": lines("? "),
    "indented": "".join(" " * depth + "a:\n" for depth in range(500)),
    "long keys in each other": "".join(" " * depth + "k" * 200 + ":\n" for depth in range(99)) + "- 1\n" * VALUES,
    "a long key": "? " + "a" * SIZE + "\n: 1\n",
    "a long text": "Global: {epochs: " + "a" * SIZE + "}",
    "a long whole number": "Global: {epochs: " + "1" * SIZE + "}",
    "a long fraction": "EMA: {decay: " + "1" * (SIZE // 2) + "/" + "3" * (SIZE // 2) + "}",
    "a long exponent": "Global: {epochs: 1e" + "9" * SIZE + "}",
    "a long number of another base": "Global: {epochs: 0x" + "f" * SIZE + "}",
    "nearly a number": "Global: {epochs: " + "1." * (SIZE // 2) + "}",
    "nearly a fraction": "EMA: {decay: " + "1" * SIZE + "/x}",
    "a long tag": "Global: !" + "a" * SIZE + " 1",
    "a long anchor": "Global: &" + "a" * SIZE + " 1",
    "a long alias": "Global: *" + "a" * SIZE,
    "a long comment": "#" * SIZE,
    "empty lines": "\n" * SIZE,
    "blanks": " " * SIZE,
    "quotes": "a: '" + "''" * (SIZE // 2) + "'",
    "escapes": 'a: "' + "\\n" * (SIZE // 2) + '"',
    "directives": lines("%YAML 1.2\n") + "---\na: 1\n",
    "tag directives": "".join(f"%TAG !a{number}! tag:x\n" for number in range(VALUES)) + "---\na: 1\n",
    "documents": lines("---\n"),
    "null characters": "\0" * SIZE,
    # The check
    "unknown sections": "".join(f"Globul{number}: 1\n" for number in range(VALUES)),
    "unknown keys": "Global:\n" + "".join(f"  epohs{number}: 1\n" for number in range(VALUES)),
    "the same key again": lines("a: 1\n"),
    "unknown losses": items("{CELos: {}},", "Loss: {Train: [", "]}", VALUES // 2),
    "many losses": items("{CELoss: {}},", "Loss: {Train: [", "]}", VALUES // 2),
    "a long list of topk": items("1,", "Metric: {Eval: [{TopkAcc: {topk: [", "]}}]}"),
    "a long list of weights": items("1,", "Loss: {Train: [{CELoss: {class_weights: [", "]}}]}"),
    "wrong weights": items("0,", "Loss: {Train: [{CELoss: {class_weights: [", "]}}]}"),
    "many epochs": items("1,", "Optimizer: {name: SGD, lr: {name: Piecewise, decay_epochs: [", "]}}"),
    "many transforms": items("{DecodeImage: {}},", TRAIN + "[", "]}}}", VALUES // 2),
    "transforms that cut": TRAIN + "[{DecodeImage: {}}" + ", {CropImage: {size: 8}}" * (VALUES // 3) + "]}}}",
    "many models": items("{a: {name: DLA34}},", "Arch: {name: DistillationModel, models: [", "]}", VALUES // 3),
    "a long list of shapes": items("3,", "Global: {image_shape: [", "]}"),
    "a long name": "Arch: {name: " + "D" * SIZE + "}",
    "a long word": "Optimizer: {name: SGD, no_weight_decay_name: '" + "a " * (SIZE // 2) + "', lr: {name: Constant}}",
    # Paths
    "a long path": "Global: {output_dir: " + "a/" * (SIZE // 2) + "}",
    "a path of variables": "Global: {output_dir: " + "$PATH/" * (SIZE // 6) + "}",
    "long weights": "Arch: {name: DLA34, pretrained: " + "a" * SIZE + "}",
    "a long pattern": "Infer: {infer_imgs: '" + "*/" * (SIZE // 2) + "'}",
    "a pattern of patterns": "Infer: {infer_imgs: '" + "**/" * 600 + "'}",
    "a long path of a moved run": "Global: {output_dir: output}\nArch: {name: DLA34, pretrained: /x/output/DLA34/"
    + "a" * 300
    + "}",
    # Bases
    "a long base": "base: " + "a" * SIZE,
    "a base longer than a file name": "base: " + "a" * 5000,
    "a base with a null character": 'base: "a\\0b"',
    "a base that never ends": "base: /dev/zero",
    "a base of the kernel": "base: /proc/self/mem",
    "many bases": items("DLA60,", "base: [", "]"),
    "many bases that are not there": items("x,", "base: [", "]"),
    # PaddleClas's flat format
    "unknown flat keys": "ARCHITECTURE: {name: DLA34}\n" + "".join(f"k{number}: 1\n" for number in range(VALUES)),
    "flat transforms": "ARCHITECTURE: {name: DLA34}\nTRAIN:\n  transforms:\n" + "  - ToCHWImage:\n" * (VALUES // 2),
}


def assert_bounded_report(*loads):
    """As `assert_all_bounded`; a configuration's problems are several lines, and not too many."""
    for cost in costs_of(*loads):
        assert cost.megabytes <= MEGABYTES, f"{cost.megabytes:.0f} MB"
        if FUZZING:
            assert cost.seconds <= SECONDS, f"{cost.seconds:.1f} s"
        reported = (cost.message or "").split("\n")
        assert len(reported) <= 101 and max(map(len, reported)) <= 1000, cost.message[:2000]
    return cost.message


@pytest.mark.fuzz
@pytest.mark.parametrize("name", BOMBS)
def test_configurations_of_training_and_deployment(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(BOMBS[name])
    assert_bounded_report(
        lambda: load_config("c.yaml", [], REGISTRIES, "infer"), lambda: load_deploy_config("c.yaml", [], REGISTRIES)
    )


def test_files_that_name_each_other_many_times(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(20):
        Path(f"{number}.yaml").write_text(f"base: [{number + 1}.yaml, {number + 1}.yaml]")
    Path("20.yaml").write_text("Global: {epochs: 1}")
    message = assert_bounded_report(lambda: load_config("0.yaml", [], REGISTRIES))
    assert message.endswith("base: leads to more than 50 files; write fewer")


def test_class_names_longer_than_a_file_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset = f"{{name: ImageFolder, image_root: x, transform_ops: [], class_to_index: {'a' * 300}}}"
    Path("c.yaml").write_text(f"DataLoader: {{Eval: {{dataset: {dataset}}}}}")
    message = assert_bounded_report(lambda: load_config("c.yaml", [], REGISTRIES, "eval", eval_data=EvalData("y")))
    assert "DataLoader.Eval.sampler: is missing" in message


def test_a_pipe_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("c.yaml").write_text("base: pipe")
    message = assert_bounded_report(lambda: load_config("c.yaml", [], REGISTRIES))
    assert message == says("c.yaml:1 base: cannot read pipe (it is not a regular file); ... a YAML file")


@pytest.mark.parametrize(
    "override",
    [
        "DataLoader.Train.dataset.transform_ops." + "1" * 5000 + "=1",
        "Global.epochs=" + "1" * 5000,
        "Global." + "a." * 5000 + "b=1",
        "Global.output_dir=" + "a" * 5000,
        "base=" + "a" * 5000,
        "=".join("a" * 5000),
    ],
)
def test_overrides(override):
    with pytest.raises(UserError) as caught:
        load_config("DLA34", [override], REGISTRIES)
    reported = str(caught.value).split("\n")
    assert max(map(len, reported)) <= 1000


@pytest.mark.parametrize("source", ["a" * 5000, "a/" * 3000, "a\0b", ""])
def test_names_of_configurations(source):
    assert len(refusal(load_config, source, [], REGISTRIES)) <= 1000
