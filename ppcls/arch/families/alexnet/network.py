"""AlexNet: Krizhevsky, 2014, arXiv:1404.5997, the single stream with 64-192-384-256-256 filters, without LRN.

Deviations from PaddleClas:

- The last feature map is pooled to 6 x 6 where it is larger or smaller, as torchvision does it, so that other sizes
  than about 224 are admitted; at 224 it is 6 x 6 and nothing is pooled.
- Dropout scales in training, not in evaluation. Loading PaddleClas's weights halves those of the layers behind a
  dropout instead (see the `facts` beside this file).
- The classifier is a 1x1 convolution; the initial weights are those of `ppcls.arch.layers`, and in the hidden
  layers normal with a standard deviation of 0.005.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddle import Tensor, jit, nn
from paddle.nn.initializer import Normal

from ppcls.arch.layers import (
    Backbone,
    Block,
    MaxPool2D,
    as_picture,
    conv,
    to_channels_first,
)

if TYPE_CHECKING:
    from ppcls.arch.families.alexnet.facts import AlexNetParams

_CHANNELS = (64, 192, 256, 256)
_STRIDES = (4, 8, 16, 32)
_HIDDEN = 4096
_GRID = 6  # positions a side that the first fully connected layer reads


class Trio(Block):
    """The three 3x3 convolutions between the second pool and the last."""

    def __init__(self) -> None:
        super().__init__()
        self.conv3 = conv(192, 384, 3, bias=True)
        self.conv4 = conv(384, 256, 3, bias=True)
        self.conv5 = conv(256, 256, 3, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 192, H, W] to [N, 256, H, W]."""
        x = self.conv3(x, relu=True)
        return self.conv5(self.conv4(x, relu=True), relu=True)


class AlexNet(Backbone):
    """AlexNet. Its stages are what each of the three pools reads, and the last pool's result.

    The features that the classifier reads, and 0 classes give, are the 4,096 of the second hidden layer.
    """

    stem_layer = "conv1"

    def __init__(self, params: AlexNetParams) -> None:
        super().__init__(params, _CHANNELS, _STRIDES, num_features=_HIDDEN)
        self.conv1 = conv(params.in_channels, 64, 11, stride=4, padding=2, bias=True)
        self.conv2 = conv(64, 192, 5, bias=True)
        self.trio = Trio()
        self.relu = nn.ReLU()
        self.shrink = MaxPool2D(3, stride=2)
        self.pool = nn.AdaptiveAvgPool2D(_GRID)
        # As Caffe's AlexNet has it. By their inputs, like the convolutions', the first logits would be in the tens:
        # without batch norm each of the three pools, by taking the largest, doubles the scale of the activations.
        small = Normal(std=0.005)
        self.fc6 = nn.Linear(256 * _GRID * _GRID, _HIDDEN, weight_attr=small)
        self.fc7 = nn.Linear(_HIDDEN, _HIDDEN, weight_attr=small)

    def run_stages(self, x: Tensor) -> list[Tensor]:
        """The inputs of the three pools and the result of the last; see `Backbone.run_stages`."""
        first = self.conv1(x, relu=True)  # [N, 64, H/4, W/4]
        second = self.conv2(self.shrink(first), relu=True)  # [N, 192, H/8, W/8]
        third = self.trio(self.shrink(second))  # [N, 256, H/16, W/16]
        # The last: [N, 256, H/32, W/32]
        return [first, second, third, self.shrink(third)]

    def forward_head(self, x: Tensor) -> Tensor:
        """Two hidden layers, each behind a dropout, and the classifier, which has none."""
        x = self._to_grid(to_channels_first(x))  # [N, 256, 6, 6]
        x = self.relu(self.fc6(self.dropout(x.flatten(1))))  # [N, 4096]
        x = self.relu(self.fc7(self.dropout(x)))
        if self.fc is None:
            return x
        return self.fc(as_picture(x)).flatten(1)  # [N, class_num]

    @jit.not_to_static  # a static graph would turn an unknown size into a tensor
    def _to_grid(self, x: Tensor) -> Tensor:
        if list(x.shape[2:]) == [_GRID, _GRID]:
            return x
        return self.pool(x)

    def admits(self, side: int) -> bool:
        """Whether each of the three pools has at least one window."""
        return side >= 63

    def size_rule(self) -> str:
        """See `Backbone.size_rule`."""
        return "height and width must be at least 63"
