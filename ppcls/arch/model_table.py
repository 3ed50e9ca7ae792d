"""What is known of the 22 models: one row a model, every number here and nowhere else.

Counts are exact. `published` stands as its sources print it, mixed units and all: PaddleClas's DLA page counts
multiply-accumulates, its other pages about twice that; some parameter columns include batch-norm statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_WEIGHTS_URL = "https://paddle-imagenet-models-name.bj.bcebos.com/dygraph/{name}_pretrained.pdparams"
LATENCY_BATCHES = (1, 4, 8)
Latency = tuple[float, float, float]  # at those batch sizes


@dataclass(frozen=True)
class Published:
    """What one source prints of a model: ImageNet accuracy in percent, FLOPs in 1e9, parameters in 1e6."""

    top1: float | None = None
    top5: float | None = None
    flops_g: float | None = None
    params_m: float | None = None


@dataclass(frozen=True)
class ModelInfo:
    """One model.

    Attributes:
        name: The name that a configuration and `build_model` use.
        family: The file and the table of specs that it belongs to.
        trainable_params: Parameters that are trained, for 1,000 classes.
        params_with_statistics: Those and the running means and variances of batch norm.
        macs: Multiply-accumulates of convolutions and fully connected layers, one picture of `input_size`.
        published: What each source prints, by source.
        input_size: Channels, height and width of the input at which it was trained and evaluated.
        resize_short: Length of a picture's short side before the central crop to `input_size`, in pixels.
        v100_fp32_ms: PaddleClas's TensorRT latencies in milliseconds on a V100 in float32, at batch 1, 4 and 8.
        t4_fp16_ms: The same on a T4 in float16.
        t4_fp32_ms: The same on a T4 in float32.
    """

    name: str
    family: str
    trainable_params: int
    params_with_statistics: int
    macs: int
    published: Mapping[str, Published] = field(default_factory=dict)
    input_size: tuple[int, int, int] = (3, 224, 224)
    resize_short: int = 256
    v100_fp32_ms: Latency | None = None
    t4_fp16_ms: Latency | None = None
    t4_fp32_ms: Latency | None = None

    @property
    def flops(self) -> int:
        """Floating-point operations: two for each multiply-accumulate."""
        return 2 * self.macs

    @property
    def weights_url(self) -> str | None:
        """Address of PaddleClas's official ImageNet weights; None for models that are not PaddleClas's."""
        return (
            _WEIGHTS_URL.format(name=self.name)
            if "paddleclas" in self.published
            else None
        )


_ROWS = (
    ModelInfo(
        name="DLA34",
        family="DLA",
        trainable_params=15_742_104,
        params_with_statistics=15_757_592,
        macs=3_060_043_776,
        published={
            "paddleclas": Published(76.03, 92.98, 3.1, 15.8),
            "timm": Published(74.62, 92.072, 6.845, 15.742),
            "ucbdrive": Published(74.42, 92.06, 6.875, 15.784),
            "vastai_listing_of_paddleclas": Published(None, None, 6.2, 15.8),
        },
        v100_fp32_ms=(1.83, 3.37, 5.98),
    ),
    ModelInfo(
        name="DLA46_c",
        family="DLA",
        trainable_params=1_301_400,
        params_with_statistics=1_309_464,
        macs=574_269_440,
        published={
            "paddleclas": Published(63.21, 85.3, 0.5, 1.3),
            "timm": Published(64.866, 86.294, 1.316, 1.301),
            "ucbdrive": Published(64.27, 86.004, 1.32, 1.31),
            "vastai_listing_of_paddleclas": Published(None, None, 1.0, 1.3),
        },
        v100_fp32_ms=(1.06, 2.08, 3.23),
    ),
    ModelInfo(
        name="DLA46x_c",
        family="DLA",
        trainable_params=1_068_440,
        params_with_statistics=1_079_320,
        macs=532_723_712,
        published={
            "paddleclas": Published(64.36, 86.01, 0.5, 1.1),
            "timm": Published(65.97, 86.98, 1.234, 1.068),
            "ucbdrive": Published(65.576, 86.948, 1.238, 1.077),
        },
    ),
    ModelInfo(
        name="DLA60",
        family="DLA",
        trainable_params=22_036_632,
        params_with_statistics=22_077_720,
        macs=4_235_878_400,
        published={
            "paddleclas": Published(76.1, 92.92, 4.2, 22.0),
            "timm": Published(77.03, 93.32, 9.503, 22.037),
            "ucbdrive": Published(76.844, 93.23, 9.678, 22.334),
            "vastai_listing_of_paddleclas": Published(None, None, 8.4, 22.0),
        },
        v100_fp32_ms=(2.78, 5.36, 8.29),
    ),
    ModelInfo(
        name="DLA60x",
        family="DLA",
        trainable_params=17_352_344,
        params_with_statistics=17_408_280,
        macs=3_516_555_264,
        published={
            "paddleclas": Published(77.53, 93.78, 3.5, 17.4),
            "timm": Published(78.244, 94.018, 7.937, 17.352),
            "ucbdrive": Published(78.15, 94.102, 8.112, 17.65),
            "vastai_listing_of_paddleclas": Published(None, None, 7.0, 17.4),
        },
        v100_fp32_ms=(5.98, 9.24, 12.52),
    ),
    ModelInfo(
        name="DLA60x_c",
        family="DLA",
        trainable_params=1_319_832,
        params_with_statistics=1_334_296,
        macs=581_294_080,
        published={
            "paddleclas": Published(66.45, 87.54, 0.6, 1.3),
            "timm": Published(67.892, 88.426, 1.345, 1.32),
            "ucbdrive": Published(67.894, 88.316, 1.353, 1.337),
            "vastai_listing_of_paddleclas": Published(None, None, 1.2, 1.3),
        },
        v100_fp32_ms=(1.79, 3.68, 5.19),
    ),
    ModelInfo(
        name="DLA102",
        family="DLA",
        trainable_params=33_268_888,
        params_with_statistics=33_335_576,
        macs=7_164_551_168,
        published={
            "paddleclas": Published(78.93, 94.52, 7.2, 33.3),
            "timm": Published(78.03, 93.948, 16.047, 33.269),
            "ucbdrive": Published(77.894, 93.968, 16.339, 33.732),
            "vastai_listing_of_paddleclas": Published(None, None, 14.4, 33.3),
        },
        v100_fp32_ms=(4.95, 8.08, 12.4),
    ),
    ModelInfo(
        name="DLA102x",
        family="DLA",
        trainable_params=26_309_272,
        params_with_statistics=26_401_048,
        macs=5_847_932_928,
        published={
            "paddleclas": Published(78.1, 94.0, 5.9, 26.4),
            "timm": Published(78.516, 94.226, 13.168, 26.309),
            "ucbdrive": Published(78.604, 94.166, 13.46, 26.772),
            "vastai_listing_of_paddleclas": Published(None, None, 11.8, 26.4),
        },
        v100_fp32_ms=(11.12, 15.6, 20.37),
    ),
    ModelInfo(
        name="DLA102x2",
        family="DLA",
        trainable_params=41_282_200,
        params_with_statistics=41_424_152,
        macs=9_283_985_408,
        published={
            "paddleclas": Published(78.85, 94.45, 9.3, 41.4),
            "timm": Published(79.446, 94.632, 20.897, 41.282),
            "ucbdrive": Published(79.406, 94.538, 21.189, 41.745),
            "vastai_listing_of_paddleclas": Published(None, None, 18.6, 41.4),
        },
        v100_fp32_ms=(19.58, 23.97, 31.37),
    ),
    ModelInfo(
        name="DLA169",
        family="DLA",
        trainable_params=53_389_720,
        params_with_statistics=53_498_648,
        macs=11_557_560_320,
        published={
            "paddleclas": Published(78.09, 94.09, 11.6, 53.5),
            "timm": Published(78.692, 94.34, 25.863, 53.39),
            "ucbdrive": Published(78.542, 94.214, 26.245, 53.989),
            "vastai_listing_of_paddleclas": Published(None, None, 23.2, 53.5),
        },
        v100_fp32_ms=(7.7, 12.25, 18.9),
    ),
    ModelInfo(
        name="DPN68",
        family="DPN",
        trainable_params=12_611_602,
        params_with_statistics=12_676_718,
        macs=2_326_163_456,
        published={
            "paddleclas": Published(76.8, 93.4, 4.03, 10.78),
            "paper_reference": Published(76.4, 93.1),
        },
        v100_fp32_ms=(2.82, 10.9, 14.45),
        t4_fp16_ms=(11.7827, 13.12652, 16.19213),
        t4_fp32_ms=(11.64915, 12.82807, 18.57113),
    ),
    ModelInfo(
        name="DPN92",
        family="DPN",
        trainable_params=37_668_392,
        params_with_statistics=37_793_608,
        macs=6_501_684_224,
        published={
            "paddleclas": Published(79.9, 94.8, 12.54, 36.29),
            "paper_reference": Published(79.3, 94.6),
        },
        v100_fp32_ms=(4.64, 11.2, 20.0),
        t4_fp16_ms=(18.56026, 20.35983, 29.89544),
        t4_fp32_ms=(18.15746, 23.87545, 38.68821),
    ),
    ModelInfo(
        name="DPN98",
        family="DPN",
        trainable_params=61_570_728,
        params_with_statistics=61_735_624,
        macs=11_671_217_152,
        published={
            "paddleclas": Published(80.6, 95.1, 22.22, 58.46),
            "paper_reference": Published(79.9, 94.9),
        },
        v100_fp32_ms=(6.15, 25.22, 35.69),
        t4_fp16_ms=(21.70508, 24.7755, 40.93595),
        t4_fp32_ms=(21.18196, 33.23925, 62.77751),
    ),
    ModelInfo(
        name="DPN107",
        family="DPN",
        trainable_params=86_917_800,
        params_with_statistics=87_131_624,
        macs=18_298_764_288,
        published={
            "paddleclas": Published(80.9, 95.3, 35.06, 82.97),
            "paper_reference": Published(80.2, 95.1),
        },
        v100_fp32_ms=(8.39, 34.44, 52.12),
        t4_fp16_ms=(27.84462, 34.83217, 60.67903),
        t4_fp32_ms=(27.62046, 52.65353, 100.11721),
    ),
    ModelInfo(
        name="DPN131",
        family="DPN",
        trainable_params=79_254_504,
        params_with_statistics=79_477_864,
        macs=16_013_648_896,
        published={
            "paddleclas": Published(80.7, 95.1, 30.51, 75.36),
            "paper_reference": Published(80.1, 94.9),
        },
        v100_fp32_ms=(8.26, 33.96, 48.62),
        t4_fp16_ms=(28.58941, 33.01078, 55.65146),
        t4_fp32_ms=(28.33119, 46.19439, 89.24904),
    ),
    ModelInfo(
        name="AlexNet",
        family="AlexNet",
        trainable_params=61_100_840,
        params_with_statistics=61_100_840,
        macs=714_188_480,
        published={
            "paddleclas": Published(56.7, 79.2, 1.37, 61.09),
            "paper_reference": Published(57.2),
        },
        v100_fp32_ms=(0.81, 1.5, 2.33),
        t4_fp16_ms=(1.06447, 1.70435, 2.38402),
        t4_fp32_ms=(1.44993, 2.46696, 3.72085),
    ),
    ModelInfo(
        name="SqueezeNet1_0",
        family="SqueezeNet",
        trainable_params=1_248_424,
        params_with_statistics=1_248_424,
        macs=777_221_152,
        published={
            "paddleclas": Published(59.6, 81.7, 1.55, 1.24),
            "paper_reference": Published(57.5),
        },
        v100_fp32_ms=(0.68, 1.64, 2.62),
        t4_fp16_ms=(0.97162, 2.06719, 3.67499),
        t4_fp32_ms=(0.96736, 2.53221, 4.54047),
    ),
    ModelInfo(
        name="SqueezeNet1_1",
        family="SqueezeNet",
        trainable_params=1_235_496,
        params_with_statistics=1_235_496,
        macs=349_537_280,
        published={
            "paddleclas": Published(60.1, 81.9, 0.69, 1.23),
        },
        v100_fp32_ms=(0.62, 1.3, 2.09),
        t4_fp16_ms=(0.81378, 1.62919, 2.68044),
        t4_fp32_ms=(0.76032, 1.877, 3.15298),
    ),
    ModelInfo(
        name="DarkNet53",
        family="DarkNet",
        input_size=(3, 256, 256),
        resize_short=292,
        trainable_params=41_609_928,
        params_with_statistics=41_645_640,
        macs=9_285_115_904,
        published={
            "paddleclas": Published(78.0, 94.1, 18.58, 41.6),
            "paper_reference": Published(77.2, 93.8),
        },
        v100_fp32_ms=(2.79, 6.42, 10.89),
        t4_fp16_ms=(3.18101, 5.88419, 10.14964),
        t4_fp32_ms=(4.10829, 12.1714, 22.15266),
    ),
    ModelInfo(
        name="SENet154_vd",
        family="SENet",
        trainable_params=121_737_048,
        params_with_statistics=122_032_472,
        macs=24_339_570_688,
        published={
            "paddleclas": Published(81.4, 95.5, 45.83, 114.29),
        },
        v100_fp32_ms=(34.83, 51.22, 69.74),
        t4_fp16_ms=(49.85733, 54.37267, 74.70447),
        t4_fp32_ms=(53.79794, 66.31684, 121.59885),
    ),
    ModelInfo(
        name="DLA60_res2net",
        family="DLA",
        trainable_params=20_848_072,
        params_with_statistics=20_897_048,
        macs=4_122_681_344,
        published={
            "timm": Published(78.462, 94.206, 9.272, 20.848),
        },
    ),
    ModelInfo(
        name="DLA60_res2next",
        family="DLA",
        trainable_params=17_032_984,
        params_with_statistics=17_085_208,
        macs=3_458_752_512,
        published={
            "timm": Published(78.44, 94.15, 7.804, 17.033),
        },
    ),
)

MODELS: dict[str, ModelInfo] = {row.name: row for row in _ROWS}
# The published latencies, by what they were measured on.
LATENCIES: dict[str, Callable[[ModelInfo], Latency | None]] = {
    "V100 FP32": lambda info: info.v100_fp32_ms,
    "T4 FP16": lambda info: info.t4_fp16_ms,
    "T4 FP32": lambda info: info.t4_fp32_ms,
}
