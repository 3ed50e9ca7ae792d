"""Where the pictures lie that a list names."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

from ppcls.data.picture_files import folders_in, is_picture_name
from ppcls.utils.errors import brief

_LEVELS_UP = 4
_SHOWN = 3
_LEVELS_DOWN, _MOST_FOLDERS = 3, 500


@dataclass(eq=False)
class Place:
    """A folder that the names of a list are relative to.

    A name is that of a file as it stands; with backslashes for slashes; or without its suffix, where the folder holds
    one picture of that name.

    Attributes:
        root: The folder; an empty text is the working directory.
        prefix: What every name has to begin with, as a path; empty for nothing.
        backslashes: Whether a name was found only with slashes for its backslashes.
        suffixes: The suffixes that names were completed by.
        unclear: Why a name could not be completed, by its path without suffix.
    """

    root: str
    prefix: str = ""
    backslashes: bool = False
    suffixes: set[str] = field(default_factory=set)
    unclear: dict[str, str] = field(default_factory=dict)
    _listings: dict[str, _Listing] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether every name found so far was the path of a file as it stands."""
        return not (self.backslashes or self.suffixes)

    def path(self, name: str) -> str:
        """The path that a name stands for as it is written."""
        # A million times, pathlib takes ten times as long
        return os.path.join(self.root, name)  # noqa: PTH118

    def has(self, name: str) -> bool:
        """Whether a name is that of a file as it stands."""
        return bool(name) and _is_file(self.path(name))

    def find(self, name: str) -> str | None:
        """The path of the picture; None if there is none, or if several go by a name without suffix."""
        if not name or not self._has_prefix(name):
            return None
        found = self._find(self.path(name))
        if found is not None or "\\" not in name:
            return found
        found = self._find(self.path(name.replace("\\", "/")))
        if found is not None:
            self.backslashes = True
        return found

    def _find(self, path: str) -> str | None:
        folder, name = os.path.split(path)
        if is_picture_name(name):
            return path if _is_file(path) else None
        if not name:
            return None
        # Without a picture's suffix: its folder is listed once for all such names
        listing = self._listing(folder)
        if name in listing.names and _is_file(path):
            return path
        return self._complete(path, listing.by_stem.get(name, []))

    def _complete(self, path: str, names: list[str]) -> str | None:
        """The path of the one picture whose name without suffix ends the path; None if there are none or several."""
        if not names:
            return None
        if len(names) > 1:
            some = " or ".join(sorted(names)[:_SHOWN])
            self.unclear[path] = f"{brief(path, 300)} may be {some}; write the suffix"
            return None
        folder, stem = os.path.split(path)
        self.suffixes.add(names[0][len(stem) :])
        return os.path.join(folder, names[0])  # noqa: PTH118

    def _has_prefix(self, name: str) -> bool:
        if not self.prefix:
            return True
        return PurePath(name.replace("\\", "/")).is_relative_to(self.prefix)

    def _listing(self, folder: str) -> _Listing:
        known = self._listings.get(folder)
        if known is None:
            # A folder has many spellings, such as a/../b, and a listing reads all of it
            real = os.path.realpath(folder)
            if real not in self._listings:
                self._listings[real] = _list(real)
            known = self._listings[folder] = self._listings[real]
        return known


@dataclass(frozen=True)
class _Listing:
    """The names in a folder, and those of its pictures by their names without suffix."""

    names: frozenset[str]
    by_stem: dict[str, list[str]]


def _is_file(path: str) -> bool:
    # A million times, pathlib takes ten times as long
    return os.path.isfile(path)  # noqa: PTH113


def _list(folder: str) -> _Listing:
    try:
        names = frozenset(os.listdir(folder))  # noqa: PTH208
    except (OSError, ValueError):  # no folder, or a name that no folder can have
        names = frozenset()
    by_stem: dict[str, list[str]] = {}
    for name in filter(is_picture_name, names):
        by_stem.setdefault(PurePath(name).stem, []).append(name)
    return _Listing(names, by_stem)


def places_above(root: str) -> Iterator[Place]:
    """Yield the folders above `root`, for names that begin with the last parts of `root` themselves."""
    path = PurePath(root)
    for level, parent in enumerate(path.parents):
        if level == _LEVELS_UP:
            return
        above = "" if str(parent) == "." else str(parent)
        yield Place(above, str(path.relative_to(parent)))


def folders_below(root: str) -> Iterator[str]:
    """Yield the folders of the next levels below `root`, the first 500 by name; hidden ones are passed over."""
    level = [root]
    count = 0
    for _ in range(_LEVELS_DOWN):
        below: list[str] = []
        for folder in level:
            for name in _subfolders(folder):
                count += 1
                if count > _MOST_FOLDERS:
                    return
                below.append(os.path.join(folder, name))  # noqa: PTH118
                yield below[-1]
        level = below


def _subfolders(folder: str) -> list[str]:
    with contextlib.suppress(OSError):
        return folders_in(folder)
    return []
