"""Which files are pictures, wherever a folder is given in place of a list."""

from __future__ import annotations

import os
from pathlib import Path

from ppcls.utils.logging import get_logger

SUFFIXES = (".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")

_UNREAD_SUFFIXES = (".avif", ".heic", ".heif")  # what phones write, and is not read here


def is_picture_name(name: str) -> bool:
    """Whether a file of this name counts as a picture: a known suffix in any case, and not hidden."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def walk_pictures(folder: str) -> list[str]:
    """Paths of the picture files in `folder` and its subfolders, sorted; hidden folders are passed over.

    Links are followed, but a folder that is reached twice, as by a link to one above, is read once. Pictures of a
    kind that is not read here are named in the log, so that nobody misses them unawares.
    """
    found: list[str] = []
    unread: list[str] = []
    seen: set[Path] = set()
    for place, subfolders, names in os.walk(folder, followlinks=True):
        real = Path(place).resolve()
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        # A million times, where pathlib takes ten times as long.
        found += [os.path.join(place, name) for name in names if is_picture_name(name)]  # noqa: PTH118
        unread += [os.path.join(place, name) for name in names if name.lower().endswith(_UNREAD_SUFFIXES)]  # noqa: PTH118
    if unread:
        get_logger().warning(
            "%s: pictures of a kind that is not read here are left out (%d, the first is %s); convert them to JPEG",
            folder, len(unread), min(unread),
        )  # fmt: skip
    return sorted(found)
