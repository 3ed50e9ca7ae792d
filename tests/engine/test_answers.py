"""Answers on a terminal fit its width; through a pipe they are PaddleClas's lines."""

import io
import sys

import pytest

from ppcls.engine import answers
from ppcls.engine.answers import PipeAnswers, TerminalAnswers, answers_for, copy_by_class
from ppcls.engine.result_files import console_line
from ppcls.inference import Result
from ppcls.utils.terminal import display_width

INSECT = Result("a/ant.JPEG", [3, 5, 1], [0.917, 0.0649, 0.004], ["insect", "bird", "fish"])
LONG = Result("b", [0, 1], [0.5, 0.5], ["a label that is longer than a line of this terminal", "bird"])


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("result", "names", "width", "line"),
    [
        (INSECT, ["ant.JPEG"], 80, "ant.JPEG   insect 92 %   bird 6 %"),
        (INSECT, ["ant.JPEG", "beetle.JPEG"], 80, "ant.JPEG      insect 92 %   bird 6 %"),
        (INSECT, ["ant.JPEG"], 33, "ant.JPEG   insect 92 %   bird 6 %"),
        (INSECT, ["ant.JPEG"], 32, "ant.JPEG   insect 92 %"),
        (INSECT, ["holiday/ant.JPEG"], 30, "…ay/ant.JPEG   insect 92 %"),
        (LONG, ["b"], 40, "b   a label that is longer than a… 50 %"),
        (Result("c", [7], [0.001]), ["c"], 40, "c   class 7 0 %"),
        (Result("c", [7], [1.0], ["蚂蚁" * 20]), ["蜂"], 30, "蜂   蚂蚁蚂蚁蚂蚁蚂蚁蚂… 100 %"),
        (Result("d\n", error="it is\x1b cut"), ["d\n"], 40, "d\\n   error: it is\\x1b cut"),
    ],
)  # fmt: skip
def test_a_line_fits_the_terminal(result, names, width, line):
    made = TerminalAnswers(names, width).line(result, names[0])
    assert made == line
    if result.error is None:
        assert display_width(made) <= width


def test_a_count_per_class_follows_several_pictures():
    shown = TerminalAnswers(["a"], 40)
    for label, count in (("insect", 10), ("bird", 2), *((f"class {number}", 1) for number in range(10))):
        for _ in range(count):
            shown.line(Result("a", [0], [1.0], [label]), "a")
    shown.line(Result("a", error="no"), "a")
    expected = ["", "10   insect", " 2   bird", *(f" 1   class {number}" for number in range(8)), "and 2 more classes"]
    assert shown.summary() == expected


def test_one_picture_is_not_counted():
    shown = TerminalAnswers(["a"], 40)
    assert shown.summary() == []
    shown.line(INSECT, "a")
    assert shown.summary() == []


def test_the_best_class_is_bold_and_an_error_red_unless_no_color_is_set(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = TerminalAnswers(["a"], 40)
    error = Result("a", error="no")
    assert shown.line(INSECT, "a") == "a   \033[1minsect 92 %\033[0m   bird 6 %"
    assert shown.line(error, "a") == "a   \033[31merror: no\033[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert (shown.line(INSECT, "a"), shown.line(error, "a")) == ("a   insect 92 %   bird 6 %", "a   error: no")


def test_a_terminal_without_the_sign_gets_dots(monkeypatch):
    terminal = Terminal()
    terminal.encoding = "ascii"
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    assert TerminalAnswers(["b"], 40).line(LONG, "b") == "b   a label that is longer than... 50 %"


def test_through_a_pipe_the_lines_are_paddleclas_s(capsys):
    made = answers_for(["ant.JPEG"])
    assert isinstance(made, PipeAnswers)
    assert made.line(INSECT, "ant.JPEG") == console_line(INSECT, "ant.JPEG")
    assert made.summary() == []


def test_a_terminal_gets_its_width(monkeypatch):
    monkeypatch.setattr(answers, "width_of", lambda stream: 33)
    made = answers_for(["ant.JPEG"])
    assert isinstance(made, TerminalAnswers)
    assert made.line(INSECT, "ant.JPEG") == "ant.JPEG   insect 92 %   bird 6 %"


def test_pictures_are_copied_by_class_and_nothing_is_overwritten(tmp_path):
    for name, content in (("a/x.jpg", b"one"), ("b/x.jpg", b"two")):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(content)
    for _ in range(2):  # the second time both are there
        for name in ("a", "b"):
            copy_by_class(Result(str(tmp_path / name / "x.jpg"), [4], [1.0]), tmp_path / "out")
    copies = {path.name: path.read_bytes() for path in (tmp_path / "out" / "4").iterdir()}
    assert copies == {"x.jpg": b"one", "x.1.jpg": b"two"}
