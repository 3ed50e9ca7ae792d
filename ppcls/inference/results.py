"""The classes of pictures: one `Result` per picture, and the `Results` of a call."""

from __future__ import annotations

import base64
import html
import io
import re
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, overload

import numpy as np
from PIL import Image

from ppcls.data.picture_items import Address, NoPicture, Picture, picture_at
from ppcls.data.transforms.decode import DecodeImage, UnreadableImage

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SHOWN = 10  # results that are printed
_SIDE = 160  # pixels of a thumbnail
_CARD = "display:flex;gap:12px;align-items:center;margin:4px 0;font-family:sans-serif;font-size:13px"
_BAR = "width:120px;background:rgba(128,128,128,.2)"
_FILLED = "height:10px;background:#4c8bf5;width:{:.1f}%"


@dataclass(frozen=True)
class Result:
    """The classes of one picture, the best first, or the `error` why it could not be read.

    A notebook shows it as the picture, the names and their scores.

    Attributes:
        source: the picture's path or address, or its index in the list that was given.
        class_ids: at most `topk` of them.
        scores: their probabilities.
        names: their names; empty where the bundle has none.
        error: None, or why the picture could not be read.
    """

    source: str | int
    class_ids: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    error: str | None = None

    # Of an instance: a weak reference, so that results do not keep pixels in memory
    _picture: ClassVar[Any] = None

    @property
    def top1(self) -> int | None:
        """The id of the best class; None where there is an error."""
        return self.class_ids[0] if self.class_ids else None

    @property
    def name(self) -> str | None:
        """The name of the best class; None where there is an error, or the bundle has no names."""
        return self.names[0] if self.names else None

    @property
    def score(self) -> float | None:
        """The probability of the best class; None where there is an error."""
        return self.scores[0] if self.scores else None

    @property
    def picture(self) -> Picture | None:
        """What was classified: the file or address, or while it is in memory the content that was given."""
        kept = self._picture and self._picture()
        if kept is None and isinstance(self.source, str):
            return picture_at(self.source)
        return kept

    def of(self, picture: Picture) -> Result:
        """Remember which picture the result is of, and return the result."""
        object.__setattr__(self, "_picture", weakref.ref(picture))
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def __str__(self) -> str:
        if self.error is not None:
            return f"{self._where}: error: {printable(self.error)}"
        labelled = [f"{label} {score:.3f}" for label, score in self._labelled()]
        return f"{self._where}: {', '.join(labelled)}"

    @property
    def _where(self) -> str:
        if isinstance(self.source, int):
            return f"picture {self.source}"
        return printable(self.source)

    def _repr_html_(self) -> str:
        """The picture, and beside it the names, each with a bar as long as its score."""
        picture = ""
        if self.error is not None:
            body = f"<em>{html.escape(printable(self.error))}</em>"
        else:
            picture = _thumbnail(self.picture)
            rows = [_html_row(label, score) for label, score in self._labelled()]
            body = f"<table>{''.join(rows)}</table>"
        heading = f"<strong>{html.escape(self._where)}</strong>"
        return f'<div style="{_CARD}">{picture}<div>{heading}{body}</div></div>'

    def _labelled(self) -> list[tuple[str, float]]:
        labels = self.names or [f"class {class_id}" for class_id in self.class_ids]
        return [(printable(label), score) for label, score in zip(labels, self.scores)]


