"""A page of HTML in one file: style, script, figures and pictures are part of it, and it loads nothing else.

The page follows the reader's choice of a light or dark screen, and fits a telephone of 360 pixels. Wide tables scroll
on their own. A click on a column's title sorts a table; a filter shows what belongs to one group, such as a class.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ppcls.utils.files import require_own, write_atomically

_KINDS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"RIFF": "webp"}
# Nothing outside of the file is loaded, whatever a class or a file is called.
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
_MARK = '<meta name="generator" content="ppcls">'
_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #57606a; --paper: #ffffff; --panel: #f3f5f7;
  --line: #d0d7de; --link: #0a58ca; --good: #136c2e; --warn: #855300; --bad: #b3201f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #a3adb8; --paper: #14171a; --panel: #1f2429;
  --line: #3a424b; --link: #7ab7ff; --good: #5fd27f; --warn: #e8b04b; --bad: #ff8f85; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2rem 0 0.5rem; border-bottom: 1px solid var(--line); padding-bottom: 0.25rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 0.25rem; }
p { overflow-wrap: anywhere; max-width: 50rem; }
a { color: var(--link); }
.soft { color: var(--soft); }
.good { color: var(--good); } .warning { color: var(--warn); } .bad { color: var(--bad); }
.good, .warning, .bad { font-weight: 600; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: 0.75rem; margin: 1rem 0; }
.facts div { background: var(--panel); border-radius: 0.5rem; padding: 0.5rem 0.75rem; }
.facts dt { color: var(--soft); font-size: 0.85rem; }
.facts dd { margin: 0; font-size: 1.15rem; font-weight: 600; overflow-wrap: anywhere; }
.scroll { overflow: auto; max-height: 36rem; border: 1px solid var(--line); border-radius: 0.5rem; margin: 0.5rem 0; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 0.5rem 0.75rem; color: var(--soft); }
th, td { padding: 0.3rem 0.75rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
th { position: sticky; top: 0; background: var(--panel); white-space: nowrap; }
tbody tr:last-child td { border-bottom: 0; }
.number { text-align: right; }
th button { all: unset; cursor: pointer; } th button:focus-visible { outline: 2px solid var(--link); }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
figure { margin: 0.75rem 0; } figcaption { color: var(--soft); font-size: 0.85rem; overflow-wrap: anywhere; }
figure .wide { overflow-x: auto; } figure svg { width: 100%; height: auto; min-width: 34rem; max-width: 60rem; }
figure > img { max-width: 100%; height: auto; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: 0.75rem; padding: 0;
  list-style: none; }
.tiles img { width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--panel); border-radius: 0.4rem; }
.tiles li { font-size: 0.8rem; overflow-wrap: anywhere; } .tiles .pictures { display: flex; gap: 2px; }
.tiles .pictures img { min-width: 0; }
.filter { margin: 1rem 0; } select { font: inherit; max-width: 100%; padding: 0.25rem; }
pre { background: var(--panel); padding: 0.75rem; border-radius: 0.5rem; overflow: auto; font-size: 0.85rem; }
code { overflow-wrap: anywhere; } pre code { overflow-wrap: normal; }
[hidden] { display: none !important; }
"""
_SORT = """
for (const button of document.querySelectorAll("th button")) button.addEventListener("click", () => {
  const title = button.closest("th"), body = title.closest("table").tBodies[0];
  const down = title.getAttribute("aria-sort") === "ascending";
  const column = [...title.parentNode.children].indexOf(title);
  for (const other of title.parentNode.children) other.removeAttribute("aria-sort");
  title.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = row => row.children[column].dataset.value ?? row.children[column].textContent;
  const compare = (a, b) => { const x = key(a), y = key(b), d = Number(x) - Number(y);
    return Number.isNaN(d) || x === "" || y === "" ? x.localeCompare(y) : d; };
  const rows = [...body.rows].sort(compare);
  body.append(...(down ? rows.reverse() : rows));
});
"""
_FILTER = """
const choice = document.querySelector(".filter select");
if (choice) choice.addEventListener("change", () => {
  for (const part of document.querySelectorAll("[data-groups]"))
    part.hidden = choice.value !== "" && !part.dataset.groups.split(" ").includes(choice.value);
});
"""


