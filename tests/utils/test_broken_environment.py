"""A package that is missing or broken, and a Python that is too old, are a sentence and exit code 2."""

import ast
import re
import runpy
import sys
from pathlib import Path

import pytest

from helpers.checkout import ROOT
from helpers.messages import says
from helpers.new_process import new_python
from ppcls import __main__ as entry
from ppcls.utils import environment, packages
from ppcls.utils.environment import import_optional
from ppcls.utils.errors import Unavailable
from ppcls.utils.load_paddle import load_paddle

DEVELOPERS = (
    "code_figures.py",
    "report_picture.py",
    "try_paddleclas.py",
)  # of this library; its users do not start them
PROGRAMS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("tools/*.py"), *ROOT.glob("deploy/python/*.py"))
    if "sys.exit(" in path.read_text(encoding="utf-8") and path.name not in DEVELOPERS
)
ENTRY_FILES = ["ppcls/__init__.py", "ppcls/__main__.py", *PROGRAMS]
TOO_OLD = "ppcls needs Python 3.10 or newer, and {} is Python 3.8; run this with the Python of the virtual environment"


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    """Writes modules that are imported as `program` (which counts as ours), and as somebody else's packages."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    monkeypatch.setattr(environment, "_OURS", (*environment._OURS, ours))
    monkeypatch.setattr(packages, "_CHECKOUT", tmp_path / "no_checkout")
    monkeypatch.setattr(packages, "_is_managed_by_the_system", lambda: False)
    for folder in (ours, theirs):
        folder.mkdir()
        monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)

    def write(program, **modules):
        (ours / "program.py").write_text(program)
        for name, content in modules.items():
            (theirs / f"{name}.py").write_text(content)

    yield write
    for name in set(sys.modules) - before:
        places = [getattr(sys.modules[name], "__file__", None), *getattr(sys.modules[name], "__path__", ())]
        if any(str(place).startswith(str(tmp_path)) for place in places):
            del sys.modules[name]


def fault_of(capsys):
    """Runs `program`; returns what is printed, its line end checked."""
    assert entry.run("program") == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.endswith("\n") and "\n" not in said.err[:-1]
    return said.err[:-1]


@pytest.mark.parametrize(
    ("path", "arguments"),
    [("tools/train.py", ["-c", "x.yaml"]), ("deploy/python/predict_cls.py", ["-c", "x.yaml"]), ("tools/demo.py", [])],
)
def test_programs_without_any_package(path, arguments):
    ran = new_python("-S", "-E", ROOT / path, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert re.match(r".*\bnumpy\b.*(is|are) (not installed for|missing)", ran.err), ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("path", PROGRAMS)
def test_a_link_to_a_program_finds_the_package_of_its_target(tmp_path, path):
    """As where a checkout's tools are linked into a folder of their user, without `ppcls` beside them."""
    link = tmp_path / Path(path).name
    link.symlink_to(ROOT / path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", ["elsewhere", *sys.path])
        patch.setattr(entry, "run", lambda module: 0)
        patch.setattr(entry, "main", lambda words: 0)
        with pytest.raises(SystemExit):
            runpy.run_path(str(link), run_name="__main__")
        assert sys.path[0] == str(ROOT)


@pytest.mark.parametrize("path", PROGRAMS)
def test_every_program_starts_where_the_environment_is_checked(path):
    nodes = ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
    imports = {ast.unparse(node) for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))}
    assert imports - {"from ppcls.__main__ import run"} == {"import os.path", "import sys"} | (
        {"from ppcls.__main__ import main"} & imports
    )


@pytest.mark.parametrize("path", ENTRY_FILES)
def test_old_pythons_parse_the_files_that_name_the_python_to_use(path):
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        assert not isinstance(node, (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Starred, ast.Match)), node.lineno
        if isinstance(node, ast.FunctionDef):
            assert node.returns is None and not any(argument.annotation for argument in node.args.args)
            assert not node.args.kwonlyargs
        if isinstance(node, ast.ImportFrom):
            assert node.module != "__future__"
        if isinstance(node, ast.Raise):
            assert node.cause is None
        if isinstance(node, ast.Dict):
            assert None not in node.keys


