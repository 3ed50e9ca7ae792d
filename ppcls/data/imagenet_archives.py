"""ImageNet's official archives, extracted so that an interrupted run goes on where it stopped.

Pictures stream from the archives to their files. Nothing is written outside the folder that is given: only plain
file names are taken, links and paths are refused. What is not complete bears a name that begins with a dot.
"""

from __future__ import annotations

import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from tqdm import tqdm

from ppcls.utils.errors import UserError

_BLOCK = 512  # bytes; an archive ends with at least one block of zeros


def extract_class_archives(archive: Path, folder: Path) -> None:
    """Extracts a tar of one tar a class (ILSVRC2012_img_train.tar) to `folder/CLASS/*`.

    A class that is there already is not read again.

    Raises:
        UserError: the archive is damaged or incomplete, or has a member that is no plain file.
    """
    with _opened(archive) as outer:
        for member in tqdm(outer, desc=archive.name, unit="class", disable=None):
            stem, _, suffix = _plain_name(member, archive).rpartition(".")
            if suffix != "tar":
                raise UserError(
                    f"{archive}: {member.name!r} is no class archive; give the official {archive.name}"
                )
            if not (folder / stem).is_dir():
                _extract_class(outer, member, folder, stem)
        _check_end(outer, archive.stat().st_size)


def extract_pictures(archive: Path, folder: Path) -> None:
    """Extracts a flat tar of pictures (ILSVRC2012_img_val.tar) to `folder/*`; those that are there stay.

    Raises:
        UserError: the archive is damaged or incomplete, or has a member that is no plain file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _opened(archive) as pictures:
        for member in tqdm(pictures, desc=archive.name, unit="picture", disable=None):
            place = folder / _plain_name(member, archive)
            if place.is_file() and place.stat().st_size == member.size:
                continue
            part = place.with_name(f".{place.name}.part")
            _write(pictures, member, part)
            part.replace(place)
        _check_end(pictures, archive.stat().st_size)


def read_member(archive: Path, ending: str) -> bytes:
    """The bytes of the first member whose path ends so; the devkit's members are small.

    Raises:
        UserError: there is none.
    """
    with _opened(archive) as members:
        for member in members:
            if member.isreg() and member.name.endswith(ending):
                return _content(members, member).read()
    raise UserError(
        f"{archive}: no {ending} in it; give the official ILSVRC2012_devkit_t12.tar.gz"
    )


def _extract_class(
    outer: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, name: str
) -> None:
    part = folder / f".{name}.part"
    if part.exists():
        shutil.rmtree(part)
    part.mkdir(parents=True)
    with tarfile.open(fileobj=_content(outer, member), mode="r|") as inner:
        for picture in inner:
            _write(inner, picture, part / _plain_name(picture, Path(member.name)))
        _check_end(inner, member.size)
    part.replace(folder / name)


def _plain_name(member: tarfile.TarInfo, archive: Path) -> str:
    path = PurePosixPath(member.name)  # "./name" is "name" here
    if (
        not member.isreg()
        or len(path.parts) != 1
        or path.name in ("", "..")
        or "\\" in path.name
    ):
        raise UserError(
            f"{archive}: {member.name!r} is not a plain file; give the official archive, which is flat"
        )
    return path.name


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    with place.open("wb") as file:
        shutil.copyfileobj(_content(archive, member), file, 1 << 20)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(member)
    assert content is not None  # the member is a regular file
    return content


def _check_end(archive: tarfile.TarFile, size: int) -> None:
    """`tarfile` takes an archive that was cut between two members for a whole one."""
    if size - archive.offset < _BLOCK:
        raise tarfile.ReadError("its end is missing")


@contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(archive) as opened:
            yield opened
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise UserError(
            f"{archive} is damaged or incomplete ({error}); download it again and run again"
        ) from error
