"""The answers of `ppcls predict` and `ppcls infer` on standard output: for programs through a pipe, or on a terminal.

On a terminal a picture's answer fits one line, `ant.JPEG   insect 92 %   bird 6 %`, and a count per class follows the
last one. Through a pipe the lines are those of PaddleClas, which scripts read.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ppcls.data.picture_items import Address
from ppcls.engine.result_files import console_line, encodable
from ppcls.inference.results import Result, printable
from ppcls.utils.files import written_aside
from ppcls.utils.terminal import (
    coloured,
    cut_left,
    cut_right,
    display_width,
    padded,
    width_of,
)

_GAP = "   "
_LONGEST_SHARE = 0.4  # of a line, for the name of the picture
_NARROWEST = 24  # columns
_HIGHEST = " 100 %"
_COUNTED = 10  # classes


class PipeAnswers:
    """Answers as PaddleClas's `predict_cls.py` prints them."""

    def line(self, result: Result, name: str) -> str:
        """The line of a picture."""
        return encodable(console_line(result, name))

    def summary(self) -> list[str]:
        """Nothing follows the last picture."""
        return []


class TerminalAnswers:
    """Answers that fit a terminal.

    Args:
        names: of the pictures, as they are shown.
        width: of the terminal, in columns.
    """

    def __init__(self, names: Sequence[str], width: int) -> None:
        self._width = max(width, _NARROWEST)
        self._mark = "…" if encodable("…") == "…" else "..."
        longest = max((display_width(_shown(name)) for name in names), default=0)
        self._name_width = min(longest, int(_LONGEST_SHARE * self._width))
        self._counts: Counter[str] = Counter()

    def line(self, result: Result, name: str) -> str:
        """The line of a picture: its name, and the classes that have room and at least half a percent."""
        shown = cut_left(_shown(name), self._name_width, self._mark)
        beginning = padded(shown, self._name_width) + _GAP
        if result.error is not None:
            reason = f"error: {_shown(result.error)}"
            return beginning + coloured(reason, "red", sys.stdout)
        answers = self._answers(result, self._width - display_width(beginning))
        return beginning + _GAP.join(answers)

    def summary(self) -> list[str]:
        """The number of pictures of each class, where there are several pictures."""
        if self._counts.total() < 2:
            return []
        figures = len(str(max(self._counts.values())))
        lines = [""]
        for label, count in self._counts.most_common(_COUNTED):
            room = self._width - figures - len(_GAP)
            lines.append(f"{count:{figures}}{_GAP}{cut_right(label, room, self._mark)}")
        more = len(self._counts) - _COUNTED
        if more > 0:
            lines.append(f"and {more} more classes")
        return lines

    def _answers(self, result: Result, room: int) -> list[str]:
        labels = result.names or [f"class {number}" for number in result.class_ids]
        best = _shown(labels[0])
        self._counts[best] += 1
        best = cut_right(best, room - len(_HIGHEST), self._mark)
        answers = [coloured(f"{best} {_percent(result.scores[0])}", "bold", sys.stdout)]
        room -= display_width(best) + 1 + len(_percent(result.scores[0]))
        for label, score in zip(labels[1:], result.scores[1:]):
            answer = f"{_shown(label)} {_percent(score)}"
            room -= len(_GAP) + display_width(answer)
            if room < 0 or score < 0.005:
                break
            answers.append(answer)
        return answers


def answers_for(names: Sequence[str]) -> PipeAnswers | TerminalAnswers:
    """The answers for standard output as it is."""
    width = width_of(sys.stdout)
    if width is None:
        return PipeAnswers()
    return TerminalAnswers(names, width)


def _percent(score: float) -> str:
    return f"{100 * score:.0f} %"


def _shown(text: str) -> str:
    return encodable(printable(text))


def copy_by_class(result: Result, folder: Path) -> None:
    """Copy the picture of a result into the folder of its best class, which is named by the class's id.

    A file that is there already stays: the copy gets a free name, unless it is the same picture.
    """
    picture = result.picture
    assert picture is not None and isinstance(picture.source, str)
    if isinstance(picture.content, Address):
        content = picture.content.load()
    else:
        content = Path(picture.source).read_bytes()
    name = Path(picture.source).name
    for target in _places(folder / str(result.top1), name):
        if not target.exists():
            with written_aside(target, sync=False) as aside:
                aside.write_bytes(content)
            return
        if target.is_file() and target.read_bytes() == content:
            return


def _places(folder: Path, name: str) -> Iterator[Path]:
    """`x.jpg`, `x.1.jpg`, `x.2.jpg` and so on."""
    yield folder / name
    path = Path(name)
    for number in itertools.count(1):
        yield folder / f"{path.stem}.{number}{path.suffix}"
