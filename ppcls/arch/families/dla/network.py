"""Deep Layer Aggregation: Yu, Wang, Shelhamer, Darrell, CVPR 2018, arXiv:1707.06484.

The structure is the paper's (section 3 and table 1) and the parameter names are PaddleClas's, so its weights load
as they are. Deviations from the authors' code, none of which changes what a given set of weights computes:

- A tree of depth two or more has no projection of its own: the authors create one there and never use it.
- The pooled input of a level is computed once, not once for each depth of its tree.
- `DLA60_res2net` and `DLA60_res2next` put the blocks of Res2Net (Gao et al., TPAMI 2021, arXiv:1904.01169) into
  DLA60; they are timm's, PaddleClas has none.
- The initial weights are those of `ppcls.arch.layers`: scaled by a layer's inputs where theirs are by its outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddle import Tensor, nn

from ppcls.arch.layers import (
    AvgPool2D,
    Backbone,
    BatchNorm2D,
    Block,
    MaxPool2D,
    add,
    concat,
    conv,
    conv_norm_relu,
    fork,
    split,
)

if TYPE_CHECKING:
    from ppcls.arch.catalog import BackboneParams

_STRIDES = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class DLASpec:
    """One variant.

    Attributes:
        depths: Depths of the trees of levels 2 to 5.
        channels: Channels of levels 0 to 5.
        bottleneck: Blocks of three convolutions (1x1, 3x3, 1x1) instead of two of 3x3.
        width: Channels of a bottleneck's 3x3 convolution, relative to the block's result.
        groups: Groups of that convolution.
        scale: Parts into which Res2Net's blocks split those channels; 1 is the plain bottleneck.
        residual_root: Whether a root adds the newest of its inputs to its result.
    """

    depths: tuple[int, int, int, int]
    channels: tuple[int, int, int, int, int, int]
    bottleneck: bool = True
    width: float = 0.5
    groups: int = 1
    scale: int = 1
    residual_root: bool = False


_BASIC = (16, 32, 64, 128, 256, 512)
_COMPACT = (16, 32, 64, 64, 128, 256)
_FULL = (16, 32, 128, 256, 512, 1024)

SPECS: dict[str, DLASpec] = {
    "DLA34": DLASpec((1, 2, 2, 1), _BASIC, bottleneck=False),
    "DLA46_c": DLASpec((1, 2, 2, 1), _COMPACT),
    "DLA46x_c": DLASpec((1, 2, 2, 1), _COMPACT, width=1, groups=32),
    "DLA60": DLASpec((1, 2, 3, 1), _FULL),
    "DLA60x": DLASpec((1, 2, 3, 1), _FULL, width=1, groups=32),
    "DLA60x_c": DLASpec((1, 2, 3, 1), _COMPACT, width=1, groups=32),
    "DLA102": DLASpec((1, 3, 4, 1), _FULL, residual_root=True),
    "DLA102x": DLASpec((1, 3, 4, 1), _FULL, width=1, groups=32, residual_root=True),
    "DLA102x2": DLASpec((1, 3, 4, 1), _FULL, width=2, groups=64, residual_root=True),
    "DLA169": DLASpec((2, 3, 5, 1), _FULL, residual_root=True),
    "DLA60_res2net": DLASpec((1, 2, 3, 1), _FULL, width=28 / 32, scale=4),
    "DLA60_res2next": DLASpec((1, 2, 3, 1), _FULL, width=1, groups=8, scale=4),
}


class BasicBlock(Block):
    """Two 3x3 convolutions; the first may stride."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, out_channels, 3, stride)
        self.bn1 = BatchNorm2D(out_channels)
        self.conv2 = conv(out_channels, out_channels, 3)
        self.bn2 = BatchNorm2D(out_channels)

    def forward(self, x: Tensor, shortcut: Tensor) -> Tensor:
        """The block's result with `shortcut` added before the last ReLU."""
        x = self.bn1(self.conv1(x), relu=True)
        return self.bn2(self.conv2(x), shortcut, relu=True)


class Bottleneck(Block):
    """Convolutions of 1x1, 3x3 and 1x1; the middle one may stride and have groups."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, spec: DLASpec
    ) -> None:
        super().__init__()
        middle = int(out_channels * spec.width)
        self.conv1 = conv(in_channels, middle, 1)
        self.bn1 = BatchNorm2D(middle)
        self.conv2 = conv(middle, middle, 3, stride, groups=spec.groups)
        self.bn2 = BatchNorm2D(middle)
        self.conv3 = conv(middle, out_channels, 1)
        self.bn3 = BatchNorm2D(out_channels)

    def forward(self, x: Tensor, shortcut: Tensor) -> Tensor:
        """The block's result with `shortcut` added before the last ReLU."""
        x = self.bn1(self.conv1(x), relu=True)
        x = self.bn2(self.conv2(x), relu=True)
        return self.bn3(self.conv3(x), shortcut, relu=True)


