"""`ppcls eval`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ppcls.cli.common import add_image_root, add_rows_output
from ppcls.cli.configured import add_configured, read_config_with_weights, start
from ppcls.cli.parser import CommandParser
from ppcls.config.eval_data import EvalData
from ppcls.data.labelled_list import folder_of_pictures
from ppcls.data.list_options import Options
from ppcls.data.own_list import refuse_other_files
from ppcls.utils.errors import UserError

WORKS_ON = "a configuration, its weights and its pictures with labels (DataLoader.Eval)"
EXAMPLES = (
    "ppcls eval -c flowers.yaml",
    "ppcls eval -c DLA34 -o Arch.pretrained=timm",
    "ppcls eval -c flowers.yaml --data holiday/ --output answers.csv",
)

_DATASET = "DataLoader.Eval.dataset."
# Who sets one of these keys has a list whose pictures are not searched for.
_LIST_KEYS = (f"{_DATASET}image_", f"{_DATASET}delimiter")
_KEYS_TO_NAME = (
    "--image-root",
    f"-o {_DATASET}image_column",
    f"-o {_DATASET}label_column",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    add_configured(command)
    add_rows_output(command)
    command.add_argument(
        "--data",
        metavar="FOLDER_OR_LIST",
        help="evaluate these pictures instead of those of DataLoader.Eval: one folder per class, or a list with labels",
    )
    add_image_root(command)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, and return the exit code."""
    config = read_config_with_weights(arguments, "eval", _eval_data(arguments))
    if arguments.print_config:
        print(config.to_yaml(), end="")
        return 0
    start(arguments)
    from ppcls.engine.evaluate import evaluate

    return evaluate(config, arguments.output)


def _eval_data(arguments: argparse.Namespace) -> EvalData | None:
    """Return the pictures of `--data`, if it is given."""
    source, root = arguments.data, arguments.image_root
    if source is None:
        if root is not None:
            raise UserError(
                "--image-root is for the list of --data; give --data as well, or leave --image-root out"
            )
        return None
    if not Path(source).exists():
        raise UserError(
            f"--data: there is no folder or list {source}; give one folder per class, or a list with labels"
        )
    if Path(source).is_dir():
        if root is not None:
            raise UserError(
                f"--image-root is for a list, but {source} is a folder; leave --image-root out"
            )
        return EvalData(source, None)
    if Path(source).is_file():
        refuse_other_files(source)
        if root is None and not _has_list_keys(arguments.override):
            root = _image_root_of(source)
    return EvalData(source, root)


def _has_list_keys(overrides: list[str]) -> bool:
    return any(override.startswith(_LIST_KEYS) for override in overrides)


def _image_root_of(source: str) -> str:
    """Find the folder that the paths of a list are relative to."""
    # For a list in the working directory "", where pathlib gives "."
    folder = os.path.dirname(source)  # noqa: PTH120
    return folder_of_pictures(
        source, Options(folder, searches=True, keys=_KEYS_TO_NAME)
    )
