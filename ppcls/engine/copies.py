"""Copies of classified pictures, one folder per class: a start for labels that a person corrects."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from ppcls.data.picture_items import Address
from ppcls.inference.results import Result
from ppcls.utils.files import written_aside


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
