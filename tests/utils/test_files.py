"""Files and folders that are written aside, synced and renamed."""

import errno
import os

import pytest

from ppcls.utils import files
from ppcls.utils.files import (
    beside,
    make_folders,
    put_folder,
    replace_folder,
    resolved,
    scratch_folder,
    write_atomically,
    written_aside,
)


def entries(folder):
    """Relative paths below a folder, with the text of each file."""
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def steps(monkeypatch):
    """The names that are synced and renamed, in order."""
    seen = []
    sync, move = files.sync_file, files.Path.replace

    def synced(path):
        seen.append(f"sync {path.name}")
        sync(path)

    def replaced(path, target):
        seen.append(f"rename {path.name} {target.name}")
        return move(path, target)

    monkeypatch.setattr(files, "sync_file", synced)
    monkeypatch.setattr(files.Path, "replace", replaced)
    return seen


def test_a_file_is_written_aside_synced_and_renamed(tmp_path, steps):
    target = tmp_path / "new" / "a.txt"
    with written_aside(target) as aside:
        assert aside == tmp_path / "new" / f".a.txt.{os.getpid()}"
        aside.write_text("one")
        assert not target.exists()
    assert steps == [f"sync {aside.name}", f"rename {aside.name} a.txt", "sync new"]
    assert entries(tmp_path) == {"new": None, "new/a.txt": "one"}


def test_a_file_can_go_without_a_sync(tmp_path, steps):
    write_atomically(tmp_path / "a.txt", b"one", sync=False)
    assert steps == [f"rename .a.txt.{os.getpid()} a.txt"]


def test_an_error_leaves_the_old_bytes_and_no_neighbour(tmp_path):
    write_atomically(tmp_path / "a.txt", b"old")
    part = tmp_path / ".a.txt.part"
    with pytest.raises(ValueError, match="stop"), written_aside(tmp_path / "a.txt", part) as aside:
        assert aside == part
        aside.write_text("new")
        raise ValueError("stop")
    assert entries(tmp_path) == {"a.txt": "old"}


def test_an_error_leaves_no_new_folder(tmp_path):
    with pytest.raises(ValueError, match="stop"), written_aside(tmp_path / "b" / "c" / "a.txt"):
        raise ValueError("stop")
    assert entries(tmp_path) == {}


def test_a_full_disk_is_reported_by_the_files_own_name(tmp_path):
    with pytest.raises(OSError, match="No space") as caught, written_aside(tmp_path / "a.txt"):
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a.txt")


def test_a_scratch_folder_is_empty_and_goes_unless_it_has_moved(tmp_path):
    place = beside(tmp_path / "run", "new")
    place.mkdir()
    (place / "left by a killed process").touch()
    with scratch_folder(place) as folder:
        assert folder == place
        assert entries(tmp_path) == {".run.new": None}
        (folder / "a.txt").write_text("one")
    assert entries(tmp_path) == {}
    with scratch_folder(place) as folder:
        (folder / "a.txt").write_text("one")
        put_folder(folder, tmp_path / "run")
    assert entries(tmp_path) == {"run": None, "run/a.txt": "one"}


def test_a_folder_is_synced_whole_before_it_gets_its_place(tmp_path, steps):
    new = tmp_path / "new"
    (new / "inner").mkdir(parents=True)
    (new / "inner" / "a.txt").write_text("one")
    put_folder(new, tmp_path / "run")
    assert sorted(steps[:2]) == ["sync a.txt", "sync inner"]
    assert steps[2:] == ["sync new", f"sync {tmp_path.name}"]
    assert entries(tmp_path) == {"run": None, "run/inner": None, "run/inner/a.txt": "one"}


def test_a_folder_does_not_take_a_place_that_is_taken(tmp_path):
    for name in ("new", "run"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(name)
    with pytest.raises(OSError, match="not empty"):
        put_folder(tmp_path / "new", tmp_path / "run")
    assert (tmp_path / "run" / "a.txt").read_text() == "run"


def test_a_replaced_folder_waits_until_the_new_one_is_in_place(tmp_path):
    for name in ("new", "run"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(name)
    seen = []

    def discard(old):
        seen.append((old.name, (tmp_path / "run" / "a.txt").read_text(), (old / "a.txt").read_text()))

    replace_folder(tmp_path / "new", tmp_path / "run", discard)
    assert seen == [(".run.old", "new", "run")]


def test_folders_are_made_up_to_a_depth_that_python_can_handle(tmp_path):
    make_folders(tmp_path / "a" / "b")
    make_folders(tmp_path / "a" / "b")
    assert entries(tmp_path) == {"a": None, "a/b": None}
    with pytest.raises(OSError) as error:
        make_folders(tmp_path / ("c/" * 1500))
    assert error.value.errno == errno.ENAMETOOLONG
    assert entries(tmp_path) == {"a": None, "a/b": None}


def test_links_that_lead_in_a_circle_have_a_path(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert resolved(tmp_path / "a").parent == tmp_path.resolve()
    (tmp_path / "c").symlink_to("d")
    assert resolved(tmp_path / "c" / "e") == tmp_path.resolve() / "d" / "e"
