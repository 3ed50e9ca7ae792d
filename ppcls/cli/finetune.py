"""`ppcls finetune`: training on a user's own pictures."""

from __future__ import annotations

import argparse
from typing import Any

from ppcls.cli.common import add_overrides, new_command
from ppcls.utils.load_paddle import load_paddle


def add(commands: Any) -> None:
    """Declares the command."""
    text = "train on your own pictures, one folder per class or a list with labels, with settings that suit them"
    command = new_command(commands, "finetune", text, _run)
    command.add_argument(
        "source", metavar="FOLDER_OR_LIST",
        help="holds one folder per class, or train/ and val/ of such; or a list with labels, such as train.csv",
    )  # fmt: skip
    command.add_argument(
        "--arch", metavar="NAME", required=True, help="a model of `ppcls models`"
    )
    command.add_argument(
        "--pretrained", metavar="WEIGHTS", type=_pretrained, default=True,
        help="true: the published ones; a source's name: timm; a file or a checkpoint; false (default: true)",
    )  # fmt: skip
    command.add_argument(
        "--image-root", metavar="DIR",
        help="what a list's paths are relative to (default: the list's folder or the one below it that has them)",
    )  # fmt: skip
    for what, key in (("pictures", "image"), ("labels", "label")):
        text = f"the column of the {what} in a list, by its name or counted from 0 (default: found)"
        command.add_argument(f"--{key}-column", metavar="NAME", type=_column, help=text)
    add_overrides(command)


def _column(text: str) -> str | int:
    return int(text) if text.isdecimal() else text


def _pretrained(text: str) -> bool | str:
    return {"true": True, "false": False}.get(text.lower(), text)


def _run(arguments: argparse.Namespace) -> int:
    from ppcls.data.own_list import ListOptions
    from ppcls.engine.finetune import plan

    options = ListOptions(
        arguments.image_root, arguments.image_column, arguments.label_column
    )
    tuning = plan(
        arguments.source,
        arguments.arch,
        arguments.pretrained,
        arguments.override,
        options,
    )
    if arguments.print_config:
        print(tuning.to_yaml(), end="")
        return 0
    print("\n".join(tuning.choices))
    tuning.check()
    load_paddle()
    from ppcls.engine.train import train

    return train(tuning.config, files=tuning.files(), open_pictures=tuning.images)
