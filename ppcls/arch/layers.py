"""What the families share: the base class of all backbones, its layers and their initial values.

A forward pass runs on Paddle's operators, with activations [N, C, H, W], or on those of `ppcls.kernels`, with
activations [N, H, W, C]. The layers and functions here do the same in both; so does arithmetic by element.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import paddle
import paddle.nn.functional as F
from paddle import Tensor, jit, nn
from paddle.nn.initializer import KaimingNormal, Normal

from ppcls.arch.weights.layouts import check_arguments, convert_state_dict, recognise
from ppcls.arch.weights.sources import preprocessing_by_layout, preprocessing_of
from ppcls.kernels import operators, selection
from ppcls.kernels.library import POOL_AVERAGE, POOL_AVERAGE_PADDED, POOL_MAX
from ppcls.kernels.selection import channels_last, is_bfloat16, is_channels_last
from ppcls.utils.errors import UserError, expect

if TYPE_CHECKING:
    from ppcls.arch.catalog import BackboneParams


_SMALL = 64  # pixels; every family of the library admits them
# A layer, not a function: a program labels its operations with the layers that they come from, and a ReLU behind a
# convolution without batch norm is a layer of its own there
_RELU = nn.ReLU()

# The classes have the names of Paddle's, after which Paddle names their parameters in checkpoints and programs. They
# call Paddle's `forward` by its class, because a conversion to a static graph does not know `super`.


class Conv2D(nn.Conv2D):
    """Paddle's convolution, padded with zeros, with a ReLU behind it if asked."""

    def __call__(self, x: Tensor, relu: bool = False) -> Tensor:
        """See `forward`."""
        if not relu or is_channels_last():
            return super().__call__(x, relu)
        return _RELU(super().__call__(x))

    def forward(self, x: Tensor, relu: bool = False) -> Tensor:
        """[N, in_channels, H, W] to [N, out_channels, H', W'], rectified if `relu`."""
        if not is_channels_last():
            x = nn.Conv2D.forward(self, x)
            return F.relu(x) if relu else x
        return operators.convolution(
            x,
            self.weight,
            self.bias,
            _pair(self._stride),
            _pair(self._padding),
            _pair(self._dilation),
            self._groups,
            relu,
        )


class BatchNorm2D(nn.BatchNorm2D):
    """Paddle's batch norm, with what often follows it."""

    def forward(
        self, x: Tensor, shortcut: Tensor | None = None, relu: bool = False
    ) -> Tensor:
        """Normalise, add `shortcut` if one is given, and rectify if `relu`: [N, C, H, W] to the same."""
        if is_channels_last():
            uses_batch = self.training and not self._use_global_stats
            return operators.batch_norm(
                x,
                self.weight,
                self.bias,
                (self._mean, self._variance),
                self._momentum if uses_batch else None,
                self._epsilon,
                relu,
                shortcut,
            )
        x = nn.BatchNorm2D.forward(self, x)
        if shortcut is not None:
            x = x + shortcut
        return F.relu(x) if relu else x


class MaxPool2D(nn.MaxPool2D):
    """Paddle's maximum pool."""

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, C, H', W']."""
        if not is_channels_last():
            return nn.MaxPool2D.forward(self, x)
        return _pooled(self, x, POOL_MAX)


class AvgPool2D(nn.AvgPool2D):
    """Paddle's average pool."""

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, C, H', W']."""
        if not is_channels_last():
            return nn.AvgPool2D.forward(self, x)
        return _pooled(self, x, POOL_AVERAGE if self.exclusive else POOL_AVERAGE_PADDED)


class GlobalAvgPool2D(nn.AdaptiveAvgPool2D):
    """The mean over all positions."""

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, C, 1, 1]."""
        if not is_channels_last():
            return nn.AdaptiveAvgPool2D.forward(self, x)
        return x.astype("float32").mean([1, 2], keepdim=True)


