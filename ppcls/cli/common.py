"""Arguments that several commands have. This module imports neither configurations nor pictures."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from ppcls.cli.parser import CommandParser


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
