"""Curves of training runs: loss, accuracy, learning rate and images/s by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import Any

from ppcls.analysis import figures
from ppcls.analysis.history import History
from ppcls.analysis.page import Html

_PARTS = {"train": ("--", "training"), "valid": ("-", "evaluation")}


def draw(runs: Mapping[str, History], metric: str | None = None) -> tuple[bytes, Html]:
    """Draw the curves of one run or of several.

    Args:
        runs: The histories by the runs' names.
        metric: The accuracy to draw; by default the first metric of the evaluations.

    Returns:
        The figure as PNG, and as SVG for a page.

    Raises:
        Unavailable: matplotlib is not installed.
    """
    chosen = metric or first_metric(runs)
    with figures.figure(10, 6.2, 2, 2) as (figure, axes):
        loss, accuracy, rate, speed = axes.flat
        colours = cycle(figures.COLOURS)
        for name, history in runs.items():
            label = name if len(runs) > 1 else ""
            colour = next(colours)
            _draw_parts(loss, history, "loss", label, colour)
            if chosen is not None:
                _draw_parts(accuracy, history, chosen, label, colour)
            numbers = [epoch.number for epoch in history.epochs]
            rates = [epoch.learning_rate for epoch in history.epochs]
            speeds = [epoch.images_per_second for epoch in history.epochs]
            _plot(rate, numbers, rates, color=colour)
            _plot(speed, numbers, speeds, color=colour)
        loss.set_title("loss")
        accuracy.set_title(chosen or "no metric")
        rate.set_title("learning rate")
        speed.set_title("images/s in training")
        speed.set_ylim(bottom=0)
        for each in axes.flat:
            each.xaxis.get_major_locator().set_params(integer=True)
        for each in axes[1]:
            each.set_xlabel("epoch")
        for each in (loss, accuracy):
            if each.has_data():
                each.legend()
        return figures.as_png(figure), figures.as_svg(figure, "curves")


def first_metric(runs: Mapping[str, History]) -> str | None:
    """Return the first metric of the first run that evaluates by one; of the training where none evaluates."""
    for part in ("valid", "train"):
        for history in runs.values():
            for epoch in history.epochs:
                for name in getattr(epoch, part):
                    # Several losses are also logged one by one
                    if "loss" not in name.lower():
                        return name
    return None


def _draw_parts(
    axes: Any, history: History, name: str, label: str, colour: str
) -> None:
    """Draw training and evaluation: of one run in two colours, of several in the run's colour."""
    drawn = [part for part in _PARTS if history.series(part, name)[0]]
    for part in drawn:
        style, shown = _PARTS[part]
        if label:
            # Once in the legend
            shown = label if part == drawn[-1] else f"_{shown}"
        elif part == "valid":
            colour = figures.COLOURS[1]
        numbers, values = history.series(part, name)
        _plot(axes, numbers, values, linestyle=style, color=colour, label=shown)


def _plot(axes: Any, numbers: list[int], values: list[Any], **style: Any) -> None:
    """Plot a line; a single epoch is a point, which a line would not show."""
    marker = "o" if len(numbers) < 20 else ""
    known = [value is not None for value in values]
    if any(known):
        drawn = [float("nan") if value is None else value for value in values]
        axes.plot(numbers, drawn, marker=marker, markersize=3, **style)
