"""`ppcls prepare-imagenet`: ImageNet as the configurations expect it."""

from __future__ import annotations

import argparse
from typing import Any

from ppcls.cli.common import new_command


def add(commands: Any) -> None:
    """Declares the command."""
    command = new_command(
        commands,
        "prepare-imagenet",
        "lay ImageNet out as the configurations expect it",
        _run,
    )
    command.add_argument(
        "source",
        metavar="SRC",
        help="folder of the official archives, of class folders, or of a val",
    )
    command.add_argument(
        "target",
        metavar="DST",
        help="where train_list.txt and val_list.txt shall stand",
    )
    command.add_argument(
        "--labels",
        metavar="FILE",
        help="labels of a flat val: `name label` lines, or a CSV",
    )
    command.add_argument(
        "--copy",
        action="store_true",
        help="copy the pictures of folders instead of linking to them",
    )


def _run(arguments: argparse.Namespace) -> int:
    from ppcls.data.prepare_imagenet import prepare_imagenet

    print(
        prepare_imagenet(
            arguments.source, arguments.target, arguments.labels, arguments.copy
        )
    )
    return 0
