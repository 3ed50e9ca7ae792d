"""`ppcls predict`."""

from __future__ import annotations

import argparse
import sys

from ppcls.cli.common import SetKey, add_config
from ppcls.cli.parser import CommandParser
from ppcls.config import load_deploy_config
from ppcls.data.transforms import TRANSFORMS
from ppcls.engine.predict import predict
from ppcls.engine.processes import refuse_several

WORKS_ON = "a bundle or an inference model of PaddleClas, and pictures"
EXAMPLES = (
    "ppcls predict -o Global.inference_model_dir=inference -o Global.infer_imgs=holiday/",
    "ppcls predict -o Global.infer_imgs=holiday/ --topk 3 --output answers.csv",
    "ppcls predict -o Global.infer_imgs=holiday/ --backend openvino --batch-size 8",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    add_config(command, "inference_cls.yaml")
    command.add_argument(
        "--backend",
        metavar="NAME",
        action=SetKey,
        key="Global.backend",
        help="paddle, onnxruntime or openvino (default: that of the bundle)",
    )
    command.add_argument(
        "--precision",
        metavar="NAME",
        action=SetKey,
        key="Global.precision",
        help="float32, float16, bfloat16 or int8 (default: that of the bundle)",
    )
    command.add_argument(
        "--batch-size",
        metavar="N",
        type=int,
        action=SetKey,
        key="Global.batch_size",
        help="pictures per batch",
    )
    command.add_argument(
        "--topk",
        metavar="K",
        type=int,
        action=SetKey,
        key="PostProcess.Topk.topk",
        help="classes per picture, the likeliest first",
    )
    command.add_argument(
        "--output",
        metavar="FILE",
        action=SetKey,
        key="Global.output",
        help="also write one row per picture, to .csv or .json",
    )


def run(arguments: argparse.Namespace) -> int:
    """Classify the pictures of `Global.infer_imgs`, and return the exit code."""
    refuse_several()
    config = load_deploy_config(
        arguments.config,
        arguments.override,
        {"transform": TRANSFORMS},
        check_paths=not arguments.print_config,
        say=lambda line: print(line, file=sys.stderr),
    )
    if arguments.print_config:
        print(config.to_yaml(), end="")
        return 0
    return predict(config)
