"""`ppcls benchmark accuracy`: top-1 and top-5 of models by engine and precision, beside the published figures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ppcls.cli.common import add_option
from ppcls.cli.measuring import claimed_sheet, number
from ppcls.cli.parser import CommandParser
from ppcls.cli.pictures import add_data, read_data
from ppcls.utils.errors import Unavailable, UserError
from ppcls.utils.load_paddle import load_paddle

if TYPE_CHECKING:
    from ppcls.benchmark.accuracy import AccuracySheet
    from ppcls.data.picture_list import PictureList
    from ppcls.deployment.verify.forms import Form
    from ppcls.inference.bundle import Bundle


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "bundles", metavar="BUNDLE", nargs="*", help="folders that `ppcls export` wrote"
    )
    command.add_argument(
        "--models", metavar="PATTERN",
        help="models with their published weights, which are exported to --output first: 'DLA*'",
    )  # fmt: skip
    add_data(command, required=True)
    add_option(
        command, "--backend", old=["--backends"], metavar="LIST", default="all",
        help="all, or engines with or without a precision: openvino,onnxruntime:int8 (default: all)",
    )  # fmt: skip
    command.add_argument(
        "--device",
        choices=("cpu", "gpu"),
        default="cpu",
        help="where they run (default: cpu)",
    )
    command.add_argument(
        "--batch-size",
        metavar="N",
        type=number,
        default=8,
        help="pictures at a time (default: 8)",
    )
    command.add_argument(
        "--threads",
        metavar="N",
        type=number,
        help="of kernels and reading (default: the cores)",
    )
    add_option(
        command,
        "--output",
        old=["--out"],
        metavar="DIR",
        required=True,
        help="of accuracy.md, accuracy.csv and accuracy.json",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    from ppcls.deployment.verify.forms import parse_forms

    forms = parse_forms(arguments.backend, arguments.device)
    if not Path(arguments.data).exists():  # said before models are exported
        raise UserError(f"--data: there is no list or folder {arguments.data}")
    with claimed_sheet(arguments.output, "accuracy"):
        return _fill_sheet(arguments, forms)


def _fill_sheet(arguments: argparse.Namespace, forms: dict[Form, bool]) -> int:
    """Measures what the sheet lacks, and writes it."""
    from ppcls.benchmark.accuracy import AccuracySheet

    sheet = AccuracySheet(arguments.output)
    measured = 0
    for bundle in _bundles(arguments):
        data = read_data(arguments, bundle)
        if data.labels is None:
            raise UserError(
                f"{arguments.data} has no labels: {data.why_unlabelled}; give a list with labels, or one folder per "
                "class, named as the classes of the bundle"
            )
        bundle.checked(*bundle.entries)
        for form, by_name in forms.items():
            try:
                measured += _measure(sheet, bundle, form, data, arguments)
            except Unavailable as error:
                if by_name:
                    raise
                print(f"left out: {bundle.folder}, {form}: {error}", file=sys.stderr)
    if not measured:
        raise UserError(
            "nothing could be measured; the lines above say what is missing"
        )
    print(sheet.markdown(), end="")
    print("written: " + ", ".join(map(str, sheet.write())), file=sys.stderr)
    return 0


def _measure(
    sheet: AccuracySheet,
    bundle: Bundle,
    form: Form,
    data: PictureList,
    arguments: argparse.Namespace,
) -> int:
    from ppcls.benchmark.accuracy import measure_accuracy
    from ppcls.inference.backends import open_backend

    if sheet.find(bundle, form, data, arguments.device):
        print(f"{bundle.folder}, {form}: was measured before", file=sys.stderr)
        return 1
    backend = open_backend(bundle, form.settings(arguments.device, arguments.threads))
    row = measure_accuracy(
        bundle,
        form,
        backend,
        data,
        arguments.device,
        arguments.batch_size,
        arguments.threads,
    )
    sheet.add(row)
    print(
        f"{bundle.folder}, {form}: top-1 {row.top1:.2f} %, top-5 {row.top5:.2f} %",
        file=sys.stderr,
    )
    return 1


def _bundles(arguments: argparse.Namespace) -> Iterator[Bundle]:
    """The bundles that are given, then those of the models, each exported when it is its turn."""
    from ppcls.arch.listing import listed_models
    from ppcls.inference.bundle import Bundle

    if not arguments.bundles and not arguments.models:
        raise UserError(
            "nothing to measure is given; give folders of bundles, or --models with a pattern"
        )
    yield from [Bundle.load(folder) for folder in arguments.bundles]
    models = (
        [model.name for model in listed_models(arguments.models)]
        if arguments.models
        else []
    )
    if models:
        load_paddle()
        from ppcls.benchmark.shipped_bundles import published_bundle

        for name in models:
            yield published_bundle(name, Path(arguments.output) / "bundles" / name)
