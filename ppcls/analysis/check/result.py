"""The answer of `ppcls check`: a page, and the same for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.analysis import figures
from ppcls.analysis.check.data import DataSet
from ppcls.analysis.check.finding import ERROR, NOTE, WARNING, Finding
from ppcls.analysis.check.findings import Group
from ppcls.analysis.page import Page, Tile
from ppcls.analysis.thumbnails import thumbnail
from ppcls.data.picture_files import read_file
from ppcls.data.transforms.decode import DecodeImage
from ppcls.utils.errors import Unavailable, UserError

_DECODE = DecodeImage()
_MARKS = {ERROR: "bad", WARNING: "warning", NOTE: "soft"}
# Of what is listed on the page; JSON has all
_ITEMS, _GROUPS, _SHOWN_CLASSES, _PER_CLASS, _BARS = 50, 24, 40, 3, 40


def as_json(
    data: DataSet, findings: Sequence[Finding], measured: Mapping[str, Any]
) -> str:
    """Return everything that was found, for programs.

    Args:
        data: The data set.
        findings: What was found.
        measured: What was measured with a configuration; empty without one.
    """
    parts = {}
    for name, part in data.parts.items():
        counts = part.counts()
        parts[name] = {
            "pictures": len(part.paths),
            "unreadable": sum(1 for one in part.facts if one.error),
            "classes": {label: counts[label] for label in _order(data, counts)},
            **statistics(data, name),
        }
    content = {
        "source": data.source,
        "parts": parts,
        "findings": [finding.as_json() for finding in findings],
        "measured": measured,
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def statistics(data: DataSet, part: str) -> dict[str, Any]:
    """Return the sizes of a part's readable pictures, and mean and deviation of their colours, from 0 to 1."""
    readable = [one for one in data.parts[part].facts if not one.error]
    if not readable:
        return {}
    widths = np.array([one.width for one in readable])
    heights = np.array([one.height for one in readable])
    means = np.array([one.mean for one in readable]) / 255  # [N, 3]
    deviations = np.array([one.deviation for one in readable]) / 255
    # Of all pixels, every picture weighing the same
    variance = (deviations**2 + means**2).mean(axis=0) - means.mean(axis=0) ** 2
    return {
        "width": _spread(widths),
        "height": _spread(heights),
        "mean": means.mean(axis=0).round(4).tolist(),
        "std": np.sqrt(variance).round(4).tolist(),
    }


def write_page(
    path: Path,
    data: DataSet,
    findings: Sequence[Finding],
    groups: Sequence[Group],
    measured: Mapping[str, Any],
) -> None:
    """Write the page; without matplotlib it has tables only."""
    page = Page(f"Is the data sound? {Path(data.source).name}", data.source)
    facts: dict[str, object] = {}
    for name, part in data.parts.items():
        facts[f"{name} pictures"] = f"{len(part.paths):,}"
    facts["classes"] = len(data.classes)
    for severity in (ERROR, WARNING):
        facts[f"{severity}s"] = sum(one.severity == severity for one in findings)
    page.facts({**facts, **measured})
    page.heading("Findings")
    if not findings:
        page.paragraph("Nothing is wrong.", "good")
    for finding in findings:
        page.paragraph(f"{finding.severity}: {finding.text}", _MARKS[finding.severity])
        if finding.remedy:
            page.paragraph(f"{finding.remedy[0].upper()}{finding.remedy[1:]}.", "soft")
        if finding.items:
            _list(page, finding)
    _same(page, data, groups)
    _classes(page, data)
    _sizes(page, data)
    page.write(path)


def _list(page: Page, finding: Finding) -> None:
    shown = finding.items[:_ITEMS]
    title = f"{finding.topic}: {len(shown)} of {len(finding.items)}"
    page.table([finding.topic], [[item] for item in shown], title)


