"""Which files are pictures, wherever a folder is given in place of a list, and how they are read.

A name's suffix tells it, or else the file's first bytes.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ppcls.utils.errors import expect
from ppcls.utils.files import NOT_REGULAR, open_regular_file
from ppcls.utils.logging import get_logger

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
_OTHER_FORMATS = {
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
    name = _matching(_OTHER_FORMATS, head)
    if name is not None:
        return f"the format {name} is not read; convert it to JPEG or PNG"
    return "no known picture format"


def _matching(patterns: Mapping[str, bytes], head: bytes) -> str | None:
    """The name of the first pattern, in any case of its letters, that a file begins with."""
    for name, pattern in patterns.items():
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            return name
    return None


_LARGEST = 2**31  # bytes of a file; a sparse one may state any size
_SHOWN = 5  # kinds of files that are named
# Archives made on a Mac hold the first beside their content; a Synology server puts the second into every folder.
_NOT_THE_USERS = ("__MACOSX", "@eaDir")


def folders_in(place: str) -> list[str]:
    """Names of the folders in a folder, sorted; hidden ones are passed over, and those that a system has put there.

    Raises:
        OSError: It cannot be read.
    """
    folders = []
    with os.scandir(place or ".") as entries:
        for entry in entries:
            is_folder = _holds(entry.is_dir)
            if is_folder and not _is_hidden(entry.name):
                folders.append(entry.name)
    return sorted(folders)


def find_pictures(folder: Path) -> list[Path]:
    """Every picture file in `folder` and its subfolders, sorted by path.

    Raises:
        UserError: There is none.
    """
    found = walk_pictures(str(folder))
    expect(found, f"{folder} holds no picture of a format that is read ({NAMES})")
    return list(map(Path, found))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in _NOT_THE_USERS


def is_picture_name(name: str) -> bool:
    """Whether a file of this name counts as a picture: a known suffix in any case, and not hidden."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def only_pictures(paths: Iterable[str]) -> list[str]:
    """The files among `paths` that count as pictures: by their suffix, or else by their first bytes."""
    suffixes = _read_suffixes()
    return [path for path in paths if not _kind(path, suffixes)]


def read_file(path: str, most: int = _LARGEST) -> bytes:
    """Read a regular file, at most its first `most` bytes; a pipe or a device is not waited for.

    Raises:
        OSError: The file cannot be read, is not a regular one, or is larger than 2 GiB.
    """
    with open_regular_file(path) as file:
        if most >= _LARGEST and os.fstat(file.fileno()).st_size > _LARGEST:
            raise OSError(errno.EFBIG, "the file is larger than 2 GiB", path)
        content = file.read(most) if most < _LARGEST else file.read()
    if content is None:  # a file of the kernel that one would wait for
        raise OSError(errno.EINVAL, NOT_REGULAR, path)
    return content


def walk_pictures(folder: str) -> list[str]:
    """Paths of the picture files in `folder` and its subfolders, sorted; what is passed over is logged in one line.

    See `PictureScan`.
    """
    scan = PictureScan(folder)
    found = scan.pictures(folder)
    scan.report()
    return found


class PictureScan:
    """Looks for pictures in folders, and counts the other files.

    Hidden files and folders, and those that a system has put there, are passed over without a word. Links are followed,
    but a folder that is reached twice, as by a link to one above, is read once.

    Args:
        root: The folder that messages name.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._passed: dict[str, list[str]] = {}  # paths by kind

    def pictures(self, folder: str) -> list[str]:
        """Paths of the picture files in `folder` and its subfolders, sorted."""
        found: list[str] = []
        suffixes = _read_suffixes()
        for entry in self._files(folder):
            kind = _kind(entry.path, suffixes)
            # A broken link is a lost picture
            if not _holds(entry.is_file) and os.path.exists(entry.path):  # noqa: PTH110
                kind = "no regular file"
            if kind:
                self._pass_over(kind, entry.path)
            else:
                found.append(entry.path)
        return sorted(found)

    def forget(self, folder: str) -> None:
        """Leave out of the report what was passed over in a folder."""
        beginning = os.path.join(folder, "")  # noqa: PTH118
        passed = self._passed
        self._passed = {}
        for kind, paths in passed.items():
            for path in paths:
                if not path.startswith(beginning):
                    self._pass_over(kind, path)

    def report(self) -> None:
        """Log in one line what was passed over since the last report."""
        if not self._passed:
            return
        kinds = sorted(self._passed, key=lambda kind: (-len(self._passed[kind]), kind))
        parts = list(map(self._count_of, kinds[:_SHOWN]))
        others = sum(len(self._passed[kind]) for kind in kinds[_SHOWN:])
        if others:
            parts.append(f"{others} others")
        total = sum(map(len, self._passed.values()))
        what = "files are not read as pictures"
        if total == 1:
            what = "file is not read as a picture"
        get_logger().warning("%s: %d %s: %s", self._root, total, what, "; ".join(parts))
        self._passed.clear()

    def _count_of(self, kind: str) -> str:
        """How many files of a kind were passed over, with the first of them."""
        paths = self._passed[kind]
        first = os.path.relpath(min(paths), self._root)
        if len(paths) > 1:
            first += ", ..."
        return f"{len(paths)} {kind} ({first})"

    def _files(self, folder: str) -> Iterator[os.DirEntry[str]]:
        """Yield what is not a folder in `folder` and below it."""
        seen: set[tuple[int, int]] = set()
        waiting = [folder]
        while waiting:
            place = waiting.pop()
            try:
                status = Path(place).stat()
            except OSError as error:
                self._pass_over(f"folder: {error.strerror}", place)
                continue
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            below = []
            for entry in self._entries(place):
                if _holds(entry.is_dir):
                    below.append(entry.path)
                else:
                    yield entry
            waiting.extend(reversed(below))

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        """What is in a folder, by name; hidden entries are left out."""
        try:
            with os.scandir(folder) as listing:
                entries = [entry for entry in listing if not _is_hidden(entry.name)]
        except OSError as error:
            self._pass_over(f"folder: {error.strerror}", folder)
            return []
        return sorted(entries, key=lambda entry: entry.name)

    def _pass_over(self, kind: str, path: str) -> None:
        self._passed.setdefault(kind, []).append(path)


def _read_suffixes() -> tuple[str, ...]:
    """Suffixes of the formats that are read on this machine."""
    suffixes: list[str] = []
    for known in FORMATS:
        if known.is_read:
            suffixes += known.suffixes
    return tuple(suffixes)


def _kind(path: str, suffixes: tuple[str, ...]) -> str:
    """What a file is that is not a picture, in a word or two; an empty text for a picture."""
    if path.lower().endswith(suffixes):
        return ""
    return _kind_by_content(path)


def _kind_by_content(path: str) -> str:
    """What a file without a picture's suffix is, in a word or two; empty where its first bytes are a picture's."""
    try:
        known = picture_format(read_file(path, HEAD_BYTES))
    except OSError as error:
        return error.strerror or "unreadable"
    known = known or _format_by_suffix(path)
    if known is None:
        # A million times, pathlib takes ten times as long
        _, suffix = os.path.splitext(path)  # noqa: PTH122
        return suffix.lower() or "without suffix"
    if known.is_read:
        return ""
    return f"{known.name}, to read which {known.remedy}"


def _format_by_suffix(path: str) -> PictureFormat | None:
    name = path.lower()
    for known in FORMATS:
        if name.endswith(known.suffixes):
            return known
    return None


def _holds(question: Callable[[], bool]) -> bool:
    """The answer of a DirEntry, which fails for a link to itself."""
    with contextlib.suppress(OSError):
        return question()
    return False