class Html(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


Cell = str | int | float | None


@dataclass(frozen=True)
class Tile:
    """A picture of a sheet.

    Attributes:
        pictures: One encoded picture (PNG, JPEG or WebP), or several that are shown side by side.
        caption: The text below; lines are separated by newlines.
        alt: What the picture shows, for those who do not see it.
        groups: The groups that it belongs to, for the page's filter.
        mark: `good`, `warning` or `bad` colours the caption's first line.
    """

    pictures: Sequence[bytes]
    caption: str
    alt: str
    groups: Sequence[str] = ()
    mark: str = ""


@dataclass
class Page:
    """A page that is built from top to bottom.

    Attributes:
        title: The heading and the name of the browser's tab.
        lead: A sentence below the heading.
    """

    title: str
    lead: str = ""
    _parts: list[str] = field(default_factory=list)
    _groups: dict[str, int] = field(default_factory=dict)

    def heading(self, text: str, level: int = 2) -> None:
        """Begin a section."""
        self._parts.append(f"<h{level}>{escaped(text)}</h{level}>")

    def paragraph(self, text: str, mark: str = "") -> None:
        """Add a paragraph; `mark` is empty, `soft`, `good`, `warning` or `bad`."""
        kind = f' class="{mark}"' if mark else ""
        self._parts.append(f"<p{kind}>{escaped(text)}</p>")

    def facts(self, facts: Mapping[str, object]) -> None:
        """Add the figures that a reader looks for first, by their names."""
        rows = []
        for name, value in facts.items():
            rows.append(
                f"<div><dt>{escaped(name)}</dt><dd>{escaped(str(value))}</dd></div>"
            )
        self._parts.append(f'<dl class="facts">{"".join(rows)}</dl>')

    def filter(self, label: str, groups: Sequence[str]) -> None:
        """Add a menu of groups; choosing one hides rows and tiles of the page that belong to others only.

        It comes before the rows and tiles.
        """
        options = ['<option value="">all</option>']
        for group in groups:
            number = self._groups.setdefault(group, len(self._groups))
            options.append(f'<option value="{number}">{escaped(group)}</option>')
        menu = f"<select>{''.join(options)}</select>"
        self._parts.append(
            f'<p class="filter"><label>{escaped(label)} {menu}</label></p>'
        )

    def table(
        self,
        header: Sequence[str],
        rows: Iterable[Sequence[Cell]],
        caption: str,
        groups: Sequence[Sequence[str]] | None = None,
    ) -> None:
        """Add a table that is sorted by a click on a title.

        Args:
            header: The columns' titles.
            rows: Their cells. Numbers are aligned right, floats shown with four digits, None as an empty cell.
            caption: What the table shows.
            groups: The groups of each row, for the filter.
        """
        listed = [list(row) for row in rows]
        titles = []
        for column, title in enumerate(header):
            is_number = any(_is_number(row[column]) for row in listed)
            kind = ' class="number"' if is_number else ""
            titles.append(
                f'<th scope="col"{kind}><button>{escaped(title)}</button></th>'
            )
        lines = []
        for index, row in enumerate(listed):
            belongs = self._groups_of(groups[index]) if groups else ""
            lines.append(f"<tr{belongs}>{''.join(map(_cell, row))}</tr>")
        name = escaped(caption)
        self._parts.append(
            f'<div class="scroll" tabindex="0" role="region" aria-label="{name}"><table><caption>{name}</caption>'
            f"<thead><tr>{''.join(titles)}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
        )

    def figure(self, drawing: bytes | Html, alt: str, caption: str = "") -> None:
        """Add a figure: an encoded picture, or an SVG of `ppcls.analysis.figures.as_svg`."""
        below = f"<figcaption>{escaped(caption)}</figcaption>" if caption else ""
        if isinstance(drawing, bytes):
            shown = f'<img src="{data_uri(drawing)}" alt="{escaped(alt)}">'
        else:
            name = f'aria-label="{escaped(alt)}"'
            svg = drawing.replace("<svg ", f'<svg role="img" {name} ', 1)
            # On a telephone it scrolls, so that its text can be read
            shown = f'<div class="wide" tabindex="0" role="region" {name}>{svg}</div>'
        self._parts.append(f"<figure>{shown}{below}</figure>")

    def tiles(self, tiles: Iterable[Tile]) -> None:
        """Add a sheet of pictures."""
        self._parts.append(f'<ul class="tiles">{"".join(map(self._tile, tiles))}</ul>')

    def code(self, text: str) -> None:
        """Add lines that are shown as they are, such as commands."""
        self._parts.append(f'<pre tabindex="0"><code>{escaped(text)}</code></pre>')

    def html(self, markup: Html) -> None:
        """Add HTML of one's own."""
        self._parts.append(markup)

    def render(self) -> str:
        """Return the whole page."""
        title, body = escaped(self.title), "\n".join(self._parts)
        lead = f'<p class="soft">{escaped(self.lead)}</p>' if self.lead else ""
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
            f"{_MARK}\n"
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{title}</title>\n<style>{_STYLE}</style></head>\n"
            f"<body><main>\n<h1>{title}</h1>\n{lead}\n{body}\n</main>\n"
            f"<script>{_SORT}{_FILTER}</script></body></html>\n"
        )

    def write(self, path: Path) -> None:
        """Write the file, or replace an earlier page; a reader sees the old one or the new one.

        Raises:
            UserError: `path` is a file that this library did not write.
        """
        require_own(path, _MARK.encode())
        write_atomically(path, self.render().encode())

    def _tile(self, tile: Tile) -> str:
        pictures = []
        for number, picture in enumerate(tile.pictures):
            alt = escaped(tile.alt) if number == 0 else ""
            pictures.append(
                f'<img src="{data_uri(picture)}" alt="{alt}" loading="lazy">'
            )
        first, *others = escaped(tile.caption).split("\n")
        if tile.mark:
            first = f'<span class="{tile.mark}">{first}</span>'
        text = "<br>".join([first, *others])
        belongs = self._groups_of(tile.groups)
        return (
            f'<li{belongs}><div class="pictures">{"".join(pictures)}</div>{text}</li>'
        )

    def _groups_of(self, groups: Sequence[str]) -> str:
        """Return the attribute that the filter reads; empty on a page without one."""
        numbers = [str(self._groups[name]) for name in groups if name in self._groups]
        return f' data-groups="{" ".join(numbers)}"' if self._groups else ""


def escaped(text: str) -> str:
    """Return a text as HTML; `Html` stays as it is."""
    return text if isinstance(text, Html) else html.escape(text)


def data_uri(content: bytes) -> str:
    """Return an encoded picture as an address that holds it.

    Raises:
        ValueError: It is neither a PNG nor a JPEG nor a WebP.
    """
    for beginning, kind in _KINDS.items():
        if content.startswith(beginning):
            encoded = base64.b64encode(content).decode("ascii")
            return f"data:image/{kind};base64,{encoded}"
    raise ValueError(f"not a PNG, JPEG or WebP: it begins with {content[:4]!r}")


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, (int, float))


def _cell(value: Cell) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, str):
        return f"<td>{escaped(value)}</td>"
    shown = f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    return f'<td class="number" data-value="{value}">{shown}</td>'
