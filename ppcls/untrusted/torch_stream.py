"""The stream that `torch.save` wrote before 1.6: pickles one after another, then the bytes of the storages."""

from __future__ import annotations

from typing import Any

import numpy as np

from ppcls.untrusted.limits import Stream
from ppcls.untrusted.refusals import permit, require, shown
from ppcls.untrusted.torch_storages import Storages
from ppcls.untrusted.torch_tensors import TORCH_NAMES
from ppcls.untrusted.unpickle import rebuild, unpickle

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_HEAD = 32  # bytes


def is_legacy(head: bytes) -> bool:
    """Whether a file's first bytes are the pickled magic number of the old stream."""
    return b"\x8a\x0a" + _MAGIC.to_bytes(10, "little") in head[:_HEAD]


def read_stream(stream: Stream) -> Any:
    """Reads a stream from the start of its file, with arrays for tensors.

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
