"""`ppcls paddle-serving`: write the folder that Paddle Serving 0.9 serves a bundle from."""

from __future__ import annotations

import argparse

from ppcls.cli.parser import CommandParser
from ppcls.deployment.paddle_serving.folder import Service, write_folder
from ppcls.inference.bundle import Bundle

WORKS_ON = (
    "a bundle with a program of Paddle 2, as `ppcls export --format pdmodel` writes it"
)
EXAMPLES = (
    "ppcls paddle-serving inference service",
    "ppcls paddle-serving inference service --http-port 8080 --rpc-port 8081",
    "ppcls paddle-serving inference service --name flowers",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "bundle", metavar="BUNDLE", help="the folder that `ppcls export` wrote"
    )
    command.add_argument("folder", metavar="FOLDER", help="the new folder to write")
    command.add_argument(
        "--name",
        metavar="NAME",
        default=Service.name,
        help="the service's name in its address (default: %(default)s, as in PaddleClas)",
    )
    command.add_argument(
        "--http-port",
        metavar="PORT",
        type=int,
        default=Service.http_port,
        help="the port of HTTP (default: %(default)s)",
    )
    command.add_argument(
        "--rpc-port",
        metavar="PORT",
        type=int,
        default=Service.rpc_port,
        help="the port of gRPC (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the folder, and return the exit code."""
    service = Service(arguments.name, arguments.http_port, arguments.rpc_port)
    write_folder(Bundle.load(arguments.bundle), arguments.folder, service)
    script = f"{arguments.folder}/environment.sh"
    print(f"`bash {script}` installs Paddle Serving and checks the service")
    return 0
