"""ImageNet's official archives, extracted so that an interrupted run continues where it stopped.

Pictures stream from the archives to their files. Nothing is written outside the folder that is given: only plain
file names are taken, links and paths are refused. What is not complete bears a name that begins with a dot.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from ppcls.untrusted import compressed
from ppcls.untrusted.refusals import Damaged, Refused, shown
from ppcls.untrusted.tar_stream import Member, TarStream
from ppcls.utils.errors import UserError, expect
from ppcls.utils.files import make_folders


def extract_class_archives(archive: Path, folder: Path) -> None:
    """Extract a tar of one tar per class (ILSVRC2012_img_train.tar) to `folder/CLASS/*`.

    A class that is there already is not read again.

    Raises:
        UserError: The archive is damaged or incomplete, or has a member that is not a plain file.
    """
    with _opened(archive) as outer:
        for member in tqdm(outer, desc=archive.name, unit="class", disable=None):
            stem, _, suffix = _plain_name(member, archive).rpartition(".")
            expect(
                suffix == "tar",
                f"{archive}: '{shown(member.name)}' is not a class archive; give the official {archive.name}",
            )
            if not (folder / stem).is_dir():
                _extract_class(outer, member, folder, stem)


def extract_pictures(archive: Path, folder: Path) -> None:
    """Extract a flat tar of pictures (ILSVRC2012_img_val.tar) to `folder/*`; those that are there stay.

    Raises:
        UserError: The archive is damaged or incomplete, or has a member that is not a plain file.
    """
    make_folders(folder)
    with _opened(archive) as pictures:
        for member in tqdm(pictures, desc=archive.name, unit="picture", disable=None):
            place = folder / _plain_name(member, archive)
            if place.is_file() and place.stat().st_size == member.size:
                continue
            part = place.with_name(f".{place.name}.part")
            _write(pictures, part)
            part.replace(place)


def read_member(archive: Path, ending: str) -> bytes:
    """Read the first member whose path ends so; the devkit's members are small.

    Raises:
        UserError: There is none.
    """
    with _opened(archive) as members:
        for member in members:
            if member.is_file and member.name.endswith(ending):
                return members.read()
    raise UserError(
        f"{archive}: no {ending} in it; give the official ILSVRC2012_devkit_t12.tar.gz"
    )


def _extract_class(outer: TarStream, member: Member, folder: Path, name: str) -> None:
    part = folder / f".{name}.part"
    if part.exists():
        shutil.rmtree(part)
    make_folders(part)
    inner = TarStream(outer.content())
    for picture in inner:
        _write(inner, part / _plain_name(picture, Path(member.name)))
    part.replace(folder / name)


def _plain_name(member: Member, archive: Path) -> str:
    path = PurePosixPath(member.name)  # "./name" is "name" here
    expect(
        member.is_file
        and len(path.parts) == 1
        and path.name not in ("", "..")
        and "\\" not in path.name,
        f"{archive}: '{shown(member.name)}' is not a plain file; give the official archive, which is flat",
    )
    return path.name


def _write(archive: TarStream, place: Path) -> None:
    with place.open("wb") as file:
        shutil.copyfileobj(archive.content(), file, 1 << 20)


@contextmanager
def _opened(archive: Path) -> Iterator[TarStream]:
    try:
        with archive.open("rb") as file:
            head = file.read(compressed.HEAD_BYTES)
            file.seek(0)
            if not compressed.is_compressed(head):
                yield TarStream(file, seek=True)
            elif archive.name.endswith(".gz"):
                yield TarStream(compressed.Decompressed(file))
            else:
                # A small one may hold any number of files
                raise UserError(
                    f"{archive} is compressed, but the official archive is not; decompress it first"
                )
    except Refused as error:
        raise UserError(
            f"{archive}: refused, because it holds {error}; give the official archive"
        ) from error
    except (Damaged, *compressed.DAMAGE) as error:
        # Of a disk that is full, say
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UserError(
            f"{archive} is damaged or incomplete ({error}); download it again and run again"
        ) from error
