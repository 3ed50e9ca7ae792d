"""Deep Layer Aggregation: models, published numbers, weights and layouts of weights. Loads no Paddle.

PaddleClas's page of DLA prints multiply-accumulates as FLOPs; its pages of other families print about twice that.
"""
# No `from __future__ import annotations`: the annotations are read when a configuration is checked.

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ppcls.arch.catalog import BACKBONES, BackboneParams
from ppcls.arch.family import register_family
from ppcls.arch.model_table import ModelInfo, Published
from ppcls.arch.weights.names import Layout, same
from ppcls.arch.weights.sources import (
    PIL,
    PretrainedWeights,
    paddleclas_weights,
    printed,
    timm_address,
)

if TYPE_CHECKING:
    from ppcls.arch.layers import Backbone

_FAMILY = "DLA"
_MODELS = (
    ModelInfo(
        name="DLA34",
        family=_FAMILY,
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
        family=_FAMILY,
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
        family=_FAMILY,
        trainable_params=1_068_440,
        params_with_statistics=1_079_320,
        macs=532_723_712,
        published={
            "paddleclas": Published(64.36, 86.01, 0.5, 1.1),
            "timm": Published(65.97, 86.98, 1.234, 1.068),
            "ucbdrive": Published(65.576, 86.948, 1.238, 1.077),
        },
        has_inference_model=False,
    ),
    ModelInfo(
        name="DLA60",
        family=_FAMILY,
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
        family=_FAMILY,
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
        family=_FAMILY,
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
        family=_FAMILY,
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
        family=_FAMILY,
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
        family=_FAMILY,
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
        family=_FAMILY,
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
        name="DLA60_res2net",
        family=_FAMILY,
        trainable_params=20_848_072,
        params_with_statistics=20_897_048,
        macs=4_122_681_344,
        published={
            "timm": Published(78.462, 94.206, 9.272, 20.848),
        },
    ),
    ModelInfo(
        name="DLA60_res2next",
        family=_FAMILY,
        trainable_params=17_032_984,
        params_with_statistics=17_085_208,
        macs=3_458_752_512,
        published={
            "timm": Published(78.44, 94.15, 7.804, 17.033),
        },
    ),
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


def _weights() -> Iterator[PretrainedWeights]:
    yield from paddleclas_weights(_MODELS)
    for info in _MODELS:
        # The model cards of the two with Res2Net's blocks say "unknown"
        licence = "BSD-3-Clause" if info.name in _UCBDRIVE else None
        url = timm_address(f"{info.name.lower()}.in1k")
        yield PretrainedWeights(
            info.name, "timm", url, licence, PIL, **printed(info, "timm")
        )
    for info in _MODELS:
        digest = _UCBDRIVE.get(info.name)
        if digest is None:
            continue
        # Users report since 2025 that this host does not answer; timm has the same weights. It has no https.
        url = f"http://dl.yf.io/dla/models/imagenet/{info.name.lower()}-{digest}.pth"
        yield PretrainedWeights(
            info.name,
            "ucbdrive",
            url,
            "BSD-3-Clause",
            PIL,
            sha256_prefix=digest,
            **printed(info, "ucbdrive"),
        )


def _unused_projection(key: str, modules: frozenset[str]) -> str | None:
    """Ucbdrive gives every tree a projection of its input; a tree of trees passes its input on and never uses it."""
    tree, dot, _ = key.rpartition(".project.")
    if dot and f"{tree}.tree1.tree1" in modules:
        return "a projection that the authors' network makes and never uses"
    return None


register_family(
    _MODELS,
    layouts=(
        Layout("paddleclas", same),
        Layout("timm", same, torch=True),
        Layout("ucbdrive", same, torch=True, unused=_unused_projection),
    ),
    weights=_weights(),
)


@BACKBONES.register(*(info.name for info in _MODELS))
@dataclass(frozen=True)
class DLAParams(BackboneParams):
    """Deep Layer Aggregation."""

    def _make(self) -> "Backbone":
        from ppcls.arch.families.dla.network import DLA

        return DLA(self)
