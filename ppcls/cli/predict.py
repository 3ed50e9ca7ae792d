"""`ppcls predict`: top classes of pictures, by an exported bundle."""

from __future__ import annotations

import argparse
from typing import Any

from ppcls.cli.common import add_config, new_command


def add(commands: Any) -> None:
    """Declares the command."""
    add_config(
        new_command(
            commands, "predict", "top classes of pictures, by an exported bundle", _run
        ),
        "inference_cls.yaml",
    )


def _run(arguments: argparse.Namespace) -> int:
    from ppcls.config import load_deploy_config
    from ppcls.data.transforms import TRANSFORMS
    from ppcls.engine.predict import predict
    from ppcls.engine.processes import refuse_several

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
