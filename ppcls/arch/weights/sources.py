"""Where pretrained weights lie and what belongs to them: one row per file. Loads no Paddle.

The families in `ppcls.arch.families` register the rows. Accuracies that the table of models has are read from there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ppcls.arch.model_table import MODELS, ModelInfo, info_of
from ppcls.arch.weights.names import layouts_of
from ppcls.utils.errors import UserError, suggest
from ppcls.utils.fields import make_object, require

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# What `ResizeImage` can do; it cannot be asked here, for it loads OpenCV.
INTERPOLATIONS = {
    "cv2": ("nearest", "bilinear", "area", "bicubic", "lanczos"),
    "pil": ("nearest", "bilinear", "bicubic", "box", "hamming", "lanczos"),
}


def _check_sides(size: Any, resize_short: Any) -> None:
    are_whole = type(size) is int and type(resize_short) is int
    require(
        are_whole and 1 <= size <= resize_short,
        f"a size of {size!r} out of {resize_short!r} pixels is impossible",
    )


def _check_triple(name: str, values: Any, low: float) -> None:
    is_triple = isinstance(values, (list, tuple)) and len(values) == 3
    require(
        is_triple and all(_within(value, low) for value in values),
        f"{name} is {values!r} and not three numbers from {low:g} to 1e+06",
    )


def _within(value: object, low: float) -> bool:
    return type(value) in (int, float) and low <= value <= 1e6  # type: ignore[operator]


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes the input that weights were evaluated with.

    Attributes:
        size: Pixels of both sides of the central crop.
        resize_short: Pixels of the shorter side before the crop.
        interpolation: Name of the resampling, as `ResizeImage` has it.
        backend: cv2 or pil; Pillow smooths when it shrinks, OpenCV does not, and accuracy depends on it.
        mean: Per channel (red, green, blue), for values from 0 to 1.
        std: The same.
    """

    size: int = 224
    resize_short: int = 256
    interpolation: str = "bilinear"
    backend: str = "cv2"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def __post_init__(self) -> None:
        _check_sides(self.size, self.resize_short)
        require(
            self.interpolation in INTERPOLATIONS.get(self.backend, ()),
            f"a backend {self.backend!r} with {self.interpolation!r} is impossible",
        )
        _check_triple("mean", self.mean, -1e6)
        _check_triple("std", self.std, 1e-6)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Preprocessing:
        """The inverse of `dataclasses.asdict`, through JSON or not.

        Raises:
            ValueError: the record is not a preprocessing.
        """
        require(
            isinstance(record, Mapping),
            f"it is of type {type(record).__name__} and not a JSON object",
        )
        values = {}
        for name, value in record.items():
            values[name] = tuple(value) if isinstance(value, list) else value
        return make_object(cls, values)

    def __str__(self) -> str:
        return (
            f"short side {self.resize_short} ({self.interpolation}, {self.backend}), crop {self.size}, "
            f"mean {_triple(self.mean)}, std {_triple(self.std)}"
        )

    def transform_ops(self, channels: int = 3) -> list[dict[str, Any]]:
        """The same as a configuration writes it under `transform_ops`.

        Args:
            channels: 3; or 1 for gray pictures, whose mean and std are the averages of the three.
        """
        cut = [{"ResizeImage": {"resize_short": self.resize_short, **self._resampling}}]
        return self._around([*cut, {"CropImage": {"size": self.size}}], channels)

    def training_ops(self, channels: int = 3) -> list[dict[str, Any]]:
        """The transforms to train a model further with: a random part in the place of the central one, and a flip.

        Args:
            channels: as in `transform_ops`.
        """
        cut = [{"RandCropImage": {"size": self.size, **self._resampling}}]
        return self._around([*cut, {"RandFlipImage": {"flip_code": 1}}], channels)

    @property
    def _resampling(self) -> dict[str, Any]:
        return {"interpolation": self.interpolation, "backend": self.backend}

    def _around(self, ops: list[dict[str, Any]], channels: int) -> list[dict[str, Any]]:
        """Decoding, what cuts out the part, and normalisation."""
        decode: dict[str, Any] = {"to_rgb": True, "backend": self.backend}
        mean, std = list(self.mean), list(self.std)
        if channels == 1:
            decode["channels"] = 1
            mean, std = [sum(mean) / len(mean)], [sum(std) / len(std)]
        return [
            {"DecodeImage": decode},
            *ops,
            {"NormalizeImage": {"scale": 1 / 255, "mean": mean, "std": std}},
        ]


def _triple(values: tuple[float, float, float]) -> str:
    return f"[{', '.join(f'{value:.4g}' for value in values)}]"


