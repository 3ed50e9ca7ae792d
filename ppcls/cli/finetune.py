"""`ppcls finetune`: training on a user's own folder."""

from __future__ import annotations

import argparse
from typing import Any

from ppcls.cli.common import add_overrides, new_command
from ppcls.utils.load_paddle import load_paddle


def add(commands: Any) -> None:
    """Declares the command."""
    text = "train on a folder of your own pictures, a folder a class, with settings that suit it"
    command = new_command(commands, "finetune", text, _run)
    command.add_argument("folder", metavar="FOLDER", help="holds a folder a class, or train/ and val/ of such")
    command.add_argument("--arch", metavar="NAME", required=True, help="a model of `ppcls models`")
    command.add_argument(
        "--pretrained", metavar="WEIGHTS", type=_pretrained, default=True,
        help="true: the published ones; a source's name: timm; a file or a checkpoint; false (default: true)",
    )  # fmt: skip
    add_overrides(command)


def _pretrained(text: str) -> bool | str:
    return {"true": True, "false": False}.get(text.lower(), text)


def _run(arguments: argparse.Namespace) -> int:
    from ppcls.engine.finetune import plan, prepare

    tuning = plan(arguments.folder, arguments.arch, arguments.pretrained, arguments.override)
    if arguments.print_config:
        print(tuning.to_yaml(), end="")
        return 0
    print("\n".join(tuning.choices))
    config = prepare(tuning)
    load_paddle()
    from ppcls.engine import commands

    return commands.train(config)
