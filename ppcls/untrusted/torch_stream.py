"""The stream that `torch.save` wrote before 1.6: pickles one after another, then the storages' bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ppcls.untrusted.pickle_limits import Stream
from ppcls.untrusted.refusals import Damaged, Refused, shown
from ppcls.untrusted.torch_storages import Storages
from ppcls.untrusted.torch_tensors import TORCH_NAMES
from ppcls.untrusted.unpickle import rebuild, unpickle

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


def is_legacy(head: bytes) -> bool:
    """Whether a file's first bytes are the pickled magic number of the old stream."""
    return b"\x8a\x0a" + _MAGIC.to_bytes(10, "little") in head[:32]


def read_stream(stream: Stream) -> Any:
    """What stands in a stream, with arrays for tensors; it is read from the file's beginning."""
    stream.file.seek(0)
    magic, protocol, system = (unpickle(stream) for _ in range(3))
    if magic != _MAGIC or protocol != _PROTOCOL or type(system) is not dict:
        raise Damaged("its three first parts are not those of torch.save")
    if system.get("little_endian") is not True:
        raise Refused("numbers with the highest byte first")
    storages = Storages()
    state = unpickle(stream, TORCH_NAMES, storages.find)
    keys = unpickle(stream)
    if not isinstance(keys, list) or not all(type(key) is str for key in keys):
        raise Damaged("its list of storages is no list of names")
    if sorted(keys) != sorted(storages.by_key):
        raise Damaged(
            f"it names {len(storages.by_key)} storages and lists {len(keys)} that are not the same"
        )
    for key in keys:
        storage = storages.by_key[key]
        count = int.from_bytes(stream.read(8), "little", signed=True)
        if count != storage.count:
            raise Damaged(
                f"storage {shown(key)} has {count} numbers where the tensors speak of {storage.count}"
            )
        content = stream.read(count * storage.stored.itemsize)
        storage.fill(np.frombuffer(bytearray(content), np.uint8), "<")
    return rebuild(state, stream.meter)
