"""Writes the model table of README.md from `ppcls.arch.model_table`."""

from __future__ import annotations

import re
from pathlib import Path

from ppcls.arch.model_table import MODELS, ModelInfo, Published

README = Path(__file__).resolve().parents[1] / "README.md"
HEAD = (
    "| model | input | parameters (M, trainable) | MACs (G) | top-1 (PaddleClas) | top-5 |\n"
    "| --- | --- | --- | --- | --- | --- |\n"
)


def row(info: ModelInfo) -> str:
    """Return one line of the table; numbers that no source states are empty."""
    published = info.published.get("paddleclas", Published())
    cells = [
        info.name,
        "x".join(str(side) for side in info.input_size[1:]),
        _number(info.trainable_params, 1e6),
        _number(info.macs, 1e9),
        _number(published.top1),
        _number(published.top5),
    ]
    return f"| {' | '.join(cells)} |\n"


def _number(value: float | None, unit: float = 1) -> str:
    return f"{value / unit:.2f}" if value else ""


def with_table(text: str) -> str:
    """Return the text of README.md with a new table."""
    table = HEAD + "".join(row(info) for info in MODELS.values())
    pattern = r"(<!-- models: made by tools/model_table.py -->\n).*?(<!-- /models -->)"
    return re.sub(
        pattern,
        lambda found: found.group(1) + "\n" + table + "\n" + found.group(2),
        text,
        flags=re.DOTALL,
    )


def main(argv: list[str] | None = None) -> int:
    """Write the table."""
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
    return 0
