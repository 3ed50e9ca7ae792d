"""How a bundle is quantized: for which backend, and how ranges are estimated."""

from __future__ import annotations

from dataclasses import dataclass

from ppcls.utils.fields import require

BACKENDS = ("openvino", "onnxruntime")
# How the ranges of activations are estimated; a backend's first one is the default.
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
FLOAT32_LAYERS = {
    "none": "",
    "first": "; first layers float32",
    "last": "; last layers float32",
    "both": "; first and last layers float32",
}
# With the 128 of ONNX Runtime's default, entropy has nothing to choose and gives minmax.
FEWEST_BINS = 2048
PERCENTILE = 99.99


@dataclass(frozen=True)
class QuantizeOptions:
    """The options of a quantization; None is the default.

    Attributes:
        backend: `openvino` (by NNCF) or `onnxruntime`.
        ranges: How the range of an activation is estimated, one of `RANGES[backend]`.
        percentile: For ranges `percentile`: how much of the values the range holds, with the same share cut off at
            both ends; default 99.99.
        bins: For ranges `entropy`: bins of the histogram; default and minimum 2,048.
        bias_correction: NNCF's: `fast`, `full` (more exact, slower) or `none`; default `fast`.
        float32_layers: Convolutions and fully connected layers that stay float32: those next to the input (`first`),
            those next to the output (`last`), `both` or `none`.

    Raises:
        ValueError: A value is impossible, or would have no effect.
    """

    backend: str = "openvino"
    ranges: str | None = None
    percentile: float | None = None
    bins: int | None = None
    bias_correction: str | None = None
    float32_layers: str = "none"

    def __post_init__(self) -> None:
        _one_of("backend", self.backend, BACKENDS)
        _one_of(f"ranges for {self.backend}", self.estimator, RANGES[self.backend])
        _one_of("float32 layers", self.float32_layers, tuple(FLOAT32_LAYERS))
        if self.percentile is not None:
            self._needs_ranges("percentile", self.percentile, "percentile")
            require(
                50 < self.percentile < 100,
                f"percentile is {self.percentile:g}; write a number above 50 and below 100, such as 99.99",
            )
        if self.bins is not None:
            self._needs_ranges("bins", self.bins, "entropy")
            require(
                self.bins >= FEWEST_BINS,
                f"bins is {self.bins}; write {FEWEST_BINS} or more, because fewer give the same ranges as minmax",
            )
        if self.bias_correction is not None:
            _one_of("bias correction", self.bias_correction, BIAS_CORRECTIONS)
            require(
                self.backend == "openvino",
                "bias correction is available for openvino only; leave it out, or choose openvino",
            )

    @property
    def estimator(self) -> str:
        """`ranges`, or the backend's default."""
        return self.ranges or RANGES[self.backend][0]

    @property
    def outliers(self) -> float:
        """The share of values that ranges `percentile` cut off at each end."""
        return (100 - (self.percentile or PERCENTILE)) / 200

    @property
    def words(self) -> str:
        """The ranges and the layers that stay float32, for the manifest."""
        ranges = RANGES_IN_WORDS[self.estimator].format(
            percentile=self.percentile or PERCENTILE, bins=self.bins or FEWEST_BINS
        )
        return f"ranges by {ranges}{FLOAT32_LAYERS[self.float32_layers]}"

    def _needs_ranges(self, name: str, value: float, needed: str) -> None:
        require(
            self.estimator == needed,
            f"{name} {value} has an effect only with ranges {needed}; leave it out, or choose these ranges",
        )


def _one_of(name: str, value: str, possible: tuple[str, ...]) -> None:
    require(
        value in possible,
        f"{name} is {value!r}; write {', '.join(possible[:-1])} or {possible[-1]}",
    )
