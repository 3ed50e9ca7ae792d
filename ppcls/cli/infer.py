"""`ppcls infer`."""

from __future__ import annotations

import argparse

from ppcls.cli.configured import add_configured, read_config_with_weights, start
from ppcls.cli.parser import CommandParser, SetKey, add_rows_output

WORKS_ON = (
    "a configuration, its weights and pictures (Infer.infer_imgs), without an export"
)
EXAMPLES = (
    "ppcls infer -c flowers.yaml -o Infer.infer_imgs=holiday/",
    "ppcls infer -c DLA34 -o Arch.pretrained=true -o Infer.infer_imgs=cat.jpg --topk 3",
    "ppcls infer -c flowers.yaml -o Infer.infer_imgs=holiday/ --output answers.csv",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    add_configured(command)
    command.add_argument(
        "--batch-size",
        metavar="N",
        type=int,
        action=SetKey,
        key="Infer.batch_size",
        help="pictures per batch",
    )
    command.add_argument(
        "--topk",
        metavar="K",
        type=int,
        action=SetKey,
        key="Infer.PostProcess.topk",
        help="classes per picture, the likeliest first",
    )
    add_rows_output(command)


def run(arguments: argparse.Namespace) -> int:
    """Classify the pictures of `Infer.infer_imgs`, and return the exit code."""
    config = read_config_with_weights(arguments, "infer")
    if arguments.print_config:
        print(config.to_yaml(), end="")
        return 0
    start(arguments)
    from ppcls.engine.infer import infer

    return infer(config, arguments.output)
