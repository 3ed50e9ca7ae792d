"""`ppcls predict`."""

from __future__ import annotations

import argparse

from ppcls.cli.common import add_config
from ppcls.cli.parser import CommandParser
from ppcls.config import load_deploy_config
from ppcls.data.transforms import TRANSFORMS
from ppcls.engine.predict import predict
from ppcls.engine.processes import refuse_several


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    add_config(command, "inference_cls.yaml")


def run(arguments: argparse.Namespace) -> int:
    """Classify the pictures of `Global.infer_imgs`, and return the exit code."""
    refuse_several()
    config = load_deploy_config(
        arguments.config,
        arguments.override,
        {"transform": TRANSFORMS},
        check_paths=not arguments.print_config,
    )
    if arguments.print_config:
        print(config.to_yaml(), end="")
        return 0
    return predict(config)
