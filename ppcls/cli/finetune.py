"""`ppcls finetune`."""

from __future__ import annotations

import argparse

from ppcls.cli.parser import CommandParser, SetKey, add_image_root, add_overrides
from ppcls.data.own_list import ListOptions
from ppcls.engine.finetune import plan
from ppcls.engine.next_commands import print_next
from ppcls.utils.load_paddle import load_paddle

WORKS_ON = "your own pictures: a folder with one folder per class, or a list with labels such as train.csv"
EXAMPLES = (
    "ppcls finetune flowers/",
    "ppcls finetune flowers/ --arch DLA60 --epochs 5 --lr 0.001 --batch-size 32 --output runs/a",
    "ppcls finetune train.csv --pretrained timm --freeze backbone",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "source",
        metavar="FOLDER_OR_LIST",
        help="a folder with one folder per class, or with train/ and val/ of such folders; or a list with labels, "
        "such as train.csv",
    )
    command.add_argument(
        "--arch",
        metavar="NAME",
        default="DLA34",
        help="a model of `ppcls models` (default: DLA34)",
    )
    _add_keys(command)
    command.add_argument(
        "--pretrained",
        metavar="WEIGHTS",
        type=_pretrained,
        default=True,
        help="true for the published weights, the name of a source such as timm, a file, a checkpoint, or false "
        "(default: true)",
    )
    add_image_root(command)
    command.add_argument(
        "--image-column",
        metavar="NAME",
        type=_column,
        help="the column of a list that has the pictures, by name or counted from 0 (default: found)",
    )
    command.add_argument(
        "--label-column",
        metavar="NAME",
        type=_column,
        help="the column of a list that has the labels, by name or counted from 0 (default: found)",
    )
    add_overrides(command)


def _add_keys(command: CommandParser) -> None:
    """Add short forms of the keys that are set most often."""
    command.add_argument(
        "--epochs",
        metavar="N",
        type=int,
        action=SetKey,
        key="Global.epochs",
        help="passes over the pictures (default: by their number)",
    )
    command.add_argument(
        "--lr",
        metavar="RATE",
        type=float,
        action=SetKey,
        key="Optimizer.lr.learning_rate",
        help="the peak learning rate (default: by the recipe and the batch size)",
    )
    command.add_argument(
        "--batch-size",
        metavar="N",
        type=int,
        action=SetKey,
        key="DataLoader.Train.sampler.batch_size",
        help="pictures per step and process (default: by the number of pictures)",
    )
    command.add_argument(
        "--freeze",
        metavar="backbone|N",
        action=SetKey,
        key="Arch.freeze",
        help="train the head alone, in seconds: the backbone, or its first N stages, stays as its weights have it",
    )
    command.add_argument(
        "--output",
        metavar="DIR",
        action=SetKey,
        key="Global.output_dir",
        help="the folder that gets DIR/ARCH (default: output/ and the name of the pictures)",
    )


def _column(text: str) -> str | int:
    return int(text) if text.isdecimal() else text


def _pretrained(text: str) -> bool | str:
    return {"true": True, "false": False}.get(text.lower(), text)


def run(arguments: argparse.Namespace) -> int:
    """Plan the training from the pictures, train, and return the exit code."""
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

    result = train(tuning.config, files=tuning.files(), open_pictures=tuning.images)
    print_next(tuning.config, result.config_file)
    return 0
