"""The parts of a bundle's manifest, and which values this library can run."""

from dataclasses import dataclass
from enum import Enum
from math import prod

from ppcls.utils.fields import require

MEANINGS = ("probabilities", "logits")
KINDS = ("classification",)
LITE_TARGETS = ("arm", "x86")
_MAX_VALUES = 1 << 27  # of one picture, which take 512 MiB as float32
_MAX_CLASSES = 1 << 24


class ModelOrigin(Enum):
    """Where a model comes from, and so what describes it.

    Attributes:
        BUNDLE: A bundle of this library, with a manifest and a golden picture.
        PADDLECLAS: A folder or tar of PaddleClas, which says at most its preprocessing and labels.
        ONNX: An ONNX file of another library, which says nothing of the kind.
    """

    BUNDLE = "bundle"
    PADDLECLAS = "paddleclas"
    ONNX = "onnx"


@dataclass(frozen=True)
class DigestedFile:
    """A file of the folder and the SHA-256 of its bytes."""

    file: str
    sha256: str


@dataclass(frozen=True)
class Input:
    """What the program takes: float32 [N, C, H, W], the channels in the order `color` names.

    N is -1 for a batch of any size, or 1 for a program that takes one picture at a time.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    layout: str
    color: str

    def __post_init__(self) -> None:
        _require("dtype", self.dtype, "float32")
        _require("layout", self.layout, "NCHW")
        _require("color", self.color, "RGB", "BGR", "GRAY")
        require(
            len(self.shape) == 4
            and self.shape[0] in (-1, 1)
            and min(self.shape[1:]) >= 1,
            f"shape is {shape_text(self.shape)}; it is [-1 or 1, channels, height, width]",
        )
        require(
            prod(self.shape[1:]) <= _MAX_VALUES,
            f"shape is {shape_text(self.shape)}; a picture has at most {_MAX_VALUES:,} values",
        )


@dataclass(frozen=True)
class Output:
    """What the program gives: float32 [N, class_num], each row the probabilities of the classes, or their logits.

    The programs of `ppcls export` give probabilities; a backend gives them always (`open_backend`).

    Attributes:
        name: the program's name of its output.
        shape: [-1, class_num].
        meaning: `probabilities` or `logits`.
        kind: the model's task: `classification`.
    """

    name: str
    shape: tuple[int, ...]
    meaning: str
    kind: str = "classification"

    def __post_init__(self) -> None:
        require(
            self.kind in KINDS,
            f"kind is {_short(self.kind)}; this version of the library runs {' or '.join(KINDS)}; install a newer "
            "one",
        )
        _require("meaning", self.meaning, *MEANINGS)
        require(
            len(self.shape) == 2 and self.shape[0] == -1 and self.shape[1] >= 1,
            f"shape is {shape_text(self.shape)}; it is [-1, class_num]",
        )
        require(
            self.shape[1] <= _MAX_CLASSES,
            f"shape is {shape_text(self.shape)}; it has at most {_MAX_CLASSES:,} classes",
        )


@dataclass(frozen=True)
class GoldenFile:
    """The file of the golden picture, whose picture it is, and its SHA-256 (manifests of schema 1 and 2 have none)."""

    file: str
    source: str
    sha256: str | None = None


@dataclass(frozen=True)
class Quantized:
    """An int8 form of the program: the files that `backend` runs, the first of which it opens.

    Attributes:
        backend: `openvino` or `onnxruntime`.
        files: beside the manifest.
        method: how the ranges were estimated, for people to read.
        calibration: which pictures they were estimated on, and how many.
    """

    backend: str
    files: tuple[DigestedFile, ...]
    method: str
    calibration: str

    def __post_init__(self) -> None:
        _require("backend", self.backend, "openvino", "onnxruntime")
        require(self.files, "files is empty; quantize the bundle again")


@dataclass(frozen=True)
class LiteForm:
    """A form for Paddle Lite: a program for one kind of processor, and its description for programs on the device.

    Attributes:
        target: `arm` or `x86`.
        precision: `float32`, or `int8` where the weights are stored so.
        program: the `.nb` file.
        description: JSON with preprocessing, names and what else the manifest says of the program.
        converter: name and version of what wrote the program.
    """

    target: str
    precision: str
    program: DigestedFile
    description: DigestedFile
    converter: str

    def __post_init__(self) -> None:
        _require("target", self.target, *LITE_TARGETS)
        _require("precision", self.precision, "float32", "int8")

    @property
    def files(self) -> tuple[DigestedFile, ...]:
        """Both files."""
        return self.program, self.description


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape for messages, whatever a file states."""
    sides = [str(side) if abs(side) < 1 << 63 else "..." for side in shape[:9]]
    return f"[{', '.join(sides)}{', ...' if len(shape) > 9 else ''}]"


def _short(value: object) -> str:
    return repr(value)[:100]


def _require(name: str, value: str, *possible: str) -> None:
    require(
        value in possible,
        f"{name} is {_short(value)}; this library runs {' or '.join(possible)}",
    )
