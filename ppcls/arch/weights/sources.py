"""Where pretrained weights lie and what belongs to them: one row a file, every fact here and nowhere else. No Paddle.

Accuracies that the table of models holds are read from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ppcls.arch.model_table import MODELS
from ppcls.arch.weights.names import LAYOUTS
from ppcls.utils.errors import UserError, suggest

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# What `ResizeImage` can do; it cannot be asked here, for it loads OpenCV.
INTERPOLATIONS = {
    "cv2": ("nearest", "bilinear", "area", "bicubic", "lanczos"),
    "pil": ("nearest", "bilinear", "bicubic", "box", "hamming", "lanczos"),
}


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
        sides = (self.size, self.resize_short)
        if (
            any(type(side) is not int or side < 1 for side in sides)
            or self.resize_short < self.size
        ):
            raise ValueError(
                f"a size of {self.size!r} out of {self.resize_short!r} pixels is impossible"
            )
        if self.interpolation not in INTERPOLATIONS.get(self.backend, ()):
            raise ValueError(
                f"a backend {self.backend!r} with {self.interpolation!r} is impossible"
            )
        for name, low in (("mean", -1e6), ("std", 1e-6)):
            values = getattr(self, name)
            if (
                not isinstance(values, (list, tuple))
                or len(values) != 3
                or not all(_within(v, low) for v in values)
            ):
                raise ValueError(
                    f"{name} is {values!r} and not three numbers from {low:g} to 1e+06"
                )

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Preprocessing:
        """The inverse of `dataclasses.asdict`, through JSON or not.

        Raises:
            ValueError: that is no preprocessing.
        """
        if not isinstance(record, Mapping):
            raise ValueError(
                f"it is of type {type(record).__name__} and not a JSON object"
            )
        try:
            lists = {
                name: tuple(value)
                for name, value in record.items()
                if isinstance(value, list)
            }
            return cls(**{**record, **lists})
        except TypeError as error:
            raise ValueError(str(error)) from error

    def __str__(self) -> str:
        mean, std = (
            ", ".join(f"{value:.4g}" for value in values)
            for values in (self.mean, self.std)
        )
        return (
            f"short side {self.resize_short} ({self.interpolation}, {self.backend}), crop {self.size}, "
            f"mean [{mean}], std [{std}]"
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


@dataclass(frozen=True)
class PretrainedWeights:
    """One file of weights for ImageNet's 1,000 classes.

    Attributes:
        model: The model's name.
        source: Who published them: paddleclas, timm, ucbdrive, torchvision or darknet.
        url: Address of the file.
        licence: SPDX identifier of what the source says of the weights; None where it says nothing.
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
        layout = next(
            layout
            for layout in LAYOUTS[MODELS[self.model].family]
            if layout.source == self.source
        )
        epsilon = {} if layout.epsilon is None else {"epsilon": layout.epsilon}
        return {**layout.arguments, **epsilon}


_PIL = Preprocessing(backend="pil")
_DPN_STD = 1 / (0.0167 * 255)
_DPN = Preprocessing(
    interpolation="bicubic",
    backend="pil",
    mean=(124 / 255, 117 / 255, 104 / 255),
    std=(_DPN_STD, _DPN_STD, _DPN_STD),
)
# timm trained its DarkNet53 at 256 pixels and prints the accuracy at 288, without a margin.
_TIMM_DARKNET = Preprocessing(
    size=288, resize_short=288, interpolation="bicubic", backend="pil"
)
# Darknet takes values from 0 to 1 as they are, and shrinks by plain bilinear interpolation, as OpenCV does.
_DARKNET = Preprocessing(
    size=256, resize_short=256, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
)

# The first eight digits of SHA-256 end the files' names, as is the custom in torch.
_UCBDRIVE = {
    "DLA34": "ba72cf86",
    "DLA46_c": "2bfd52c3",
    "DLA46x_c": "d761bae7",
    "DLA60": "24839fc4",
    "DLA60x": "d15cacda",
    "DLA60x_c": "b870c45c",
    "DLA102": "d94d9790",
    "DLA102x": "ad62be81",
    "DLA102x2": "262837b6",
    "DLA169": "0914e092",
}
_TIMM_DPN = {
    "DPN68": (76.346, 93.008),
    "DPN92": (80.038, 94.86),
    "DPN98": (79.67, 94.654),
    "DPN107": (80.168, 94.942),
    "DPN131": (79.814, 94.7),
}
_TORCHVISION: tuple[tuple[str, str, str, float, float], ...] = (
    ("AlexNet", "alexnet-owt", "7be5be79", 56.522, 79.066),
    ("SqueezeNet1_0", "squeezenet1_0", "b66bff10", 58.092, 80.42),
    ("SqueezeNet1_1", "squeezenet1_1", "b8a52dc0", 58.178, 80.624),
)


