"""`ppcls prepare-imagenet`."""

from __future__ import annotations

import argparse

from ppcls.cli.parser import CommandParser
from ppcls.data.prepare_imagenet import prepare_imagenet

WORKS_ON = "a download of ImageNet: its archives, folders of classes, or a flat folder with labels"
EXAMPLES = (
    "ppcls prepare-imagenet /archives dataset/ILSVRC2012",
    "ppcls prepare-imagenet /data/imagenet dataset/ILSVRC2012 --copy",
    "ppcls prepare-imagenet /data/val dataset/ILSVRC2012 --labels val_labels.txt",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "source",
        metavar="SRC",
        help="the folder of the official archives, of class folders, or of the validation pictures",
    )
    command.add_argument(
        "target",
        metavar="DST",
        help="the folder that gets train_list.txt and val_list.txt",
    )
    command.add_argument(
        "--labels",
        metavar="FILE",
        help="the labels of a flat validation folder: `name label` lines, or a CSV",
    )
    command.add_argument(
        "--copy",
        action="store_true",
        help="copy the pictures of folders instead of linking to them",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the lists and the pictures, and return the exit code."""
    prepared = prepare_imagenet(
        arguments.source, arguments.target, arguments.labels, arguments.copy
    )
    print(prepared)
    return 0
