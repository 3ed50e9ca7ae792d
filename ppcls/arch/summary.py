"""What a network consists of, layer by layer, measured on one picture."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

import paddle
from paddle import Tensor, nn

from ppcls.arch.layers import Backbone
from ppcls.utils.fields import require
from ppcls.utils.terminal import aligned

_HEADER = ("Layer", "Type", "Output shape", "Parameters", "MACs", "Calls")
_TEXT_COLUMNS = frozenset(("Layer", "Type", "Output shape"))
# What a narrow terminal does without
_OPTIONAL = ("Calls", "Type")


@dataclass(frozen=True)
class LayerRow:
    """One layer.

    Attributes:
        name: Dotted name within the network; empty for the network itself.
        kind: Name of its class.
        output_shape: Shape of its first result, without the batch; None if it was never called or has several results.
        params: Parameters that are trained; one that several layers share counts for the first of them.
        macs: Multiply-accumulates of all its calls together.
        calls: How many times it was called.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...] | None = None
    params: int = 0
    macs: int = 0
    calls: int = 0


@dataclass(frozen=True)
class Summary:
    """A network's layers and totals.

    Attributes:
        rows: The layers that hold no others, or do work of their own, in the order in which they are called; those
            that are never called come last. A layer that is called several times is listed once. The totals are sums
            of these rows.
        blocks: The layers that hold others, each with everything in it.
        trainable_params: Parameters that are trained.
        params_with_statistics: All that a weights file holds: those, frozen ones, batch norm's means and variances.
        macs: Multiply-accumulates of convolutions (Conv2D) and fully connected layers (Linear), for one picture.
    """

    rows: tuple[LayerRow, ...]
    blocks: tuple[LayerRow, ...]
    trainable_params: int
    params_with_statistics: int
    macs: int

    @property
    def flops(self) -> int:
        """Floating-point operations: two for each multiply-accumulate."""
        return 2 * self.macs

    @property
    def megabytes(self) -> float:
        """Size of the weights in float32, in 1e6 bytes."""
        return 4 * self.params_with_statistics / 1e6

    def table(self, depth: int | None = None, width: int | None = None) -> str:
        """The layers, one line each, and the totals.

        Args:
            depth: How many parts a name can have, at least 1: deeper layers are one line with the block that holds
                them. None shows all `rows`.
            width: The characters of a line, for which columns are left out; None for the whole table.

        Raises:
            ValueError: `depth` is below 1.
        """
        shown = self.rows if depth is None else self._merged(depth)
        totals = {
            "Trainable parameters": f"{self.trainable_params:,}",
            "Parameters with batch-norm statistics": f"{self.params_with_statistics:,}",
            "MACs (multiply-accumulates)": f"{self.macs:,}",
            "FLOPs (2 x MACs)": f"{self.flops:,}",
            "Size of float32 weights (MB)": f"{self.megabytes:,.2f}",
        }
        cells = list(map(_cells, shown))
        lines = [aligned(_HEADER, cells, _TEXT_COLUMNS, width, _OPTIONAL), ""]
        for label, value in totals.items():
            lines.append(f"{label:<37}  {value:>15}")
        return "\n".join(lines)

    def _merged(self, depth: int) -> list[LayerRow]:
        """The rows of layers with at most `depth` parts in their names, and of the blocks that hold deeper ones."""
        require(depth >= 1, f"depth is {depth}; give a whole number of at least 1")
        blocks = {block.name: block for block in self.blocks}
        shown: dict[str, LayerRow] = {}
        for row in self.rows:
            parts = row.name.split(".")
            if len(parts) < depth:
                shown[row.name] = row
                continue
            name = ".".join(parts[:depth])
            if name not in shown:
                shown[name] = blocks.get(name, row)
        return list(shown.values())


