"""What a network consists of, layer by layer, measured on one picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import paddle
from paddle import Tensor, nn

from ppcls.arch.layers import Backbone
from ppcls.utils.text_table import aligned

_HEADER = ("Layer", "Type", "Output shape", "Parameters", "MACs", "Calls")
_TEXT_COLUMNS = frozenset(("Layer", "Type", "Output shape"))


@dataclass(frozen=True)
class LayerRow:
    """One layer.

    Attributes:
        name: Dotted name within the network; empty for the network itself.
        kind: Name of its class.
        output_shape: Shape of its first result, without the batch; None where it was never called or gave several.
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
            that never are come last. A layer that is used several times is listed once. The totals are their sums.
        blocks: The layers that hold others, with everything that lies in them.
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

    def table(self, depth: int | None = None) -> str:
        """The layers, a line each, and the totals.

        Args:
            depth: How many parts a name may have, at least 1: what lies deeper is one line with the block that it
                lies in. None shows all `rows`.

        Raises:
            ValueError: `depth` is below 1.
        """
        cells = [
            _cells(row) for row in (self.rows if depth is None else self._merged(depth))
        ]
        totals = (
            ("Trainable parameters", f"{self.trainable_params:,}"),
            (
                "Parameters with batch-norm statistics",
                f"{self.params_with_statistics:,}",
            ),
            ("MACs (multiply-accumulates)", f"{self.macs:,}"),
            ("FLOPs (2 x MACs)", f"{self.flops:,}"),
            ("Size of float32 weights (MB)", f"{self.megabytes:,.2f}"),
        )
        lines = (f"{label:<37}  {value:>15}" for label, value in totals)
        return "\n".join((aligned(_HEADER, cells, _TEXT_COLUMNS), "", *lines))

    def _merged(self, depth: int) -> list[LayerRow]:
        if depth < 1:
            raise ValueError(f"depth is {depth}; give a whole number of at least 1")
        blocks = {block.name: block for block in self.blocks}
        shown: dict[str, LayerRow] = {}
        for row in self.rows:
            parts = row.name.split(".")
            name = ".".join(parts[:depth])
            shown.setdefault(
                name, blocks.get(name, row) if len(parts) >= depth else row
            )
        return list(shown.values())


def summarize(
    model: nn.Layer,
    image_size: tuple[int, int] = (224, 224),
    in_channels: int | None = None,
) -> Summary:
    """Runs a network on one black picture, in evaluation mode, and notes what each layer does.

    The network is left as it was found.

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
    called = _run(model, layers, (1, in_channels, *image_size))
    params = _own_params(layers)
    idle = {
        name: LayerRow(name, type(layer).__name__)
        for name, layer in layers.items()
        if name not in called
    }
    rows = [
        replace(row, params=params[name]) for name, row in {**called, **idle}.items()
    ]
    holders = [row for row in rows if layers[row.name].sublayers()]
    rows = [row for row in rows if row.params or row.macs or row not in holders]
    return Summary(
        rows=tuple(rows),
        blocks=tuple(_with_content(block, rows) for block in holders if block.name),
        trainable_params=sum(row.params for row in rows),
        params_with_statistics=sum(
            prod(value.shape) for value in model.state_dict().values()
        ),
        macs=sum(row.macs for row in rows),
    )


def _run(
    model: nn.Layer, layers: Mapping[str, nn.Layer], shape: Sequence[int]
) -> dict[str, LayerRow]:
    """What each layer did with a picture of zeros, without its parameters, in the order of the calls' ends."""
    rows: dict[str, LayerRow] = {}

    def hook_of(name: str) -> Callable[[nn.Layer, Any, Any], None]:
        def note(layer: nn.Layer, _: Any, output: Any) -> None:
            shape = tuple(output.shape[1:]) if isinstance(output, Tensor) else None
            row = rows.get(name, LayerRow(name, type(layer).__name__, shape))
            rows[name] = replace(
                row, macs=row.macs + _macs(layer, output), calls=row.calls + 1
            )

        return note

    modes = [(layer, layer.training) for layer in layers.values()]
    hooks = [
        layer.register_forward_post_hook(hook_of(name))
        for name, layer in layers.items()
    ]
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
    """Trained parameters of each layer without its sublayers'; a shared one belongs to the first that has it."""
    counts: dict[str, int] = {}
    seen: set[int] = set()
    for name, layer in layers.items():
        own = {
            id(p): p
            for p in layer.parameters(include_sublayers=False)
            if not p.stop_gradient and id(p) not in seen
        }
        seen.update(own)
        counts[name] = sum(prod(p.shape) for p in own.values())
    return counts


def _with_content(block: LayerRow, rows: Sequence[LayerRow]) -> LayerRow:
    inside = [row for row in rows if f"{row.name}.".startswith(f"{block.name}.")]
    return replace(
        block,
        params=sum(row.params for row in inside),
        macs=sum(row.macs for row in inside),
    )


def _cells(row: LayerRow) -> tuple[str, ...]:
    return (
        row.name or "(the network)",
        row.kind,
        "-" if row.output_shape is None else str(list(row.output_shape)),
        f"{row.params:,}",
        f"{row.macs:,}",
        str(row.calls or "-"),
    )
