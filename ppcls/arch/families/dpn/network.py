"""Dual Path Networks: Chen, Li, Xiao, Jin, Yan, Feng, NIPS 2017, arXiv:1707.01629.

The structure is the paper's (section 4 and table 1) with its activations before the convolutions; layers are named
by the paper's stages, `conv3_1` being the first block of stage 3. DPN68, DPN107 and DPN131 are the authors' later
variants. Deviations from PaddleClas, none of which changes what a given set of weights computes:

- The two paths of a block stay two tensors and are joined once, in front of what reads both.
- The classifier is a 1x1 convolution; the initial weights are those of `ppcls.arch.layers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddle import Tensor, nn

from ppcls.arch.layers import (
    Backbone,
    BatchNorm2D,
    Block,
    ConvNormRelu,
    MaxPool2D,
    add,
    concat,
    conv,
    fork,
    split,
)

if TYPE_CHECKING:
    from ppcls.arch.families.dpn.facts import DPNParams

_STRIDES = (2, 4, 8, 16, 32)


@dataclass(frozen=True)
class DPNSpec:
    """One variant.

    Attributes:
        stem: Channels of the first convolution, which has a stride of 2.
        width: Channels of the first stage's grouped convolutions; every later stage has twice as many.
        groups: Groups of those convolutions.
        blocks: Blocks of stages 2 to 5.
        growth: Channels that each block of a stage adds to the dense path.
        stem_kernel: Kernel of the first convolution.
        residual: Channels of the residual path in the first stage, which double as well.
    """

    stem: int
    width: int
    groups: int
    blocks: tuple[int, int, int, int]
    growth: tuple[int, int, int, int]
    stem_kernel: int = 7
    residual: int = 256


SPECS: dict[str, DPNSpec] = {
    "DPN68": DPNSpec(
        10, 128, 32, (3, 4, 12, 3), (16, 32, 32, 64), stem_kernel=3, residual=64
    ),
    "DPN92": DPNSpec(64, 96, 32, (3, 4, 20, 3), (16, 32, 24, 128)),
    "DPN98": DPNSpec(96, 160, 40, (3, 6, 20, 3), (16, 32, 32, 128)),
    "DPN107": DPNSpec(128, 200, 50, (4, 8, 20, 3), (20, 64, 64, 128)),
    "DPN131": DPNSpec(128, 160, 40, (4, 8, 28, 3), (16, 32, 32, 128)),
}


class NormConv(nn.Layer):
    """Batch norm, ReLU and convolution in a row."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        epsilon: float,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.bn = BatchNorm2D(in_channels, epsilon=epsilon)
        self.conv = conv(in_channels, out_channels, kernel, stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """[N, in_channels, H, W] to [N, out_channels, H / stride, W / stride]."""
        return self.conv(self.bn(x, relu=True))


class DualPathBlock(Block):
    """Reads both paths, adds to the residual one and appends to the dense one.

    A stage's first block begins new paths by a projection of the old ones.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        residual: int,
        growth: int,
        stride: int,
        groups: int,
        epsilon: float,
        first: bool,
    ) -> None:
        super().__init__()
        self.residual, self.growth = residual, growth
        self.project = (
            NormConv(in_channels, residual + 2 * growth, 1, epsilon, stride)
            if first
            else None
        )
        self.reduce = NormConv(in_channels, width, 1, epsilon)
        self.spatial = NormConv(width, width, 3, epsilon, stride, groups)
        self.expand = NormConv(width, residual + growth, 1, epsilon)

    def forward(self, *paths: Tensor) -> tuple[Tensor, Tensor]:
        """`paths` are the residual and the dense one, or the stem's only one; the result is both."""
        if self.project is None:
            (shortcut, residual), (dense, grown) = (fork(path, 2) for path in paths)
            x = concat([residual, grown])
        else:
            x, same = fork(concat(paths), 2)
            shortcut, dense = split(
                self.project(same), [self.residual, 2 * self.growth]
            )
        x = self.expand(self.spatial(self.reduce(x)))
        added, appended = split(x, [self.residual, self.growth])
        return add(shortcut, added), concat([dense, appended])


class DPN(Backbone):
    """The network of `SPECS[params.name]`. Its stages are the stem and the paper's stages 2 to 5."""

    stem_layer = "stem.0"

    def __init__(self, params: DPNParams) -> None:
        spec, epsilon = SPECS[params.name], params.epsilon
        ends = [
            spec.residual * 2**k + (n + 2) * g
            for k, (n, g) in enumerate(zip(spec.blocks, spec.growth))
        ]
        super().__init__(params, (spec.stem, *ends), _STRIDES)
        first = conv(params.in_channels, spec.stem, spec.stem_kernel, stride=2)
        self.stem = ConvNormRelu(first, BatchNorm2D(spec.stem, epsilon=epsilon))
        self.shrink = MaxPool2D(3, stride=2, padding=1)
        self._stages: list[list[str]] = []
        channels = spec.stem
        for k, (blocks, growth) in enumerate(zip(spec.blocks, spec.growth)):
            self._stages.append([f"conv{k + 2}_{i + 1}" for i in range(blocks)])
            width, residual = spec.width * 2**k, spec.residual * 2**k
            for i, name in enumerate(self._stages[-1]):
                stride = 2 if k > 0 and i == 0 else 1
                block = DualPathBlock(
                    channels,
                    width,
                    residual,
                    growth,
                    stride,
                    spec.groups,
                    epsilon,
                    first=i == 0,
                )
                self.add_sublayer(name, block)
                channels = residual + (i + 3) * growth
        self.norm = BatchNorm2D(self.num_features, epsilon=epsilon)

    def run_stages(self, x: Tensor) -> list[Tensor]:
        """The stem and the four stages, both paths joined; see `Backbone.run_stages`.

        A block normalises its own input, so the stages come as the next block reads them; the last is normalised and
        rectified.
        """
        stages = [self.stem(x)]  # [N, stem, H/2, W/2]
        paths: tuple[Tensor, ...] = (self.shrink(stages[0]),)  # [N, stem, H/4, W/4]
        for names in self._stages:
            for name in names:
                paths = getattr(self, name)(*paths)
            # [N, ends[k], H/4 to H/32, W/4 to W/32]
            stages.append(concat(paths))
        stages[-1] = self.norm(stages[-1], relu=True)
        return stages
