"""PaddleClas's inference tars: uncompressed, with `DLA34_infer/inference.pdmodel` and so on."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path, PurePosixPath

from ppcls.untrusted.refusals import Refused, permit, refusals, require, shown
from ppcls.utils.errors import UserError, expect, translated

_WANTED = (
    "inference.pdmodel",
    "inference.json",
    "inference.pdiparams",
    "inference.yml",
)


def unpack(archive: Path, folder: Path) -> None:
    """Writes the program, its parameters and its description into `folder`, and nothing of the rest of the tar.

    Raises:
        UserError: it is not an uncompressed tar, is damaged, holds other things than plain files, or not one model.
    """
    with refusals(archive, "uncompressed tar"), tarfile.open(archive, "r:") as opened:
        with translated(
            Refused,
            lambda error: UserError(
                f"{archive}: refused, because it holds {error}; give the tar as PaddleClas publishes it"
            ),
        ):
            members = _members(opened, archive.stat().st_size)
        for name, member in members.items():
            content = opened.extractfile(member)
            assert content is not None  # it is a regular file
            with (folder / name).open("wb") as file:
                shutil.copyfileobj(content, file, 1 << 20)
            written = (folder / name).stat().st_size
            require(written == member.size, f"{name} is cut off")
    expect(
        members,
        f"{archive} holds none of {', '.join(_WANTED)}; give an inference model's tar",
    )


def _members(archive: tarfile.TarFile, size: int) -> dict[str, tarfile.TarInfo]:
    wanted: dict[str, tarfile.TarInfo] = {}
    folders, claimed = set(), 0
    for member in archive:
        _check_member(member)
        claimed += member.size
        require(claimed <= size, "its members claim more bytes than the file has")
        path = PurePosixPath(member.name)
        if not member.isreg() or path.name not in _WANTED:
            continue
        permit(path.name not in wanted, f"two files named {path.name}")
        wanted[path.name] = member
        folders.add(path.parent)
    permit(len(folders) <= 1, f"its model's files in {len(folders)} folders")
    return wanted


def _check_member(member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name:
        raise Refused(f"a member outside of its folder ({shown(member.name)})")
    if member.isdir():
        return
    if member.issparse() or not member.isreg():
        raise Refused(
            f"a member that is neither a plain file nor a folder ({shown(member.name)})"
        )