def _printed(model: str, source: str) -> dict[str, Any]:
    published = MODELS[model].published[source]
    return {"top1": published.top1, "top5": published.top5}


def preprocessing_of(model: str) -> Preprocessing:
    """What belongs to a model in general: its recipe's, which is also that of PaddleClas's weights."""
    info = MODELS[model]
    return Preprocessing(size=info.input_size[1], resize_short=info.resize_short)


def _paddleclas_rows() -> Iterator[PretrainedWeights]:
    for model, info in MODELS.items():
        if info.weights_url is not None:
            yield PretrainedWeights(
                model, "paddleclas", info.weights_url, "Apache-2.0",
                preprocessing_of(model), **_printed(model, "paddleclas"),
            )  # fmt: skip


def _timm_rows() -> Iterator[PretrainedWeights]:
    url = "https://huggingface.co/timm/{}/resolve/main/model.safetensors"
    for model, info in MODELS.items():
        if info.family == "DLA":
            # The model cards of Res2Net's say "unknown"
            licence = "BSD-3-Clause" if model in _UCBDRIVE else None
            yield PretrainedWeights(
                model,
                "timm",
                url.format(f"{model.lower()}.in1k"),
                licence,
                _PIL,
                **_printed(model, "timm"),
            )
    for model, (top1, top5) in _TIMM_DPN.items():
        yield PretrainedWeights(
            model,
            "timm",
            url.format(f"{model.lower()}.mx_in1k"),
            "Apache-2.0",
            _DPN,
            top1,
            top5,
        )
    yield PretrainedWeights(
        "DarkNet53", "timm", url.format("darknet53.c2ns_in1k"), "Apache-2.0", _TIMM_DARKNET,
        80.536, 95.434,
    )  # fmt: skip


def _other_rows() -> Iterator[PretrainedWeights]:
    for model, digest in _UCBDRIVE.items():
        # Since 2025 users report that this host does not answer; the same weights are timm's. No https there.
        url = f"http://dl.yf.io/dla/models/imagenet/{model.lower()}-{digest}.pth"
        yield PretrainedWeights(
            model,
            "ucbdrive",
            url,
            "BSD-3-Clause",
            _PIL,
            sha256_prefix=digest,
            **_printed(model, "ucbdrive"),
        )
    for model, name, digest, top1, top5 in _TORCHVISION:
        url = f"https://download.pytorch.org/models/{name}-{digest}.pth"
        yield PretrainedWeights(
            model, "torchvision", url, None, _PIL, top1, top5, digest
        )
    yield PretrainedWeights(
        "DarkNet53", "darknet", "https://pjreddie.com/media/files/darknet53.weights", None, _DARKNET,
        **_printed("DarkNet53", "paper_reference"),
    )  # fmt: skip


_ROWS: tuple[PretrainedWeights, ...] = (
    *_paddleclas_rows(),
    *_timm_rows(),
    *_other_rows(),
)


def weights_of(model: str) -> list[PretrainedWeights]:
    """All weights of a model; the first are those that `pretrained: True` means."""
    return [row for row in _ROWS if row.model == model]


def preprocessing_by_layout(model: str, source: str) -> Preprocessing | None:
    """What belongs to weights in the layout of a source; None for our layout and PaddleClas's.

    Weights in these two may be anybody's training, whose configuration knows the preprocessing.
    """
    rows = {row.source: row for row in weights_of(model) if row.source != "paddleclas"}
    return rows[source].preprocessing if source in rows else None


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


SOURCES = tuple(dict.fromkeys(row.source for row in _ROWS))
__all__ = ["MODELS", "SOURCES", "Preprocessing", "PretrainedWeights", "find_source"]
__all__ += ["preprocessing_by_layout", "preprocessing_of", "weights_of"]
