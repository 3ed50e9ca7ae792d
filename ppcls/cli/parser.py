"""The argument parser of every command, and arguments that several commands have.

This module imports neither configurations nor pictures.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, NoReturn

# The last version that accepts the old names of options.
LAST_VERSION_OF_OLD_NAMES = "0.2"
# A key of a configuration with its value
_OVERRIDE = re.compile(r"[A-Za-z_]\w*(\.\w+)*=")


class CommandParser(argparse.ArgumentParser):
    """A parser that reports a mistake in one line and can accept old names of options.

    Attributes:
        introduction: What the help says before the usage; empty for the help of argparse.
        takes_words_anywhere: Whether options may stand between the arguments without names.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.introduction = ""
        self.takes_words_anywhere = False
        self._new_names: dict[str, str] = {}
        self._spellings: dict[str, str] = {}

    def format_help(self) -> str:
        """Return the introduction and the help of argparse."""
        return self.introduction + super().format_help()

    def rename(self, old: str, new: str) -> None:
        """Accept `old`, the name of an earlier version, for the option `new`.

        Help does not show it. Using it prints one line that gives the new name.
        """
        self._new_names[old] = new

    def spell(self, other: str, name: str) -> None:
        """Accept `other`, as another program spells it, for the option `name`; help does not show it."""
        self._spellings[other] = name

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse arguments as argparse does."""
        if self.takes_words_anywhere:
            return self.parse_intermixed_args(args, namespace)
        return super().parse_args(args, namespace)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse arguments as argparse does, after replacing old names of options."""
        given = sys.argv[1:] if args is None else args
        return super().parse_known_args(self._with_new_names(given), namespace)

    def error(self, message: str) -> NoReturn:
        """Exit with code 2 and one line, without the usage of every option."""
        unknown, _, words = message.partition("unrecognized arguments: ")
        if not unknown and _OVERRIDE.match(words):
            message += f"; write -o before each KEY=VALUE, as in -o {words.split()[0]}"
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} --help`\n")

    def _with_new_names(self, words: Sequence[str]) -> list[str]:
        renamed = list(words)
        for index, word in enumerate(words):
            if word == "--":
                break
            name, equals, value = word.partition("=")
            name = self._spellings.get(name, name)
            renamed[index] = name + equals + value
            new = self._new_names.get(name)
            if new is not None:
                renamed[index] = new + equals + value
                print(
                    f"{self.prog}: {name} is now {new}; the old name works up to version "
                    f"{LAST_VERSION_OF_OLD_NAMES}",
                    file=sys.stderr,
                )
        return renamed


def introduction(works_on: str, summary: str, examples: Sequence[str]) -> str:
    """Return the beginning of a command's help: what it works on, what it does, and command lines."""
    width = shutil.get_terminal_size().columns - 2  # as argparse has it
    paragraphs = []
    for text in (f"Works on {works_on}.", f"{summary[0].upper()}{summary[1:]}."):
        paragraphs.append(textwrap.fill(text, width))
    shown = "\n".join(f"  {line}" for line in examples)
    return "\n".join([*paragraphs, "", "examples:", shown, "", ""])


def accept(condition: object, text: str) -> None:
    """Check the value of an option.

    Args:
        condition: Whether it is possible.
        text: What is wrong otherwise, and what to write.

    Raises:
        argparse.ArgumentTypeError: It is not.
    """
    if not condition:
        raise argparse.ArgumentTypeError(text)


def add_option(
    command: CommandParser, *names: str, old: Sequence[str] = (), **settings: Any
) -> None:
    """Add an option that also accepts the names it had in earlier versions.

    Example: `add_option(command, "--output", old=["--out"], metavar="DIR", help="...")`.

    Args:
        command: The parser of the command.
        *names: As for `add_argument`; the long name is last.
        old: The earlier names, which help does not show.
        **settings: As for `add_argument`.
    """
    command.add_argument(*names, **settings)
    for name in old:
        command.rename(name, names[-1])


def add_imports(command: CommandParser) -> None:
    """Add `--import`, for files that `ppcls.utils.user_code` runs."""
    command.add_argument(
        "--import",
        metavar="FILE",
        dest="imports",
        action="append",
        default=[],
        help="run a Python file that registers your own components; can be given several times",
    )


class SetKey(argparse.Action):
    """An option that sets a key of the configuration, as `-o KEY=VALUE` does, in the order of the command line.

    Args:
        key: The key.
    """

    def __init__(self, *args: Any, key: str, **settings: Any) -> None:
        settings |= {"dest": "override", "default": argparse.SUPPRESS}
        super().__init__(*args, **settings)
        self._key = key

    def __call__(
        self, parser: Any, namespace: Any, values: Any, option_string: Any = None
    ) -> None:
        """Append the override."""
        override = f"{self._key}={json.dumps(values, ensure_ascii=False)}"
        namespace.override = [*namespace.override, override]


def add_config(command: CommandParser, default: str | None = None) -> None:
    """Add `-c`, which is required unless it has a default, and `-o` and `--print-config`."""
    example = ": DLA60" if default is None else f" (default: {default})"
    command.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        default=default,
        required=default is None,
        help=f"a YAML file, or the name of a shipped one{example}",
    )
    add_overrides(command)


def add_overrides(command: CommandParser) -> None:
    """Add `-o` and `--print-config`."""
    add_override(command)
    command.add_argument(
        "--print-config",
        action="store_true",
        help="print the resolved configuration and stop",
    )


def add_override(command: CommandParser) -> None:
    """Add `-o`."""
    command.add_argument(
        "-o",
        "--override",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="set a key, such as -o Global.epochs=2; can be given several times",
    )


def add_image_root(command: CommandParser) -> None:
    """Add `--image-root`."""
    command.add_argument(
        "--image-root",
        metavar="DIR",
        help="the folder that the list's paths are relative to (default: the list's folder, or the one below it that "
        "has the pictures)",
    )


def add_rows_output(command: CommandParser) -> None:
    """Add `--output` of commands that classify pictures."""
    command.add_argument(
        "--output",
        metavar="FILE",
        help="also write one row per picture, to .csv or .json",
    )