def test_an_old_python_is_told_before_anything_else_is_imported(monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 8, 10, "final", 0))
    assert entry.run("no_such_module") == 2
    assert capsys.readouterr().err.startswith(TOO_OLD.format(sys.executable))


def test_the_versions_are_those_of_the_other_files():
    assert f'python_requires=">={entry.OLDEST[0]}.{entry.OLDEST[1]}"' in (ROOT / "setup.py").read_text("utf-8")
    major, minor = environment.NEWEST_FOR_PADDLE
    assert f"newest=${{NEWEST_PYTHON:-{major}.{minor}}}" in (ROOT / "tools" / "environment.sh").read_text("utf-8")


def test_every_requirement_is_known():
    text = "".join((ROOT / name).read_text("utf-8") for name in ("requirements-core.txt", "requirements.txt"))
    names = set(re.findall(r"^([a-z][\w-]*)>=", text, re.MULTILINE))
    assert names == {names[0] for names in packages.REQUIRED.values()}


def test_all_missing_packages_are_named_together(stand_ins, monkeypatch, capsys):
    stand_ins("import yaml")
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setattr(packages, "version_of", lambda name: None)
    assert fault_of(capsys) == says(
        f"opencv-python-headless and pyyaml ... {sys.executable}; run `{sys.executable} -m pip "
        "install opencv-python-headless pyyaml`"
    )


def test_files_that_are_missing_are_installed_again(stand_ins, monkeypatch, capsys):
    """pip would find nothing to do."""
    stand_ins("import cv2")
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setattr(packages, "version_of", lambda name: "4.10" if name == "opencv-python" else None)
    assert fault_of(capsys) == says(
        f"opencv-python ...: files are missing; reinstall by `{sys.executable} -m pip install "
        "--force-reinstall --no-deps opencv-python`"
    )


def test_an_empty_folder_is_a_missing_package(stand_ins, monkeypatch, tmp_path, capsys):
    stand_ins("import tqdm\ntqdm.tqdm([])")
    monkeypatch.setattr(sys, "path", [path for path in sys.path if "site-packages" not in path])
    monkeypatch.delitem(sys.modules, "tqdm", raising=False)
    monkeypatch.setattr(packages, "version_of", lambda name: None)
    (tmp_path / "theirs" / "tqdm").mkdir()
    assert re.match(r".*\btqdm\b.* (is|are) not installed for ", fault_of(capsys))


def test_a_python_that_paddle_has_no_build_for(stand_ins, monkeypatch, capsys):
    stand_ins("import paddle")
    monkeypatch.setitem(sys.modules, "paddle", None)
    monkeypatch.setattr(packages, "version_of", lambda name: None)
    monkeypatch.setattr(sys, "version_info", (3, 14, 0, "final", 0))
    assert "Paddle has no build for this Python; use Python 3.10 to 3.13" in fault_of(capsys)


def test_a_checkouts_own_environment_is_named_first(stand_ins, monkeypatch, tmp_path, capsys):
    stand_ins("import yaml")
    python = tmp_path / "no_checkout" / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.setattr(packages, "version_of", lambda name: None)
    assert f"run this with {python}, or install by `{sys.executable} -m pip install pyyaml`" in fault_of(capsys)


def test_a_python_of_the_system_needs_a_virtual_environment(stand_ins, monkeypatch, capsys):
    stand_ins("import yaml")
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.setattr(packages, "version_of", lambda name: None)
    monkeypatch.setattr(packages, "_is_managed_by_the_system", lambda: True)
    said = fault_of(capsys)
    assert f"`{sys.executable} -m venv .venv`" in said
    assert re.search(r"`.venv/bin/python -m pip install numpy .* paddlepaddle`", said)


