"""Writes docs/models, in English and Chinese, from the tables of models and weights.

The prose is in tools/model_pages_text, one file per page and language; `usage` is the part that all pages share.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Template

from model_pages_plots import draw
from model_pages_tables import (
    accuracy_rows,
    config_path,
    latency_rows,
    recipe_rows,
    size_rows,
    weights_rows,
)

from ppcls.arch.model_table import LATENCIES, MODELS, ModelInfo

ROOT = Path(__file__).resolve().parents[1]
TEXTS = Path(__file__).with_name("model_pages_text")
FOLDER = ROOT / "docs" / "models"
LANGUAGES = ("", "_zh")  # what the names of the files end with


@dataclass(frozen=True)
class Page:
    """One page, in every language.

    Attributes:
        name: The beginning of its file names.
        families: Families of its models.
        example: The model that its commands show.
        accuracy_sources: Keys of `ModelInfo.published` in the order of its accuracy table.
        size_sources: The same for the table of parameters and FLOPs.
    """

    name: str
    families: tuple[str, ...]
    example: str
    accuracy_sources: tuple[str, ...] = ("paddleclas", "paper_reference")
    size_sources: tuple[str, ...] = ("paddleclas",)

    @property
    def models(self) -> list[ModelInfo]:
        """Return its models in the order of the model table."""
        return [info for info in MODELS.values() if info.family in self.families]

    @property
    def plots(self) -> dict[str, str]:
        """Return the kinds of latency that are known of its models, by file name."""
        files = {}
        for kind, latency_of in LATENCIES.items():
            if any(latency_of(info) for info in self.models):
                suffix = kind.lower().replace(" ", "_")
                files[f"{self.name}_{suffix}.png"] = kind
        return files


_DLA_SOURCES = ("paddleclas", "timm", "ucbdrive")
# The families that have no page of their own
_OTHERS = list(dict.fromkeys(info.family for info in MODELS.values()))
_OTHERS.remove("DLA")
_OTHERS.remove("DPN")
PAGES = (
    Page(
        "DLA",
        ("DLA",),
        "DLA34",
        _DLA_SOURCES,
        (*_DLA_SOURCES, "vastai_listing_of_paddleclas"),
    ),
    Page("DPN", ("DPN",), "DPN68"),
    Page("Others", tuple(_OTHERS), "SqueezeNet1_1"),
)


def render(page: Page, language: str) -> str:
    """Return the text of a page; `language` is one of `LANGUAGES`."""
    models = page.models
    values = {
        "example": page.example,
        "family": MODELS[page.example].family,
        "config": config_path(page.example),
        "accuracy": accuracy_rows(models, page.accuracy_sources),
        "sizes": size_rows(models, page.size_sources),
        "v100_fp32": latency_rows(models, ["V100 FP32"]),
        "t4": latency_rows(models, ["T4 FP16", "T4 FP32"]),
        "weights": weights_rows(models),
        "recipes": recipe_rows(models),
    }
    values["usage"] = _template("usage", language).substitute(values).rstrip("\n")
    return "<!-- made by tools/model_pages.py -->\n\n" + _template(
        page.name, language
    ).substitute(values)


def main(argv: list[str] | None = None) -> int:
    """Write every page and every plot."""
    FOLDER.mkdir(exist_ok=True)
    for page in PAGES:
        for language in LANGUAGES:
            (FOLDER / f"{page.name}{language}.md").write_text(
                render(page, language), encoding="utf-8"
            )
        for name, kind in page.plots.items():
            draw(page.models, kind, FOLDER / name)
    return 0


def _template(name: str, language: str) -> Template:
    return Template((TEXTS / f"{name}{language}.md").read_text(encoding="utf-8"))
