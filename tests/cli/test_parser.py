"""Options keep their earlier names, and mistakes are one line."""

import pytest

from ppcls.cli.configured import add_configured
from ppcls.cli.parser import CommandParser, add_option


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


def test_several_overrides_behind_one_option_are_told_how_to_be_written(capsys):
    parser = CommandParser(prog="ppcls train")
    parser.add_argument("-o", action="append")
    with pytest.raises(SystemExit):
        parser.parse_args(["-o", "Global.epochs=1", "Global.seed=2"])
    assert capsys.readouterr().err == (
        "ppcls train: unrecognized arguments: Global.seed=2; write -o before each KEY=VALUE, as in -o Global.seed=2; "
        "see `ppcls train --help`\n"
    )


def test_the_profiler_of_paddleclas_is_one_line(capsys):
    parser = CommandParser(prog="ppcls train")
    add_configured(parser)
    words = ["-c", "DLA34", "-p", "batch_range=[10,20];profile_path=model.profile"]
    assert not hasattr(parser.parse_args(words), "profiler_options")
    assert (
        capsys.readouterr().err == f"-p {words[-1]}: accepted without effect: Paddle's profiler is not started here\n"
    )
