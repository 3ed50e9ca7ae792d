"""The format of a file of weights, by its content."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from ppcls.untrusted.refusals import refusals
from ppcls.untrusted.torch_files import is_legacy
from ppcls.untrusted.weights_paths import WEIGHTS_SUFFIXES
from ppcls.utils.errors import UserError, expect
from ppcls.utils.transfer import is_web_page

# Versions 0.1 and 0.2, of any of their revisions; such files are called yolov3.weights, darknet53.conv.74, x.backup.
_DARKNET_HEADS = {
    struct.pack("<iii", 0, minor, revision)
    for minor in (1, 2)
    for revision in range(10)
}
_ZIP_HEADS = (b"PK\x03\x04", b"PK\x05\x06")
_PICKLE_HEAD = 0x80  # since protocol 2
# By suffix, where the content does not tell
_FORMATS = {".safetensors": "safetensors", ".weights": "darknet"}
_KNOWN = "a .pdparams, torch.save, .safetensors or Darknet .weights file"


def format_of(path: Path) -> str:
    """Recognises the format: pdparams, torch, safetensors or darknet.

    Raises:
        UserError: the file cannot be read, or is none of these.
    """
    with refusals(path, "file"), path.open("rb") as file:
        head, size = file.read(512), os.fstat(file.fileno()).st_size
    _refuse_other_files(path, head)
    if head.startswith(_ZIP_HEADS) or is_legacy(head):
        return "torch"
    if _is_safetensors(head, size, path.suffix):
        return "safetensors"
    if head[0] == _PICKLE_HEAD or path.suffix in WEIGHTS_SUFFIXES:
        return "pdparams"
    if head[:12] in _DARKNET_HEADS:
        return "darknet"
    if path.suffix not in _FORMATS:
        raise UserError(
            f"{path}: not a known format of weights (it starts with {head[:8].hex(' ')}); give {_KNOWN}"
        )
    return _FORMATS[path.suffix]


def _refuse_other_files(path: Path, head: bytes) -> None:
    """Refuses what is downloaded instead of weights."""
    expect(head, f"{path}: empty file; copy or download the file again")
    expect(
        not is_web_page(head),
        f"{path}: a web page (HTML), not weights; "
        "download the file from an address that gives the file itself",
    )
    expect(
        not head.startswith(b"version https://git-lfs"),
        f"{path}: a pointer of Git LFS, not the weights; run `git lfs pull` in its repository",
    )


def _is_safetensors(head: bytes, size: int, suffix: str) -> bool:
    """Whether a JSON object follows its length; a damaged length counts if the suffix is right."""
    length = int.from_bytes(head[:8], "little")
    fits = length <= size - 8 or suffix == ".safetensors"
    return head[8:9] == b"{" and fits
