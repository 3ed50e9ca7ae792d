"""Options of predict and infer that set keys of the configuration."""

import pytest
import yaml

from ppcls.cli import main, parse_arguments

PREDICT = ["predict", "-o", "Global.infer_imgs=photos"]


def printed(words, capsys):
    assert main([*words, "--print-config"]) == 0
    return yaml.safe_load(capsys.readouterr().out)


def test_predict_takes_its_keys_as_options(capsys):
    options = ["--backend", "openvino", "--precision", "int8", "--batch-size", "3", "--topk", "2"]
    config = printed([*PREDICT, *options, "--output", "a #1.csv"], capsys)
    keys = ("backend", "precision", "batch_size", "output")
    assert [config["Global"][key] for key in keys] == ["openvino", "int8", 3, "a #1.csv"]
    assert config["PostProcess"]["Topk"]["topk"] == 2


def test_infer_takes_its_keys_as_options(capsys):
    config = printed(["infer", "-c", "DLA34", "--batch-size", "3", "--topk", "2"], capsys)
    assert config["Infer"]["batch_size"] == 3
    assert config["Infer"]["PostProcess"]["topk"] == 2


def test_the_last_one_on_the_command_line_counts(capsys):
    for words, expected in (
        (["--topk", "2", "-o", "PostProcess.Topk.topk=4"], 4),
        (["-o", "PostProcess.Topk.topk=4", "--topk", "2"], 2),
    ):
        assert printed([*PREDICT, *words], capsys)["PostProcess"]["Topk"]["topk"] == expected


def test_without_them_nothing_is_set():
    assert parse_arguments(["predict"]).override == []


@pytest.mark.parametrize(("option", "value"), [("--backend", "openvivo"), ("--precision", "fp99"), ("--topk", "0")])
def test_a_wrong_value_names_the_key(option, value, capsys):
    assert main([*PREDICT, option, value, "--print-config"]) == 2
    key = {"--backend": "Global.backend", "--precision": "Global.precision", "--topk": "PostProcess.Topk.topk"}[option]
    message = capsys.readouterr().err
    assert key in message and value in message and message.count("\n") == 1