CUDA = (
    "paddlepaddle-gpu ... library {}, which is missing; ... `{} -m pip install "
    "--force-reinstall -r requirements-gpu.txt` ... `{} -m pip uninstall -y "
    "paddlepaddle-gpu` and then `{} -m pip install --force-reinstall --no-deps paddlepaddle`"
)
NOT_FOUND = "cannot open shared object file: No such file or directory"


@pytest.mark.parametrize(
    ("module", "code", "wanted"),
    [
        (
            "cv2",
            f"raise ImportError('libGL.so.1: {NOT_FOUND}')",
            (
                "opencv-python ... library libGL.so.1, which is missing; run `{} -m pip uninstall -y "
                "opencv-python` and then `{} -m pip install --force-reinstall --no-deps "
                "opencv-python-headless`, or run `apt-get install libgl1` on Debian or Ubuntu"
            ),
        ),
        (
            "cv2",
            f"raise ImportError('libgthread-2.0.so.0: {NOT_FOUND}')",
            "or run `apt-get install libglib2.0-0` on Debian or Ubuntu",
        ),
        ("paddle", f"raise ImportError('libcudart.so.12: {NOT_FOUND}')", CUDA.format("libcudart.so.12", *["{}"] * 3)),
        ("paddle", f"raise OSError('libcudnn_cnn.so.9: {NOT_FOUND}')", "needs the library libcudnn_cnn.so.9, which is"),
        ("paddle", f"raise ImportError('libcuda.so.1: {NOT_FOUND}')", "install NVIDIA's driver, or on a machine with"),
        (
            "paddle",
            f"raise ImportError('libgomp.so.1: {NOT_FOUND}')",
            "paddlepaddle-gpu ... library libgomp.so.1, which is missing; run `apt-get install libgomp1` ...",
        ),
        (
            "paddle",
            f"raise ImportError('libphi.so: {NOT_FOUND}')",
            (
                "paddlepaddle-gpu ... library libphi.so, which is missing; install it, or ... reinstall "
                "by `{} -m pip install --force-reinstall --no-deps paddlepaddle-gpu`"
            ),
        ),
        (
            "safetensors",
            'raise ImportError("/lib/libc.so.6: version `GLIBC_2.34\' not found (required by x.so)")',
            (
                "safetensors ... (/lib/libc.so.6: version `GLIBC_2.34' not found (required by x.so)); "
                "reinstall by `{} -m pip install --force-reinstall --no-deps safetensors`, or ..."
            ),
        ),
        (
            "PIL",
            "raise ImportError('DLL load failed while importing _imaging: The specified module could not be found.')",
            "pillow does not load on this system (DLL load failed",
        ),
        (
            "numpy",
            "try:\n    raise ImportError('libopenblas64.so: undefined symbol: x')\nexcept ImportError as error:\n"
            "    raise ImportError('IMPORTANT: PLEASE READ THIS\\n\\nfor advice') from error",
            "numpy ... (libopenblas64.so: undefined symbol: x); reinstall by",
        ),
        (
            "safetensors",
            "raise ValueError('numpy.dtype size changed, may indicate binary incompatibility. Expected 96')",
            "safetensors ... numpy (ValueError: ... Expected 96); run `{} -m pip install --upgrade numpy safetensors`",
        ),
        (
            "simplejpeg",
            "import no_such_part.views",
            "simplejpeg ... module no_such_part, which is not installed; run `{} -m pip install simplejpeg`",
        ),
        (
            "paddle",
            "raise ModuleNotFoundError(\"No module named 'pkg_resources'\", name='pkg_resources')",
            "paddlepaddle-gpu needs pkg_resources, ... setuptools ...; run `{} -m pip install 'setuptools<81'`",
        ),
        (
            "tqdm",
            "raise ModuleNotFoundError(\"No module named '_ctypes'\", name='_ctypes')",
            "tqdm needs the standard module _ctypes, which {} ...; use another Python",
        ),
        (
            "yaml",
            "from yaml import gone",
            "pyyaml ... (cannot import name 'gone' from ... 'yaml'",
        ),
        ("yaml", "def f(:", "pyyaml cannot be imported (SyntaxError: "),
        (
            "yaml",
            "raise PermissionError(13, 'Permission denied', '/x/yaml/__init__.py')",
            "(PermissionError: [Errno 13] Permission denied: '/x/yaml/__init__.py'); let this user read ...",
        ),
    ],
)
def test_a_package_that_does_not_load(stand_ins, monkeypatch, capsys, module, code, wanted):
    installed = ("opencv-python", "paddlepaddle-gpu")
    others = ("pillow", "numpy", "tqdm", "pyyaml", "safetensors", "simplejpeg")
    monkeypatch.setattr(packages, "version_of", lambda name: "1.0" if name in installed + others else None)
    monkeypatch.delitem(sys.modules, module, raising=False)
    stand_ins(f"import {module}", **{module: code})
    assert fault_of(capsys) == says(f"... {wanted.format(*[sys.executable] * 3)} ...")