def _same(page: Page, data: DataSet, groups: Sequence[Group]) -> None:
    """Show pictures that are the same, those in both parts first."""
    if not groups:
        return
    page.heading("The same picture more than once")
    chosen = sorted(groups, key=lambda group: (-len(group.parts), not group.is_exact))
    tiles = []
    for group in chosen[:_GROUPS]:
        pictures, lines = [], []
        for part, index in group.places[:3]:
            pictures += _thumbnails(data.parts[part].paths[index])
            lines.append(
                f"{part}: {data.parts[part].labels[index]}, {Path(data.parts[part].paths[index]).name}"
            )
        kind = "same bytes" if group.is_exact else "nearly the same"
        mark = "bad" if len(group.parts) > 1 else ""
        caption = "\n".join([kind, *lines])
        if pictures:
            tiles.append(
                Tile(pictures, caption, caption.replace("\n", ", "), mark=mark)
            )
    page.paragraph(
        f"{len(tiles)} of {len(groups)} groups; in red those of both parts.", "soft"
    )
    page.tiles(tiles)


def _classes(page: Page, data: DataSet) -> None:
    """Show how many pictures each class has, and some of them."""
    counts = {name: part.counts() for name, part in data.parts.items()}
    if not counts:
        return
    page.heading("Classes")
    order = _order(data, *counts.values())
    _bars(page, order, counts)
    rows: list[list[str | int]] = []
    for label in order:
        rows.append([label, *(counts[name][label] for name in counts)])
    page.table(["class", *counts], rows, "Pictures by class")
    tiles = []
    first = next(iter(counts.values()))
    smallest = sorted(order, key=lambda label: first[label])
    for label in smallest[:_SHOWN_CLASSES]:
        pictures = []
        for path in _examples(data, label):
            pictures += _thumbnails(path)
        if pictures:
            number = sum(counted[label] for counted in counts.values())
            tiles.append(
                Tile(pictures, f"{label}\n{number:,} pictures", f"Pictures of {label}")
            )
    page.paragraph(
        f"The first pictures of {len(tiles)} of {len(order)} classes, the smallest classes first.",
        "soft",
    )
    page.tiles(tiles)


def _bars(
    page: Page, order: Sequence[str], counts: Mapping[str, Mapping[str, int]]
) -> None:
    try:
        with figures.figure(9, 3.6) as (figure, axes):
            if len(order) <= _BARS:
                bottom = np.zeros(len(order))
                for name, counted in counts.items():
                    heights = [counted[label] for label in order]
                    axes.bar(range(len(order)), heights, bottom=bottom, label=name)
                    bottom += heights
                axes.set_xticks(range(len(order)), order, rotation=45, ha="right")
            else:
                for name, counted in counts.items():
                    axes.plot(
                        sorted((counted[label] for label in order), reverse=True),
                        label=name,
                    )
                axes.set_xlabel("classes, the largest first")
            axes.set_ylabel("pictures")
            axes.legend()
            page.figure(figures.as_svg(figure, "classes"), "Pictures by class")
    except Unavailable as error:
        page.paragraph(f"No figures are drawn: {error}", "warning")


def _sizes(page: Page, data: DataSet) -> None:
    rows = []
    for name in data.parts:
        found = statistics(data, name)
        if found:
            rows.append([
                name, *(found[side][key] for side in ("width", "height") for key in ("min", "median", "max")),
                " ".join(f"{value:.3f}" for value in found["mean"]), " ".join(f"{value:.3f}" for value in found["std"]),
            ])  # fmt: skip
    if not rows:
        return
    page.heading("Sizes and colours")
    header = ["part"]
    header += [
        f"{side}, {key}"
        for side in ("width", "height")
        for key in ("min", "median", "max")
    ]
    page.table(
        [*header, "mean of R G B", "deviation"], rows, "Pixels; colours from 0 to 1"
    )


def _examples(data: DataSet, label: str) -> Iterator[str]:
    """The first readable pictures of a class."""
    count = 0
    for part in data.parts.values():
        for path, own, facts in zip(part.paths, part.labels, part.facts):
            if own == label and not facts.error:
                yield path
                count += 1
                if count == _PER_CLASS:
                    return


def _thumbnails(path: str) -> list[bytes]:
    """A small copy of a picture, if it can still be read."""
    try:
        return [thumbnail(_DECODE(read_file(path)))]
    except (OSError, UserError):
        return []


def _order(data: DataSet, *counts: Mapping[str, int]) -> list[str]:
    """The classes, then labels that are none."""
    labels = dict.fromkeys(data.classes)
    for counted in counts:
        labels.update(dict.fromkeys(sorted(counted)))
    return list(labels)


def _spread(values: np.ndarray) -> dict[str, int]:
    return {
        "min": int(values.min()),
        "median": int(np.median(values)),
        "max": int(values.max()),
    }
