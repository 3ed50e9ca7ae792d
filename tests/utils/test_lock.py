"""The lock between processes: who holds it, what others read, and when it is lifted."""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from helpers.messages import says
from helpers.new_process import with_checkout
from ppcls.utils import lock
from ppcls.utils.errors import UserError
from ppcls.utils.lock import locked

REMEDY = "wait for it"


def test_the_second_is_told_who_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / ".run.lock"
    monkeypatch.setattr(sys, "argv", ["/usr/bin/ppcls", "train", "-c", "my recipe.yaml"])
    with locked(path, "training into run"):
        since = json.loads(path.read_bytes())["since"]
        with pytest.raises(UserError) as caught, locked(path, "exporting", REMEDY):
            pass
    assert str(caught.value) == says(
        f"process {os.getpid()} is training into run (ppcls train -c 'my recipe.yaml', since {since}); ..."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_holder_on_another_machine_is_named_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / ".run.lock"
    with locked(path, "training into run"):
        monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
        with pytest.raises(UserError, match=f"^process {os.getpid()} on .+ is training into run "):
            lock._acquire(path, REMEDY)


def test_a_long_command_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/a/ppcls/__main__.py", "x" * 500])
    assert lock._command() == "ppcls " + "x" * (lock._LONGEST_COMMAND - 9) + "..."


@pytest.mark.parametrize("record", [b"", b"[]", b"{", b"[" * 20000, b'{"process": 1}'])
def test_a_holder_that_has_noted_nothing_is_another_process(record: bytes, tmp_path: Path) -> None:
    path = tmp_path / ".run.lock"
    with locked(path, "training"):
        path.write_bytes(record)
        with pytest.raises(UserError, match=r"^another process is using .* \(lock \.run\.lock\); wait for it$"):
            lock._acquire(path, REMEDY)


def test_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each adds one to a number in a file; a lost update would leave less."""
    monkeypatch.setattr(lock, "POLL_SECONDS", 0.0005)
    number = tmp_path / "number"
    number.write_text("0")

    def add() -> None:
        for _ in range(25):
            with locked(tmp_path / ".number.lock", "adding"):
                number.write_text(str(int(number.read_text()) + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert number.read_text() == "100"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["number"]


def test_folders_that_were_made_for_a_lock_go_again_unless_they_are_used(tmp_path: Path) -> None:
    for used in (False, True):
        with lock.claimed(tmp_path / "a" / "b" / "run", "training into"):
            assert (tmp_path / "a" / "b" / ".run.lock").is_file()
            if used:
                (tmp_path / "a" / "run").touch()
        assert sorted(path.name for path in tmp_path.rglob("*")) == (["a", "run"] if used else [])


_KILLED_WITH_A_CHILD = """
import os, sys
from pathlib import Path
from ppcls.utils.lock import locked
begun, tell = os.pipe()
with locked(Path(sys.argv[1]), "dying"):
    if os.fork() == 0:
        os.write(tell, b".")  # the fork's own work is done
        sys.stdin.read()  # until the test closes it
        os._exit(0)
    os.read(begun, 1)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(os.name != "posix", reason="forks")
def test_a_forked_child_does_not_hold_the_lock_of_its_killed_parent(tmp_path: Path) -> None:
    path = tmp_path / ".run.lock"
    command = [sys.executable, "-c", _KILLED_WITH_A_CHILD, str(path)]
    with subprocess.Popen(command, env=with_checkout(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.wait(60) == -9
        assert path.is_file()
        with locked(path, "going on", REMEDY):
            assert json.loads(path.read_bytes())["process"] == os.getpid()
        assert process.stdin is not None
        process.stdin.close()
    assert not path.exists()


@pytest.mark.skipif(os.name != "posix", reason="forks")
def test_a_forked_child_leaves_its_parents_lock_alone(tmp_path: Path) -> None:
    path = tmp_path / ".run.lock"
    with locked(path, "training"):
        lock._close_inherited()  # what a child does, here to the descriptors of this process
        assert lock._held == set()
    assert path.is_file()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_without_locks_the_work_is_done_with_a_warning(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_locks(descriptor: int) -> bool:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lock, "_lock", no_locks)
    monkeypatch.setattr(logging.getLogger("ppcls"), "propagate", True)
    with locked(tmp_path / ".run.lock", "training", REMEDY):
        pass
    assert f"{tmp_path}: this file system has no locks ({os.strerror(number)})" in caplog.text


def test_another_fault_of_a_lock_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int) -> bool:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(lock, "_lock", broken)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)), locked(tmp_path / ".run.lock", "training", REMEDY):
        pass


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_read_only_place_is_not_locked(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refused)
        with locked(tmp_path / ".run.lock", "reading", REMEDY):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_can_only_be_read_is_locked_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / ".run.lock"
    path.write_bytes(b"another user's")
    real = os.open

    def only_reading(name: Path, flags: int, *more: int) -> int:
        if flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "denied", str(name))
        return real(name, flags, *more)

    monkeypatch.setattr(os, "open", only_reading)
    monkeypatch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
    with locked(path, "training"), pytest.raises(UserError, match=r"^another process is using"):
        lock._acquire(path, REMEDY)
