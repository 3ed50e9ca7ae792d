"""The argument parser of every command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

# The last version that accepts the old names of options.
LAST_VERSION_OF_OLD_NAMES = "0.2"


class CommandParser(argparse.ArgumentParser):
    """A parser that reports a mistake in one line and can accept old names of options."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._new_names: dict[str, str] = {}

    def rename(self, old: str, new: str) -> None:
        """Accept `old`, the name of an earlier version, for the option `new`.

        Help does not show it. Using it prints one line that gives the new name.
        """
        self._new_names[old] = new

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse arguments as argparse does, after replacing old names of options."""
        given = sys.argv[1:] if args is None else args
        return super().parse_known_args(self._with_new_names(given), namespace)

    def error(self, message: str) -> NoReturn:
        """Exit with code 2 and one line, without the usage of every option."""
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} --help`\n")

    def _with_new_names(self, words: Sequence[str]) -> list[str]:
        renamed = list(words)
        for index, word in enumerate(words):
            if word == "--":
                break
            name, equals, value = word.partition("=")
            new = self._new_names.get(name)
            if new is not None:
                renamed[index] = new + equals + value
                print(
                    f"{self.prog}: {name} is now {new}; the old name works up to version "
                    f"{LAST_VERSION_OF_OLD_NAMES}",
                    file=sys.stderr,
                )
        return renamed
