"""`-c` and `-o` of commands that also work without a configuration."""

from __future__ import annotations

import argparse
import sys

from ppcls.cli.common import add_override
from ppcls.cli.parser import CommandParser
from ppcls.config import Config, load_config
from ppcls.engine.schema import registries
from ppcls.engine.trained import load_with_weights
from ppcls.utils.errors import UserError


def add_optional_config(command: CommandParser, text: str) -> None:
    """Add `-c` and `-o`; `text` says what the configuration is for."""
    command.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help=f"{text}; a YAML file, or the name of a shipped one",
    )
    add_override(command)


def read_optional_config(
    arguments: argparse.Namespace, with_weights: bool = False
) -> Config | None:
    """Read and check the configuration as `ppcls export` does.

    Args:
        arguments: Those of the command.
        with_weights: Whether it gets the weights of its own run if it names no others.

    Returns:
        The configuration, or None without `-c`.

    Raises:
        UserError: The configuration is wrong, or `-o` is given without one.
    """
    if arguments.config is None:
        if arguments.override:
            raise UserError(
                f"-o {arguments.override[0]} needs a configuration to change; give one with -c"
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
