"""Transforms in a row: the one definition of preprocessing that training, evaluation and every runtime share."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import cv2
import numpy as np

from ppcls.data.picture_files import read_file
from ppcls.data.transforms.base import (
    TRANSFORMS,
    NotEnoughMemory,
    SystemShortage,
    Transform,
    WidthHeight,
    one_of,
    pair,
)
from ppcls.data.transforms.decode import PICTURE_MEMORY, DecodeImage, UnreadableImage
from ppcls.data.transforms.geometry import (
    LARGEST,
    CentralCrop,
    RandCropImage,
    ResizeImage,
)
from ppcls.data.transforms.header import Header
from ppcls.data.transforms.jpeg import Frame
from ppcls.data.transforms.normalize import NormalizeImage, ToCHWImage
from ppcls.utils.errors import translated
from ppcls.utils.fields import make_object, require
from ppcls.utils.shortage import shortage

# By the channels that DecodeImage gives
_OTHER_CHANNELS = {
    1: "NormalizeImage has a mean for three channels, but DecodeImage gives one; write one number each, such as "
    "mean: [0.449] and std: [0.226]",
    3: "NormalizeImage has a mean for one channel, but DecodeImage gives three; write three numbers each, or "
    "channels: 1 in DecodeImage",
}
T = TypeVar("T")
_COLORS = ("mean", "fill", "fill_value")  # keys of transforms
_RESIZED_BYTES = 8  # a pixel: Pillow holds 4, and gives 3 in an array


class Pipeline:
    """Bytes of a picture file to float32 [C, H, W], by `ops` in their order.

    Pipelines are equal if they mean the same, however they are written; see `normalized`. A pipeline may be used by
    several threads at once.

    Args:
        ops: DecodeImage first; ToCHWImage, if written, last, where only `NormalizeImage` of order chw may follow it.

    Raises:
        ValueError: the order is impossible; says what to write.
    """

    dtype: type = np.float32
    """Type of the values of a result."""

    def __init__(self, ops: Sequence[Transform]) -> None:
        self.ops = tuple(ops)
        _check_order(self.ops)
        # How they are run: a crop at random is decoded alone if it follows at once, a crop behind a resize has only
        # that part resized, the axes are moved at the very end, and a normalisation that stands last writes the planes
        # itself.
        middle = [_without_order(op) for op in _normalized_late(self.ops)[1:]]
        self._crop = _taken(middle, 0, RandCropImage)
        self._normalize = _taken(middle, -1, NormalizeImage)
        self._middle = with_resized_crops(middle)

    @classmethod
    def from_list(
        cls, entries: Sequence[Mapping[str, Mapping[str, Any] | None]]
    ) -> Pipeline:
        """The inverse of `to_list`: entries `{name: {key: value}}` or `{name: null}`.

        Raises:
            ValueError: a name, a key or a value is not known.
        """
        return cls([_transform_of(entry) for entry in entries])

    def to_list(self) -> list[dict[str, dict[str, Any]]]:
        """The transforms as plain YAML, every key filled in."""
        return [_entry(op) for op in self.ops]

    def __call__(
        self,
        data: bytes | np.ndarray,
        rng: np.random.Generator | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """The model's input for one picture, float32 [C, H, W], contiguous.

        Args:
            data: bytes of a picture file, or uint8 [H, W, 3] in the channel order that DecodeImage gives.
            rng: the sample's generator; None if nothing is drawn (`draws`).
            out: float32 [C, H, W], contiguous, where the result may be put; another array is returned where it is not.

        Raises:
            UnreadableImage: the bytes hold no picture, or only part of one.
            UserError: the picture does not suit the transforms, for example is smaller than a crop.
        """
        if isinstance(data, np.ndarray):
            return self._planes(self._opened(data, rng), rng, out)
        header = self._decode.admit(data)
        with PICTURE_MEMORY.taken(memory_for(header, self.ops[1:])):
            return self._planes(self._opened(data, rng, header.frame), rng, out)

    def _planes(
        self, image: np.ndarray, rng: np.random.Generator | None, out: np.ndarray | None
    ) -> np.ndarray:
        for op in self._middle:
            image = op(image, rng)
        if self._normalize is not None:
            planes = self._normalize.planes(image, out)
        else:
            planes = image.transpose(2, 0, 1)
        return np.ascontiguousarray(planes, np.float32)

    def pixels(self) -> PixelPipeline | None:
        """What runs before the normalisation, which stays behind.

        Returns:
            None where that may give other values than bytes: where the normalisation is not last, stands twice, or a
            transform is a user's own.
        """
        ours = __name__.partition(".")[0] + "."
        kinds = list(map(type, self.ops))
        is_ours = all(kind.__module__.startswith(ours) for kind in kinds)
        if type(self) is not Pipeline or not is_ours:
            return None
        if self._normalize is None or kinds.count(NormalizeImage) > 1:
            return None
        return PixelPipeline(self.ops, self._normalize)

    def plain(
        self, data: bytes | np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The same, one operation after the other on the whole picture: what `__call__` is compared with."""
        image: Any = data
        for op in self.ops:
            image = op(image, rng)
        if ToCHWImage not in map(type, self.ops):
            image = image.transpose(2, 0, 1)
        return np.ascontiguousarray(image, np.float32)

    def _opened(
        self,
        data: bytes | np.ndarray,
        rng: np.random.Generator | None,
        frame: Frame | None = None,
    ) -> np.ndarray:
        """The picture after DecodeImage, and after RandCropImage if that follows."""
        decode, crop = self._decode, self._crop
        if crop is None:
            return decode.whole(data, frame)
        part = decode.part(
            data, lambda width, height: crop.box(width, height, rng), frame
        )
        return crop.resized(part, rng)

    def from_file(
        self,
        path: str | Path,
        rng: np.random.Generator | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """The same for a file; what cannot be opened is an UnreadableImage too, and carries the path."""
        try:
            data = read_file(str(path))
        except OSError as error:
            # Another try may succeed: the file may be sound
            short = shortage(error)
            if short is not None:
                raise SystemShortage(short) from error
            raise UnreadableImage(error.strerror or str(error), str(path)) from error
        try:
            return self(data, rng, out)
        except UnreadableImage as error:
            raise UnreadableImage(error.reason, str(path)) from error
        except MemoryError as error:
            raise NotEnoughMemory(str(path)) from error

    def from_array(
        self, array: np.ndarray, color: str, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The same for pixels uint8 [H, W, 3], whose channel order `color` is `RGB` or `BGR`."""
        one_of("color", color, ("RGB", "BGR"))
        is_rgb = color == "RGB"
        if is_rgb != self._decode.to_rgb:
            array = array[..., ::-1]
        return self(array, rng)

    @property
    def _decode(self) -> DecodeImage:
        decode = self.ops[0]
        assert isinstance(decode, DecodeImage)
        return decode

    @property
    def channels(self) -> int:
        """Channels of the result."""
        return self._decode.channels

    @property
    def color(self) -> str:
        """Channel order of the result, `RGB` or `BGR`; `GRAY` for one channel."""
        return self._decode.color

    @property
    def draws(self) -> bool:
        """Whether a transform draws at random, so that an rng is needed."""
        return any(op.draws for op in self.ops)

    @property
    def output_size(self) -> tuple[int, int, int] | None:
        """(C, H, W) of every result; None if it depends on the picture."""
        size: WidthHeight | None = None
        for op in self.ops:
            size = op.output_size(size)
        if size is None:
            return None
        return (self.channels, size[1], size[0])

    def normalized(self) -> Pipeline:
        """The canonical pipeline of the same meaning.

        Sizes are [width, height]; ToCHWImage stands last; NormalizeImage stands behind what only moves pixels, because
        it works on each pixel alone.
        """
        return Pipeline([*map(_canonical, _normalized_late(self.ops)), ToCHWImage()])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pipeline):
            return NotImplemented
        return self.normalized().ops == other.normalized().ops

    def __hash__(self) -> int:
        return hash(self.normalized().ops)

    def __repr__(self) -> str:
        return f"Pipeline({list(self.ops)})"


class PixelPipeline(Pipeline):
    """Bytes of a picture file to uint8 [C, H, W], a quarter of the bytes that the normalised picture has.

    Args:
        ops: See `Pipeline`.
        normalize: What is left to be done, by `normalize.looked_up`.
    """

    dtype = np.uint8

    def __init__(self, ops: Sequence[Transform], normalize: NormalizeImage) -> None:
        super().__init__(ops)
        self.normalize = normalize

    def _planes(
        self, image: np.ndarray, rng: np.random.Generator | None, out: np.ndarray | None
    ) -> np.ndarray:
        for op in self._middle:
            image = op(image, rng)
        shape = (image.shape[2], *image.shape[:2])
        if out is None or out.shape != shape:
            out = np.empty(shape, np.uint8)
        cv2.split(image, tuple(out))
        return out


def _transform_of(entry: Any) -> Transform:
    """Make the transform of an entry `{name: {key: value}}` or `{name: null}`."""
    require(
        isinstance(entry, Mapping) and list(map(type, entry)) == [str],
        f"{entry!r} is not a transform; write its name with its keys: {{CropImage: {{size: 224}}}}",
    )
    ((name, keys),) = entry.items()
    kind: Any = TRANSFORMS[name]
    keys = keys or {}
    require(
        isinstance(keys, Mapping),
        f"{name} is {keys!r}; write its keys and their values, or null if it has none",
    )
    with translated(ValueError, lambda error: ValueError(f"{name}: {error}")):
        made: Transform = make_object(kind, keys)
    return made


def memory_for(header: Header, ops: Sequence[Transform]) -> int:
    """Bytes that a picture takes while it is decoded and runs through `ops`, at most."""
    size: WidthHeight | None = (header.width, header.height)
    largest = 0
    for op in ops:
        size = op.output_size(size)
        if size is not None:
            largest = max(largest, size[0] * size[1])
    return header.memory + _RESIZED_BYTES * min(largest, LARGEST)


class _ResizedCrop:
    """A resize and the crop behind it."""

    def __init__(self, resize: ResizeImage, crop: CentralCrop) -> None:
        self.resize = resize
        self.crop = crop

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        return self.resize.cropped(image, self.crop)


def _taken(ops: list[Any], place: int, kind: type[T]) -> T | None:
    """Take the transform at a place out of a list if it is of a kind, and return it."""
    if ops and type(ops[place]) is kind:
        return cast(T, ops.pop(place))
    return None


def with_resized_crops(ops: Sequence[Any]) -> tuple[Any, ...]:
    """The operations, with each resize and the crop right behind it as one."""
    run: list[Any] = []
    for op in ops:
        if run and type(run[-1]) is ResizeImage and isinstance(op, CentralCrop):
            run[-1] = _ResizedCrop(run[-1], op)
        else:
            run.append(op)
    return tuple(run)


def _normalized_late(ops: Sequence[Transform]) -> list[Transform]:
    """The transforms without ToCHWImage, and NormalizeImage behind those that only move pixels."""
    ordered = [op for op in ops if not isinstance(op, ToCHWImage)]
    for place in reversed(range(len(ordered) - 1)):
        # A NormalizeImage moves on until something follows that does not only move pixels
        while _may_swap(ordered[place : place + 2]):
            ordered[place : place + 2] = ordered[place + 1], ordered[place]
            place += 1
    return ordered


def _may_swap(two: Sequence[Transform]) -> bool:
    """Whether a NormalizeImage is followed by a transform that only moves pixels."""
    return len(two) == 2 and isinstance(two[0], NormalizeImage) and two[1].moves_pixels


def _canonical(op: Any) -> Any:
    op = _without_order(op)
    if isinstance(op, DecodeImage) and op.channels == 1:
        return dataclasses.replace(op, to_rgb=True)  # gray has no order
    if getattr(op, "size", None) is not None:
        return dataclasses.replace(op, size=pair(op.size))
    return op


def _without_order(op: Any) -> Any:
    """The operation for [H, W, C], which is the order until the end."""
    if type(op) is not NormalizeImage:
        return op
    return dataclasses.replace(op, order="")


def _entry(op: Any) -> dict[str, dict[str, Any]]:
    keys = {}
    for field in dataclasses.fields(op):
        keys[field.name] = _plain(getattr(op, field.name))
    return {type(op).__name__: keys}


def _plain(value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    return list(map(_plain, value))


def _check_order(ops: Sequence[Transform]) -> None:
    """Check that each transform can work on what the ones before it give.

    Raises:
        ValueError: one cannot; says what to write.
    """
    if not ops or not isinstance(ops[0], DecodeImage):
        found = f", not {type(ops[0]).__name__}" if ops else ""
        raise ValueError(
            f"transforms start with DecodeImage{found}; write `- DecodeImage: {{to_rgb: True}}` first"
        )
    decode = ops[0]
    before: set[type] = set()
    for op in ops[1:]:
        _check_place(op, before)
        _check_channels(op, decode)
        before.add(type(op))


def _check_place(op: Transform, before: Collection[type]) -> None:
    """Check a transform against the types of those before it."""
    name = type(op).__name__
    transposed = ToCHWImage in before
    require(
        not isinstance(op, DecodeImage),
        "DecodeImage stands twice; write it once, first",
    )
    if isinstance(op, NormalizeImage):
        _check_layout(op, transposed)
    elif transposed:
        raise ValueError(f"{name} stands after ToCHWImage; write ToCHWImage last")
    if op.needs_bytes and NormalizeImage in before:
        raise ValueError(f"{name} stands after NormalizeImage; {op.bytes_remedy}")


def _check_layout(op: NormalizeImage, transposed: bool) -> None:
    """Check that `order` says where the channels are."""
    if (op.order == "chw") == transposed:
        return
    where, write = "before", "''"
    if transposed:
        where, write = "after", "chw"
    raise ValueError(
        f"NormalizeImage has order {op.order!r} {where} ToCHWImage; write order: {write}"
    )


def _check_channels(op: Transform, decode: DecodeImage) -> None:
    """Check a transform against the channels that DecodeImage gives."""
    name = type(op).__name__
    is_gray = decode.channels == 1
    if isinstance(op, NormalizeImage) and op.channels != decode.channels:
        raise ValueError(_OTHER_CHANNELS[decode.channels])
    if is_gray and op.needs_colors:
        raise ValueError(
            f"{name} needs colours, but DecodeImage gives one channel; {op.colors_remedy}"
        )
    if is_gray:
        _check_gray_colors(op)
    if op.needs_rgb and decode.color == "BGR":
        raise ValueError(
            f"{name} takes pictures in RGB; write to_rgb: True in DecodeImage"
        )


def _check_gray_colors(op: Transform) -> None:
    """Refuse a colour of three different values for pictures of one channel."""
    for key in _COLORS:
        values = getattr(op, key, None)
        if isinstance(values, tuple) and len(set(values)) > 1:
            raise ValueError(
                f"{type(op).__name__} has a {key} for three channels, but DecodeImage gives one; write one number"
            )
