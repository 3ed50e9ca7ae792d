"""The commands that a training configuration drives: train, lr-find, eval, infer, export."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import Any

from ppcls.cli import onnx
from ppcls.cli.common import add_config, add_image_root, new_command
from ppcls.utils.errors import UserError
from ppcls.utils.load_paddle import load_paddle
from ppcls.utils.logging import get_logger

_TEXTS = {
    "train": "train a backbone as a configuration says",
    "lr-find": "draw the loss over a rising learning rate, to choose one",
    "eval": "accuracy and loss of saved weights on DataLoader.Eval",
    "infer": "top classes of pictures, by saved weights",
    "export": "write the deployable bundle: program, weights, preprocessing, a checked example",
}
_EVAL_DATASET = "DataLoader.Eval.dataset."
_COLUMNS = (f"{_EVAL_DATASET}image_", f"{_EVAL_DATASET}delimiter")
_EVAL_KEYS = (
    "--image-root",
    f"-o {_EVAL_DATASET}image_column",
    f"-o {_EVAL_DATASET}label_column",
)


def add(commands: Any) -> None:
    """Declares the commands."""
    made = {
        name: new_command(commands, name, text, _run) for name, text in _TEXTS.items()
    }
    for command in made.values():
        add_config(command)
        command.add_argument(
            "--verbose",
            action="store_true",
            help="also log how each key of the weights was mapped",
        )
    made["train"].add_argument(
        "--allow-changed",
        action="store_true",
        help="resume a run though what it learns by has changed",
    )
    for name in ("eval", "infer"):
        made[name].add_argument(
            "--output",
            metavar="FILE",
            help="also write one row per picture, to .csv or .json",
        )
    text = "evaluate these in place of the pictures of DataLoader.Eval: one folder per class, or a list with labels"
    made["eval"].add_argument("--data", metavar="FOLDER_OR_LIST", help=text)
    add_image_root(made["eval"])
    _add_range(made["lr-find"])
    _add_export(made["export"])


def _add_export(command: Any) -> None:
    command.add_argument(
        "--golden",
        metavar="PICTURE",
        help="the bundle's example, in place of the library's own",
    )
    command.add_argument(
        "--untrained",
        action="store_true",
        help="export the initial weights where none are configured",
    )
    command.add_argument(
        "--onnx",
        action="store_true",
        help="also write inference.onnx, for other engines",
    )
    onnx.add_opset(command)
    command.add_argument(
        "--format", choices=("json", "pdmodel"), default="json",
        help="the program's format: json is Paddle 3's, pdmodel Paddle 2's (default: json)",
    )  # fmt: skip
    command.add_argument(
        "--size",
        metavar="HxW",
        type=_size,
        help="another input size, 256 or 256x320, in transforms and program",
    )


def _size(text: str) -> tuple[int, int]:
    from ppcls.engine.input_size import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _add_range(command: Any) -> None:
    command.add_argument(
        "--output",
        metavar="FILE",
        default="lr_find.png",
        help="the drawing; its numbers go beside it as .csv",
    )
    command.add_argument(
        "--low",
        type=float,
        default=1e-5,
        help="the first learning rate (default: 1e-5)",
    )
    command.add_argument(
        "--high", type=float, default=10.0, help="the last learning rate (default: 10)"
    )
    command.add_argument(
        "--steps",
        type=int,
        default=200,
        help="steps of training between the two (default: 200)",
    )


def _run(arguments: argparse.Namespace) -> int:
    from ppcls.config.find import find_config

    opset = onnx.opset_of(arguments) if arguments.command == "export" else None
    config = _load(arguments)
    if arguments.print_config:
        print(config.to_yaml(), end="")
        return 0
    get_logger().setLevel(logging.DEBUG if arguments.verbose else logging.INFO)
    load_paddle()
    if arguments.command == "train":
        from ppcls.engine.train import train

        return train(config, arguments.allow_changed, find_config(arguments.config))
    if arguments.command == "lr-find":
        from ppcls.engine.lr_finder import find_learning_rate

        return find_learning_rate(
            config, arguments.output, arguments.low, arguments.high, arguments.steps
        )
    if arguments.command == "eval":
        from ppcls.engine.evaluate import evaluate

        return evaluate(config, arguments.output)
    if arguments.command == "infer":
        from ppcls.engine.infer import infer

        return infer(config, arguments.output)
    from ppcls.engine.export import export

    return export(
        config,
        arguments.untrained,
        arguments.golden,
        opset,
        arguments.format,
        arguments.size,
    )


def _load(arguments: argparse.Namespace) -> Any:
    """The checked configuration; of a command that needs weights with those of its own run, if no others are given."""
    from ppcls.config import load_config
    from ppcls.engine.processes import world_size
    from ppcls.engine.schema import registries
    from ppcls.engine.trained import load_with_weights

    given = (arguments.config, arguments.override)
    check_paths = not arguments.print_config
    data = _eval_data(arguments) if arguments.command == "eval" else None
    if arguments.command in ("eval", "infer", "export") and not getattr(
        arguments, "untrained", False
    ):
        return load_with_weights(
            *given,
            arguments.command,
            check_paths=check_paths,
            processes_count=world_size(),
            eval_data=data,
        )
    return load_config(
        *given, registries(), arguments.command, check_paths=check_paths, processes=world_size(),
        say=lambda line: print(line, file=sys.stderr),
    )  # fmt: skip


def _eval_data(arguments: argparse.Namespace) -> Any:
    """The pictures of `--data`, if it is given."""
    from ppcls.config.eval_data import EvalData
    from ppcls.data.labelled_list import folder_of_pictures
    from ppcls.data.list_columns import Options
    from ppcls.data.own_list import refuse_other_files

    source, root = arguments.data, arguments.image_root
    if source is None and root is None:
        return None
    if source is None:
        raise UserError(
            "--image-root is for the list of --data; give that, too, or leave it out"
        )
    if Path(source).is_dir() and root is not None:
        raise UserError(
            f"--image-root is for a list, but {source} is a folder; leave it out"
        )
    if not Path(source).exists():
        raise UserError(
            f"--data: there is no folder or list {source}; give one folder per class, or a list with labels"
        )
    if Path(source).is_file():
        refuse_other_files(source)
        if root is None and not any(
            override.startswith(_COLUMNS) for override in arguments.override
        ):
            # Empty for the working directory, so paths stay short
            folder = os.path.dirname(source)  # noqa: PTH120
            root = folder_of_pictures(
                source, Options(folder, searches=True, keys=_EVAL_KEYS)
            )
    return EvalData(source, root)
