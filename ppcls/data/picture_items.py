"""One item of a source as a picture: a path, bytes, an open file, an image of Pillow, or an array."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ppcls.data.transforms.decode import UnreadableImage, pixels_of
from ppcls.utils.errors import UserError, translated
from ppcls.utils.files import expanded

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://|data:", re.IGNORECASE)
_WEB_ADDRESS = re.compile(r"https?://[^\s/]", re.IGNORECASE)
_ARRAYS = "give uint8 [H, W, 3], [H, W, 4], [H, W, 1] or [H, W]"
COLORS = ("RGB", "BGR")
_CHANNELS = (1, 3, 4)
_LONGEST_PATH = 4096  # bytes
_BYTES = (bytes, bytearray, memoryview, mmap.mmap)


@dataclass(frozen=True)
class NoPicture:
    """Stands in the place of an item that cannot be read as a picture, and says why."""

    reason: str


class Address:
    """An http or https address, whose bytes are loaded when they are needed, and kept as long as this object.

    Attributes:
        url: the address.
        content: the bytes; empty before they are loaded.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.content = b""

    def load(self) -> bytes:
        """The bytes.

        Raises:
            UnreadableImage: they cannot be loaded.
        """
        # Takes as long to load as all of the runtime
        from ppcls.utils import web_bytes

        if not self.content:
            try:
                self.content = web_bytes.load(self.url)
            except web_bytes.NotLoaded as error:
                raise UnreadableImage(f"cannot be downloaded: {error}") from error
        return self.content


Content = Path | bytes | np.ndarray | NoPicture | Address


@dataclass(frozen=True)
class Picture:
    """One picture: where it is from (a path, an address, or its index in the given list) and what it is.

    Attributes:
        source: a path, an address, or an index.
        content: a file, a file's bytes, an address, or pixels uint8 [H, W, 3].
        color: the channel order of pixels, `RGB` or `BGR`.
    """

    source: str | int
    content: Content
    color: str = "RGB"


