"""The stream that `torch.save` wrote before 1.6: pickles one after another, then the bytes of the storages."""

from __future__ import annotations

from typing import Any

import numpy as np

from ppcls.untrusted.limits import Stream
from ppcls.untrusted.refusals import Damaged, Refused, shown
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
    if magic != _MAGIC or protocol != _PROTOCOL or type(system) is not dict:
        raise Damaged("its first three parts are not those of torch.save")
    if system.get("little_endian") is not True:
        raise Refused("numbers with the highest byte first")
    storages = Storages()
    state = unpickle(stream, TORCH_NAMES, storages.find)
    for key in _keys(unpickle(stream), storages):
        storage = storages.by_key[key]
        count = int.from_bytes(stream.read(8), "little", signed=True)
        if count != storage.count:
            raise Damaged(
                f"storage {shown(key)} has {count} numbers where its tensors need {storage.count}"
            )
        content = np.frombuffer(
            bytearray(stream.read(count * storage.stored.itemsize)), np.uint8
        )
        storage.fill(content, "<")
    return rebuild(state, stream.meter)


def _keys(keys: Any, storages: Storages) -> list[str]:
    """Checks the list of the storages' keys, in the order of their bytes, and returns it."""
    if type(keys) is not list:
        raise Damaged("its list of storages is not a list of names")
    if len(keys) != len(storages.by_key):
        raise Damaged(
            f"its tensors have {len(storages.by_key)} storages and its list {len(keys)}"
        )
    missing = dict.fromkeys(storages.by_key)
    for key in keys:
        if type(key) is not str:
            raise Damaged("its list of storages is not a list of names")
        if key not in missing:
            raise Damaged(f"no tensor uses the storage {shown(key)} of its list")
        del missing[key]
    return keys
