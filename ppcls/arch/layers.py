"""What the families share: the base class of all backbones, convolutions and their initial values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import paddle
from paddle import Tensor, jit, nn
from paddle.nn.initializer import KaimingNormal, Normal

from ppcls.arch.weights.layouts import check_arguments, convert_state_dict, recognise
from ppcls.arch.weights.sources import preprocessing_by_layout, preprocessing_of
from ppcls.utils.errors import UserError, expect

if TYPE_CHECKING:
    from ppcls.arch.catalog import BackboneParams


def conv(
    in_channels: int,
    out_channels: int,
    kernel: int,
    stride: int = 1,
    padding: int | None = None,
    groups: int = 1,
    bias: bool = False,
) -> nn.Conv2D:
    """A convolution, padded by half its kernel unless `padding` is given.

    Its weight starts normal with variance 2 / n, n being the number of inputs of one output, which keeps the scale
    of the activations from layer to layer (He et al. 2015, arXiv:1502.01852, equation 10). A bias starts at 0.
    """
    return nn.Conv2D(
        in_channels,
        out_channels,
        kernel,
        stride=stride,
        padding=kernel // 2 if padding is None else padding,
        groups=groups,
        weight_attr=KaimingNormal(),
        bias_attr=None if bias else False,
    )


def conv_norm_relu(
    in_channels: int,
    out_channels: int,
    kernel: int,
    stride: int = 1,
    slope: float = 0.0,
) -> nn.Sequential:
    """Convolution, batch norm and ReLU in a row; a `slope` below zero makes it a leaky one."""
    relu = nn.LeakyReLU(slope) if slope else nn.ReLU()
    return nn.Sequential(
        conv(in_channels, out_channels, kernel, stride),
        nn.BatchNorm2D(out_channels),
        relu,
    )


class Block(nn.Layer):
    """A part of a backbone that can drop its inner results and compute them again in the backward pass.

    Gradient checkpointing (Chen et al. 2016, arXiv:1604.06174). Dropout draws the same in both passes, and batch norm's
    running statistics are updated by the first pass only.

    Attributes:
        recompute: Whether it does so in training.
    """

    recompute = False

    def __call__(self, *inputs: Tensor) -> Any:
        """The block's result; see its `forward`."""
        if not self.recompute or not self.training or not paddle.is_grad_enabled():
            return super().__call__(*inputs)
        # Where no input needs a gradient, as behind frozen layers, Paddle would give the block's parameters none.
        if all(value.stop_gradient for value in inputs):
            return super().__call__(*inputs)
        # Loads much that nothing else needs
        from paddle.distributed.fleet.utils import recompute

        return recompute(self._pass, *inputs)

    def _pass(self, *inputs: Tensor) -> Any:
        # Paddle runs the first pass without gradients, the second with them
        if not paddle.is_grad_enabled():
            return super().__call__(*inputs)
        momenta: dict[nn.Layer, float] = {}
        for part in self.sublayers():
            if isinstance(part, (nn.BatchNorm2D, nn.SyncBatchNorm)):
                momenta[part] = part._momentum
                part._momentum = 1.0  # the share of the old statistics in the new
        try:
            return super().__call__(*inputs)
        finally:
            for norm, momentum in momenta.items():
                norm._momentum = momentum


