"""`ppcls npz make|run|score`: accuracy by `.npz` files, as accelerator benchmarks measure it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from ppcls.cli.common import (
    add_data,
    add_option,
    add_optional_config,
    new_command,
    read_optional_config,
)
from ppcls.utils.errors import UserError


def add(commands: Any) -> None:
    """Declares the commands."""
    text = "pictures as preprocessed .npz files, their results, and the accuracy of results of any runner"
    npz = commands.add_parser("npz", help=text, description=text)
    parts = npz.add_subparsers(metavar="PART", required=True)
    _add_make(
        new_command(
            parts,
            "make",
            "write the preprocessed inputs of a list, and npz_datalist.txt",
            _make,
        )
    )
    _add_run(
        new_command(
            parts,
            "run",
            "run the inputs of a datalist by a bundle, and write their scores",
            _run,
        )
    )
    score = new_command(
        parts, "score", "print top-1 and top-5 of results of any runner", _score
    )
    score.add_argument(
        "--results",
        metavar="DIR",
        required=True,
        help="one .npz file per picture, of its input's name",
    )
    score.add_argument(
        "--datalist",
        metavar="FILE",
        required=True,
        help="the inputs, one path per line",
    )
    text = (
        "npz_labels.txt, or the list that the inputs were made of: `name label` lines"
    )
    score.add_argument("--labels", metavar="FILE", required=True, help=text)


def _add_make(command: Any) -> None:
    command.add_argument(
        "bundle", metavar="BUNDLE", nargs="?", help="whose preprocessing; or give -c"
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
        help="a calibration set: N pictures, every class among them where N allows",
    )
    command.add_argument(
        "--seed", metavar="N", type=int, help="of that choice (default: 0)"
    )
    command.add_argument(
        "--threads",
        metavar="N",
        type=int,
        help="pictures at a time (default: the cores)",
    )
    add_optional_config(
        command, "the preprocessing of DataLoader.Eval of this configuration"
    )


def _add_run(command: Any) -> None:
    command.add_argument(
        "bundle", metavar="BUNDLE", help="the folder that `ppcls export` wrote"
    )
    command.add_argument(
        "--datalist",
        metavar="FILE",
        required=True,
        help="the inputs, one path per line",
    )
    add_option(
        command,
        "--output",
        old=["--results"],
        metavar="DIR",
        required=True,
        help="the folder of the results",
    )
    command.add_argument(
        "--backend", metavar="NAME", help="the engine (default: the bundle's)"
    )
    command.add_argument(
        "--precision", metavar="NAME", help="of the arithmetic (default: the bundle's)"
    )
    command.add_argument(
        "--device", choices=("cpu", "gpu"), help="where it runs (default: the bundle's)"
    )
    command.add_argument(
        "--batch-size",
        metavar="N",
        type=int,
        default=8,
        help="inputs at a time (default: 8)",
    )
    command.add_argument(
        "--threads",
        metavar="N",
        type=int,
        help="of kernels and reading (default: the cores)",
    )


def _make(arguments: argparse.Namespace) -> int:
    from ppcls.data.picture_list import balanced, read_picture_list
    from ppcls.deployment.npz.folders import DATALIST_FILE, make

    pipeline, class_num, class_names = _preprocessing(arguments)
    pictures = read_picture_list(
        arguments.data, class_num, arguments.image_root, class_names
    )
    if arguments.seed is not None and arguments.count is None:
        raise UserError("--seed belongs to --count; write --count N as well")
    if arguments.count is not None:
        if pictures.labels is None:
            raise UserError(
                f"{arguments.data} has no labels ({pictures.why_unlabelled}), so --count cannot choose of every class; "
                "give a list with labels"
            )
        if arguments.count < 1:
            raise UserError(f"--count is {arguments.count}; write 1 or more")
        classes = len(set(pictures.labels.tolist()))
        if arguments.count < classes:
            text = f"{arguments.count} pictures cannot show all {classes} classes; --count {classes} would"
            print(text, file=sys.stderr)
        pictures = pictures.take(
            balanced(pictures.labels, arguments.count, arguments.seed or 0)
        )
    print(
        f"{arguments.output}/{DATALIST_FILE}: {make(pipeline, pictures, arguments.output, arguments.threads)}"
    )
    return 0


def _preprocessing(
    arguments: argparse.Namespace,
) -> tuple[Any, int, Sequence[str] | None]:
    """The transforms, the number of classes and their names of the bundle or of the configuration."""
    from ppcls.data.transforms import Pipeline
    from ppcls.inference.bundle import Bundle

    config = read_optional_config(arguments)
    if (config is None) == (arguments.bundle is None):
        raise UserError(
            "give exactly one of BUNDLE and -c, which say how to preprocess"
        )
    if config is None:
        bundle = Bundle.load(arguments.bundle)
        return bundle.pipeline, bundle.class_num, bundle.class_names
    return (
        Pipeline(config.DataLoader.Eval.dataset.transform_ops),
        config.Arch.class_num,
        None,
    )


def _run(arguments: argparse.Namespace) -> int:
    from ppcls.deployment.npz.folders import run
    from ppcls.deployment.verify.forms import Form
    from ppcls.inference.backends import open_backend
    from ppcls.inference.bundle import Bundle
    from ppcls.inference.settings import resolve

    bundle = Bundle.load(arguments.bundle)
    told = {
        name: getattr(arguments, name)
        for name in ("backend", "precision", "device", "threads")
    }
    settings = resolve(bundle.settings, **told)
    form, backend = (
        Form(settings.engine, settings.precision),
        open_backend(bundle, settings),
    )
    done = run(
        bundle, backend, form, arguments.datalist, arguments.output, arguments.batch_size, arguments.threads
    )  # fmt: skip
    print(f"{arguments.output}: {form}, {done}")
    return 0


def _score(arguments: argparse.Namespace) -> int:
    from ppcls.deployment.npz.score import score

    print(score(arguments.results, arguments.datalist, arguments.labels))
    return 0
