"""The commands of `ppcls`, in the order of `ppcls --help`.

The table imports none of the modules, so `ppcls --help` is fast. A module has two functions: `add_arguments` declares
the arguments of its command, and `run` runs it and returns the exit code. For the help of the command it says what the
command works on, `WORKS_ON`, and shows three command lines, `EXAMPLES`.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ppcls.cli.parser import CommandParser, add_imports, introduction
from ppcls.utils.errors import UserError, suggest


class Command(NamedTuple):
    """A command, such as `train` or `benchmark latency`.

    Attributes:
        name: What the user types behind `ppcls`.
        module: The module of `ppcls.cli` that implements it.
        summary: One line for the help.
        has_components: Whether it uses components, such as transforms, to which `--import` can add.
    """

    name: str
    module: str
    summary: str
    has_components: bool = True


# Commands of two words: the first word and what its commands have in common.
GROUPS = {
    "npz": "evaluate any runtime by .npz files of inputs and scores",
    "benchmark": "measure models and backends on this machine",
}

# The topics of `ppcls --help`
TOPICS = {
    "train": (
        Command(
            "finetune",
            "finetune",
            "train on your own pictures, one folder per class or a list with labels, with suitable settings",
        ),
        Command("train", "train", "train a backbone from a configuration"),
        Command(
            "lr-find",
            "lr_find",
            "plot the loss over a rising learning rate, to choose a learning rate",
        ),
        Command(
            "probe",
            "probe",
            "measure what models are worth on your own pictures, without training them",
        ),
        Command(
            "runs",
            "runs",
            "list the runs in a folder: state, model, data, best epoch, and how their configurations differ",
            has_components=False,
        ),
        Command(
            "plot",
            "plot",
            "plot the curves of one run, or of several together",
            has_components=False,
        ),
    ),
    "data": (
        Command(
            "check",
            "check",
            "look for what is wrong with data before a training, and measure what the training will take",
        ),
        Command(
            "browse",
            "browse",
            "write a page of a training's pictures as it will see them, of each transform, and of its learning rates",
        ),
        Command(
            "prepare-imagenet",
            "prepare_imagenet",
            "arrange ImageNet as the configurations expect it",
            has_components=False,
        ),
        Command(
            "pack",
            "pack",
            "pack pictures into tar shards for WebDatasetDataset; an interrupted run continues",
            has_components=False,
        ),
    ),
    "judge a model": (
        Command(
            "eval",
            "evaluate",
            "measure accuracy and loss of saved weights on DataLoader.Eval",
        ),
        Command(
            "compare",
            "compare",
            "show what one of two models gets right and the other wrong, and whether that is more than chance",
        ),
        Command(
            "explain",
            "explain",
            "show where in pictures a model sees a class: Grad-CAM, or for bundles occlusion",
        ),
        Command("infer", "infer", "classify pictures with saved weights"),
    ),
    "deploy": (
        Command(
            "export",
            "export",
            "write a deployable bundle: program, weights, preprocessing and a checked example",
        ),
        Command(
            "predict",
            "predict",
            "classify pictures with a bundle, or with a published model",
        ),
        Command(
            "serve",
            "serve",
            "answer pictures over HTTP and gRPC, with limits, health, metrics and a page for browsers",
        ),
        Command(
            "quantize",
            "quantize",
            "add an int8 program to a bundle, calibrated on pictures and kept only if it is as good as float32",
        ),
        Command(
            "verify",
            "verify",
            "compare every backend and precision of a bundle with the float32 model; exit code 1 if one is out of "
            "bounds",
        ),
        Command(
            "onnx",
            "onnx",
            "add inference.onnx to a bundle, for backends other than Paddle",
        ),
        Command(
            "lite",
            "lite",
            "add a program for Paddle Lite to a bundle, for phones and small ARM machines",
        ),
        Command(
            "paddle-serving",
            "paddle_serving",
            "write a folder that Paddle Serving 0.9 serves a bundle from",
        ),
        Command(
            "adopt",
            "adopt",
            "turn an inference model of PaddleClas, a folder or a tar, into a bundle",
        ),
        Command(
            "npz make",
            "npz_make",
            "write the preprocessed inputs of a list, and npz_datalist.txt",
        ),
        Command(
            "npz run",
            "npz_run",
            "run a bundle on the inputs of a datalist and write its scores",
        ),
        Command(
            "npz score",
            "npz_score",
            "print the top-1 and top-5 accuracy of the scores of any runtime",
            has_components=False,
        ),
        Command(
            "benchmark latency",
            "benchmark_latency",
            "measure the latency of models by backend, precision and batch size, beside the published figures",
        ),
        Command(
            "benchmark accuracy",
            "benchmark_accuracy",
            "measure the accuracy of models by backend and precision on a list; an interrupted run continues",
        ),
        Command(
            "benchmark backends",
            "benchmark_backends",
            "measure the installed backends and precisions with a bundle, and write the fastest allowed one into it",
        ),
    ),
    "look up": (
        Command(
            "models",
            "models",
            "list the models with their sizes, published accuracies and weights",
        ),
        Command(
            "summary",
            "summary",
            "print a model layer by layer: shapes, parameters, multiply-accumulates",
        ),
        Command(
            "convert",
            "convert",
            "convert weights of PaddleClas, timm, ucbdrive, torchvision or Darknet into a file of this library",
        ),
        Command(
            "config",
            "config",
            "print a configuration with every key filled in, or convert a file of PaddleClas 2.0",
        ),
        Command(
            "doctor",
            "doctor",
            "describe this machine and installation, and what would make them faster or complete",
            has_components=False,
        ),
        Command(
            "completion",
            "completion",
            "print a script by which bash, zsh or fish completes commands and options",
            has_components=False,
        ),
    ),
}
COMMANDS = tuple(itertools.chain.from_iterable(TOPICS.values()))


def split_command(words: Sequence[str]) -> tuple[Command, Sequence[str]]:
    """Return the command that the first word or the first two words name, and the words behind it.

    Raises:
        UserError: There is no such command; the sentence suggests the nearest name.
    """
    size = 2 if words[0] in GROUPS else 1
    name = " ".join(words[:size])
    for command in COMMANDS:
        if command.name == name:
            return command, words[size:]
    group = words[0] if size == 2 else ""
    program = f"ppcls {group}".rstrip()
    word = words[size - 1]
    hint = suggest(word, entries_of(group)) or f"; see `{program} --help`"
    raise UserError(f"{program}: unknown command {word!r}{hint}")


def parser_of(command: Command) -> CommandParser:
    """Import the module of a command, and return its parser."""
    module = importlib.import_module(f"ppcls.cli.{command.module}")
    parser = CommandParser(prog=f"ppcls {command.name}")
    parser.introduction = introduction(
        module.WORKS_ON, command.summary, module.EXAMPLES
    )
    parser.set_defaults(run=module.run)
    module.add_arguments(parser)
    if command.has_components:
        add_imports(parser)
    return parser


def entries_of(
    group: str = "", commands: Iterable[Command] = COMMANDS
) -> dict[str, str]:
    """Return the words that can follow the name of a group, or `ppcls`, with their summaries."""
    entries: dict[str, str] = {}
    for command in commands:
        first, _, second = command.name.partition(" ")
        if first == group:
            entries[second] = command.summary
        elif not group:
            entries[first] = GROUPS.get(first, command.summary)
    return entries


def overview(group: str = "") -> str:
    """Return the help of `ppcls`, or of a group, which lists the commands."""
    program = f"ppcls {group}".rstrip()
    help_command = f"ppcls help {group}".rstrip()
    options = "[-h]" if group else "[-h] [--version]"
    parser = CommandParser(
        prog=program,
        usage=f"{program} {options} COMMAND ...",
        description=GROUPS.get(group, "Image classification on PaddlePaddle."),
        epilog=f"`{help_command} COMMAND` describes the arguments of a command.",
    )
    topics = {"commands": entries_of(group)}
    if not group:
        parser.add_argument("--version", action="version", help="print the version")
        topics = {topic: entries_of("", TOPICS[topic]) for topic in TOPICS}
    for topic, entries in topics.items():
        # Not subparsers: argparse lists those under one title alone
        section = parser.add_argument_group(topic)
        for name, summary in entries.items():
            section.add_argument(name, help=summary)
    return parser.format_help()
