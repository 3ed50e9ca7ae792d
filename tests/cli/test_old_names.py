"""The commands that work on bundles accept the names that their options had in version 0.1."""

import pytest

from ppcls.cli import main

# Each refers to something missing, so it ends before it measures anything.
COMMANDS = [
    ("summary DLX34 --size 64", "--image-size", "--size"),
    ("verify missing --backend paddle", "--backends", "--backend"),
    ("quantize missing --calib list.txt --backend onnxruntime", "--engine", "--backend"),
    ("adopt missing out --resize-backend pil", "--backend", "--resize-backend"),
    ("npz make missing --data list.txt --output out", "--out", "--output"),
    ("npz run missing --datalist list.txt --output out", "--results", "--output"),
    ("benchmark backends missing --precision float32", "--precisions", "--precision"),
    ("benchmark backends missing --batch-size 2", "--batch", "--batch-size"),
    ("benchmark latency --bundles missing --batch-size 1,2", "--batch", "--batch-size"),
    ("benchmark latency --bundles missing --output out", "--out", "--output"),
    ("benchmark accuracy missing --data missing --output out", "--out", "--output"),
    ("benchmark accuracy missing --data missing --output out --backend paddle", "--backends", "--backend"),
]


def result_of(words, capsys):
    code = main(words)
    return code, capsys.readouterr().err


@pytest.mark.parametrize(("line", "old", "new"), COMMANDS)
def test_an_old_name_works_and_is_reported(line, old, new, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = line.split()
    code, message = result_of(words, capsys)
    assert (code, len(message.splitlines())) == (2, 1)
    renamed = [old if word == new else word for word in words]
    assert renamed != words
    code, with_notice = result_of(renamed, capsys)
    notice, _, rest = with_notice.partition("\n")
    assert (code, rest) == (2, message)
    assert f"{old} is now {new};" in notice
    assert not list(tmp_path.iterdir())
