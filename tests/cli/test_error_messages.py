"""What the command line prints for a mistake: one line of a length that can be read, and exit code 2."""

import pytest

from helpers.messages import says
from ppcls.cli import main

WRITERS = {
    "adopt": ["adopt", "source"],
    "npz": ["npz", "run", "bundle", "--datalist", "list.txt", "--output"],
    "pack": ["pack", "pictures"],
}


@pytest.fixture
def here(tmp_path, monkeypatch, exported):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bundle").symlink_to(exported)
    (tmp_path / "pictures" / "cat").mkdir(parents=True)
    (tmp_path / "pictures" / "cat" / "1.jpg").write_bytes(b"")
    (tmp_path / "list.txt").write_text("inputs.npz\n")
    (tmp_path / "inputs.npz").write_bytes(b"")
    return tmp_path


def error_of(words, capsys):
    assert main(words) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("name", ["npz", "pack"])
def test_a_place_that_lies_too_deep(here, name, capsys):
    message = error_of([*WRITERS[name], "a/" * 1500 + "b"], capsys)
    assert message == says("...a/a/a ... more than 255 folders in each other; choose another place and run again\n")
    assert not (here / "a").exists()


@pytest.mark.parametrize("name", WRITERS)
def test_a_place_behind_a_link_to_itself(here, name, capsys):
    (here / "loop").symlink_to("loop")
    message = error_of([*WRITERS[name], "loop/in"], capsys)
    assert message.count("\n") == 1 and message.endswith("\n")
    assert "Traceback" not in message


def test_a_long_value_is_shortened(here, capsys):
    message = error_of(["convert", "a" * 3000 + ".pdparams", "b.pdparams"], capsys)
    assert message == says("aaa ... aaa ...\n")
    assert len(message) <= 1001


def test_control_characters_of_a_file_are_shown_and_not_sent(here, capsys):
    (here / "c.yaml").write_text('base: "\\e[31mna\u00efve\\a"\n')
    message = error_of(["train", "-c", "c.yaml"], capsys)
    assert message == says("c.yaml:1 base: cannot read \\x1b[31mna\u00efve\\x07 (...\n")
