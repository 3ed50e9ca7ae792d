"""Options keep their earlier names, and mistakes are one line."""

import pytest

from ppcls.cli.common import add_option
from ppcls.cli.parser import CommandParser


@pytest.fixture
def parser():
    parser = CommandParser(prog="ppcls copy")
    add_option(parser, "-d", "--output", old=["--out", "--target"], required=True, help="the folder")
    add_option(parser, "--batch-size", old=["--batch"], type=int, default=8)
    parser.add_argument("files", nargs="*")
    return parser


@pytest.mark.parametrize(
    "words",
    [
        ["--output", "here", "--batch-size", "4"],
        ["--out", "here", "--batch", "4"],
        ["--target=here", "--batch=4"],
        ["-d", "here", "--batch", "4"],
    ],
)
def test_new_and_old_names_mean_the_same(parser, words):
    arguments = parser.parse_args(words)
    assert (arguments.output, arguments.batch_size) == ("here", 4)


def test_only_an_old_name_prints_a_line(parser, capsys):
    parser.parse_args(["--output", "here"])
    assert capsys.readouterr() == ("", "")
    parser.parse_args(["--out=here"])
    assert capsys.readouterr() == ("", "ppcls copy: --out is now --output; the old name works up to version 0.2\n")


def test_help_shows_the_new_names_only(parser):
    text = parser.format_help()
    assert "-d OUTPUT, --output OUTPUT" in text or "-d, --output OUTPUT" in text
    assert "--target" not in text
    assert "--batch " not in text


def test_words_behind_two_dashes_are_values(parser):
    assert parser.parse_args(["--output", "here", "--", "--out"]).files == ["--out"]


def test_a_mistake_is_one_line_with_exit_code_2(parser, capsys):
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["--output", "here", "--batch", "many"])
    assert ended.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("ppcls copy: argument --batch-size:")
    assert lines[-1].endswith("see `ppcls copy --help`")
    assert len(lines) == 2
