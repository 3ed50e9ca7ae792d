"""Which pictures a source means: files, folders, patterns, bytes, images and arrays."""

from __future__ import annotations

import glob
import mmap
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from PIL import Image

from ppcls.data.picture_files import find_pictures, only_pictures, walk_pictures
from ppcls.data.transforms.decode import UnreadableImage, pixels_of
from ppcls.untrusted.refusals import shown
from ppcls.utils.errors import UserError
from ppcls.utils.logging import get_logger
from ppcls.utils.user_paths import expanded

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://|data:", re.IGNORECASE)
_ARRAYS = "give uint8 [H, W, 3], [H, W, 4], [H, W, 1] or [H, W]"
_COLORS = ("RGB", "BGR")
_LONGEST_PATH = 4096  # bytes
_SAY_COLOR = 'say its channel order, color="RGB" or color="BGR" (OpenCV\'s)'
_BYTES = (bytes, bytearray, memoryview, mmap.mmap)


@dataclass(frozen=True)
class NoPicture:
    """What was given in the place of a picture, and why it is none."""

    reason: str


Content = Path | bytes | np.ndarray | NoPicture


@dataclass(frozen=True)
class Picture:
    """One picture: where it is from (a path, or its index in the given list) and what it is.

    Attributes:
        source: a path, or an index.
        content: a file, a file's bytes, or pixels uint8 [H, W, 3].
        color: the channel order of pixels, `RGB` or `BGR`.
    """

    source: str | int
    content: Content
    color: str = "RGB"


class Pictures(Sequence[Picture]):
    """The pictures of a list; each is looked at when it is asked for."""

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
        return _picture(range(len(self))[index], self._items[index], self._color)


def pictures_of(source: Any, color: str | None = None) -> Pictures | Iterator[Picture]:
    """The pictures that `source` means, in order.

    A picture is a file, a file's bytes, a file that is open for reading bytes, an image of Pillow, or an array uint8
    [H, W, 3], [H, W, 4], [H, W, 1] or [H, W]. The rules are those of files: alpha is dropped, gray is repeated to three
    channels, and an image of Pillow is turned as its Exif says.

    Args:
        source: a picture; a folder (its pictures and those of its subfolders, sorted by path; hidden files are left
            out); a pattern such as `photos/**/*.jpg`; a list of pictures, or an array of them; or any other iterable,
            of which each picture is asked for when it is classified.
        color: `RGB` or `BGR`, the channel order of arrays with three or four channels; None without such arrays.

    Returns:
        The pictures of a list. An item that is not a picture becomes one that raises the reason when it is read.

    Raises:
        UserError: nothing is there, the only picture is none, or the colour order of an array is not said.
    """
    if color not in (None, *_COLORS):
        raise UserError(f"color is {color!r}; write {' or '.join(_COLORS)}")
    source = _named_file(source)
    if isinstance(source, (str, os.PathLike)):
        return Pictures([Picture(str(path), path) for path in _paths_of(source)], None)
    source = _array_of(source)
    if _is_picture(source):
        return Pictures([_single(source, color)], color)
    if isinstance(source, Mapping) or not isinstance(source, Iterable):
        raise UserError(
            f"{_named(source)} is no picture; give a folder, a file, bytes, an image of Pillow, an array, or a list"
        )
    if not hasattr(source, "__len__"):
        return (
            _picture(index, _ready(item), color) for index, item in enumerate(source)
        )
    items = [_ready(item) for item in source]
    _require_color(items, color)
    return Pictures(items, color)


def _paths_of(source: str | os.PathLike[Any]) -> Sequence[Path]:
    """The files that a path means: itself, those of a folder, or those that match a pattern.

    Raises:
        UserError: there is none.
    """
    path = _path(source)
    if isinstance(path, NoPicture):
        given = shown(os.fsdecode(source), 300)
        raise UserError(f"{given}: {path.reason}" if given else path.reason)
    name = shown(str(path), 300)
    try:
        if path.is_dir():
            return find_pictures(path)
        if path.is_file():
            return [path]
    except OSError as error:
        raise UserError(f"{name}: {error.strerror}") from error
    if glob.has_magic(str(path)):
        return _matching(str(path))
    if os.path.lexists(path):
        raise UserError(f"{name} is not a regular file; give a picture or a folder")
    raise UserError(f"{name}: no such picture or folder")


def _matching(pattern: str) -> list[Path]:
    """Files that match a pattern, sorted, and the pictures in folders that do.

    Files whose names are not those of pictures are left out, unless there are no others.
    """
    # That of pathlib has no absolute patterns
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
    files = [Path(name) for name in found if Path(name).is_file()]
    pictures = [Path(name) for name in only_pictures(map(str, files))]
    for name in found:
        if Path(name).is_dir():
            pictures += map(Path, walk_pictures(name))
    if not pictures:
        pictures = files
    if not pictures:
        raise UserError(f"{shown(pattern, 300)}: no file matches this pattern")
    left_out = sorted(set(files) - set(pictures))
    if left_out:
        get_logger().warning(
            "%s: files that are not pictures are left out (%d, the first is %s)",
            pattern, len(left_out), left_out[0],
        )  # fmt: skip
    return sorted(set(pictures))


