"""Figures by matplotlib, drawn without a screen and without its global state.

A figure has one colour for text and axes, which becomes the page's own in an SVG, and lines of colours that can be
told from a white and from a dark background.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ppcls.analysis.page import Html
from ppcls.utils.environment import import_optional
from ppcls.utils.files import require_own, write_atomically

_SOFTWARE = "ppcls.analysis"
INK = "#1f2328"
# Each has a contrast of at least 3 with white and with the pages' dark background.
COLOURS = ("#2f7fd6", "#d1661a", "#2a9461", "#a45fd0", "#d94a4a", "#7d8590", "#b8860b")
_SETTINGS = {
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": INK,
    "grid.alpha": 0.15,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "axes.titlesize": "medium",
    "font.size": 10,
    "font.family": "sans-serif",
    # Text stays text, so that a browser can search, copy and read it aloud
    "svg.fonttype": "none",
    "svg.hashsalt": "ppcls",
}


def require_matplotlib() -> Any:
    """Import matplotlib and return it.

    Raises:
        Unavailable: It is not installed or does not load.
    """
    return import_optional("matplotlib.figure", "matplotlib", "analysis")


@contextmanager
def figure(
    width: float = 8.0,
    height: float = 4.5,
    rows: int = 1,
    columns: int = 1,
    **settings: Any,
) -> Iterator[tuple[Any, Any]]:
    """Give a figure and its axes to draw on, in the style of the pages; save it inside of the block.

    Args:
        width: Inches.
        height: Inches.
        rows: Rows of axes.
        columns: Columns of axes; of one row and one column there is one axes object instead of an array.
        **settings: As for matplotlib's `Figure.subplots`.

    Raises:
        Unavailable: matplotlib is not installed.
    """
    matplotlib = import_optional("matplotlib", "matplotlib", "analysis")
    drawn = require_matplotlib()
    colours = matplotlib.cycler(color=COLOURS)
    with matplotlib.rc_context({**_SETTINGS, "axes.prop_cycle": colours}):
        made = drawn.Figure(figsize=(width, height), layout="constrained")
        yield made, made.subplots(rows, columns, **settings)


def as_png(drawn: Any, dots_per_inch: int = 110) -> bytes:
    """Return a figure as PNG on white."""
    content = io.BytesIO()
    drawn.savefig(
        content,
        format="png",
        dpi=dots_per_inch,
        facecolor="white",
        metadata={"Software": _SOFTWARE},
    )
    return content.getvalue()


def write_png(path: Path, content: bytes) -> None:
    """Write the PNG of a figure, or replace an earlier one.

    Raises:
        UserError: `path` is a file that this library did not write.
    """
    require_own(path, _SOFTWARE.encode())
    write_atomically(path, content)


def as_svg(drawn: Any, name: str) -> Html:
    """Return a figure as SVG for `Page.figure`, in the page's colours.

    Args:
        drawn: The figure.
        name: A word that no other figure of the page has; it begins the identifiers of the SVG.
    """
    content = io.StringIO()
    drawn.savefig(content, format="svg", transparent=True, metadata={"Date": None})
    text = content.getvalue()
    text = text[text.index("<svg ") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", text)
    # matplotlib's names of fonts would give each text another font than the page
    text = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", text)
    return Html(text.replace(INK, "currentColor"))