class NotAPicture(Exception):
    """An item cannot be read as a picture.

    Attributes:
        reason: why, for the result of the picture.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def ready(item: Any) -> Any:
    """Read an open file, which cannot be read twice; give a tensor as an array, and anything else as it is."""
    if isinstance(item, mmap.mmap) or not hasattr(item, "read"):
        return named_file(array_of(item))
    try:
        content = item.read()
    except (OSError, ValueError) as error:  # ValueError: of a closed file
        return NoPicture(f"a file that cannot be read ({error})")
    if not isinstance(content, bytes):
        return NoPicture("a file that gives no bytes; open it with mode 'rb'")
    return content


def array_of(source: Any) -> Any:
    """Give tensors as arrays, arrays of paths as lists, and anything else as it is."""
    has_own_rule = isinstance(source, (np.generic, *_BYTES, Image.Image))
    if has_own_rule or not hasattr(source, "__array__"):
        return source
    array = np.asarray(source)
    if array.dtype.kind in "OSU" and array.ndim == 1:
        return array.tolist()
    return array


def named_file(item: Any) -> Any:
    """Give the name of a file for bytes that are one, as `os.listdir(b".")` does; anything else as it is.

    No picture can be meant: a file as short as a path, without a zero byte, whose content is the path of a file.
    """
    if not isinstance(item, bytes) or len(item) >= _LONGEST_PATH or b"\0" in item:
        return item
    return os.fsdecode(item) if os.path.exists(item) else item  # noqa: PTH110


def is_picture(source: Any) -> bool:
    """Whether it is one picture, perhaps a bad one, and not several."""
    if isinstance(source, np.ndarray):
        return source.ndim != 4
    return isinstance(source, (*_BYTES, Image.Image)) or hasattr(source, "read")


def single(source: Any, color: str | None) -> Picture:
    """The only picture, which may be closed or overwritten once it was given.

    Raises:
        UserError: it cannot be read as a picture.
    """
    item = ready(source)
    if isinstance(item, (NoPicture, np.ndarray)):
        with translated(
            NotAPicture, lambda error: UserError(f"picture 0 is {error.reason}")
        ):
            _content(item)
    return picture_of(0, item, color)


def picture_of(index: int, item: Any, color: str | None) -> Picture:
    """The picture of an item that is `ready`.

    Raises:
        UserError: it is an array whose channel order is not given.
    """
    if isinstance(item, Picture):
        return item
    try:
        if isinstance(item, (str, os.PathLike)):
            return picture_at(item)
        return Picture(index, _content(item), _color_of(index, item, color))
    except NotAPicture as error:
        return Picture(index, NoPicture(error.reason))


def is_web_address(text: str) -> bool:
    """Whether a text begins as an http or https address."""
    return _WEB_ADDRESS.match(text) is not None


def picture_at(item: str | os.PathLike[Any]) -> Picture:
    """The picture at a path or an address."""
    if isinstance(item, str) and is_web_address(item):
        return Picture(item, Address(item))
    try:
        path = path_of(item)
    except NotAPicture as error:
        return Picture(os.fsdecode(item), NoPicture(error.reason))
    return Picture(str(path), path)


def path_of(source: str | os.PathLike[Any]) -> Path:
    """The path.

    Raises:
        NotAPicture: there can be no such file.
    """
    text = os.fsdecode(source)
    if not text:
        raise NotAPicture("the path is empty")
    if _ADDRESS.match(text):
        raise NotAPicture(
            "only addresses of http:// and https:// are read; give one, a file, or its bytes"
        )
    if "\0" in text:
        raise NotAPicture("no file's name has a zero byte")
    with translated(UserError, lambda error: NotAPicture(str(error))):
        return Path(expanded(text))


def _content(item: Any) -> Content:
    """The content of an item that is not a path."""
    if isinstance(item, NoPicture):
        raise NotAPicture(item.reason)
    for kind, content_of in _CONTENTS.items():
        if isinstance(item, kind):
            return content_of(item)
    raise NotAPicture(
        f"{type_name(item)} cannot be read as a picture; give a path, bytes, an image or an array"
    )


def _color_of(index: int, item: Any, color: str | None) -> str:
    if not needs_color(item):
        return "RGB"
    require_color(index, item, color)
    return str(color)


def require_color(index: int, item: Any, color: str | None) -> None:
    """Check that the channel order of an array is given.

    Raises:
        UserError: it is not.
    """
    if needs_color(item) and color not in COLORS:
        raise UserError(
            f'picture {index} is an array: give its channel order, color="RGB" or color="BGR" (OpenCV\'s)'
        )


def needs_color(item: Any) -> bool:
    """Whether it is an array of three or four channels."""
    return isinstance(item, np.ndarray) and item.ndim == 3 and item.shape[2] in (3, 4)


def _pixels(image: Image.Image) -> np.ndarray:
    try:
        return pixels_of(image)
    except UnreadableImage as error:
        raise NotAPicture(error.reason) from error
    except MemoryError as error:
        raise NotAPicture("there is not enough memory to read it") from error


def _three_channels(array: np.ndarray) -> np.ndarray:
    """The array as [H, W, 3]: alpha dropped, gray three times."""
    if array.dtype != np.uint8:
        raise NotAPicture(
            f"an array {array.dtype} {list(array.shape)}; {_ARRAYS}, with values from 0 to 255"
        )
    if array.ndim == 2:
        array = array[..., np.newaxis]
    if not _is_picture_shape(array.shape):
        remedy = _ARRAYS
        if array.ndim == 3 and array.shape[0] in _CHANNELS:
            remedy = "move its channels to the last axis, array.transpose(1, 2, 0)"
        raise NotAPicture(f"an array uint8 {list(array.shape)}; {remedy}")
    if array.shape[2] == 1:
        return np.repeat(array, 3, axis=2)
    return array[..., :3]


def _is_picture_shape(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[2] in _CHANNELS and 0 not in shape


_CONTENTS: dict[Any, Callable[[Any], Content]] = {
    _BYTES: bytes,
    Image.Image: _pixels,
    np.ndarray: _three_channels,
}


def type_name(thing: Any) -> str:
    """A thing by its type: `an int`, `a dict`."""
    name = type(thing).__name__
    article = "an" if name[0].lower() in "aeiou" else "a"
    return f"{article} {name}"
