"""The parts of a bundle's manifest, and which values this library can run."""

from dataclasses import dataclass

MEANINGS = ("probabilities", "logits")


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
        if (
            len(self.shape) != 4
            or self.shape[0] not in (-1, 1)
            or min(self.shape[1:]) < 1
        ):
            raise ValueError(
                f"shape is {list(self.shape)}; it is [-1 or 1, channels, height, width]"
            )


@dataclass(frozen=True)
class Output:
    """What the program gives: float32 [N, class_num], each row the probabilities of the classes, or their logits.

    The programs of `ppcls export` give probabilities; a backend gives them always (`open_backend`).
    """

    name: str
    shape: tuple[int, ...]
    meaning: str

    def __post_init__(self) -> None:
        _require("meaning", self.meaning, *MEANINGS)
        if len(self.shape) != 2 or self.shape[0] != -1 or self.shape[1] < 1:
            raise ValueError(f"shape is {list(self.shape)}; it is [-1, class_num]")


@dataclass(frozen=True)
class GoldenFile:
    """The file of the golden picture, and whose picture it is."""

    file: str
    source: str


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
        if not self.files:
            raise ValueError("files is empty; quantize the bundle again")


def _require(name: str, value: str, *possible: str) -> None:
    if value not in possible:
        raise ValueError(
            f"{name} is {value!r}; this library runs {' or '.join(possible)}"
        )
