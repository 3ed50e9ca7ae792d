"""Test-time augmentation: several views of a picture, whose probabilities are averaged.

A view shows the picture at another scale, another part of it, or mirrored. The views of a picture are stacked along the
channels, so that readers and engines handle them as one picture of many channels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ppcls.data.transforms.base import Box, pair
from ppcls.data.transforms.geometry import CentralCrop, CropImage, ResizeImage
from ppcls.data.transforms.pipeline import Pipeline
from ppcls.utils.errors import UserError, expect

FORMS = "flip, crops, or scale=1.15 (several scales may stand), separated by commas"
_SCALE = re.compile(r"scale=(\d+(?:\.\d+)?)")
_LARGEST = 4.0
_CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))


@dataclass(frozen=True)
class TestTime:
    """What views there are besides the picture itself.

    Attributes:
        flip: Whether each view is also mirrored.
        crops: Whether the four corners are cut out besides the centre.
        scales: Factors of the size that a picture is resized to before it is cut.
    """

    __test__ = False  # for pytest, it is no test

    flip: bool = False
    crops: bool = False
    scales: tuple[float, ...] = ()

    @classmethod
    def parse(cls, text: str) -> TestTime:
        """Read `flip,crops,scale=1.15`.

        Raises:
            UserError: A word is none of these.
        """
        found: dict[str, Any] = {"flip": False, "crops": False, "scales": ()}
        for word in text.split(","):
            word = word.strip()
            scale = _SCALE.fullmatch(word)
            if word in ("flip", "crops"):
                found[word] = True
            elif scale is not None and 0 < float(scale[1]) <= _LARGEST:
                found["scales"] += (float(scale[1]),)
            else:
                raise UserError(f"tta: {word!r} is no kind of view; write {FORMS}")
        return cls(**found)

    @property
    def count(self) -> int:
        """How many views a picture has."""
        scales = len({1.0, *self.scales})
        return scales * (5 if self.crops else 1) * (2 if self.flip else 1)


class Views(Pipeline):
    """Bytes of a picture file to its views, float32 [V * C, H, W]; the picture itself comes first.

    Args:
        pipeline: The preprocessing of one view.
        views: What views there are.

    Raises:
        UserError: The transforms have no crop, or no resize, that the views need.
    """

    def __init__(self, pipeline: Pipeline, views: TestTime) -> None:
        super().__init__(pipeline.ops)
        self.count = views.count
        self._flip = views.flip
        self._pipelines = list(_pipelines(pipeline, views))

    @property
    def output_size(self) -> tuple[int, int, int] | None:
        """(V * C, H, W)."""
        size = super().output_size
        if size is None:
            return None
        return (self.count * size[0], size[1], size[2])

    def _planes(
        self, image: np.ndarray, rng: np.random.Generator | None, out: np.ndarray | None
    ) -> np.ndarray:
        views = []
        for pipeline in self._pipelines:
            planes = pipeline._planes(image, rng, None)
            views.append(planes)
            if self._flip:
                views.append(planes[:, :, ::-1])
        if out is None or out.shape[0] != sum(map(len, views)):
            return np.concatenate(views)
        return np.concatenate(views, out=out)


def mean_over_views(
    run: Callable[[np.ndarray], np.ndarray], batch: np.ndarray, count: int
) -> np.ndarray:
    """Average the probabilities of a batch of views.

    Args:
        run: Gives the probabilities [N, K] of pictures [N, C, H, W].
        batch: float32 [N, V * C, H, W].
        count: The number of views, V.
    """
    parts = np.split(batch, count, axis=1)
    total = run(np.ascontiguousarray(parts[0]))
    for part in parts[1:]:
        total = total + run(np.ascontiguousarray(part))
    return total / count


def _pipelines(pipeline: Pipeline, views: TestTime) -> Iterator[Pipeline]:
    for scale in dict.fromkeys((1.0, *views.scales)):
        ops = _scaled(pipeline, scale)
        yield Pipeline(ops)
        if views.crops:
            place = _place_of(ops, CentralCrop, "crops", "CropImage")
            for corner in _CORNERS:
                cut = CornerCrop(ops[place].size, corner)
                yield Pipeline([*ops[:place], cut, *ops[place + 1 :]])


def _scaled(pipeline: Pipeline, scale: float) -> list[Any]:
    """The transforms with another size of the resize; a crop brings the result back to its size."""
    ops: list[Any] = list(pipeline.ops)
    if scale == 1.0:
        return ops
    place = _place_of(ops, ResizeImage, "scale", "ResizeImage")
    old = ops[place]
    has_crop = any(isinstance(op, CentralCrop) for op in ops[place + 1 :])
    if old.resize_short is not None:
        ops[place] = replace(old, resize_short=round(scale * old.resize_short))
        shortest = ops[place].resize_short
    else:
        width, height = pair(old.size)
        ops[place] = replace(old, size=(round(scale * width), round(scale * height)))
        shortest = min(ops[place].size)
        if not has_crop:
            ops.insert(place + 1, CropImage(old.size))
            has_crop = True
    expect(
        has_crop,
        "tta: a view of another scale needs a CropImage behind ResizeImage; leave scale out",
    )
    for op in ops[place + 1 :]:
        if isinstance(op, CentralCrop):
            least = max(pair(op.size))
            expect(
                shortest >= least,
                f"tta: scale={scale:g} makes pictures of {shortest} pixels, of which {least} are cut out; write at "
                f"least scale={scale * least / shortest + 0.005:.2f}",
            )
    return ops


def _place_of(ops: list[Any], kind: type, word: str, name: str) -> int:
    for place, op in enumerate(ops):
        if isinstance(op, kind):
            return place
    raise UserError(
        f"tta: {word} needs a {name} among the transforms of evaluation; leave {word} out"
    )


@dataclass(frozen=True)
class CornerCrop(CentralCrop):
    """Cuts out a corner.

    Args:
        size: As for `CropImage`.
        corner: (0 or 1 from the top, 0 or 1 from the left).
    """

    corner: tuple[int, int] = (0, 0)

    def box(self, width: int, height: int) -> Box:
        """The corner; see `CentralCrop.box`."""
        _, _, crop_width, crop_height = super().box(width, height)
        below, right = self.corner
        left, top = right * (width - crop_width), below * (height - crop_height)
        return left, top, crop_width, crop_height

    def _margin(self, spare: int) -> int:
        return 0
