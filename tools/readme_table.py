"""Writes the model table of README.md from `ppcls.arch.model_table`."""

from __future__ import annotations

import re
from pathlib import Path

from ppcls.arch.model_table import MODELS, ModelInfo

README = Path(__file__).resolve().parents[1] / "README.md"
HEAD = (
    "| model | input | parameters (M, trainable) | MACs (G) | top-1 (PaddleClas) | top-5 |\n"
    "| --- | --- | --- | --- | --- | --- |\n"
)


def row(info: ModelInfo) -> str:
    """One line of the table; what no source says is left empty."""
    published = info.published.get("paddleclas")
    params = f"{info.trainable_params / 1e6:.2f}" if info.trainable_params else ""
    macs = f"{info.macs / 1e9:.2f}" if info.macs else ""
    top1 = f"{published.top1:.2f}" if published and published.top1 else ""
    top5 = f"{published.top5:.2f}" if published and published.top5 else ""
    size = "x".join(str(side) for side in info.input_size[1:])
    return f"| {info.name} | {size} | {params} | {macs} | {top1} | {top5} |\n"


def with_table(text: str) -> str:
    """The text of README.md with its table made anew."""
    table = HEAD + "".join(row(info) for info in MODELS.values())
    pattern = r"(<!-- models: made by tools/model_table.py -->\n).*?(<!-- /models -->)"
    return re.sub(
        pattern,
        lambda found: found.group(1) + "\n" + table + "\n" + found.group(2),
        text,
        flags=re.DOTALL,
    )


def main(argv: list[str] | None = None) -> int:
    """Writes the table."""
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
    return 0