class Res2Bottleneck(Block):
    """A bottleneck whose 3x3 convolution is a cascade over parts of the channels (figure 2b of Res2Net).

    Each part but the last has a convolution of its own, which also reads the result of the part before it. A block
    that strides has parts of different sizes, so there each reads its own part alone, and the last is pooled.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, spec: DLASpec
    ) -> None:
        super().__init__()
        middle = int(out_channels * spec.width)
        self.scale, self.part = spec.scale, middle // spec.scale
        self.conv1 = conv(in_channels, middle, 1)
        self.bn1 = BatchNorm2D(middle)
        self.convs = nn.LayerList(
            conv(self.part, self.part, 3, stride, groups=spec.groups)
            for _ in range(spec.scale - 1)
        )
        self.bns = nn.LayerList(BatchNorm2D(self.part) for _ in range(spec.scale - 1))
        # timm's pool counts the padding as zeros.
        self.pool = (
            AvgPool2D(3, stride, padding=1, exclusive=False) if stride > 1 else None
        )
        self.conv3 = conv(middle, out_channels, 1)
        self.bn3 = BatchNorm2D(out_channels)

    def forward(self, x: Tensor, shortcut: Tensor) -> Tensor:
        """The block's result with `shortcut` added before the last ReLU."""
        x = self.bn1(self.conv1(x), relu=True)
        parts = split(x, [self.part] * self.scale)
        done: list[Tensor] = []
        for part, conv3x3, bn in zip(parts, self.convs, self.bns):
            x = part if self.pool or not done else add(part, done[-1])
            done.append(bn(conv3x3(x), relu=True))
        done.append(self.pool(parts[-1]) if self.pool else parts[-1])
        return self.bn3(self.conv3(concat(done)), shortcut, relu=True)


class Root(Block):
    """Merges what was gathered, the newest first, by a 1x1 convolution."""

    def __init__(self, in_channels: int, out_channels: int, residual: bool) -> None:
        super().__init__()
        self.conv = conv(in_channels, out_channels, 1)
        self.bn = BatchNorm2D(out_channels)
        self.residual = residual

    def forward(self, *gathered: Tensor) -> Tensor:
        """Tensors of any channels [N, C, H, W] to one of [N, out_channels, H, W]."""
        shortcut = gathered[0] if self.residual else None
        return self.bn(self.conv(concat(gathered)), shortcut, relu=True)


class Tree(nn.Layer):
    """Two subtrees in a row, blocks at depth 1, and the root in which all that was gathered meets.

    At every depth the first subtree's result is gathered on the way to the last root (section 3.2).
    """

    def __init__(
        self,
        spec: DLASpec,
        depth: int,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        gathered: int = 0,
    ) -> None:
        super().__init__()
        self.depth = depth
        if depth > 1:
            self.tree1 = Tree(spec, depth - 1, in_channels, out_channels, stride)
            self.tree2 = Tree(
                spec,
                depth - 1,
                out_channels,
                out_channels,
                gathered=gathered + out_channels,
            )
            return
        self.project = nn.Identity()
        if in_channels != out_channels:
            self.project = nn.Sequential(
                conv(in_channels, out_channels, 1), BatchNorm2D(out_channels)
            )
        self.tree1 = _block(spec, in_channels, out_channels, stride)
        self.tree2 = _block(spec, out_channels, out_channels, 1)
        self.root = Root(2 * out_channels + gathered, out_channels, spec.residual_root)

    def forward(
        self, x: Tensor, shrunk: Tensor, gathered: tuple[Tensor, ...] = ()
    ) -> Tensor:
        """`shrunk` is `x` at the size of the result; `gathered` goes to the last root."""
        if self.depth > 1:
            first, shortcut, kept = fork(self.tree1(x, shrunk), 3)
            return self.tree2(first, shortcut, (*gathered, kept))
        first, shortcut, kept = fork(self.tree1(x, self.project(shrunk)), 3)
        second = self.tree2(first, shortcut)
        return self.root(second, kept, *gathered)


def _block(spec: DLASpec, in_channels: int, out_channels: int, stride: int) -> nn.Layer:
    if spec.scale > 1:
        return Res2Bottleneck(in_channels, out_channels, stride, spec)
    if spec.bottleneck:
        return Bottleneck(in_channels, out_channels, stride, spec)
    return BasicBlock(in_channels, out_channels, stride)


class DLA(Backbone):
    """The network of `SPECS[params.name]`. Its stages are the paper's levels 0 to 5, with strides 1 to 32."""

    stem_layer = "base_layer.0"

    def __init__(self, params: BackboneParams) -> None:
        spec = SPECS[params.name]
        super().__init__(params, spec.channels, _STRIDES)
        c, depths = spec.channels, spec.depths
        self.base_layer = conv_norm_relu(params.in_channels, c[0], 7)
        self.level0 = conv_norm_relu(c[0], c[0], 3)
        self.level1 = conv_norm_relu(c[0], c[1], 3, stride=2)
        self.level2 = Tree(spec, depths[0], c[1], c[2], stride=2)
        # From level 3 on, the last root sees the level's input as well.
        self.level3 = Tree(spec, depths[1], c[2], c[3], stride=2, gathered=c[2])
        self.level4 = Tree(spec, depths[2], c[3], c[4], stride=2, gathered=c[3])
        self.level5 = Tree(spec, depths[3], c[4], c[5], stride=2, gathered=c[4])
        self.shrink = MaxPool2D(2, stride=2)

    def run_stages(self, x: Tensor) -> list[Tensor]:
        """The six levels; see `Backbone.run_stages`."""
        level0 = self.level0(self.base_layer(x))  # [N, 16, H, W]
        level1 = self.level1(level0)  # [N, 32, H/2, W/2]
        x, same = fork(level1, 2)
        level2 = self.level2(x, self.shrink(same))  # [N, channels[2], H/4, W/4]
        levels = [level0, level1, level2]
        for level in (self.level3, self.level4, self.level5):
            x, same = fork(levels[-1], 2)
            shrunk, kept = fork(self.shrink(same), 2)
            # [N, channels[i], H/8 to H/32, W/8 to W/32]
            levels.append(level(x, shrunk, (kept,)))
        return levels

    def admits(self, side: int) -> bool:
        """Level 1 rounds up and the pools round down, so its result must be halved four times without a rest."""
        return side > 0 and (side + 1) // 2 % 16 == 0

    def size_rule(self) -> str:
        """See `Backbone.size_rule`."""
        return "height and width must be multiples of 32"
