"""The zip archive that `torch.save` writes since 1.6: a pickle, and a member for each storage."""

from __future__ import annotations

import io
import zipfile
from typing import Any, BinaryIO

import numpy as np

from ppcls.untrusted.pickle_limits import Meter, Stream
from ppcls.untrusted.refusals import Damaged, Refused, shown
from ppcls.untrusted.torch_storages import Storages
from ppcls.untrusted.torch_tensors import TORCH_NAMES
from ppcls.untrusted.unpickle import rebuild, unpickle


def read_archive(file: BinaryIO, size: int) -> Any:
    """What stands in an archive of `size` bytes, with arrays for tensors."""
    with zipfile.ZipFile(file) as archive:
        members = _members(archive, size)
        if "data.pkl" not in members:
            raise Damaged("it has no member data.pkl")
        if "constants.pkl" in members or any(
            name.startswith("code/") for name in members
        ):
            raise Refused("a TorchScript program")
        byteorder = (
            bytes(_content(archive, members["byteorder"]))
            if "byteorder" in members
            else b"little"
        )
        if byteorder not in (b"little", b"big"):
            raise Damaged(f"a byte order of {shown(repr(byteorder))}")
        program = bytes(_content(archive, members["data.pkl"]))
        stream = Stream(io.BytesIO(program), len(program))
        stream.meter = Meter(size)
        storages = Storages()
        state = unpickle(stream, TORCH_NAMES, storages.find)
        for key, storage in storages.by_key.items():
            member = members.get(f"data/{key}")
            if member is None:
                raise Damaged(f"storage {shown(key)} is missing")
            wanted = storage.count * storage.stored.itemsize
            if member.file_size != wanted:
                raise Damaged(
                    f"storage {shown(key)} takes {member.file_size} bytes where {wanted} are spoken of"
                )
            storage.fill(
                _content(archive, member), "<" if byteorder == b"little" else ">"
            )
        return rebuild(state, stream.meter)


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """The members by their names without the common folder; torch stores them all as they are."""
    infos: list[zipfile.ZipInfo] = archive.infolist()
    for info in infos:
        if (
            "" in info.filename.split("/")
            or ".." in info.filename.split("/")
            or "\\" in info.filename
        ):
            raise Refused(
                f"a member outside of the archive's folder ({shown(info.filename)})"
            )
        if info.flag_bits & 1:
            raise Refused(f"an encrypted member ({shown(info.filename)})")
        if (
            info.compress_type != zipfile.ZIP_STORED
            or info.compress_size != info.file_size
        ):
            raise Refused(f"a compressed member ({shown(info.filename)})")
    if sum(info.file_size for info in infos) > size:
        raise Damaged("its members claim more bytes than the file has")
    folders = {info.filename.partition("/")[0] for info in infos}
    if len(folders) != 1:
        raise Damaged(f"its members lie in {len(folders)} folders")
    members = {info.filename.partition("/")[2]: info for info in infos}
    if len(members) != len(infos):
        raise Damaged("two of its members have the same name")
    return members


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """The bytes of a member, in memory of their own."""
    content = np.empty(member.file_size, np.uint8)
    filled = 0
    with archive.open(member) as file:
        while filled < len(content):
            count = file.readinto(content.data[filled:])  # type: ignore[attr-defined]
            if not count:
                raise Damaged(
                    f"{shown(member.filename)} ends after {filled} of {len(content)} bytes"
                )
            filled += count
    return content
