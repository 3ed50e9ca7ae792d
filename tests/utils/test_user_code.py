"""Files of user code: what runs, what a mistake in one says, and what of them is remembered."""

import hashlib
import os
import sys

import pytest

from helpers.messages import refusal, says
from ppcls.utils import child, user_code
from ppcls.utils.errors import Unavailable, UserError
from ppcls.utils.registry import Registry


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(user_code, "_digests", {})
    monkeypatch.setenv(user_code.VARIABLE, "")
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("ppcls_user_code_"):
            del sys.modules[name]


def write(path, text):
    path.write_text(text)
    return str(path)


def error_of(path):
    return refusal(user_code.load, [str(path)])


def test_a_file_runs_once(tmp_path, capsys):
    file = write(tmp_path / "a.py", "print('ran')")
    user_code.load([file, file])
    user_code.load(["a.py"])
    assert capsys.readouterr().out == "ran\n"
    assert os.environ[user_code.VARIABLE] == file
    assert user_code.digests() == {"a.py": hashlib.sha256(b"print('ran')").hexdigest()}


def test_the_variable_comes_first_and_then_names_all(tmp_path, capsys, monkeypatch):
    for name in "abc":
        write(tmp_path / f"{name}.py", f"print('{name}')")
    monkeypatch.setenv(user_code.VARIABLE, os.pathsep.join(["b.py", "", "a.py"]))
    user_code.load(["c.py", "a.py"])
    assert capsys.readouterr().out == "b\na\nc\n"
    assert os.environ[user_code.VARIABLE] == os.pathsep.join(str(tmp_path / f"{name}.py") for name in "bac")


def test_nothing_is_set_where_nothing_is_given():
    user_code.load()
    assert (os.environ[user_code.VARIABLE], user_code.digests()) == ("", {})


def test_a_child_has_the_same_classes(tmp_path):
    user_code.load([write(tmp_path / "my.parts.py", "def answer(value):\n    return 2 * value\n")])
    (name,) = [name for name in sys.modules if name.startswith("ppcls_user_code_my_parts_")]
    assert child.call(sys.modules[name].answer, 21) == 42


def test_two_files_of_one_name_have_two_digests(tmp_path):
    files = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        files.append(write(tmp_path / folder / "net.py", f"name = '{folder}'"))
    user_code.load(files)
    assert list(user_code.digests()) == files


@pytest.mark.parametrize(
    ("name", "text"),
    [("missing.py", "No such file or directory"), (".", "Is a directory")],
)
def test_what_cannot_be_read(name, text):
    assert error_of(name) == says(f"--import {name}: cannot be read ({text}); give the path ...")


def test_the_variable_is_named_where_it_is_wrong(monkeypatch):
    monkeypatch.setenv(user_code.VARIABLE, "missing.py")
    with pytest.raises(UserError, match=r"^PPCLS_IMPORTS missing\.py: cannot be read"):
        user_code.load()


def test_a_path_that_the_variable_cannot_hold(tmp_path):
    write(tmp_path / "a:b.py", "")
    assert error_of("a:b.py").startswith("--import a:b.py: the path has ':' in it")


@pytest.mark.parametrize(
    ("code", "line", "text"),
    [
        ("x = 1\ny = = 2\n", 2, "SyntaxError: invalid syntax"),
        ("import sys\n\nundefined\n", 3, "NameError: name 'undefined' is not defined"),
        ("def f():\n    raise OSError('no')\nf()\n", 2, "OSError: no"),
        ("import no_such_package_here\n", 1, "ModuleNotFoundError: No module named 'no_such_package_here'"),
    ],
)
def test_a_mistake_in_the_file(tmp_path, monkeypatch, code, line, text):
    monkeypatch.syspath_prepend(tmp_path.parent)  # it is no package of somebody else's for that
    path = tmp_path / "mine.py"
    path.write_text(code)
    assert error_of(path) == f"{path}:{line}: {text}; correct this file of user code, or leave it out"


def test_a_name_that_is_taken(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from ppcls.data.transforms.base import TRANSFORMS\n\n@TRANSFORMS.register('DecodeImage')\nclass A: ...\n"
    )
    sentence = error_of(path)
    assert sentence.startswith(f"{path}:") and "the transform DecodeImage is registered already" in sentence


def test_a_broken_package_that_the_file_imports(tmp_path, monkeypatch):
    package = tmp_path / "packages" / "brokenlib.py"
    package.parent.mkdir()
    package.write_text("raise RuntimeError('it is broken')\n")
    monkeypatch.syspath_prepend(package.parent)
    path = tmp_path / "mine.py"
    path.write_text("\nimport brokenlib\n")
    with pytest.raises(Unavailable) as error:
        user_code.load([str(path)])
    assert str(error.value).startswith(f"{path}:2: brokenlib cannot be imported (")


def test_the_advice_of_paddle_is_left_out(tmp_path, capsys):
    code = "import sys\nprint('WARNING: OMP_NUM_THREADS set to 2', file=sys.stderr)\nprint('mine', file=sys.stderr)\n"
    user_code.load([write(tmp_path / "a.py", code)])
    assert capsys.readouterr().err == "mine\n"


def test_how_the_code_of_a_checkpoint_differs(tmp_path, caplog):
    user_code.load([write(tmp_path / "a.py", "a = 1"), write(tmp_path / "b.py", "b = 1")])
    now = user_code.digests()
    assert user_code.difference(now) is None
    assert user_code.difference({"a.py": now["a.py"], "c.py": "0"}) == "b.py is new; c.py is not loaded"
    assert user_code.difference({**now, "b.py": "12"}) == f"b.py has sha256 {now['b.py']}, not 12"
    with caplog.at_level("INFO", "ppcls"):
        user_code.log()
    assert caplog.messages == [f"user code: {tmp_path / name} (sha256 {now[name]})" for name in ("a.py", "b.py")]


def test_an_unknown_component_names_the_flag():
    registry = Registry("transform")
    registry.register("Flip")(int)
    with pytest.raises(UserError) as error:
        registry["Flop"]
    assert str(error.value) == says("... 'Flop' (did you mean Flip?); ... --import FILE")
    with pytest.raises(UserError, match=r"'Xyz'; known: Flip; or give the file that registers it: --import FILE$"):
        registry["Xyz"]