class Results(Sequence[Result]):
    """The results of a call, in the order of its pictures, which are classified when they are asked for.

    Iterating classifies as it goes and keeps nothing. What is indexed or printed is kept, so that a picture is
    classified once: `results[0]`, `results[-1]`, `results[:3]`, `len(results)`. An iterator has no length: its results
    can only be iterated, once.

    Args:
        pictures: what to classify.
        classify: gives the results of pictures.
    """

    def __init__(
        self,
        pictures: Sequence[Picture] | Iterator[Picture],
        classify: Callable[[Iterator[Picture]], Iterator[Result]],
    ) -> None:
        self._pictures = pictures
        self._classify = classify
        self._kept: list[Result] = []
        self._kept_pictures: list[Picture | None] = []  # those that results refer to
        self._rest: Iterator[Result] | None = None  # what follows those that are kept

    def __iter__(self) -> Iterator[Result]:
        if not isinstance(self._pictures, Sequence):
            return self._classify(self._pictures)
        return self._stream()

    def __len__(self) -> int:
        if not isinstance(self._pictures, Sequence):
            raise TypeError(
                "the results of an iterator have no length and no index; write list(...) around them"
            )
        return len(self._pictures)

    @overload
    def __getitem__(self, index: int) -> Result: ...

    @overload
    def __getitem__(self, index: slice) -> list[Result]: ...

    def __getitem__(self, index: int | slice) -> Result | list[Result]:
        places = range(len(self))[index]
        if isinstance(places, range):
            self._keep(max(places, default=-1) + 1)
            return [self._kept[place] for place in places]
        self._keep(places + 1)
        return self._kept[places]

    def __repr__(self) -> str:
        if not isinstance(self._pictures, Sequence):
            return "<the results of an iterator, which are classified when they are iterated>"
        lines = [str(result) for result in self[:_SHOWN]]
        return "\n".join([*lines, *self._more()]) or "<no results>"

    def _repr_html_(self) -> str:
        if not isinstance(self._pictures, Sequence):
            return html.escape(repr(self))
        cards = [result._repr_html_() for result in self[:_SHOWN]]
        return "\n".join([*cards, *(f"<div>{line}</div>" for line in self._more())])

    def __reduce__(self) -> tuple[Any, ...]:
        """What pickle writes: the results themselves, all of them."""
        return _finished, (list(self),)

    def _stream(self) -> Iterator[Result]:
        yield from self._kept
        yield from self._stream_from(len(self._kept))

    def _stream_from(self, place: int) -> Iterator[Result]:
        assert isinstance(self._pictures, Sequence)
        return self._classify(
            map(self._pictures.__getitem__, range(place, len(self._pictures)))
        )

    def _keep(self, count: int) -> None:
        """Classify until `count` results are kept."""
        while len(self._kept) < count:
            if self._rest is None:
                self._rest = self._stream_from(len(self._kept))
            try:
                result = next(self._rest)
            except BaseException:
                # The stream has ended: the next call begins again, and raises the same error
                self._rest = None
                raise
            self._kept_pictures.append(result.picture)
            self._kept.append(result)

    def _more(self) -> list[str]:
        """The line that says how many results are not shown, if any."""
        more = len(self) - _SHOWN
        return [f"... and {more} more"] if more > 0 else []


def _finished(results: list[Result]) -> Results:
    finished = Results(
        [Picture(result.source, NoPicture("")) for result in results],
        lambda pictures: iter(()),
    )
    finished._kept = results
    return finished


def printable(text: str) -> str:
    r"""Text as part of one line: control characters and bytes of names that are no UTF-8 as `\n`, `\udce9`."""
    return _UNPRINTABLE.sub(
        lambda found: found[0].encode("unicode_escape").decode(), text
    )


def _html_row(label: str, score: float) -> str:
    filled = _FILLED.format(100 * min(max(score, 0.0), 1.0))
    bar = f'<div style="{_BAR}"><div style="{filled}"></div></div>'
    return f"<tr><td>{html.escape(label)}</td><td>{bar}</td><td>{score:.3f}</td></tr>"


def _thumbnail(picture: Picture | None) -> str:
    """A small copy of the picture as an HTML element, or an empty text where it is gone or cannot be read."""
    if picture is None or isinstance(picture.content, NoPicture):
        return ""
    try:
        image = Image.fromarray(_pixels(picture))
    except (OSError, ValueError, MemoryError, UnreadableImage):
        return ""
    image.thumbnail((_SIDE, _SIDE))
    content = io.BytesIO()
    image.save(content, "JPEG", quality=85)
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}">'


def _pixels(picture: Picture) -> np.ndarray:
    """The pixels of a picture, uint8 [H, W, 3] in the order RGB."""
    content = picture.content
    if isinstance(content, Address):
        content = content.content
    if isinstance(content, Path):
        content = content.read_bytes()
    if isinstance(content, bytes):
        return DecodeImage()(content)
    assert isinstance(content, np.ndarray)
    if picture.color == "RGB":
        return content
    return content[..., ::-1].copy()
