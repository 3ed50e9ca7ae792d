"""Writes the model table of README.md from `ppcls.arch.model_table`: `python tools/model_table.py`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ppcls.arch.model_table import MODELS, ModelInfo  # noqa: E402 - the path comes first

HEAD = (
    "| model | input | parameters (M, trainable) | MACs (G) | top-1 (PaddleClas) | top-5 |\n"
    "| --- | --- | --- | --- | --- | --- |\n"
)


def row(info: ModelInfo) -> str:
    """One line of the table; what no source says is left empty."""
    published = info.published.get("paddleclas")
    macs = f"{info.macs / 1e9:.2f}" if info.macs else ""
    top1 = f"{published.top1:.2f}" if published and published.top1 else ""
    top5 = f"{published.top5:.2f}" if published and published.top5 else ""
    size = "x".join(str(side) for side in info.input_size[1:])
    return f"| {info.name} | {size} | {info.trainable_params / 1e6:.2f} | {macs} | {top1} | {top5} |\n"


def with_table(text: str) -> str:
    """The text of README.md with its table made anew."""
    table = HEAD + "".join(row(info) for info in MODELS.values())
    pattern = r"(<!-- models: made by tools/model_table.py -->\n).*?(<!-- /models -->)"
    return re.sub(pattern, lambda found: found.group(1) + "\n" + table + "\n" + found.group(2), text, flags=re.DOTALL)


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(with_table(readme.read_text(encoding="utf-8")), encoding="utf-8")
