"""Plots of latency against parameters and FLOPs, and of accuracy against latency; drawn by matplotlib."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import IO, Any, NamedTuple

import numpy as np

from ppcls.utils.errors import UserError

# Marker and colour of the batches, in their order; the colours are told apart without red-green vision too.
STYLES = ("o#0072b2", "s#e69f00", "^#cc3311", "D#009e73", "v#56b4e9", "P#666666")
COLOURS = 128  # of a file's palette
SIZE, DPI = (800, 1000), 100  # pixels, and pixels an inch
# Where a name may stand: its distance from the point, in points, and its sides that lie there.
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
    """A model in a plot: its place on the horizontal axis, and its latencies in milliseconds, one a batch size."""

    name: str
    x: float
    latency: Sequence[float]


def require_matplotlib() -> None:
    """Says at once that there is nothing to draw with.

    Raises:
        UserError: matplotlib is missing.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"the plots are drawn with matplotlib, which is missing ({error}); run `pip install 'ppcls[demo]'`"
        ) from error


def draw(
    title: str,
    batches: Sequence[int],
    by_size: Mapping[str, Sequence[Point]],
    accuracies: Sequence[tuple[str, float, float]],
    file: str | os.PathLike[str] | IO[bytes],
) -> None:
    """Writes a PNG of 800 x 1000 pixels.

    Args:
        title: stands above.
        batches: the sizes that each point has a latency for.
        by_size: the label of a horizontal axis, and the models over it; a plot each.
        accuracies: name, latency at the first batch size in milliseconds, and top-1 in percent; the last plot.
        file: its path, or a stream.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(
        figsize=(SIZE[0] / DPI, SIZE[1] / DPI), dpi=DPI, layout="constrained"
    )
    canvas = FigureCanvasAgg(figure)
    every: Any = figure.subplots(len(by_size) + 1)
    for axes, (label, points) in zip(every, by_size.items()):
        _draw_latency(axes, batches, points, label)
    _draw_accuracy(every[-1], accuracies, batches[0])
    every[0].set_title(title)
    every[0].legend(loc="upper left")
    for axes in every:
        axes.margins(x=0.1, y=0.18)  # room for names
        axes.grid(alpha=0.3)
        _ticks(axes)
    figure.align_ylabels()
    # The layout is settled before names look for a free place
    figure.draw_without_rendering()
    for axes in every:
        _place_names(axes, canvas.get_renderer())
    canvas.draw()
    # A palette makes the files a quarter as large, and they carry no dates and versions.
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(
        file, "PNG", optimize=True
    )


def _draw_latency(
    axes: Any, batches: Sequence[int], drawn: Sequence[Point], label: str
) -> None:
    for point in drawn:
        axes.plot(
            [point.x] * len(batches), point.latency, "-", color="0.8", linewidth=1
        )
    for place, (batch, style) in enumerate(zip(batches, cycle(STYLES))):
        shown = [point.x for point in drawn], [point.latency[place] for point in drawn]
        axes.plot(
            *shown, style[0], color=style[1:], markersize=5, label=f"batch {batch}"
        )
    axes.set(xlabel=label, ylabel="latency (ms)", xscale="log", yscale="log")
    _names(axes, [(point.name, point.x, max(point.latency)) for point in drawn])


def _draw_accuracy(
    axes: Any, drawn: Sequence[tuple[str, float, float]], batch: int
) -> None:
    axes.plot(
        [ms for _, ms, _ in drawn],
        [top1 for _, _, top1 in drawn],
        "o",
        color=STYLES[0][1:],
        markersize=5,
    )
    axes.set(
        xlabel=f"latency at batch {batch} (ms)",
        ylabel="top-1 (%), PaddleClas",
        xscale="log",
    )
    _names(axes, drawn)


def _ticks(axes: Any) -> None:
    """Plain numbers on logarithmic axes, more of them where the axis is short."""
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
    """Gives each name the place where it covers the fewest points, sticks and other names, and stays in the frame."""
    from matplotlib.transforms import Bbox

    taken = [axes.get_legend().get_window_extent(renderer)] if axes.get_legend() else []
    for line in axes.lines:
        spots = line.get_transform().transform(line.get_xydata())
        stick = line.get_linestyle() == "-"
        for ends in [spots] if stick else [[spot] for spot in spots]:
            # A name beside a point must not look like another point's
            margin = 3 if stick else 6
            taken.append(
                Bbox([np.min(ends, axis=0) - margin, np.max(ends, axis=0) + margin])
            )
    boxes = [_at(name, PLACES[0], renderer) for name in axes.texts]
    for _ in range(4):  # rounds, since a name that moves makes room for another
        for index, name in enumerate(axes.texts):
            others = taken + boxes[:index] + boxes[index + 1 :]
            best = min(
                PLACES,
                key=lambda place: _crowd(_at(name, place, renderer), others, axes.bbox),
            )
            boxes[index] = _at(name, best, renderer)


def _at(name: Any, place: Any, renderer: Any) -> Any:
    offset, horizontal, vertical = place
    name.set(position=offset, ha=horizontal, va=vertical)
    return name.get_window_extent(renderer)


def _crowd(box: Any, taken: Sequence[Any], frame: Any) -> int:
    inside = all(frame.contains(*corner) for corner in (box.min, box.max))
    return box.count_overlaps(taken) + (0 if inside else 10)
