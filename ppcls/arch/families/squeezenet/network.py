"""SqueezeNet: Iandola, Han, Moskewicz, Ashraf, Dally, Keutzer, 2016, arXiv:1602.07360; 1.1 is their later code.

With the default arguments the geometry is PaddleClas's: 1.1 pads its first convolution by 1, and the pools drop a
window that the border cuts off. torchvision pads 0 and keeps such windows. Deviations from PaddleClas:

- Dropout scales in training, not in evaluation. Loading PaddleClas's weights halves the classifier's weight
  instead, which makes both modes the same function (see the `facts` beside this file).
- The initial weights are those of `ppcls.arch.layers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddle import Tensor

from ppcls.arch.layers import Backbone, Block, MaxPool2D, concat, conv, fork

if TYPE_CHECKING:
    from ppcls.arch.families.squeezenet.facts import SqueezeNet1_0Params

_STRIDES = (2, 4, 8, 16)


@dataclass(frozen=True)
class SqueezeNetSpec:
    """One version.

    Attributes:
        stem_channels: Channels of the first convolution, which has a stride of 2.
        stem_kernel: Its kernel.
        stages: For each stage behind a pool the (squeeze, expand) channels of its fire modules.
    """

    stem_channels: int
    stem_kernel: int
    stages: tuple[tuple[tuple[int, int], ...], ...]


SPECS: dict[str, SqueezeNetSpec] = {
    "SqueezeNet1_0": SqueezeNetSpec(
        96,
        7,
        (
            ((16, 64), (16, 64), (32, 128)),
            ((32, 128), (48, 192), (48, 192), (64, 256)),
            ((64, 256),),
        ),
    ),
    "SqueezeNet1_1": SqueezeNetSpec(
        64,
        3,
        (
            ((16, 64),) * 2,
            ((32, 128),) * 2,
            ((48, 192), (48, 192), (64, 256), (64, 256)),
        ),
    ),
}


class Fire(Block):
    """A 1x1 convolution that squeezes, then a 1x1 and a 3x3 side by side that expand."""

    def __init__(self, in_channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = conv(in_channels, squeeze, 1, bias=True)
        self.expand1x1 = conv(squeeze, expand, 1, bias=True)
        self.expand3x3 = conv(squeeze, expand, 3, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """[N, in_channels, H, W] to [N, 2 * expand, H, W]."""
        x, same = fork(self.squeeze(x, relu=True), 2)
        return concat([self.expand1x1(x), self.expand3x3(same)], relu=True)


class SqueezeNet(Backbone):
    """The network of `SPECS[params.name]`. Its stages are what each pool and the classifier read."""

    stem_layer = "stem"

    def __init__(self, params: SqueezeNet1_0Params) -> None:
        spec = SPECS[params.name]
        stage_channels = [2 * stage[-1][1] for stage in spec.stages]
        super().__init__(params, (spec.stem_channels, *stage_channels), _STRIDES)
        self.stem_kernel, self.stem_padding = spec.stem_kernel, params.stem_padding
        self.ceil_pooling = params.ceil_pooling
        stem = (params.in_channels, spec.stem_channels, spec.stem_kernel)
        self.stem = conv(*stem, stride=2, padding=params.stem_padding, bias=True)
        self.shrink = MaxPool2D(3, stride=2, ceil_mode=params.ceil_pooling)
        self._stages: list[list[str]] = []
        channels, number = spec.stem_channels, 2  # the paper counts the stem as layer 1
        for stage in spec.stages:
            self._stages.append([])
            for squeeze, expand in stage:
                self.add_sublayer(f"fire{number}", Fire(channels, squeeze, expand))
                self._stages[-1].append(f"fire{number}")
                channels, number = 2 * expand, number + 1

    def run_stages(self, x: Tensor) -> list[Tensor]:
        """The stem and the three stages of fire modules; see `Backbone.run_stages`."""
        stages = [self.stem(x, relu=True)]  # [N, stem_channels, H/2, W/2]
        for names in self._stages:
            x = self.shrink(stages[-1])
            for name in names:
                x = getattr(self, name)(x)
            stages.append(x)  # [N, stage_channels[i], H/4 to H/16, W/4 to W/16]
        return stages

    def forward_head(self, x: Tensor) -> Tensor:
        """Classifies every position and averages the rectified scores (section 3.3)."""
        if self.fc is not None:
            x = self.fc(self.dropout(x), relu=True)  # [N, class_num, H/16, W/16]
        return self.pool(x).flatten(1)

    def admits(self, side: int) -> bool:
        """Whether the stem and each pool have at least one window; with ceil pooling it may lack a row."""
        side = (side + 2 * self.stem_padding - self.stem_kernel) // 2 + 1
        for _ in self._stages:
            side = (side - 3 + self.ceil_pooling) // 2 + 1
        return side >= 1

    def size_rule(self) -> str:
        """See `Backbone.size_rule`."""
        smallest = next(side for side in range(1, 1000) if self.admits(side))
        return f"height and width must be at least {smallest}"
