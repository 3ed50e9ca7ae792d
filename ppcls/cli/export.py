"""`ppcls export`."""

from __future__ import annotations

import argparse

from ppcls.cli.configured import (
    add_configured,
    read_config,
    read_config_with_weights,
    start,
)
from ppcls.cli.onnx import add_opset, opset_of
from ppcls.cli.parser import CommandParser
from ppcls.cli.temperature import add_temperature, temperature_of
from ppcls.engine.input_size import parse_size
from ppcls.utils.errors import translated

WORKS_ON = "a configuration and its weights"
EXAMPLES = (
    "ppcls export -c flowers.yaml -o Global.pretrained_model=output/DLA34/best_model",
    "ppcls export -c DLA34 -o Arch.pretrained=timm --onnx",
    "ppcls export -c flowers.yaml --size 320 -o Global.save_inference_dir=inference_320",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    add_configured(command)
    command.add_argument(
        "--golden",
        metavar="PICTURE",
        help="the example picture of the bundle, instead of the library's own",
    )
    command.add_argument(
        "--untrained",
        action="store_true",
        help="export the initial weights if none are configured",
    )
    command.add_argument(
        "--onnx",
        action="store_true",
        help="also write inference.onnx, for other backends",
    )
    add_opset(command)
    command.add_argument(
        "--format",
        choices=("json", "pdmodel"),
        help="the program's format: json is that of Paddle 3, pdmodel of Paddle 2 (default: the one that is run "
        "fastest with Paddle alone)",
    )
    command.add_argument(
        "--size",
        metavar="HxW",
        type=_size,
        help="another input size for transforms and program: 256 or 256x320",
    )
    add_temperature(command)


def _size(text: str) -> tuple[int, int]:
    with translated(ValueError, lambda error: argparse.ArgumentTypeError(str(error))):
        return parse_size(text)


def run(arguments: argparse.Namespace) -> int:
    """Write the bundle, and return the exit code."""
    opset = opset_of(arguments)
    temperature = temperature_of(arguments)
    if arguments.untrained:
        config = read_config(arguments, "export")
    else:
        config = read_config_with_weights(arguments, "export")
    if arguments.print_config:
        print(config.to_yaml(), end="")
        return 0
    start(arguments)
    from ppcls.engine.export import export

    export(
        config,
        arguments.untrained,
        arguments.golden,
        opset,
        arguments.format,
        arguments.size,
        temperature,
    )
    return 0
