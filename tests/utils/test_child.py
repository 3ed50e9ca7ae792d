"""A child runs this package's modules, wherever it is started."""

import subprocess

from ppcls import __version__
from ppcls.utils import child


def run(*arguments):
    command, environment = child.command(*arguments), child.environment()
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_current_folder_is_not_searched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("runpy", "json", "yaml"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('another {name} was imported')")
    (tmp_path / "ppcls").mkdir()
    (tmp_path / "ppcls" / "__init__.py").write_text("raise SystemExit('another ppcls was imported')")
    done = run("ppcls", "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"ppcls {__version__}\n", "")


def test_it_is_what_python_m_runs(tmp_path, monkeypatch):
    (tmp_path / "told.py").write_text("""
import sys, warnings
warnings.warn("of no interest")
print(__name__, sys.argv[1:], sys.modules["__main__"].__dict__ is globals())
raise SystemExit(5)
""")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = run("told", tmp_path, 13)
    assert (done.returncode, done.stdout, done.stderr) == (5, f"__main__ {[str(tmp_path), '13']} True\n", "")