def summarize(
    model: nn.Layer,
    image_size: tuple[int, int] = (224, 224),
    in_channels: int | None = None,
) -> Summary:
    """Run a network on one black picture, in evaluation mode, and record what each layer does.

    The network is left as it was.

    Args:
        model: A backbone, or any layer that takes float32 [N, in_channels, H, W].
        image_size: Height and width of the picture in pixels.
        in_channels: Its channels; None means those that a backbone was made for, 3 for any other layer.

    Raises:
        UserError: the backbone does not admit a picture of this size.
    """
    if in_channels is None:
        in_channels = model.params.in_channels if isinstance(model, Backbone) else 3
    layers = dict(model.named_sublayers(include_self=True))
    every = _run(model, layers, (1, in_channels, *image_size))
    for name, count in _own_params(layers).items():
        # A layer that is never called has a row without figures
        row = every.get(name) or LayerRow(name, type(layers[name]).__name__)
        every[name] = replace(row, params=count)
    names_of_blocks = {name for name, layer in layers.items() if layer.sublayers()}
    rows = [row for row in every.values() if _is_listed(row, names_of_blocks)]
    # Without the network itself, which has no name
    blocks = [every[name] for name in every if name and name in names_of_blocks]
    state = model.state_dict().values()
    return Summary(
        rows=tuple(rows),
        blocks=tuple(_with_content(block, rows) for block in blocks),
        trainable_params=sum(row.params for row in rows),
        params_with_statistics=sum(prod(value.shape) for value in state),
        macs=sum(row.macs for row in rows),
    )


def _is_listed(row: LayerRow, names_of_blocks: Collection[str]) -> bool:
    """Whether a layer has a row of its own: every layer that computes or has parameters, or has no layers in it."""
    return bool(row.params or row.macs or row.name not in names_of_blocks)


def _run(
    model: nn.Layer, layers: Mapping[str, nn.Layer], shape: Sequence[int]
) -> dict[str, LayerRow]:
    """What each called layer does with a picture of zeros, without its parameters, in the order of the calls' ends."""
    rows: dict[str, LayerRow] = {}

    def record(name: str, layer: nn.Layer, inputs: Any, output: Any) -> None:
        row = rows.get(name)
        if row is None:
            shape = tuple(output.shape[1:]) if isinstance(output, Tensor) else None
            row = LayerRow(name, type(layer).__name__, shape)
        macs = row.macs + _macs(layer, output)
        rows[name] = replace(row, macs=macs, calls=row.calls + 1)

    hooks = []
    modes = []
    for name, layer in layers.items():
        hooks.append(layer.register_forward_post_hook(partial(record, name)))
        modes.append((layer, layer.training))
    try:
        model.eval()
        with paddle.no_grad():
            model(paddle.zeros(shape, "float32"))
    finally:
        for hook in hooks:
            hook.remove()
        for layer, training in modes:
            layer.training = training
    return rows


def _macs(layer: nn.Layer, output: Any) -> int:
    if isinstance(layer, nn.Conv2D):  # the weight is [out, in / groups, height, width]
        return prod(output.shape[1:]) * prod(layer.weight.shape[1:])
    if isinstance(layer, nn.Linear):  # the weight is [in, out]
        return prod(output.shape[1:]) * layer.weight.shape[0]
    return 0


def _own_params(layers: Mapping[str, nn.Layer]) -> dict[str, int]:
    """Trained parameters of each layer without its sublayers'; a shared one counts for the first layer that has it."""
    counts: dict[str, int] = {}
    seen: set[int] = set()
    for name, layer in layers.items():
        counts[name] = 0
        for parameter in layer.parameters(include_sublayers=False):
            if parameter.stop_gradient or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            counts[name] += prod(parameter.shape)
    return counts


def _with_content(block: LayerRow, rows: Sequence[LayerRow]) -> LayerRow:
    params = macs = 0
    for row in rows:
        if f"{row.name}.".startswith(f"{block.name}."):
            params += row.params
            macs += row.macs
    return replace(block, params=params, macs=macs)


def _cells(row: LayerRow) -> tuple[str, ...]:
    return (
        row.name or "(the network)",
        row.kind,
        "-" if row.output_shape is None else str(list(row.output_shape)),
        f"{row.params:,}",
        f"{row.macs:,}",
        str(row.calls or "-"),
    )
