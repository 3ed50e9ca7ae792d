"""Probes of the transforms, on pictures whose right answer is arithmetic."""

import io
from unittest.mock import ANY, Mock

import cv2
import numpy as np
import simplejpeg
from key_probe import Saying, component, probe, probe_each
from PIL import Image

from helpers.pictures import encoded
from ppcls.data.transforms import UnreadableImage
from ppcls.utils.errors import ConfigError


def coded(height, width):
    """A picture whose pixels say where they are: (row, column, 0)."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, 0 * rows], axis=2).astype(np.uint8)


def columns(*values):
    """A square picture, each row of which has these values."""
    return np.repeat(np.tile(np.uint8(values), (len(values), 1))[..., None], 3, axis=2)


def transform(name, picture, **keys):
    """The transformed picture."""
    return component("transform", name, **keys)(picture, np.random.default_rng(0))


@probe("transform DecodeImage.to_rgb", (True, [200, 100, 50]), (False, [50, 100, 200]))
def _to_rgb(lab, value):
    file = encoded(np.full((2, 2, 3), (200, 100, 50), np.uint8), "PNG")
    return transform("DecodeImage", file, to_rgb=value)[0, 0].tolist()


@probe("transform DecodeImage.channels", (3, [200, 100, 50]), (1, [124]))
def _channels(lab, value):
    file = encoded(np.full((2, 2, 3), (200, 100, 50), np.uint8), "PNG")
    return transform("DecodeImage", file, channels=value)[0, 0].tolist()


@probe("transform DecodeImage.channel_first", (False, (2, 4, 3)), (True, Saying("end the transforms with ToCHWImage")))
def _channel_first(lab, value):
    try:
        return transform("DecodeImage", encoded(coded(2, 4), "PNG"), channel_first=value).shape
    except ConfigError as error:
        return str(error)


@probe("transform DecodeImage.backend", ("cv2", [7, 7, 7]), ("pil", [90, 90, 90]))
def _decode_backend(lab, value):
    """A gray JPEG that simplejpeg does not know, while OpenCV's decoder is replaced by one that gives 7."""
    for name in ("decode_jpeg", "decode_jpeg_header"):
        lab.patch.setattr(simplejpeg, name, Mock(side_effect=ValueError("unknown sampling")))
    lab.patch.setattr(cv2, "imdecode", lambda data, flags: np.full((8, 8, 3), 7, np.uint8))
    return transform("DecodeImage", encoded(np.full((8, 8, 3), 90, np.uint8), "JPEG"), backend=value)[0, 0].tolist()


def decoded(**keys):
    """What comes of a progressive JPEG of 20x10 pixels: its shape, or why it is refused."""
    file = io.BytesIO()
    Image.fromarray(coded(10, 20)).convert("L").save(file, "JPEG", progressive=True)
    try:
        return transform("DecodeImage", file.getvalue(), **keys).shape
    except UnreadableImage as error:
        return error.reason


@probe("transform DecodeImage.max_pixels", (200, (10, 20, 3)), (199, Saying("allows 199")))
def _max_pixels(lab, value):
    return decoded(max_pixels=value)


@probe("transform DecodeImage.max_scans", (6, (10, 20, 3)), (5, Saying("6 scans, but max_scans of DecodeImage")))
def _max_scans(lab, value):
    return decoded(max_scans=value)


@probe("transform ResizeImage.resize_short", (5, (5, 10, 3)), (8, (8, 16, 3)))
def _resize_short(lab, value):
    return transform("ResizeImage", coded(10, 20), resize_short=value).shape


@probe("transform ResizeImage.size", (4, (4, 4, 3)), ([6, 4], (4, 6, 3)))
def _resize_size(lab, value):
    return transform("ResizeImage", coded(10, 20), size=value).shape


def resizing(name):
    """Keys with which a transform resizes the whole of a square picture."""
    return {"scale": [1, 1], "ratio": [1, 1]} if name == "RandCropImage" else {}


@probe_each(
    ("ResizeImage", "RandCropImage"), "transform {}.interpolation", ("nearest", [0, 200]), ("bilinear", [50, 150])
)
def _interpolation(lab, name, value):
    """Four columns become two: every other one, or the mean of two."""
    picture = columns(0, 100, 200, 100)
    return transform(name, picture, size=2, interpolation=value, **resizing(name))[0, :, 0].tolist()


@probe_each(("ResizeImage", "RandCropImage"), "transform {}.backend", ("cv2", 255), ("pil", round(255 * 3 / 7)))
def _backend(lab, name, value):
    """Three columns become one: the middle, or their mean with the weights 2, 3, 2 of Pillow's triangle."""
    return transform(name, columns(0, 255, 0), size=1, backend=value, **resizing(name))[0, 0, 0]


