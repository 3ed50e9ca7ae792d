"""Which pictures a source means: files, folders, patterns, bytes, images and arrays."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from ppcls.data.picture_files import find_pictures, only_pictures, walk_pictures
from ppcls.data.picture_items import (
    COLORS,
    NotAPicture,
    Picture,
    array_of,
    is_picture,
    is_web_address,
    named_file,
    path_of,
    picture_at,
    picture_of,
    ready,
    require_color,
    single,
    type_name,
)
from ppcls.untrusted.refusals import shown
from ppcls.utils.errors import UserError, expect, translated
from ppcls.utils.logging import get_logger


class Pictures(Sequence[Picture]):
    """The pictures of a list; each item is read when it is asked for."""

    def __init__(self, items: Sequence[Any], color: str | None) -> None:
        self._items = items
        self._color = color

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Picture: ...

    @overload
    def __getitem__(self, index: slice) -> list[Picture]: ...

    def __getitem__(self, index: int | slice) -> Picture | list[Picture]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        return picture_of(range(len(self))[index], self._items[index], self._color)


def pictures_of(source: Any, color: str | None = None) -> Pictures | Iterator[Picture]:
    """Find the pictures that `source` means, in order.

    A picture is a file, a file's bytes, a file that is open for reading bytes, an image of Pillow, or an array uint8
    [H, W, 3], [H, W, 4], [H, W, 1] or [H, W]. The rules are those of files: alpha is dropped, gray is repeated to three
    channels, and an image of Pillow is turned as its Exif says.

    Args:
        source: A picture; its http or https address; a folder (its pictures and those of its subfolders, sorted by
            path; hidden files are left out); a pattern such as `photos/**/*.jpg`; a list of pictures, or an array of
            them; or any other iterable, of which each picture is asked for when it is classified.
        color: `RGB` or `BGR`, the channel order of arrays with three or four channels; None without such arrays.

    Returns:
        The pictures of a list. The result of an item that is not a picture is the reason why.

    Raises:
        UserError: There is no such file, the only picture cannot be read as one, or the channel order of an array is
            not given.
    """
    if color not in (None, *COLORS):
        raise UserError(f"color is {color!r}; write {' or '.join(COLORS)}")
    source = named_file(source)
    if isinstance(source, str) and is_web_address(source):
        return Pictures([picture_at(source)], None)
    if isinstance(source, (str, os.PathLike)):
        return Pictures([Picture(str(path), path) for path in _paths_of(source)], None)
    source = array_of(source)
    if is_picture(source):
        return Pictures([single(source, color)], color)
    if isinstance(source, Mapping) or not isinstance(source, Iterable):
        raise UserError(
            f"{type_name(source)} cannot be read as pictures; give a folder, a file, bytes, an image of Pillow, an "
            "array, or a list"
        )
    if not hasattr(source, "__len__"):
        return _each(source, color)
    items = list(map(ready, source))
    # At once, and not when the picture's turn comes
    for index, item in enumerate(items):
        require_color(index, item, color)
    return Pictures(items, color)


def _each(source: Iterable[Any], color: str | None) -> Iterator[Picture]:
    for index, item in enumerate(source):
        yield picture_of(index, ready(item), color)


def _path_of(source: str | os.PathLike[Any]) -> Path:
    """The path that is given, which a file may have.

    Raises:
        UserError: No file can have it.
    """
    try:
        return path_of(source)
    except NotAPicture as error:
        given = shown(os.fsdecode(source), 300)
        text = f"{given}: {error.reason}" if given else error.reason
        raise UserError(text) from error


def _paths_of(source: str | os.PathLike[Any]) -> Sequence[Path]:
    """The files that a path means: itself, those of a folder, or those that match a pattern.

    Raises:
        UserError: There is none.
    """
    path = _path_of(source)
    name = shown(str(path), 300)
    with translated(OSError, lambda error: UserError(f"{name}: {error.strerror}")):
        if path.is_dir():
            return find_pictures(path)
        if path.is_file():
            return [path]
    if glob.has_magic(str(path)):
        return _matching(str(path))
    expect(
        not os.path.lexists(path),
        f"{name} is not a regular file; give a picture or a folder",
    )
    raise UserError(f"{name}: no such picture or folder")


def _matching(pattern: str) -> list[Path]:
    """Files that match a pattern, sorted, and the pictures in folders that do.

    Files whose names are not those of pictures are left out, unless there are no others.
    """
    files = []
    in_folders: list[str] = []
    # That of pathlib has no absolute patterns
    for name in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207
        path = Path(name)
        if path.is_file():
            files.append(path)
        elif path.is_dir():
            in_folders += walk_pictures(name)
    pictures = set(map(Path, only_pictures(map(str, files))))
    pictures.update(map(Path, in_folders))
    if not pictures:
        pictures.update(files)
    expect(pictures, f"{shown(pattern, 300)}: no file matches this pattern")
    left_out = sorted(set(files) - pictures)
    if left_out:
        get_logger().warning(
            "%s: files that are not pictures are left out (%d, the first is %s)",
            pattern, len(left_out), left_out[0],
        )  # fmt: skip
    return sorted(pictures)
