"""What the commands share that a training configuration drives: train, lr-find, eval, infer, export."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import Any

from ppcls.cli.parser import CommandParser, add_config, add_override
from ppcls.config import Config, load_config
from ppcls.config.eval_data import EvalData
from ppcls.engine.processes import world_size
from ppcls.engine.schema import registries
from ppcls.engine.trained import load_with_weights
from ppcls.utils.errors import UserError
from ppcls.utils.load_paddle import load_paddle
from ppcls.utils.logging import get_logger


class _Profile(argparse.Action):
    """PaddleClas's option for Paddle's profiler, on which no result depends."""

    def __call__(
        self, parser: Any, namespace: Any, values: Any, option_string: Any = None
    ) -> None:
        """Say that it has no effect."""
        print(
            f"{option_string} {values}: accepted without effect: Paddle's profiler is not started here",
            file=sys.stderr,
        )


def add_configured(command: CommandParser) -> None:
    """Add `-c`, `-o`, `--print-config` and `--verbose`."""
    add_config(command)
    command.add_argument(
        "--verbose",
        action="store_true",
        help="also log how each weight key was mapped",
    )
    command.add_argument(
        "-p",
        "--profiler_options",
        action=_Profile,
        default=argparse.SUPPRESS,
        help=argparse.SUPPRESS,
    )


def read_config(arguments: argparse.Namespace, command: str) -> Config:
    """Read and check the configuration of a command that trains."""
    return load_config(
        arguments.config,
        arguments.override,
        registries(),
        command,
        check_paths=not arguments.print_config,
        processes=world_size(),
        say=lambda line: print(line, file=sys.stderr),
    )


def read_config_with_weights(
    arguments: argparse.Namespace, command: str, eval_data: EvalData | None = None
) -> Config:
    """Read and check the configuration of a command that needs weights.

    Without weights on the command line it gets those of the configuration's own run.
    """
    return load_with_weights(
        arguments.config,
        arguments.override,
        command,
        check_paths=not arguments.print_config,
        processes_count=world_size(),
        eval_data=eval_data,
    )


def start(arguments: argparse.Namespace) -> None:
    """Set the level of the log and load Paddle, once the configuration is checked."""
    level = logging.DEBUG if arguments.verbose else logging.INFO
    get_logger().setLevel(level)
    load_paddle()


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
