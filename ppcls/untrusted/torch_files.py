"""What `torch.save` wrote, read without torch: the zip archive (since 1.6) and the stream of earlier versions.

Both hold a pickle whose tensors name storages by persistent ids, and the bytes of the storages beside it.
"""

from __future__ import annotations

import os
from pathlib import Path

from ppcls.untrusted.limits import Stream
from ppcls.untrusted.record import Content
from ppcls.untrusted.refusals import refusals
from ppcls.untrusted.state_dicts import only_arrays, unwrap
from ppcls.untrusted.torch_archive import read_archive
from ppcls.untrusted.torch_stream import is_legacy, read_stream


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
