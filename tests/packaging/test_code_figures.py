"""tools/code_figures.py, by packages whose figures can be counted by hand."""

import sys

import pytest

from helpers.checkout import ROOT

sys.path.insert(0, str(ROOT / "tools"))
try:
    import code_figures
finally:
    sys.path.remove(str(ROOT / "tools"))

DENSE = '''\
"""A module."""


def work(items):
    """Counts.

    Over two paragraphs.
    """
    import json

    if items and json:
        return [item for item in items if item]
    try:
        return sum(1 if item else 2 for item in items)
    except TypeError:
        pass
    while True:
        for item in items:
            return item
'''


@pytest.fixture
def package(tmp_path):
    """Writes files into a package `pack`, by their names in it, and returns its folder."""

    def write(**files):
        for name, text in {"__init__": "", **files}.items():
            path = tmp_path / "pack" / f"{name.replace('__', '/') if name != '__init__' else name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "pack"

    return write


def test_the_figures_of_a_function(package):
    figures = code_figures.measure(code_figures.read_modules(package(dense=DENSE)))
    # if, and, comprehension, try, conditional expression, generator, except, while, for
    assert figures == code_figures.Figures(
        files=2, lines=19, function_lines=12, branches=9, comprehensions=2, function_imports=1
    )
    assert figures.rates == {
        "branches": pytest.approx(75.0),
        "comprehensions": pytest.approx(2000 / 19),
        "imports": pytest.approx(1000 / 19),
    }


def test_an_inner_function_counts_for_itself_and_for_the_one_around_it(package):
    text = "def outer():\n    def inner():\n        if True:\n            return 1\n    return inner\n"
    figures = code_figures.measure(code_figures.read_modules(package(inner=text)))
    assert (figures.function_lines, figures.branches) == (5 + 3, 1 + 1)


def test_circles_count_imports_in_functions_but_not_those_for_type_checkers(package):
    folder = package(
        a="from pack import b\n",
        b="def late():\n    import pack.c\n",
        c="from pack.a import x\n",
        d="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pack import e\n",
        e="import pack.d\n",
        f="import pack.a\n",
    )
    modules = code_figures.read_modules(folder)
    assert code_figures.circles(modules) == [["pack.a", "pack.b", "pack.c"]]


def test_two_circles_that_share_no_module_are_two(package):
    folder = package(
        a="import pack.b\n", b="import pack.a\nimport pack.c\n", c="import pack.inner.d\n", inner__d="import pack.c\n"
    )
    modules = code_figures.read_modules(folder)
    assert code_figures.circles(modules) == [["pack.a", "pack.b"], ["pack.c", "pack.inner.d"]]


def test_limits_are_exit_codes(package, capsys):
    folder = package(
        inner__dense=DENSE, plain="X = 1\n" * 1000, other="import pack.again\n", again="import pack.other\n"
    )
    assert code_figures.main([str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[1:4]] == [
        [".", "4", "1002"],
        ["inner", "1", "19"],
        ["pack", "5", "1021"],
    ]
    assert [line.split()[3:] for line in lines[2:4]] == [["75.0", "105.3", "52.6"], ["75.0", "2.0", "1.0"]]
    assert lines[4:] == ["circle: pack.again, pack.other"]
    assert (
        code_figures.main([str(folder), "--max-branches", "75", "--max-comprehensions", "2", "--max-circles", "1"]) == 0
    )
    capsys.readouterr()
    assert code_figures.main([str(folder), "--max-branches", "74.9", "--max-circles", "0"]) == 1
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "above the limit: pack: branches 75.0 (at most 74.9)", "above the limit: circles: 1 (at most 0)",
    ]  # fmt: skip
    assert code_figures.main([str(folder), "--max-imports", "4"]) == 0
    assert code_figures.main([str(folder), "--max-imports", "4", "--each-folder"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "above the limit: inner: imports 52.6 (at most 4)"


def test_a_folder_without_modules_is_reported(tmp_path, capsys):
    assert code_figures.main([str(tmp_path)]) == 2
    assert capsys.readouterr().out == f"{tmp_path} has no modules; give a package's folder\n"
