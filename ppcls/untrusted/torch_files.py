"""What `torch.save` wrote, read without torch: the zip archive (since 1.6) and the stream of earlier versions.

Both hold a pickle whose tensors name storages by persistent ids, and the bytes of the storages beside it.
"""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ppcls.untrusted.limits import Meter, Stream
from ppcls.untrusted.refusals import Damaged, Refused, permit, refusals, require, shown
from ppcls.untrusted.state_dicts import only_arrays, unwrap
from ppcls.untrusted.torch_storages import Storages
from ppcls.untrusted.torch_tensors import TORCH_NAMES
from ppcls.untrusted.unpickle import rebuild, unpickle
from ppcls.untrusted.weight_content import Content


def read_torch(path: Path, use_ema: bool = True) -> Content:
    """Reads tensors as arrays, bfloat16 as float32; `use_ema` as in `unwrap`.

    Raises:
        UserError: the file cannot be read, is damaged, asks for more than data, or holds no weights.
    """
    remedy = "use a file written by torch.save of a state dict"
    with refusals(path, "file written by torch.save", remedy), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if is_legacy(file.read(32)):
            content = read_stream(Stream(file, size))
        else:
            content = read_archive(file, size)
        return only_arrays(path, unwrap(path, content, use_ema)), None


_ENCRYPTED = 1  # a bit of a member's flags
_ORDERS = {b"little": "<", b"big": ">"}
_PROGRAM = {"constants.pkl", "code"}  # what an archive of a TorchScript program has
_BLOCK = 1 << 20


def read_archive(file: BinaryIO, size: int) -> Any:
    """Reads an archive of `size` bytes, with arrays for tensors: a pickle, and one member for each storage.

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


_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_HEAD = 32  # bytes


def is_legacy(head: bytes) -> bool:
    """Whether a file's first bytes are the pickled magic number of the old stream."""
    return b"\x8a\x0a" + _MAGIC.to_bytes(10, "little") in head[:_HEAD]


def read_stream(stream: Stream) -> Any:
    """Reads a stream from the start of its file, with arrays for tensors.

    It has pickles one after another, then the bytes of the storages.

    Raises:
        Refused: it asks for more than data.
        Damaged: it contradicts itself.
    """
    stream.file.seek(0)
    magic = unpickle(stream)
    protocol = unpickle(stream)
    system = unpickle(stream)
    is_known = magic == _MAGIC and protocol == _PROTOCOL and type(system) is dict
    require(is_known, "its first three parts are not those of torch.save")
    permit(system.get("little_endian") is True, "numbers with the highest byte first")
    storages = Storages()
    state = unpickle(stream, TORCH_NAMES, storages.find)
    for key in _keys(unpickle(stream), storages):
        storage = storages.by_key[key]
        count = int.from_bytes(stream.read(8), "little", signed=True)
        require(
            count == storage.count,
            f"storage {shown(key)} has {count} numbers where its tensors need {storage.count}",
        )
        content = np.frombuffer(
            bytearray(stream.read(count * storage.stored.itemsize)), np.uint8
        )
        storage.fill(content, "<")
    return rebuild(state, stream.meter)


def _keys(keys: Any, storages: Storages) -> list[str]:
    """Checks the list of the storages' keys, in the order of their bytes, and returns it."""
    require(type(keys) is list, "its list of storages is not a list of names")
    count = len(storages.by_key)
    require(
        len(keys) == count,
        f"its tensors have {count} storages and its list {len(keys)}",
    )
    missing = set(storages.by_key)
    for key in keys:
        require(type(key) is str, "its list of storages is not a list of names")
        require(key in missing, f"no tensor uses the storage {shown(key)} of its list")
        missing.remove(key)
    found: list[str] = keys
    return found
