"""What the commands' arguments have in common."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ppcls.cli.parser import CommandParser
from ppcls.utils.errors import UserError

if TYPE_CHECKING:
    from ppcls.data.picture_list import PictureList
    from ppcls.inference.bundle import Bundle


def new_command(
    commands: Any, name: str, text: str, run: Callable[[argparse.Namespace], int]
) -> Any:
    """A command's parser; `text` says in `ppcls --help` and in its own what it does."""
    command = commands.add_parser(name, help=text, description=text)
    command.set_defaults(run=run, command=name)
    return command


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


def add_config(command: Any, default: str | None = None) -> None:
    """`-c`, required without a default, and what goes with it."""
    command.add_argument(
        "-c", "--config", metavar="FILE", default=default, required=default is None,
        help="a YAML file, or the name of a shipped one" + (f" (default: {default})" if default else ": DLA60"),
    )  # fmt: skip
    add_overrides(command)


def add_overrides(command: Any) -> None:
    """`-o` and `--print-config`."""
    _add_override(command)
    command.add_argument(
        "--print-config",
        action="store_true",
        help="print the resolved configuration and stop",
    )


def add_optional_config(command: Any, text: str) -> None:
    """`-c` and `-o` of a command that works without; `text` says what it does with one."""
    command.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help=f"{text}; a YAML file, or the name of a shipped one",
    )
    _add_override(command)


def read_optional_config(
    arguments: argparse.Namespace, with_weights: bool = False
) -> Any:
    """The checked configuration of `add_optional_config`, with what an export needs; None without one.

    Args:
        arguments: The command's.
        with_weights: Whether it names the weights of its own run where no others are given.

    Raises:
        UserError: it is wrong, or there are overrides of none.
    """
    from ppcls.config import load_config
    from ppcls.engine.schema import registries
    from ppcls.engine.trained import load_with_weights

    if arguments.config is None:
        if arguments.override:
            raise UserError(
                f"-o {arguments.override[0]} sets a key of no configuration; give one by -c"
            )
        return None
    if with_weights:
        return load_with_weights(arguments.config, arguments.override, "export")
    return load_config(
        arguments.config,
        arguments.override,
        registries(),
        "export",
        say=lambda line: print(line, file=sys.stderr),
    )


def add_data(command: Any, required: bool = False) -> None:
    """`--data` and `--image-root`."""
    text = (
        "a list of pictures, with labels or without, or a folder of pictures, where folders named as the bundle's "
        "classes are labels"
    )
    command.add_argument("--data", metavar="LIST", required=required, help=text)
    add_image_root(command)


def read_data(arguments: argparse.Namespace, bundle: Bundle) -> PictureList:
    """The pictures of `--data`, with labels if they have some, by the bundle's classes."""
    from ppcls.data.picture_list import read_picture_list

    return read_picture_list(
        arguments.data, bundle.class_num, arguments.image_root, bundle.class_names
    )


def add_image_root(command: Any) -> None:
    """`--image-root`."""
    command.add_argument(
        "--image-root", metavar="DIR",
        help="what the list's paths are relative to (default: the list's folder or the one below it that has them)",
    )  # fmt: skip


def _add_override(command: Any) -> None:
    command.add_argument(
        "-o", "--override", metavar="KEY=VALUE", action="append", default=[],
        help="sets a key: -o Global.epochs=2; may be given many times",
    )  # fmt: skip
