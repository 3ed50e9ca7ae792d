"""Where the pictures lie that a list names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from ppcls.data.picture_files import folders_in, is_picture_name

_LEVELS_UP = 4
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
    _listings: dict[str, dict[str, list[str]]] = field(default_factory=dict)

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
        if not name or (
            self.prefix
            and not PurePath(name.replace("\\", "/")).is_relative_to(self.prefix)
        ):
            return None
        if _is_file(self.path(name)):
            return self.path(name)
        turned = name.replace("\\", "/")
        if turned != name and _is_file(self.path(turned)):
            self.backslashes = True
            return self.path(turned)
        found = self._complete(self.path(turned))
        if found is not None and turned != name:
            self.backslashes = True
        return found

    def _complete(self, path: str) -> str | None:
        folder, stem = os.path.split(path)
        if not stem or is_picture_name(stem):
            return None
        if folder not in self._listings:
            self._listings[folder] = _pictures_by_stem(folder)
        found = self._listings[folder].get(stem, [])
        if len(found) > 1:
            self.unclear[path] = (
                f"{path} may be {' or '.join(sorted(found))}; write the suffix"
            )
        if len(found) != 1:
            return None
        self.suffixes.add(PurePath(found[0]).suffix)
        return os.path.join(folder, found[0])  # noqa: PTH118


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _pictures_by_stem(folder: str) -> dict[str, list[str]]:
    try:
        with os.scandir(folder or ".") as entries:
            names = [entry.name for entry in entries if is_picture_name(entry.name)]
    except (OSError, ValueError):
        return {}
    stems: dict[str, list[str]] = {}
    for name in names:
        stems.setdefault(PurePath(name).stem, []).append(name)
    return stems


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
    try:
        return folders_in(folder)
    except OSError:
        return []
