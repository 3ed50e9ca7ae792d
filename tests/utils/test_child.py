"""A child runs this package's modules, wherever it is started."""

import os
import signal
import subprocess
import sys
from contextlib import closing

import pytest

from ppcls import __version__
from ppcls.utils import child, files


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
    (tmp_path / "seen.py").write_text("""
import sys, warnings
warnings.warn("of no interest")
print(__name__, sys.argv[1:], sys.modules["__main__"].__dict__ is globals())
raise SystemExit(5)
""")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = run("seen", tmp_path, 13)
    assert (done.returncode, done.stdout, done.stderr) == (5, f"__main__ {[str(tmp_path), '13']} True\n", "")


@pytest.mark.parametrize("program", ["/usr/sbin/uwsgi_python3", "", None])
def test_a_program_that_embeds_python_is_not_taken_for_it(monkeypatch, program):
    monkeypatch.setattr(sys, "executable", program)
    assert child.call(os.path.basename, "a/b") == "b"


def test_a_python_is_taken_as_it_is(monkeypatch):
    for program in ("/opt/python3.13", "/opt/pypy3", "/opt/Python"):
        monkeypatch.setattr(sys, "executable", program)
        assert child.interpreter() == program


def test_a_function_is_called_in_another_process(tmp_path, capfd):
    (tmp_path / "x").write_bytes(b"")
    assert child.call(files.sha256_of, tmp_path / "x").startswith("e3b0c44298fc1c149afbf4c8996fb924")
    assert child.call(os.getpid) != os.getpid()
    child.call(print, "a remark")  # is none of the answer
    assert capfd.readouterr() == ("", "a remark\n")


def test_what_it_raises_is_raised_here():
    with pytest.raises(FileNotFoundError, match="absent"):
        child.call(files.sha256_of, "absent")


def test_one_that_ends_without_an_answer():
    with pytest.raises(ChildProcessError, match=r"^a process that ran _exit has ended with code 3$"):
        child.call(os._exit, 3)


def test_a_process_calls_one_function_after_the_other(tmp_path, capfd):
    with closing(child.CallProcess()) as process:
        number = process.call(os.getpid)
        assert process.call(os.getpid) == number != os.getpid()
        with pytest.raises(FileNotFoundError):
            process.call(files.sha256_of, tmp_path / "absent")
        process.call(print, "a remark")
        os.kill(number, signal.SIGINT)  # Ctrl-C is this process's business
        assert process.call(os.path.basename, "a/b") == "b"
        with pytest.raises(ChildProcessError, match="that ran _exit has ended with code 3"):
            process.call(os._exit, 3)
        with pytest.raises(ChildProcessError, match="code 3"):
            process.call(os.getpid)
    assert capfd.readouterr() == ("", "a remark\n")


def test_a_process_ends_with_the_one_that_calls():
    program = (
        "from ppcls.utils.child import CallProcess; import os\n"
        "print(CallProcess().call(os.getpid), flush=True); os._exit(0)"
    )
    # The process shares the pipes, which are at their end only when it has ended too
    done = subprocess.run(
        [sys.executable, "-c", program], env=child.environment(), capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip().isdigit()
