"""The table of commands: help, unknown names, and modules that are imported when they are chosen."""

import re
import shlex

import pytest

import ppcls
from helpers.new_process import modules_loaded_by
from ppcls.cli import main, parse_arguments
from ppcls.cli.commands import COMMANDS, GROUPS, entries_of

NAMES = [command.name for command in COMMANDS]


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_help_of_a_command_begins_with_what_it_works_on_and_three_examples(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*command.name.split(), "--help"])
    assert ended.value.code == 0
    beginning, usage, _ = capsys.readouterr().out.partition(f"usage: ppcls {command.name} ")
    assert usage
    sentences, heading, lines = beginning.partition("\n\nexamples:\n")
    assert heading and sentences.startswith("Works on ")
    assert command.summary[1:] in " ".join(sentences.split())
    examples = lines.splitlines()
    assert len(set(examples)) == 4 and examples[3] == ""  # three, and the line before the usage
    for example in examples[:3]:
        words = shlex.split(example)
        assert words[:2] == ["ppcls", command.name.split()[0]]
        assert parse_arguments(words[1:]).run.__module__ == f"ppcls.cli.{command.module}"


def test_names_are_unique_and_groups_have_commands():
    assert len(set(NAMES)) == len(NAMES)
    assert {name.split()[0] for name in NAMES if " " in name} == set(GROUPS)


def listed(text):
    """The names of the commands in the help of `ppcls` or of a group."""
    return re.findall(r"^  ([a-z]\S*)", text, re.MULTILINE)


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_lists_every_command(words, capsys):
    assert main(words) == 0
    names = listed(capsys.readouterr().out)
    assert names == list(entries_of())
    assert {"train", "npz", "benchmark", "config"} <= set(names)


def test_help_of_a_group_lists_its_commands(capsys):
    for words in (["npz", "--help"], ["help", "npz"]):
        assert main(words) == 0
        text = capsys.readouterr().out
        assert text.startswith("usage: ppcls npz ")
        assert listed(text) == ["make", "run", "score"]


def test_help_of_a_command_is_that_of_its_option(capsys):
    texts = []
    for words in (["help", "benchmark", "latency"], ["benchmark", "latency", "--help"]):
        with pytest.raises(SystemExit):
            main(words)
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != ""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["tran", "-c", "DLA34"], "ppcls: unknown command 'tran' (did you mean train?)"),
        (["npz", "scores"], "ppcls npz: unknown command 'scores' (did you mean score?)"),
        (["help", "exprot"], "ppcls: unknown command 'exprot' (did you mean export?)"),
        (["xyzzy"], "ppcls: unknown command 'xyzzy'; see `ppcls --help`"),
        (["benchmark", "xyzzy"], "ppcls benchmark: unknown command 'xyzzy'; see `ppcls benchmark --help`"),
        (["--verbose", "train"], "ppcls: unknown command '--verbose'; see `ppcls --help`"),
    ],
)
def test_an_unknown_command_is_one_line(words, sentence, capsys):
    assert main(words) == 2
    assert capsys.readouterr() == ("", sentence + "\n")


@pytest.mark.parametrize(("words", "program"), [([], "ppcls"), (["benchmark"], "ppcls benchmark")])
def test_without_a_command_the_list_goes_to_stderr(words, program, capsys):
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"usage: {program} ")


def test_the_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ppcls {ppcls.__version__}\n"


def test_the_arguments_name_the_function_that_runs():
    arguments = parse_arguments(["models", "DLA*", "--json"])
    assert (arguments.pattern, arguments.json) == ("DLA*", True)
    assert arguments.run.__module__ == "ppcls.cli.models"


def test_help_imports_nothing_heavy():
    loaded = modules_loaded_by("from ppcls.cli import main; main(['--help'])")
    assert loaded & {"paddle", "numpy", "yaml", "cv2", "PIL"} == set()
    assert "ppcls" in loaded
