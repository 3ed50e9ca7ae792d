"""The picture formats that are read: their names, suffixes and first bytes."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass

HEAD_BYTES = 64
"""How many first bytes of a file tell its format."""

_AVIF_BRANDS = (b"avif", b"avis")
_HEIF_BRANDS = (
    b"heic",
    b"heix",
    b"heim",
    b"heis",
    b"hevc",
    b"hevx",
    b"hevm",
    b"hevs",
    b"mif1",
    b"msf1",
)


@dataclass(frozen=True)
class PictureFormat:
    """A format of picture files.

    Attributes:
        name: Its name in messages.
        suffixes: Suffixes of its files, in lower case.
        module: What reads it and may be missing here; empty where Pillow always does.
        remedy: How to get that module.
    """

    name: str
    suffixes: tuple[str, ...]
    module: str = ""
    remedy: str = ""

    @property
    def is_read(self) -> bool:
        """Whether the module that reads it is installed."""
        return not self.module or importlib.util.find_spec(self.module) is not None


JPEG = PictureFormat("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"))
PNG = PictureFormat("PNG", (".png", ".apng"))
GIF = PictureFormat("GIF", (".gif",))
BMP = PictureFormat("BMP", (".bmp", ".dib"))
TIFF = PictureFormat("TIFF", (".tif", ".tiff"))
WEBP = PictureFormat("WebP", (".webp",))
PPM = PictureFormat("PPM", (".pbm", ".pgm", ".pnm", ".ppm"))
JPEG2000 = PictureFormat("JPEG 2000", (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"))
AVIF = PictureFormat(
    "AVIF", (".avif", ".avifs"), "PIL._avif", "install Pillow 11.3 or later"
)
HEIF = PictureFormat(
    "HEIC", (".heic", ".heif", ".hif"), "pillow_heif", "run `pip install pillow-heif`"
)

FORMATS = (AVIF, BMP, GIF, HEIF, JPEG, JPEG2000, PNG, PPM, TIFF, WEBP)
NAMES = ", ".join(known.name for known in FORMATS)
SUFFIXES = tuple(sorted(suffix for known in FORMATS for suffix in known.suffixes))

_BEGIN = {
    JPEG: rb"\xff\xd8\xff",
    PNG: rb"\x89PNG\r\n\x1a\n",
    GIF: rb"GIF8[79]a",
    # Down to the size of the second header
    BMP: rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    TIFF: rb"II[*+]\0|MM\0[*+]",
    WEBP: rb"RIFF.{4}WEBP",
    PPM: rb"P[1-6]\s+[#0-9]",
    JPEG2000: rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
}
_FIRST_BYTES = {known: re.compile(begin, re.DOTALL) for known, begin in _BEGIN.items()}

# Only to say more than "unknown": what people take for a picture.
_OTHERS = {
    "PostScript": rb"%!PS|\xc5\xd0\xd3\xc6",
    "PDF": rb"%PDF",
    "SVG": rb"\s*(<\?xml.*)?<(svg|!DOCTYPE svg)",
    "HTML": rb"\s*<(!DOCTYPE html|html)",
    "Photoshop": rb"8BPS",
    "GIMP": rb"gimp xcf",
    "JPEG XL": rb"\xff\x0a|\0\0\0\x0cJXL ",
    # As many pictures follow; none does in Targa, which begins alike
    "icon": rb"\0\0[\x01\x02]\0(?!\0\0)|icns",
    "DDS": rb"DDS ",
    "WMF": rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF",
    "OpenEXR": rb"\x76\x2f\x31\x01",
}
_NO_PICTURES = {
    "a Git LFS pointer in place of the picture; run `git lfs pull`": rb"version https://git-lfs",
    "a video; save its frames as pictures": rb".{4}ftyp(qt|iso|mp4|m4v|3g|avc)|RIFF.{4}AVI |\x1aE\xdf\xa3",
}


def picture_format(head: bytes) -> PictureFormat | None:
    """The format of a file that begins with `head`, `HEAD_BYTES` of it or all there are; None for no known one."""
    for known, begin in _FIRST_BYTES.items():
        if begin.match(head):
            return known
    if head[4:8] != b"ftyp":
        return None
    length = int.from_bytes(head[:4], "big")
    brands = set()
    for at in range(8, min(length, len(head)), 4):
        brands.add(head[at : at + 4])
    # An AVIF file may name the brands of HEIF as well
    if not brands.isdisjoint(_AVIF_BRANDS):
        return AVIF
    if not brands.isdisjoint(_HEIF_BRANDS):
        return HEIF
    return None


def why_unread(head: bytes) -> str | None:
    """Why a file that begins with `head` is not read as a picture, and the remedy; None where it is read."""
    known = picture_format(head)
    if known is not None and known.is_read:
        return None
    if known is not None:
        return f"it is {known.name}; to read it, {known.remedy}, or convert it to JPEG"
    what = _matching(_NO_PICTURES, head)
    if what is not None:
        return f"it is {what}"
    name = _matching(_OTHERS, head)
    if name is not None:
        return f"the format {name} is not read; convert it to JPEG or PNG"
    return "no known picture format"


def _matching(patterns: Mapping[str, bytes], head: bytes) -> str | None:
    """The name of the first pattern, in any case of its letters, that a file begins with."""
    for name, pattern in patterns.items():
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            return name
    return None
