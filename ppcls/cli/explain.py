"""`ppcls explain`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ppcls.cli.parser import CommandParser
from ppcls.engine.processes import refuse_several
from ppcls.engine.result_files import encodable
from ppcls.inference.results import printable
from ppcls.utils.load_paddle import load_paddle

WORKS_ON = (
    "a model (a run, a checkpoint, a configuration, a bundle or a published model), and pictures: files, folders, "
    "patterns, http(s) addresses"
)
EXAMPLES = (
    "ppcls explain output/flowers/DLA34 holiday/",
    "ppcls explain DLA34/timm cat.jpg --class 'tabby, tabby cat'",
    "ppcls explain inference holiday/ --output seen",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "model",
        metavar="MODEL",
        help="a run's folder, a checkpoint, a configuration, a bundle, or a published model",
    )
    command.add_argument(
        "pictures", metavar="PICTURE", nargs="+", help="pictures, or folders of some"
    )
    command.add_argument(
        "--class",
        metavar="NAME",
        dest="class_name",
        help="the class to look for, by name or number (default: each picture's best one)",
    )
    command.add_argument(
        "--method",
        choices=("auto", "gradcam", "occlusion"),
        default="auto",
        help="Grad-CAM needs the network, occlusion also explains bundles (default: what the model allows)",
    )
    command.add_argument(
        "--output",
        metavar="DIR",
        default="explained",
        help="the folder for the maps, explain.html and explain.csv (default: explained)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Explain the pictures, and return the exit code."""
    refuse_several()
    load_paddle()
    from ppcls.engine.explain import PAGE_FILE, explain

    unreadable = 0
    for row in explain(
        arguments.model,
        arguments.pictures,
        arguments.output,
        arguments.class_name,
        arguments.method,
    ):
        picture = encodable(printable(row.picture))
        if row.error:
            unreadable += 1
            print(f"{picture}: error: {encodable(printable(row.error))}")
            continue
        name = encodable(printable(row.name))
        place = Path(arguments.output) / row.file
        print(f"{picture}: {name} {row.score:.3f}: {encodable(str(place))}")
    print(f"page: {Path(arguments.output) / PAGE_FILE}")
    return 1 if unreadable else 0
