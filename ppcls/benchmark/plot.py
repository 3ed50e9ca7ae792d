"""Plots of latency against parameters and FLOPs, and of accuracy against latency; drawn by matplotlib."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import IO, Any, NamedTuple

import numpy as np

# Marker and colour of each batch size; the colours differ without red-green vision, too.
STYLES = ("o#0072b2", "s#e69f00", "^#cc3311", "D#009e73", "v#56b4e9", "P#666666")
COLOURS = 128  # colours in a file's palette
SIZE, DPI = (800, 1000), 100  # pixels, and pixels per inch
# Where a name may be: its offset from the marker, in points, and its alignment there.
PLACES = (
    ((0, 5), "center", "bottom"),
    ((0, -5), "center", "top"),
    ((6, 0), "left", "center"),
    ((-6, 0), "right", "center"),
    ((5, 4), "left", "bottom"),
    ((-5, 4), "right", "bottom"),
    ((5, -4), "left", "top"),
    ((-5, -4), "right", "top"),
)


class Point(NamedTuple):
    """A model in a plot of latencies: its horizontal coordinate, and its milliseconds at each batch size."""

    name: str
    x: float
    latency: Sequence[float]


class AccuracyPoint(NamedTuple):
    """A model in the plot of accuracies: milliseconds at the first batch size, and top-1 in percent."""

    name: str
    latency: float
    top1: float


def draw(
    title: str,
    batches: Sequence[int],
    by_size: Mapping[str, Sequence[Point]],
    accuracies: Sequence[AccuracyPoint],
    file: str | os.PathLike[str] | IO[bytes],
) -> None:
    """Write a PNG of 800 x 1000 pixels.

    Args:
        title: The title.
        batches: The batch sizes that each point has a latency for.
        by_size: The label of a horizontal axis, and the models over it; one plot for each.
        accuracies: The models of the last plot.
        file: The path of the file, or a stream.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(
        figsize=(SIZE[0] / DPI, SIZE[1] / DPI), dpi=DPI, layout="constrained"
    )
    canvas = FigureCanvasAgg(figure)
    plots: Any = figure.subplots(len(by_size) + 1)
    for axes, (label, points) in zip(plots, by_size.items()):
        _draw_latency(axes, batches, points, label)
    _draw_accuracy(plots[-1], accuracies, batches[0])
    plots[0].set_title(title)
    plots[0].legend(loc="upper left")
    for axes in plots:
        axes.margins(x=0.1, y=0.18)  # room for names
        axes.grid(alpha=0.3)
        _ticks(axes)
    figure.align_ylabels()
    # Names are placed when the layout is final
    figure.draw_without_rendering()
    for axes in plots:
        _place_names(axes, canvas.get_renderer())
    canvas.draw()
    # A palette makes the files a quarter as large; they have no dates and versions.
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(
        file, "PNG", optimize=True
    )


def _draw_latency(
    axes: Any, batches: Sequence[int], drawn: Sequence[Point], label: str
) -> None:
    horizontal, names = [], []
    for point in drawn:
        stick = [point.x] * len(batches)
        axes.plot(stick, point.latency, "-", color="0.8", linewidth=1)
        horizontal.append(point.x)
        names.append((point.name, point.x, max(point.latency)))
    for place, (batch, style) in enumerate(zip(batches, cycle(STYLES))):
        latencies = [point.latency[place] for point in drawn]
        axes.plot(
            horizontal,
            latencies,
            style[0],
            color=style[1:],
            markersize=5,
            label=f"batch {batch}",
        )
    axes.set(xlabel=label, ylabel="latency (ms)", xscale="log", yscale="log")
    _names(axes, names)


def _draw_accuracy(axes: Any, drawn: Sequence[AccuracyPoint], batch: int) -> None:
    for point in drawn:
        axes.plot(point.latency, point.top1, "o", color=STYLES[0][1:], markersize=5)
    axes.set(
        xlabel=f"latency at batch {batch} (ms)",
        ylabel="top-1 (%), PaddleClas",
        xscale="log",
    )
    _names(axes, drawn)


def _ticks(axes: Any) -> None:
    """Label logarithmic axes with plain numbers, more of them where the axis is short."""
    from matplotlib import ticker

    for axis, (low, high) in (
        (axes.xaxis, axes.get_xlim()),
        (axes.yaxis, axes.get_ylim()),
    ):
        if axis.get_scale() == "log":
            subs = (1, 2, 5) if high > 20 * low else (1, 1.5, 2, 3, 4, 5, 7)
            axis.set_major_locator(ticker.LogLocator(subs=subs))
            axis.set_major_formatter(
                ticker.FuncFormatter(lambda value, _: f"{value:g}")
            )
            axis.set_minor_locator(ticker.NullLocator())


def _names(axes: Any, places: Sequence[tuple[str, float, float]]) -> None:
    for name, x, y in places:
        axes.annotate(
            name, (x, y), xytext=(0, 0), textcoords="offset points", fontsize=9
        )


def _place_names(axes: Any, renderer: Any) -> None:
    """Move each name where it covers the fewest markers, lines and other names, and stays in the frame."""
    taken = _taken(axes, renderer)
    boxes = [_at(name, PLACES[0], renderer) for name in axes.texts]
    for _ in range(4):  # a name that moves makes room for another
        for index, name in enumerate(axes.texts):
            others = taken + boxes[:index] + boxes[index + 1 :]
            overlaps = []
            for place in PLACES:
                box = _at(name, place, renderer)
                overlaps.append(_overlaps(box, others, axes.bbox))
            best = PLACES[int(np.argmin(overlaps))]
            boxes[index] = _at(name, best, renderer)


def _taken(axes: Any, renderer: Any) -> list[Any]:
    """The boxes of the legend, the lines and the markers."""
    from matplotlib.transforms import Bbox

    taken = []
    if axes.get_legend():
        taken.append(axes.get_legend().get_window_extent(renderer))
    for line in axes.lines:
        spots = line.get_transform().transform(line.get_xydata())
        if line.get_linestyle() == "-":
            taken.append(Bbox([spots.min(axis=0) - 3, spots.max(axis=0) + 3]))
            continue
        for spot in spots:
            # The larger margin keeps a name away from other models' markers.
            taken.append(Bbox([spot - 6, spot + 6]))
    return taken


def _at(name: Any, place: Any, renderer: Any) -> Any:
    offset, horizontal, vertical = place
    name.set(position=offset, ha=horizontal, va=vertical)
    return name.get_window_extent(renderer)


def _overlaps(box: Any, taken: Sequence[Any], frame: Any) -> int:
    """How many boxes a name covers; a name that leaves the frame counts as ten."""
    overlaps = box.count_overlaps(taken)
    if not frame.contains(*box.min) or not frame.contains(*box.max):
        overlaps += 10
    return overlaps