@probe_each(
    ("CropImage", "CenterCrop"), "transform {}.size",
    (2, [(2, 3), (2, 3)]), ([4, 2], [(2, 3), (1, 4)]),
)  # fmt: skip
def _crop_size(lab, name, value):
    """First and last row, first and last column, of six by six."""
    part = transform(name, coded(6, 6), size=value)
    return [(part[..., axis].min(), part[..., axis].max()) for axis in (0, 1)]


@probe("transform RandCropImage.size", (4, (4, 4, 3)), ([6, 4], (4, 6, 3)))
def _rand_crop_size(lab, value):
    return transform("RandCropImage", coded(10, 20), size=value).shape


def spans(**keys):
    """Rows and columns from the first to the last of 64 that are in a random part of 32 x 32 pixels."""
    part = transform("RandCropImage", coded(64, 64), size=32, interpolation="nearest", **keys)
    return [int(np.ptp(part[..., axis])) for axis in (0, 1)]


@probe("transform RandCropImage.scale", ([1, 1], [62, 62]), ([0.25, 0.25], [31, 31]))
def _scale(lab, value):
    return spans(scale=value, ratio=[1, 1])


@probe("transform RandCropImage.ratio", ([1, 1], [31, 31]), ([4, 4], [15, 62]))
def _ratio(lab, value):
    return spans(scale=[0.25, 0.25], ratio=value)


@probe("transform RandCropImage.sampling", ("torchvision", 45), ("paddleclas", ANY))
def _sampling(lab, value):
    """The first column of a whole square in 10 x 100 pixels: its centre's, or one drawn."""
    keys = {"size": 10, "scale": [1, 1], "ratio": [1, 1], "sampling": value}
    return int(transform("RandCropImage", coded(10, 100), **keys)[0, 0, 1])


@probe("transform RandCropImage.use_log_aspect", (True, ANY), (False, ANY), relation=lambda log, even: log < 40 < even)
def _crop_log_aspect(lab, value):
    """How many of sixty parts are wide: half of them, or 4 of the 4.8 that 0.2 is from 5."""
    crop = component("transform", "RandCropImage", scale=[0.1, 0.1], ratio=[0.2, 5], use_log_aspect=value)
    boxes = [crop.box(400, 400, np.random.default_rng(seed)) for seed in range(60)]
    return sum(width > height for _, _, width, height in boxes)


@probe("transform RandFlipImage.flip_code", (1, [0, 1]), (0, [1, 0]))
def _flip_code(lab, value):
    """Row and column that come first of two by two."""
    return transform("RandFlipImage", coded(2, 2), flip_code=value, prob=1)[0, 0, :2].tolist()


@probe("transform RandFlipImage.prob", (0, {0}), (1, {1}))
def _prob(lab, value):
    """First columns of a hundred pictures."""
    flip, rng = component("transform", "RandFlipImage", prob=value), np.random.default_rng(0)
    return {int(flip(coded(2, 2), rng)[0, 0, 1]) for _ in range(100)}


def normalized(**keys):
    """A pixel of 10, 20, 30 by scale 1, mean 0 and std 1 by default."""
    picture = np.uint8([[[10, 20, 30]]])
    return transform("NormalizeImage", picture, **{"scale": 1, "mean": [0] * 3, "std": [1] * 3, **keys})[0, 0].tolist()


@probe("transform NormalizeImage.scale", ("1.0/2.0", [5, 10, 15]), (2, [20, 40, 60]))
def _normalize_scale(lab, value):
    return normalized(scale=value)


@probe("transform NormalizeImage.mean", ([0, 0, 0], [10, 20, 30]), ([1, 2, 3], [9, 18, 27]))
def _mean(lab, value):
    return normalized(mean=value)


@probe("transform NormalizeImage.std", ([1, 1, 1], [10, 20, 30]), ([1, 2, 5], [10, 10, 6]))
def _std(lab, value):
    return normalized(std=value)


@probe("transform NormalizeImage.order", ("hwc", [[1, 2, 3]] * 3), ("chw", [[1, 1, 1], [2, 2, 2], [3, 3, 3]]))
def _order(lab, value):
    """What is taken off where every axis is as long as the channels'."""
    keys = {"scale": 1, "mean": [1, 2, 3], "std": [1, 1, 1], "order": value}
    picture = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    return (picture - transform("NormalizeImage", picture, **keys))[:, 0].tolist()


@probe("transform NormalizeImage.channel_num", (3, [10, 20, 30]), (4, Saying("is 4; write 1 or 3")))
def _channel_num(lab, value):
    try:
        return normalized(channel_num=value)
    except ConfigError as error:
        return str(error)