def test_a_compiled_module_without_its_library(stand_ins, tmp_path, capsys):
    """The loader's own error, of a file that is no library: no frame of the module's is in the traceback."""
    stand_ins("import compiled_thing")
    suffix = environment.importlib.machinery.EXTENSION_SUFFIXES[0]
    (tmp_path / "theirs" / f"compiled_thing{suffix}").write_bytes(b"\x7fELF")
    said = fault_of(capsys)
    assert said.startswith("compiled_thing ") and "--force-reinstall --no-deps compiled_thing" in said


def test_a_library_that_paddle_loads_late(stand_ins, capsys):
    words = "The third-party dynamic library (libcudnn.so) that Paddle depends on is not configured correctly."
    stand_ins(f"def main(argv):\n    raise RuntimeError('(PreconditionNotMet) {words}')")
    assert "needs the library libcudnn.so, which is missing; on a machine with an NVIDIA GPU run" in fault_of(capsys)


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("import ppcls.no_such_module", "ppcls.no_such_module"),
        ("from ppcls.utils import no_such_name", "no_such_name"),
        ("import no_such_package", "no_such_package"),
        ("from other import no_such_name", "no_such_name"),
        ("import other.submodule", "other.submodule"),
        ("import numpy.no_such_module", "numpy.no_such_module"),
        ("import other\nother.fail()", "a bad value"),
        ("import other\nother.no_such_name", "no_such_name"),
        ("raise OSError('a bad value')", "a bad value"),
        ("raise AttributeError(\"module 'yaml' has no attribute 'x'\")", "no attribute 'x'"),
    ],
)
def test_a_fault_of_ours_shows_its_traceback(stand_ins, program, error):
    stand_ins(program, other="def fail():\n    raise ValueError('a bad value')")
    with pytest.raises(Exception, match=re.escape(error)):
        entry.run("program")


def test_the_exit_code_and_the_arguments_are_those_of_the_program(stand_ins):
    stand_ins("def main(argv):\n    return len(argv)")
    assert entry.run("program", ["a", "b", "c"]) == 3


def test_an_engine_that_does_not_load_is_unavailable(stand_ins):
    """`verify` and `benchmark` go on with the others."""
    stand_ins("", engine=f"raise ImportError('libtbb.so.12: {NOT_FOUND}')")
    with pytest.raises(Unavailable, match=r"^engine needs the library libtbb\.so\.12, which is missing; install it"):
        import_optional("engine", "The engine", "engine")
    with pytest.raises(Unavailable, match=r"^The engine is not installed; run"):
        import_optional("no_such_engine", "The engine", "engine")


def test_a_paddle_that_does_not_load_is_unavailable(stand_ins, monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "paddle", raising=False)
    code = f"import sys\nsys.stderr.write('Error: Can not import')\nraise ImportError('libcudart.so.12: {NOT_FOUND}')"
    stand_ins("", paddle=code)
    with pytest.raises(Unavailable, match=r"needs the library libcudart\.so\.12"):
        load_paddle()
    assert capsys.readouterr().err == ""