class Backbone(nn.Layer):
    """A classifier whose stages can be used one by one.

    A family defines `features`. It also defines `admits` if it does not admit every input size, and `forward_head` if
    its classifier does not follow the pooling.

    Attributes:
        stem_layer: Name of the convolution that reads the picture.
        params: The arguments that it was made with.
        preprocessing: How pictures become its input: that of its weights where they state one, otherwise the model's.
            `ppcls.data.transforms.for_model` makes transforms of it.
        feature_channels: Channels of each tensor of `features`.
        feature_strides: Pixels of the input from one position of each of those tensors to the next.
        num_features: Length of what the classifier reads: channels of the last stage, unless hidden layers follow.
    """

    stem_layer: str

    def __init__(
        self,
        params: BackboneParams,
        feature_channels: Sequence[int],
        feature_strides: Sequence[int],
        num_features: int | None = None,
    ) -> None:
        super().__init__()
        self.params = params
        self.preprocessing = preprocessing_of(params.name)
        self.feature_channels: tuple[int, ...] = tuple(feature_channels)
        self.feature_strides: tuple[int, ...] = tuple(feature_strides)
        self.num_features = num_features or self.feature_channels[-1]
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.dropout = nn.Dropout(params.drop_rate)
        self.reset_classifier(params.class_num)

    def features(self, x: Tensor) -> list[Tensor]:
        """The result of every stage, from the input's size down: float32 [N, feature_channels[i], H_i, W_i].

        Args:
            x: float32 [N, in_channels, H, W].

        Raises:
            UserError: the input has other channels, or a size that the geometry does not admit.
        """
        raise NotImplementedError

    def forward_features(self, x: Tensor) -> Tensor:
        """The result of the last stage."""
        return self.features(x)[-1]

    def forward_head(self, x: Tensor) -> Tensor:
        """From the last stage to logits [N, class_num], or to pooled features [N, num_features] for 0 classes."""
        x = self.pool(x)  # [N, num_features, 1, 1]
        if self.fc is not None:
            x = self.fc(self.dropout(x))  # [N, class_num, 1, 1]
        return x.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, class_num] of pictures [N, in_channels, H, W]; pooled features for 0 classes."""
        return self.forward_head(self.forward_features(x))

    def reset_classifier(self, class_num: int) -> None:
        """Replace the classifier by a new one of `class_num` classes (0: none); the other layers stay.

        The classifier is a 1x1 convolution that starts normal with a standard deviation of 0.01, small enough for
        the first loss to be log(class_num) whatever the number of classes.
        """
        self.params = replace(self.params, class_num=class_num)
        fc = None
        if class_num:
            small = Normal(std=0.01)
            fc = nn.Conv2D(self.num_features, class_num, 1, weight_attr=small)
        # Set once: a new layer takes the old one's place in the order of parameters
        self.fc = fc

    def set_recompute(self, enable: bool = True) -> None:
        """Switch gradient checkpointing of every block on or off; see `Block`."""
        self.params = replace(self.params, recompute=enable)
        for part in self.sublayers():
            if isinstance(part, Block):
                part.recompute = enable

    def set_state_dict(
        self, state_dict: Mapping[str, Any], use_structured_name: bool = True
    ) -> tuple[list[str], list[str]]:
        """Load a dictionary as Paddle does, or one of any layout that the model's family has, such as PaddleClas's.

        Raises:
            UserError: the dictionary belongs to other arguments of the model than it was made with.
        """
        # Names that Paddle gave the parameters, which no layout knows
        if not use_structured_name:
            return super().set_state_dict(state_dict, False)
        layout = recognise(self, list(state_dict))
        check_arguments(self, layout)
        conversion = convert_state_dict(self, state_dict, layout)
        missing, unexpected = super().set_state_dict(conversion.state)
        preprocessing = preprocessing_by_layout(self.params.name, layout.source)
        if preprocessing is not None:
            self.preprocessing = preprocessing
        return missing, list(dict.fromkeys([*unexpected, *conversion.unexpected]))

    set_dict = set_state_dict
    load_dict = set_state_dict

    def admits(self, side: int) -> bool:
        """Whether the geometry admits a height or width of `side` pixels, in every backend that a model may run in.

        Paddle runs some sizes in which a pool's window exceeds its input; other backends give nothing for them.
        Where every layer is padded, even one pixel passes; other families define what they admit.
        """
        return side >= 1

    def size_rule(self) -> str:
        """The sizes that the geometry admits, as the end of a sentence."""
        return "height and width must be at least 1"

    @jit.not_to_static  # a static graph would turn an unknown size into a tensor
    def check_input(self, x: Tensor) -> None:
        """Refuse an input that the convolutions would refuse with a less helpful error; unknown sizes (-1) pass.

        Raises:
            UserError: the input has other channels, or a size that the geometry does not admit.
        """
        name = self.params.name
        shape = list(x.shape)
        expect(
            len(shape) == 4,
            f"{name} takes pictures as [N, C, H, W] and was given the shape {shape}",
        )
        if shape[1] not in (-1, self.params.in_channels):
            raise UserError(
                f"{name} was made for {self.params.in_channels} channels and was given {shape[1]} "
                f"(shape {shape}); make it with in_channels={shape[1]}"
            )
        for side in shape[2:]:
            if side != -1 and not self.admits(side):
                raise UserError(
                    f"{name} was given pictures of {shape[2]} x {shape[3]} pixels; {self.size_rule()}"
                )
