"""Whole files are read from disks alone; nothing is waited for."""

import errno
import io
import os
from pathlib import Path

import pytest

from ppcls.utils import files
from ppcls.utils.files import is_file, open_regular_file, read_regular_file


def test_a_file_is_read_up_to_its_limit(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"abc")
    assert read_regular_file(file, 3) == b"abc"
    with pytest.raises(OSError, match="it is larger than 0 MB") as error:
        read_regular_file(file, 2)
    assert error.value.errno == errno.EFBIG


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "missing", "impossible"])
def test_what_is_no_file_is_named(kind, tmp_path):
    place = {"device": "/dev/zero", "impossible": "a\0b"}.get(kind, str(tmp_path / kind))
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        Path(place).mkdir()
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError) as error:
        open_regular_file(place)
    assert error.value.filename == place
    wanted = {"folder": errno.EISDIR, "missing": errno.ENOENT}.get(kind, errno.EINVAL)
    assert error.value.errno == wanted
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert not is_file(place)


def test_a_file_of_the_kernel_that_has_nothing_yet_is_not_waited_for(monkeypatch):
    """As /proc/kmsg, which is a regular file by its mode."""

    class Empty(io.BytesIO):
        def read(self, *arguments):
            return None

    monkeypatch.setattr(files, "open_regular_file", lambda path: Empty())
    with pytest.raises(OSError, match="it is not a regular file"):
        read_regular_file("kmsg", 10)
