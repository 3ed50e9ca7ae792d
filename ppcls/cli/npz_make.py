"""`ppcls npz make`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NamedTuple

from ppcls.cli.configured import add_optional_config, read_optional_config
from ppcls.cli.parser import CommandParser, add_option
from ppcls.cli.pictures import add_data
from ppcls.data.picture_list import PictureList, balanced, read_picture_list
from ppcls.data.transforms import Pipeline
from ppcls.deployment.npz.inputs import DATALIST_FILE, make_inputs
from ppcls.inference.bundle import Bundle
from ppcls.utils.errors import UserError, expect

WORKS_ON = (
    "a bundle or a configuration, whose preprocessing it runs, and a list of pictures"
)
EXAMPLES = (
    "ppcls npz make inference --data val.txt --output npz",
    "ppcls npz make inference --data val.txt --output npz --count 500",
    "ppcls npz make -c DLA34 --data pictures/ --output npz",
)


class _Source(NamedTuple):
    """How a bundle or a configuration defines the inputs."""

    pipeline: Pipeline
    class_num: int
    class_names: Sequence[str] | None


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "bundle",
        metavar="BUNDLE",
        nargs="?",
        help="the bundle whose preprocessing is used; or give -c",
    )
    add_data(command, required=True)
    add_option(
        command,
        "--output",
        old=["--out"],
        metavar="DIR",
        required=True,
        help="the folder of the inputs",
    )
    command.add_argument(
        "--count",
        metavar="N",
        type=int,
        help="make a calibration set of N pictures, with every class if N is large enough",
    )
    command.add_argument(
        "--seed",
        metavar="N",
        type=int,
        help="the seed of the choice of --count (default: 0)",
    )
    command.add_argument(
        "--threads",
        metavar="N",
        type=int,
        help="pictures at a time (default: the number of cores)",
    )
    add_optional_config(
        command, "use the preprocessing of DataLoader.Eval of this configuration"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the inputs and their list, and return the exit code."""
    source = _source(arguments)
    pictures = read_picture_list(
        arguments.data, source.class_num, arguments.image_root, source.class_names
    )
    if arguments.seed is not None and arguments.count is None:
        raise UserError("--seed belongs to --count; write --count N as well")
    if arguments.count is not None:
        pictures = _calibration_set(arguments, pictures)
    done = make_inputs(source.pipeline, pictures, arguments.output, arguments.threads)
    print(f"{arguments.output}/{DATALIST_FILE}: {done}")
    return 0


def _calibration_set(
    arguments: argparse.Namespace, pictures: PictureList
) -> PictureList:
    """Choose the pictures of `--count`."""
    count = arguments.count
    if pictures.labels is None:
        raise UserError(
            f"{arguments.data} has no labels ({pictures.why_unlabelled}), so --count cannot choose from every class; "
            "give a list with labels"
        )
    expect(count >= 1, f"--count is {count}; write 1 or more")
    classes = len(set(pictures.labels.tolist()))
    if count < classes:
        print(
            f"{count} pictures cannot show all {classes} classes; --count {classes} would",
            file=sys.stderr,
        )
    return pictures.take(balanced(pictures.labels, count, arguments.seed or 0))


def _source(arguments: argparse.Namespace) -> _Source:
    """Read the bundle, or the configuration of `-c`."""
    config = read_optional_config(arguments)
    if (config is None) == (arguments.bundle is None):
        raise UserError(
            "give exactly one of BUNDLE and -c, which define the preprocessing"
        )
    if config is None:
        bundle = Bundle.load(arguments.bundle)
        return _Source(bundle.pipeline, bundle.class_num, bundle.class_names)
    reader = config.DataLoader.Eval
    assert reader is not None  # a configuration for an export has one
    transforms = reader.dataset.transform_ops
    return _Source(Pipeline(transforms), config.Arch.class_num, None)