class Dropout(nn.Dropout):
    """Paddle's dropout, which drops the same values whichever operators run."""

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W], or vectors, to the same."""
        if not is_channels_last() or not self.training or x.ndim != 4:
            return nn.Dropout.forward(self, x)
        dropped = nn.Dropout.forward(self, operators.to_channels_first(x))
        return operators.to_channels_last(dropped, x.dtype == paddle.bfloat16)


def concat(parts: Sequence[Tensor], relu: bool = False) -> Tensor:
    """Join along the channels, then rectify if `relu`."""
    if is_channels_last():
        return operators.concat(parts, relu)
    if relu and not paddle.in_dynamic_mode():
        # In a program, a ReLU in front: engines make it a part of the convolution before it
        return paddle.concat([_RELU(part) for part in parts], axis=1)
    joined = paddle.concat(list(parts), axis=1)
    return _RELU(joined) if relu else joined


def add(one: Tensor, other: Tensor, relu: bool = False) -> Tensor:
    """Add two tensors of one shape, then rectify if `relu`."""
    if is_channels_last():
        return operators.add(one, other, relu)
    return F.relu(one + other) if relu else one + other


def fork(x: Tensor, readers: int) -> tuple[Tensor, ...]:
    """Return a tensor once for each of its readers; the gradients that they give it are added by one operator."""
    return operators.fork(x, readers) if is_channels_last() else (x,) * readers


def scale_channels(x: Tensor, factors: Tensor) -> Tensor:
    """Multiply the channels of [N, C, H, W] by factors [N, C]."""
    if is_channels_last():
        return operators.scale_channels(x, factors)
    return x * as_picture(factors)


def split(x: Tensor, channels: Sequence[int]) -> list[Tensor]:
    """Take apart along the channels, by their numbers."""
    if is_channels_last():
        return operators.split(x, channels)
    return paddle.split(x, list(channels), axis=1)


def to_channels_first(x: Tensor) -> Tensor:
    """Give a tensor as [N, C, H, W] whichever operators run, for what is not written for both."""
    return operators.to_channels_first(x) if is_channels_last() else x


def as_picture(x: Tensor) -> Tensor:
    """Give vectors [N, C] as pictures of one position."""
    return x.unsqueeze([1, 2] if is_channels_last() else [2, 3])


def conv(
    in_channels: int,
    out_channels: int,
    kernel: int,
    stride: int = 1,
    padding: int | None = None,
    groups: int = 1,
    bias: bool = False,
) -> Conv2D:
    """A convolution, padded by half its kernel unless `padding` is given.

    Its weight starts normal with variance 2 / n, n being the number of inputs of one output, which keeps the scale
    of the activations from layer to layer (He et al. 2015, arXiv:1502.01852, equation 10). A bias starts at 0.
    """
    return Conv2D(
        in_channels,
        out_channels,
        kernel,
        stride=stride,
        padding=kernel // 2 if padding is None else padding,
        groups=groups,
        weight_attr=KaimingNormal(),
        bias_attr=None if bias else False,
    )


class ConvNormRelu(nn.Sequential):
    """Convolution, batch norm and ReLU in a row; a `slope` above zero makes it a leaky one."""

    def __init__(
        self, convolution: Conv2D, norm: BatchNorm2D, slope: float = 0.0
    ) -> None:
        super().__init__(convolution, norm)
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """[N, in_channels, H, W] to [N, out_channels, H', W']."""
        x = self[0](x)
        if not self.slope:
            return self[1](x, relu=True)
        x = self[1](x)
        if is_channels_last():
            return operators.relu(x, self.slope)
        return F.leaky_relu(x, self.slope)


def conv_norm_relu(
    in_channels: int,
    out_channels: int,
    kernel: int,
    stride: int = 1,
    slope: float = 0.0,
) -> ConvNormRelu:
    """Convolution, batch norm and ReLU in a row; a `slope` above zero makes it a leaky one."""
    convolution = conv(in_channels, out_channels, kernel, stride)
    return ConvNormRelu(convolution, BatchNorm2D(out_channels), slope)


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    if isinstance(value, int):
        return (value, value)
    first, second = value
    return (first, second)


def _pooled(layer: Any, x: Tensor, kind: int) -> Tensor:
    kernel = _pair(layer.ksize)
    stride = kernel if layer.stride is None else _pair(layer.stride)
    padding = _pair(layer.padding)
    return operators.pool(x, kernel, stride, padding, layer.ceil_mode, kind)


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

        return recompute(self._pass, is_channels_last(), *inputs)

    def _pass(self, is_channels_last: bool, *inputs: Tensor) -> Any:
        # The second pass runs within the backward pass, outside of the model's
        with channels_last(is_channels_last):
            return self._first_or_second_pass(*inputs)

    def _first_or_second_pass(self, *inputs: Tensor) -> Any:
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

    A family defines `run_stages`. It also defines `admits` if it does not admit every input size, and `forward_head` if
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
        self._defines_features = type(self).features is not Backbone.features
        self._frozen_parts: tuple[nn.Layer, ...] = ()
        self._frozen_parameters: tuple[Tensor, ...] = ()
        self.pool = GlobalAvgPool2D()
        self.dropout = Dropout(params.drop_rate)
        self.reset_classifier(params.class_num)

    def features(self, x: Tensor) -> list[Tensor]:
        """The result of every stage, from the input's size down: float32 [N, feature_channels[i], H_i, W_i].

        Args:
            x: float32 [N, in_channels, H, W].

        Raises:
            UserError: the input has other channels, or a size that the geometry does not admit.
        """
        if not self._runs_on_own_kernels(x):
            return self._checked_stages(x)
        self.check_input(x)
        with channels_last():
            stages = self.run_stages(operators.to_channels_last(x, is_bfloat16()))
        return [operators.to_channels_first(stage) for stage in stages]

    def _checked_stages(self, x: Tensor) -> list[Tensor]:
        if not is_channels_last():
            self.check_input(x)
        return self.run_stages(x)

    def run_stages(self, x: Tensor) -> list[Tensor]:
        """The result of every stage, for a family to define by the layers and functions of this module alone.

        Args:
            x: What the stem reads; here and in the result the channels lie where `is_channels_last` says.
        """
        raise NotImplementedError

    def forward_features(self, x: Tensor) -> Tensor:
        """The result of the last stage."""
        if self._defines_features:
            return self.features(x)[-1]
        return self._checked_stages(x)[-1]

    def forward_head(self, x: Tensor) -> Tensor:
        """From the last stage to logits [N, class_num], or to pooled features [N, num_features] for 0 classes."""
        x = self.pool(x)  # [N, num_features, 1, 1]
        if self.fc is not None:
            x = self.fc(self.dropout(x))  # [N, class_num, 1, 1]
        return x.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, class_num] of pictures [N, in_channels, H, W]; pooled features for 0 classes."""
        return self.forward_head(self.forward_features(x))

    def __call__(self, x: Tensor) -> Tensor:
        """See `forward`."""
        if not self._runs_on_own_kernels(x):
            return super().__call__(x)
        self.check_input(x)
        with channels_last():
            return super().__call__(operators.to_channels_last(x, is_bfloat16()))

    def _runs_on_own_kernels(self, x: Tensor) -> bool:
        """Whether a pass runs on the operators of `ppcls.kernels`: on a CPU, if they are chosen.

        A family that defines `features` itself, a model with hooks, which would see tensors in another layout, and one
        with another `forward`, such as that of a static graph, run on Paddle's.
        """
        if not paddle.in_dynamic_mode() or not x.place.is_cpu_place():
            return False
        if x.dtype != paddle.float32 or "forward" in vars(self):
            return False
        if self._defines_features:
            return False
        if selection.selected().name != "onednn":
            return False
        return not any(
            part._forward_pre_hooks or part._forward_post_hooks
            for part in self.sublayers()
        )

    def reset_classifier(self, class_num: int) -> None:
        """Replace the classifier by a new one of `class_num` classes (0: none); the other layers stay.

        The classifier is a 1x1 convolution that starts normal with a standard deviation of 0.01, small enough for
        the first loss to be log(class_num) whatever the number of classes.
        """
        self.params = replace(self.params, class_num=class_num)
        fc = None
        if class_num:
            small = Normal(std=0.01)
            fc = Conv2D(self.num_features, class_num, 1, weight_attr=small)
        # Set once: a new layer takes the old one's place in the order of parameters
        self.fc = fc

    def set_recompute(self, enable: bool = True) -> None:
        """Switch gradient checkpointing of every block on or off; see `Block`."""
        self.params = replace(self.params, recompute=enable)
        for part in self.sublayers():
            if isinstance(part, Block):
                part.recompute = enable

    def freeze(self, what: Literal["backbone"] | int) -> None:
        """Keep parameters as they are in training, and their batch norms in evaluation mode.

        Args:
            what: `backbone` for all that the result of the last stage depends on, or the number of stages from the
                stem on; 0 for nothing.

        Raises:
            UserError: the model does not have so many stages.
        """
        self.params = replace(self.params, freeze=what)
        for parameter in self._frozen_parameters:
            parameter.stop_gradient = False
        frozen = self._parameters_before(what) if what else []
        for parameter in frozen:
            parameter.stop_gradient = True
        self._frozen_parameters = tuple(frozen)
        names = {parameter.name for parameter in frozen}
        parts = []
        for part in self.sublayers():
            own = part.parameters(include_sublayers=False)
            if any(parameter.name in names for parameter in own):
                parts.append(part)
        self._frozen_parts = tuple(parts)
        if self.training:
            self.train()

    def _parameters_before(self, what: str | int) -> list[Tensor]:
        """The parameters that get a gradient from a stage, on a small picture."""
        count = len(self.feature_channels)
        number = count if what == "backbone" else int(what)
        expect(
            number <= count,
            f"Arch.freeze: {what}, but {self.params.name} has {count} stages; write {count} or less, or backbone",
        )
        was_training = self.training
        self.eval()
        side = next(side for side in range(_SMALL, 10 * _SMALL) if self.admits(side))
        picture = paddle.zeros([1, self.params.in_channels, side, side])
        stage = self.features(picture)[number - 1]
        learnt = [each for each in self.parameters() if not each.stop_gradient]
        gradients = paddle.grad([stage], learnt, allow_unused=True)
        if was_training:
            self.train()
        pairs = zip(learnt, gradients)
        return [parameter for parameter, found in pairs if found is not None]

    def train(self) -> None:
        """Switch to training mode, all but what is frozen."""
        super().train()
        for part in self._frozen_parts:
            part.eval()

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
