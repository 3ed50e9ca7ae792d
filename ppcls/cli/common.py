"""What the commands' arguments have in common."""

from __future__ import annotations

import argparse
from typing import Any, Callable, Optional


def new_command(commands: Any, name: str, text: str, run: Callable[[argparse.Namespace], int]) -> Any:
    """A command's parser; `text` says in `ppcls --help` and in its own what it does."""
    command = commands.add_parser(name, help=text, description=text)
    command.set_defaults(run=run, command=name)
    return command


def add_config(command: Any, default: Optional[str] = None) -> None:
    """`-c`, required without a default, and what goes with it."""
    command.add_argument(
        "-c", "--config", metavar="FILE", default=default, required=default is None,
        help="a YAML file, or the name of a shipped one" + (f" (default: {default})" if default else ": DLA60"),
    )  # fmt: skip
    add_overrides(command)


def add_overrides(command: Any) -> None:
    """`-o` and `--print-config`."""
    command.add_argument(
        "-o", "--override", metavar="KEY=VALUE", action="append", default=[],
        help="sets a key: -o Global.epochs=2; may be given many times",
    )  # fmt: skip
    command.add_argument("--print-config", action="store_true", help="print the resolved configuration and stop")