def _path(source: str | os.PathLike[Any]) -> Path | NoPicture:
    """The path, or why there can be no such file."""
    text = os.fsdecode(source)
    if not text:
        return NoPicture("the path is empty")
    if _ADDRESS.match(text):
        return NoPicture(
            "an address, and nothing is downloaded; give a file, or its bytes"
        )
    if "\0" in text:
        return NoPicture("no file's name has a zero byte")
    try:
        return Path(expanded(text))
    except UserError as error:
        return NoPicture(str(error))


def _array_of(source: Any) -> Any:
    """Tensors as arrays, and arrays of paths as lists; anything else as it is."""
    if isinstance(source, (np.generic, *_BYTES, Image.Image)) or not hasattr(
        source, "__array__"
    ):
        return source
    array = np.asarray(source)
    return array.tolist() if array.dtype.kind in "OSU" and array.ndim == 1 else array


def _is_picture(source: Any) -> bool:
    """Whether it is one picture, perhaps a bad one, and not several."""
    if isinstance(source, np.ndarray):
        return source.ndim != 4
    return isinstance(source, (*_BYTES, Image.Image)) or hasattr(source, "read")


def _single(source: Any, color: str | None) -> Picture:
    """The only picture, which may be closed or overwritten once it was given."""
    item = _ready(source)
    problem = _three_channels(item) if isinstance(item, np.ndarray) else item
    if isinstance(problem, NoPicture):
        raise UserError(f"picture 0 is {problem.reason}")
    return _picture(0, item, color)


def _named_file(item: Any) -> Any:
    """The name of a file for bytes that are one, as `os.listdir(b".")` gives them; anything else as it is.

    No picture can be meant: a file as short as a path, without a zero byte, whose content is the path of a file.
    """
    if not isinstance(item, bytes) or len(item) >= _LONGEST_PATH or b"\0" in item:
        return item
    return os.fsdecode(item) if os.path.exists(item) else item  # noqa: PTH110


def _ready(item: Any) -> Any:
    """The content of an open file, which cannot be read twice; a tensor as an array; anything else as it is."""
    if isinstance(item, mmap.mmap) or not hasattr(item, "read"):
        return _named_file(_array_of(item))
    try:
        content = item.read()
    except (OSError, ValueError) as error:  # ValueError: of a closed file
        return NoPicture(f"a file that cannot be read ({error})")
    return (
        content
        if isinstance(content, bytes)
        else NoPicture("a file that gives no bytes; open it with mode 'rb'")
    )


def _require_color(items: Sequence[Any], color: str | None) -> None:
    """Raises at once, not when a picture's turn comes, if an array's channel order is missing."""
    for index, item in enumerate(items):
        if isinstance(item, np.ndarray) and _needs_color(item) and color not in _COLORS:
            raise UserError(f"picture {index} is an array: {_SAY_COLOR}")


def _needs_color(array: np.ndarray) -> bool:
    return array.ndim == 3 and array.shape[2] in (3, 4)


def _picture(index: int, item: Any, color: str | None) -> Picture:
    if isinstance(item, (str, os.PathLike)):
        path = _path(item)
        return Picture(
            os.fsdecode(item) if isinstance(path, NoPicture) else str(path), path
        )
    if isinstance(item, Picture):
        return item
    if isinstance(item, NoPicture):
        return Picture(index, item)
    if isinstance(item, _BYTES):
        return Picture(index, bytes(item))
    if isinstance(item, Image.Image):
        return Picture(index, _pixels(item))
    if not isinstance(item, np.ndarray):
        return Picture(
            index,
            NoPicture(
                f"{_named(item)} is no picture; give a path, bytes, an image or an array"
            ),
        )
    content = _three_channels(item)
    if _needs_color(item) and not isinstance(content, NoPicture):
        if color not in _COLORS:
            raise UserError(f"picture {index} is an array: {_SAY_COLOR}")
        return Picture(index, content, color)
    return Picture(index, content)


def _pixels(image: Image.Image) -> Content:
    try:
        return pixels_of(image)
    except UnreadableImage as error:
        return NoPicture(error.reason)
    except MemoryError:
        return NoPicture("there is not enough memory to read it")


def _three_channels(array: np.ndarray) -> Content:
    """The array as [H, W, 3]: alpha dropped, gray three times."""
    if array.dtype != np.uint8:
        return NoPicture(
            f"an array {array.dtype} {list(array.shape)}; {_ARRAYS}, with values from 0 to 255"
        )
    if array.ndim == 2:
        array = array[..., np.newaxis]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        planes = array.ndim == 3 and array.shape[0] in (1, 3, 4)
        remedy = (
            "move its channels behind, array.transpose(1, 2, 0)" if planes else _ARRAYS
        )
        return NoPicture(f"an array uint8 {list(array.shape)}; {remedy}")
    return np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array[..., :3]


def _named(thing: Any) -> str:
    """A thing by its type: `an int`, `a dict`."""
    name = type(thing).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
