"""How a bundle is quantized: for which engine, and how ranges are estimated."""

from __future__ import annotations

from dataclasses import dataclass

ENGINES = ("openvino", "onnxruntime")
# How the ranges of activations are estimated; an engine's first is taken where none is said.
RANGES: dict[str, tuple[str, ...]] = {
    "openvino": ("minmax", "mean", "percentile", "histogram"),
    "onnxruntime": ("minmax", "percentile", "entropy"),
}
RANGES_IN_WORDS = {
    "minmax": "the smallest and the largest value",
    "mean": "the mean over pictures of the smallest and the largest value",
    "percentile": "the middle {percentile:g} % of the values",
    "histogram": "the smallest error of rounding over a histogram",
    "entropy": "the smallest Kullback-Leibler divergence over {bins} bins",
}
BIAS_CORRECTIONS = ("fast", "full", "none")
FLOAT32_LAYERS = ("none", "first", "last", "both")
# With the 128 of ONNX Runtime's default, entropy has nothing to choose and gives minmax
FEWEST_BINS = 2048
PERCENTILE = 99.99


@dataclass(frozen=True)
class QuantizeOptions:
    """What is asked for; None takes the default.

    Attributes:
        engine: `openvino` (by NNCF) or `onnxruntime`.
        ranges: how the range of an activation is estimated, one of `RANGES[engine]`.
        percentile: with ranges `percentile`: how much of the values the range holds, the same share cut off at either
            end; default 99.99.
        bins: with ranges `entropy`: of the histogram; default and least 2,048.
        bias_correction: NNCF's: `fast`, `full` (more exact, slower) or `none`; default `fast`.
        float32_layers: convolutions and fully connected layers that stay float32: those next to the input (`first`),
            those next to the output (`last`), `both` or `none`.

    Raises:
        ValueError: a value is not possible, or nothing would read it.
    """

    engine: str = "openvino"
    ranges: str | None = None
    percentile: float | None = None
    bins: int | None = None
    bias_correction: str | None = None
    float32_layers: str = "none"

    def __post_init__(self) -> None:
        _one_of("engine", self.engine, ENGINES)
        _one_of(f"ranges for {self.engine}", self.estimator, RANGES[self.engine])
        _one_of("float32 layers", self.float32_layers, FLOAT32_LAYERS)
        for name, value, needs in (
            ("percentile", self.percentile, "percentile"),
            ("bins", self.bins, "entropy"),
        ):
            if value is not None and self.estimator != needs:
                raise ValueError(
                    f"{name} {value} is read with ranges {needs} alone; leave it out, or ask for these"
                )
        if self.percentile is not None and not 50 < self.percentile < 100:
            raise ValueError(
                f"percentile is {self.percentile:g}; write a number above 50 and below 100, such as 99.99"
            )
        if self.bins is not None and self.bins < FEWEST_BINS:
            raise ValueError(
                f"bins is {self.bins}; write {FEWEST_BINS} or more, for fewer give what minmax gives"
            )
        if self.bias_correction is not None:
            _one_of("bias correction", self.bias_correction, BIAS_CORRECTIONS)
            if self.engine != "openvino":
                raise ValueError(
                    "bias correction is NNCF's, for openvino alone; leave it out, or ask for openvino"
                )

    @property
    def estimator(self) -> str:
        """`ranges`, or the engine's default."""
        return self.ranges or RANGES[self.engine][0]

    @property
    def outliers(self) -> float:
        """The share of values that ranges `percentile` cut off at each end."""
        return (100 - (self.percentile or PERCENTILE)) / 200

    @property
    def words(self) -> str:
        """The ranges and the layers that stay float32, for the manifest."""
        words = RANGES_IN_WORDS[self.estimator]
        ranges = words.format(
            percentile=self.percentile or PERCENTILE, bins=self.bins or FEWEST_BINS
        )
        layers = {"none": "", "both": "; first and last layers float32"}
        return f"ranges by {ranges}{layers.get(self.float32_layers, f'; {self.float32_layers} layers float32')}"


def _one_of(name: str, value: str, possible: tuple[str, ...]) -> None:
    if value not in possible:
        raise ValueError(
            f"{name} is {value!r}; write {', '.join(possible[:-1])} or {possible[-1]}"
        )
