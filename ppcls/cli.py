"""`ppcls COMMAND`: the doors of the library. `tools/*.py` and `deploy/python/*.py` open the same ones."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import re
import sys
from typing import Any, List, Optional, Tuple, Union

from ppcls import __version__
from ppcls.utils import cpu
from ppcls.utils.errors import UserError
from ppcls.utils.load_paddle import load_paddle
from ppcls.utils.logging import get_logger

# What the file system refuses; anything else of the kind is a fault of ours and shows its traceback.
_REFUSED = (
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.ENOTDIR, errno.EISDIR,
    errno.EEXIST, errno.ENOENT, errno.ENAMETOOLONG,
)  # fmt: skip
_COMMANDS = {
    "train": "train a backbone as a configuration says",
    "lr-find": "draw the loss over a rising learning rate, to choose one",
    "eval": "accuracy and loss of saved weights on DataLoader.Eval",
    "infer": "top classes of pictures, by saved weights",
    "export": "write the deployable bundle: program, weights, preprocessing, a checked example",
}


def main(argv: Optional[List[str]] = None) -> int:
    """Runs a command.

    Returns:
        The exit code: 0; 1 where some picture could not be read; 2 for a mistake of the user's;
        130 or 143 where Ctrl-C or SIGTERM ended it.
    """
    cpu.prepare()
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # `ppcls predict ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains once more
        return 1
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        place = error.filename or "a file could not be written"
        print(f"{place}: {error.strerror}; make room or choose another place and run again", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ppcls", description="Image classification on PaddlePaddle.")
    parser.add_argument("--version", action="version", version=f"ppcls {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, text in _COMMANDS.items():
        command = _configured(commands, name, text)
        command.add_argument("--verbose", action="store_true", help="also log what becomes of every key of the weights")
        if name == "export":
            command.add_argument(
                "--golden", metavar="PICTURE", help="the bundle's example, in place of the library's own"
            )
            command.add_argument(
                "--untrained", action="store_true", help="export the initial weights where none are configured"
            )
        if name == "lr-find":
            command.add_argument(
                "--output", metavar="FILE", default="lr_find.png", help="the drawing; its numbers go beside it as .csv"
            )
            command.add_argument("--low", type=float, default=1e-5, help="the first learning rate (default: 1e-5)")
            command.add_argument("--high", type=float, default=10.0, help="the last learning rate (default: 10)")
            command.add_argument(
                "--steps", type=int, default=200, help="steps of training between the two (default: 200)"
            )
        if name == "train":
            command.add_argument(
                "--allow-changed", action="store_true", help="resume a run though what it learns by has changed"
            )
        if name in ("eval", "infer"):
            command.add_argument("--output", metavar="FILE", help="also write a row a picture, to .csv or .json")
        command.set_defaults(run=_run_configured, command=name)
    predict = _configured(commands, "predict", "top classes of pictures, by an exported bundle", "inference_cls.yaml")
    predict.set_defaults(run=_run_predict)
    _finetune_parser(commands)
    _prepare_imagenet_parser(commands)
    _pack_parser(commands)
    _models_parser(commands)
    _summary_parser(commands)
    _convert_parser(commands)
    _config_parser(commands)
    return parser


def _configured(commands: Any, name: str, text: str, default: Optional[str] = None) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text)
    command.add_argument(
        "-c", "--config", metavar="FILE", default=default, required=default is None,
        help="a YAML file, or the name of a shipped one" + (f" (default: {default})" if default else ": DLA60"),
    )  # fmt: skip
    _add_overrides(command)
    return command


def _add_overrides(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-o", "--override", metavar="KEY=VALUE", action="append", default=[],
        help="sets a key: -o Global.epochs=2; may be given many times",
    )  # fmt: skip
    command.add_argument("--print-config", action="store_true", help="print the resolved configuration and stop")


def _finetune_parser(commands: Any) -> None:
    text = "train on a folder of your own pictures, a folder a class, with settings that suit it"
    command = commands.add_parser("finetune", help=text, description=text)
    command.add_argument("folder", metavar="FOLDER", help="holds a folder a class, or train/ and val/ of such")
    command.add_argument("--arch", metavar="NAME", required=True, help="a model of `ppcls models`")
    command.add_argument(
        "--pretrained", metavar="WEIGHTS", type=_pretrained, default=True,
        help="true: the published ones; a source's name: timm; a file or a checkpoint; false (default: true)",
    )  # fmt: skip
    _add_overrides(command)
    command.set_defaults(run=_run_finetune)


def _prepare_imagenet_parser(commands: Any) -> None:
    text = "lay ImageNet out as the configurations expect it"
    command = commands.add_parser("prepare-imagenet", help=text, description=text)
    command.add_argument("source", metavar="SRC", help="folder of the official archives, of class folders, or of a val")
    command.add_argument("target", metavar="DST", help="where train_list.txt and val_list.txt shall stand")
    command.add_argument("--labels", metavar="FILE", help="labels of a flat val: `name label` lines, or a CSV")
    command.add_argument("--copy", action="store_true", help="copy the pictures of folders instead of linking to them")
    command.set_defaults(run=_run_prepare_imagenet)


def _pack_parser(commands: Any) -> None:
    text = "pack pictures into tar shards for WebDatasetDataset; goes on where it was interrupted"
    command = commands.add_parser("pack", help=text, description=text)
    command.add_argument("source", metavar="SRC", help="a folder a class, or what the paths of --list are relative to")
    command.add_argument("target", metavar="DST", help="the folder of the shards, which bear its name")
    command.add_argument("--list", metavar="FILE", help="`relative/path label` lines")
    size = command.add_mutually_exclusive_group()
    size.add_argument("--shard-size", metavar="MB", type=int, help="about so many megabytes a shard (default: 256)")
    size.add_argument("--shard-count", metavar="N", type=int, help="pictures a shard")
    command.add_argument(
        "--resize-short", metavar="PIXELS", type=int, help="reduce the shorter side to so many pixels, as JPEG"
    )
    command.add_argument("--quality", metavar="Q", type=int, help="of that JPEG, 1 to 100 (default: 95)")
    command.add_argument("--keep-order", action="store_true", help="do not mix the pictures before they are packed")
    command.add_argument(
        "--workers", metavar="N", type=int, default=cpu.usable_cores(), help="shards at a time (default: the cores)"
    )
    command.add_argument(
        "--on-error", choices=("skip", "raise"), default="skip",
        help="leave a picture that cannot be read out and name it, or stop (default: skip)",
    )  # fmt: skip
    command.set_defaults(run=_run_pack)


def _models_parser(commands: Any) -> None:
    text = "list the models, with their sizes, published accuracies and weights"
    command = commands.add_parser("models", help=text, description=text)
    command.add_argument("pattern", metavar="PATTERN", nargs="?", default="*", help="shell pattern, quoted: 'DLA*x*'")
    command.add_argument("--json", action="store_true", help="print a list of objects for programs")
    command.set_defaults(run=_run_models)


def _summary_parser(commands: Any) -> None:
    text = "print a model layer by layer: shapes, parameters, multiply-accumulates"
    command = commands.add_parser("summary", help=text, description=text)
    command.add_argument("name", metavar="NAME", help="a model of `ppcls models`")
    command.add_argument(
        "--image-size", metavar="SIZE", type=_image_size,
        help="pixels of both sides, or HxW: 224, 192x256 (default: the model's own)",
    )  # fmt: skip
    command.add_argument("--class-num", metavar="N", type=int, default=1000, help="classes; 0: none (default: 1000)")
    command.add_argument("--in-channels", metavar="C", type=int, default=3, help="channels of the input (default: 3)")
    command.add_argument("--depth", metavar="N", type=_depth, help="merge names of more than N parts: 1 shows stages")
    command.set_defaults(run=_run_summary)


def _convert_parser(commands: Any) -> None:
    text = "turn weights of PaddleClas, timm, ucbdrive, torchvision or Darknet into a file of this library"
    command = commands.add_parser("convert", help=text, description=text)
    command.add_argument("source", metavar="IN", help="a file, its address, or with --arch a source's name: timm")
    command.add_argument("target", metavar="OUT", help="a path ending in .pdparams or .safetensors")
    command.add_argument("--arch", metavar="NAME", help="the model (default: the one that the weights fit)")
    command.add_argument(
        "--to", choices=("ppcls", "paddleclas"), default="ppcls", help="the layout that is written (default: ppcls)"
    )
    command.add_argument("--verbose", action="store_true", help="print what becomes of every key")
    command.set_defaults(run=_run_convert)


def _pretrained(text: str) -> Union[bool, str]:
    return {"true": True, "false": False}.get(text.lower(), text)


def _image_size(text: str) -> Tuple[int, int]:
    sides = text.split("x")
    if len(sides) > 2 or not all(re.fullmatch("[1-9][0-9]{0,3}", side) for side in sides):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; give pixels from 1 to 9999: 224, or 192x256 (HxW)")
    return int(sides[0]), int(sides[-1])


def _depth(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no depth; give a whole number of at least 1")
    return int(text)


def _config_parser(commands: Any) -> None:
    text = "print a configuration with everything filled in, or a file of PaddleClas 2.0 in today's format"
    command = commands.add_parser("config", help=text, description=text)
    file = command.add_mutually_exclusive_group(required=True)
    file.add_argument("-c", "--config", metavar="FILE", help="a YAML file, or the name of a shipped one: DLA60")
    file.add_argument("--migrate", metavar="FILE", help="a file with ARCHITECTURE, LEARNING_RATE, TRAIN ...")
    command.add_argument("-o", "--override", metavar="KEY=VALUE", action="append", default=[], help="sets a key before")
    command.set_defaults(run=_run_config)


def _run_configured(arguments: argparse.Namespace) -> int:
    from ppcls.config import load_config
    from ppcls.engine.processes import world_size
    from ppcls.engine.schema import registries

    config = load_config(
        arguments.config, arguments.override, registries(), arguments.command, check_paths=not arguments.print_config,
        processes=world_size(), say=_say,
    )  # fmt: skip
    if arguments.print_config:
        print(config.to_yaml(), end="")
        return 0
    get_logger().setLevel(logging.DEBUG if arguments.verbose else logging.INFO)
    load_paddle()
    from ppcls.engine import commands

    if arguments.command == "train":
        return commands.train(config, arguments.allow_changed)
    if arguments.command == "lr-find":
        return commands.find_learning_rate(config, arguments.output, arguments.low, arguments.high, arguments.steps)
    if arguments.command == "eval":
        return commands.evaluate(config, arguments.output)
    if arguments.command == "infer":
        return commands.infer(config, arguments.output)
    return commands.export(config, arguments.untrained, arguments.golden)


def _run_config(arguments: argparse.Namespace) -> int:
    from ppcls.config import load_config, migrate_config
    from ppcls.engine.processes import world_size
    from ppcls.engine.schema import registries

    if arguments.migrate is not None:
        print(migrate_config(arguments.migrate, arguments.override, registries(), world_size()), end="")
        return 0
    config = load_config(
        arguments.config, arguments.override, registries(), check_paths=False, processes=world_size(), say=_say
    )
    print(config.to_yaml(), end="")
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _run_finetune(arguments: argparse.Namespace) -> int:
    from ppcls.engine.finetune import plan, prepare

    tuning = plan(arguments.folder, arguments.arch, arguments.pretrained, arguments.override)
    if arguments.print_config:
        print(tuning.to_yaml(), end="")
        return 0
    print("\n".join(tuning.choices))
    config = prepare(tuning)
    load_paddle()
    from ppcls.engine import commands

    return commands.train(config)


def _run_predict(arguments: argparse.Namespace) -> int:
    from ppcls.config import load_deploy_config
    from ppcls.engine.processes import refuse_several
    from ppcls.inference.command import predict

    refuse_several()
    config = load_deploy_config(arguments.config, arguments.override, check_paths=not arguments.print_config)
    if arguments.print_config:
        print(config.to_yaml(), end="")
        return 0
    return predict(config)


def _run_prepare_imagenet(arguments: argparse.Namespace) -> int:
    from ppcls.data.prepare_imagenet import prepare_imagenet

    print(prepare_imagenet(arguments.source, arguments.target, arguments.labels, arguments.copy))
    return 0


def _run_pack(arguments: argparse.Namespace) -> int:
    from ppcls.data.shards.pack import PackOptions, pack

    names = ("shard_size", "shard_count", "resize_short", "quality", "keep_order")
    options = PackOptions(**{name: getattr(arguments, name) for name in names})
    packed = pack(arguments.source, arguments.target, arguments.list, options, arguments.workers, arguments.on_error)
    print(packed)
    for path, reason in packed.unreadable.items():
        print(f"{path}: {reason}", file=sys.stderr)
    if packed.unreadable:
        print(f"{len(packed.unreadable)} pictures could not be read and were left out", file=sys.stderr)
    return 1 if packed.unreadable else 0


def _run_models(arguments: argparse.Namespace) -> int:
    from ppcls.arch.listing import as_json, as_table, listed_models

    models = listed_models(arguments.pattern)
    print(as_json(models) if arguments.json else as_table(models))
    return 0


def _run_summary(arguments: argparse.Namespace) -> int:
    from ppcls.arch.catalog import BACKBONES, MODELS

    cls = BACKBONES[arguments.name]
    try:
        params = cls(arguments.name, class_num=arguments.class_num, in_channels=arguments.in_channels)
    except ValueError as error:
        raise UserError(f"{arguments.name}: {error}") from error
    model = params.build()  # loads Paddle, the module below needs it
    from ppcls.arch.summary import summarize

    print(summarize(model, arguments.image_size or MODELS[arguments.name].input_size[1:]).table(arguments.depth))
    return 0


def _run_convert(arguments: argparse.Namespace) -> int:
    from ppcls.arch.weights.convert import convert

    converted = convert(arguments.source, arguments.target, arguments.arch, arguments.to)
    if arguments.verbose:
        print(converted.loaded.conversion.account(), end="")
    print(converted.text)
    return 0