@dataclass(frozen=True)
class PretrainedWeights:
    """One file of weights for ImageNet's 1,000 classes.

    Attributes:
        model: The model's name.
        source: Who published them: paddleclas, timm, ucbdrive, torchvision or darknet.
        url: Address of the file.
        licence: SPDX identifier of the licence that the source states for the weights; None if it states none.
        preprocessing: What belongs to them.
        top1: Accuracy in percent, as the source prints it for this preprocessing.
        top5: The same.
        sha256_prefix: Beginning of the file's SHA-256 in hexadecimal, where it is known.
    """

    model: str
    source: str
    url: str
    licence: str | None = None
    preprocessing: Preprocessing = Preprocessing()
    top1: float | None = None
    top5: float | None = None
    sha256_prefix: str | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments that the model has to be made with, where they differ from its defaults, which are PaddleClas's."""
        if self.source == "paddleclas":
            return {}
        for layout in layouts_of(self.model):
            if layout.source == self.source:
                return layout.own_arguments()
        raise AssertionError(f"{self.model} has no layout of {self.source}")


# The recipe of torchvision, which timm and ucbdrive follow too.
PIL = Preprocessing(backend="pil")


def preprocessing_of(model: str) -> Preprocessing:
    """What belongs to a model in general: its recipe's, which is also that of PaddleClas's weights."""
    return _recipe_preprocessing(info_of(model))


def _recipe_preprocessing(info: ModelInfo) -> Preprocessing:
    return Preprocessing(size=info.input_size[1], resize_short=info.resize_short)


def printed(info: ModelInfo, source: str) -> dict[str, Any]:
    """The accuracies that a source prints, as keywords of `PretrainedWeights`."""
    published = info.published[source]
    return {"top1": published.top1, "top5": published.top5}


def paddleclas_weights(models: Iterable[ModelInfo]) -> list[PretrainedWeights]:
    """PaddleClas's weights of those models for which its accuracies are in the table."""
    rows = []
    for info in models:
        if info.weights_url is None:
            continue
        rows.append(
            PretrainedWeights(
                info.name,
                "paddleclas",
                info.weights_url,
                "Apache-2.0",
                _recipe_preprocessing(info),
                **printed(info, "paddleclas"),
            )
        )
    return rows


def torchvision_weights(
    model: str, file: str, digest: str, top1: float, top5: float
) -> PretrainedWeights:
    """Torchvision's weights in `FILE-DIGEST.pth`; the digest is the beginning of the file's SHA-256."""
    url = f"https://download.pytorch.org/models/{file}-{digest}.pth"
    return PretrainedWeights(model, "torchvision", url, None, PIL, top1, top5, digest)


def timm_address(repository: str) -> str:
    """The address of timm's weights in a repository of theirs at Hugging Face, such as `dla34.in1k`."""
    return f"https://huggingface.co/timm/{repository}/resolve/main/model.safetensors"


class _Sources(Collection[str]):
    """The names of the sources in order of registration. It grows as families are registered."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def add(self, name: str) -> None:
        self._names[name] = None

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


# What `pretrained` can name: whoever publishes weights
SOURCES = _Sources()
_ROWS: list[PretrainedWeights] = []


def add_weights(rows: Iterable[PretrainedWeights]) -> None:
    """Adds published weights, after those that are there."""
    for row in rows:
        _ROWS.append(row)
        SOURCES.add(row.source)


def weights_of(model: str) -> list[PretrainedWeights]:
    """All weights of a model; the first are those that `pretrained: True` means."""
    return [row for row in _ROWS if row.model == model]


def preprocessing_by_layout(model: str, source: str) -> Preprocessing | None:
    """What belongs to weights in the layout of a source; None for our layout and PaddleClas's.

    Weights in these two may be anybody's training, whose configuration knows the preprocessing.
    """
    if source == "paddleclas":
        return None
    for row in weights_of(model):
        if row.source == source:
            return row.preprocessing
    return None


def find_source(model: str, source: str | None = None) -> PretrainedWeights:
    """The row of a named source, or the model's first.

    Raises:
        UserError: the model has no such weights; the sentence names those it has.
    """
    rows = {row.source: row for row in weights_of(model)}
    if not rows:
        raise UserError(
            f"there are no pretrained weights of {model!r}{suggest(model, MODELS)}"
        )
    if source is None:
        return next(iter(rows.values()))
    if source not in rows:
        known = ", ".join(rows)
        raise UserError(
            f"{model} has no pretrained weights named {source!r}{suggest(source, rows)}; it has {known}"
        )
    return rows[source]
