"""`ppcls config`: a configuration in full, or one of PaddleClas 2.0 in today's format."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ppcls.cli.common import new_command


def add(commands: Any) -> None:
    """Declares the command."""
    text = "print a configuration with everything filled in, or a file of PaddleClas 2.0 in today's format"
    command = new_command(commands, "config", text, _run)
    file = command.add_mutually_exclusive_group(required=True)
    file.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help="a YAML file, or the name of a shipped one: DLA60",
    )
    file.add_argument(
        "--migrate",
        metavar="FILE",
        help="a file with ARCHITECTURE, LEARNING_RATE, TRAIN ...",
    )
    command.add_argument(
        "-o",
        "--override",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="sets a key before",
    )


def _run(arguments: argparse.Namespace) -> int:
    from ppcls.config import load_config, migrate_config
    from ppcls.engine.processes import world_size
    from ppcls.engine.schema import registries

    if arguments.migrate is not None:
        print(
            migrate_config(
                arguments.migrate, arguments.override, registries(), world_size()
            ),
            end="",
        )
        return 0
    config = load_config(
        arguments.config, arguments.override, registries(), check_paths=False, processes=world_size(),
        say=lambda line: print(line, file=sys.stderr),
    )  # fmt: skip
    print(config.to_yaml(), end="")
    return 0
