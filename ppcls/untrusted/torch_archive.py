"""The zip archive that `torch.save` writes since 1.6: a pickle, and one member for each storage."""

from __future__ import annotations

import io
import zipfile
from typing import Any, BinaryIO

import numpy as np

from ppcls.untrusted.limits import Meter, Stream
from ppcls.untrusted.refusals import Damaged, Refused, permit, require, shown
from ppcls.untrusted.torch_storages import Storages
from ppcls.untrusted.torch_tensors import TORCH_NAMES
from ppcls.untrusted.unpickle import rebuild, unpickle

_ENCRYPTED = 1  # a bit of a member's flags
_ORDERS = {b"little": "<", b"big": ">"}
_PROGRAM = {"constants.pkl", "code"}  # what an archive of a TorchScript program has
_BLOCK = 1 << 20


def read_archive(file: BinaryIO, size: int) -> Any:
    """Reads an archive of `size` bytes, with arrays for tensors.

    Raises:
        Refused: it asks for more than data.
        Damaged: it contradicts itself.
    """
    with zipfile.ZipFile(file) as archive:
        members = _members(archive, size)
        require("data.pkl" in members, "it has no member data.pkl")
        _refuse_programs(members)
        order = _byte_order(archive, members)
        program = _content(archive, members["data.pkl"]).tobytes()
        stream = Stream(io.BytesIO(program), len(program))
        stream.meter = Meter(size)
        storages = Storages()
        state = unpickle(stream, TORCH_NAMES, storages.find)
        _fill(storages, archive, members, order)
        return rebuild(state, stream.meter)


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """The members by their names without the folder that all are in."""
    infos: list[zipfile.ZipInfo] = archive.infolist()
    for info in infos:
        _check_member(info)
    total = sum(info.file_size for info in infos)
    require(total <= size, "its members claim more bytes than the file has")
    folders = set()
    members = {}
    for info in infos:
        folder, _, name = info.filename.partition("/")
        folders.add(folder)
        members[folder, name] = info
    require(len(folders) == 1, f"its members are in {len(folders)} folders")
    require(len(members) == len(infos), "two of its members have the same name")
    return {name: info for (_, name), info in members.items()}


def _check_member(info: zipfile.ZipInfo) -> None:
    parts = info.filename.split("/")
    permit(
        "" not in parts and ".." not in parts and "\\" not in info.filename,
        f"a member outside of the archive's folder ({shown(info.filename)})",
    )
    if info.flag_bits & _ENCRYPTED:
        raise Refused(f"an encrypted member ({shown(info.filename)})")
    is_stored = info.compress_type == zipfile.ZIP_STORED
    permit(
        is_stored and info.compress_size == info.file_size,
        f"a compressed member ({shown(info.filename)})",
    )


def _refuse_programs(members: dict[str, zipfile.ZipInfo]) -> None:
    parts = {name.partition("/")[0] for name in members}
    if parts & _PROGRAM:
        raise Refused("a TorchScript program")


def _byte_order(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> str:
    if "byteorder" not in members:
        return "<"
    name = _content(archive, members["byteorder"]).tobytes()
    require(name in _ORDERS, f"a byte order of {shown(repr(name[:20]))}")
    return _ORDERS[name]


def _fill(
    storages: Storages,
    archive: zipfile.ZipFile,
    members: dict[str, zipfile.ZipInfo],
    order: str,
) -> None:
    """Reads the numbers of the storages."""
    for key, storage in storages.by_key.items():
        member = members.get(f"data/{key}")
        if member is None:
            raise Damaged(f"storage {shown(key)} is missing")
        wanted = storage.count * storage.stored.itemsize
        require(
            member.file_size == wanted,
            f"storage {shown(key)} has {member.file_size} bytes where its tensors need {wanted}",
        )
        storage.fill(_content(archive, member), order)


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """The bytes of a member [N], which own their memory."""
    content = np.empty(member.file_size, np.uint8)
    filled = 0
    with archive.open(member) as file:
        while filled < len(content):
            part = file.read(min(_BLOCK, len(content) - filled))
            require(bool(part), f"{shown(member.filename)} ends after {filled} bytes")
            content[filled : filled + len(part)] = np.frombuffer(part, np.uint8)
            filled += len(part)
        # The checksum is compared at the end
        require(
            not file.read(1), f"{shown(member.filename)} is longer than it announces"
        )
    return content
