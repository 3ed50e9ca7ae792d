"""`--data` and `--image-root`: the pictures that a command works on."""

from __future__ import annotations

import argparse

from ppcls.cli.parser import CommandParser, add_image_root
from ppcls.data.picture_list import PictureList, read_picture_list
from ppcls.inference.bundle import Bundle


def add_data(command: CommandParser, required: bool = False) -> None:
    """Add `--data` and `--image-root`."""
    command.add_argument(
        "--data",
        metavar="LIST",
        required=required,
        help="a list of pictures, with labels or without, or a folder of pictures; its folders count as labels if "
        "they are named as the bundle's classes",
    )
    add_image_root(command)


def read_data(arguments: argparse.Namespace, bundle: Bundle) -> PictureList:
    """Read the pictures of `--data`, and their labels by the bundle's classes if they have some."""
    return read_picture_list(
        arguments.data, bundle.class_num, arguments.image_root, bundle.class_names
    )
