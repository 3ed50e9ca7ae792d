"""DarkNet53: the backbone of YOLOv3, Redmon and Farhadi, 2018, arXiv:1804.02767, section 2.4 and table 1.

The activation belongs to the weights: PaddleClas trained with ReLU, timm with a leaky ReLU of slope 0.01, Darknet
itself with 0.1; the argument `activation_slope` chooses. Deviations from PaddleClas, none of which changes what a
given set of weights computes: the classifier is a 1x1 convolution, as Darknet has it, and the initial weights are
those of `ppcls.arch.layers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddle import Tensor, nn

from ppcls.arch.layers import Backbone, Block, add, conv_norm_relu, fork

if TYPE_CHECKING:
    from ppcls.arch.families.darknet.facts import DarkNet53Params

_STEM = 32
_CHANNELS = (64, 128, 256, 512, 1024)
_BLOCKS = (1, 2, 8, 8, 4)
_STRIDES = (1, 2, 4, 8, 16, 32)


class Residual(Block):
    """A 1x1 convolution to half the channels and a 3x3 one back, added to the input."""

    def __init__(self, channels: int, slope: float) -> None:
        super().__init__()
        self.conv1 = conv_norm_relu(channels, channels // 2, 1, slope=slope)
        self.conv2 = conv_norm_relu(channels // 2, channels, 3, slope=slope)

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, H, W] to the same."""
        x, shortcut = fork(x, 2)
        return add(shortcut, self.conv2(self.conv1(x)))


class Stage(nn.Layer):
    """A convolution that halves the size, and the residual blocks behind it."""

    def __init__(
        self, in_channels: int, out_channels: int, blocks: int, slope: float
    ) -> None:
        super().__init__()
        self.down = conv_norm_relu(in_channels, out_channels, 3, stride=2, slope=slope)
        self.blocks = nn.Sequential(
            *(Residual(out_channels, slope) for _ in range(blocks))
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, in_channels, H, W] to [N, out_channels, H/2, W/2]."""
        return self.blocks(self.down(x))


class DarkNet(Backbone):
    """DarkNet53. Its stages are the first convolution and what stands behind each of the five halvings."""

    stem_layer = "stem.0"

    def __init__(self, params: DarkNet53Params) -> None:
        channels, slope = (_STEM, *_CHANNELS), params.activation_slope
        super().__init__(params, channels, _STRIDES)
        self.stem = conv_norm_relu(params.in_channels, _STEM, 3, slope=slope)
        self.stages = nn.LayerList(
            Stage(before, after, blocks, slope)
            for before, after, blocks in zip(channels, _CHANNELS, _BLOCKS)
        )

    def run_stages(self, x: Tensor) -> list[Tensor]:
        """The stem and the five stages; see `Backbone.run_stages`."""
        stages = [self.stem(x)]  # [N, 32, H, W]
        for stage in self.stages:
            # [N, 64 to 1024, H/2 to H/32, W/2 to W/32]
            stages.append(stage(stages[-1]))
        return stages
