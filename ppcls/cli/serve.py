"""`ppcls serve`."""

from __future__ import annotations

import argparse
import re
from functools import partial
from pathlib import Path

from ppcls.api.published import place_of
from ppcls.cli.parser import CommandParser
from ppcls.inference.backends.default import default_settings
from ppcls.inference.bundle import Bundle
from ppcls.inference.official.find import find_bundle
from ppcls.inference.settings import Settings, resolve
from ppcls.serving.load_kserve import load_kserve
from ppcls.serving.options import Batching, Limits, ServerOptions
from ppcls.utils.errors import UserError, expect

WORKS_ON = "bundles, inference models of PaddleClas (a folder or a tar), or published models by their names"
EXAMPLES = (
    "ppcls serve DLA34",
    "ppcls serve cats=output/cats dogs=output/dogs --http-port 8000 --grpc-port 8001",
    "ppcls serve inference --host 0.0.0.0 --token-file token --tls-cert cert.pem --tls-key key.pem",
)
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)
_LIMITS = Limits()
_BATCHING = Batching()
_OPTIONS = ServerOptions()


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "models",
        metavar="NAME=BUNDLE",
        nargs="+",
        help="a model's name in addresses, and its bundle (default name: that of the folder or the published model)",
    )
    _add_addresses(command)
    _add_engine(command)
    _add_limits(command)
    command.add_argument(
        "--explain",
        action="store_true",
        help="let clients ask where in a picture a class is seen, which costs as much as some 170 pictures",
    )


def _add_addresses(command: CommandParser) -> None:
    command.add_argument(
        "--host",
        metavar="ADDRESS",
        default=_OPTIONS.host,
        help="the address to listen on (default: %(default)s, which only this machine reaches)",
    )
    command.add_argument(
        "--http-port",
        metavar="PORT",
        type=int,
        default=_OPTIONS.http_port,
        help="for REST and the page (default: %(default)s; 0 takes a free one)",
    )
    command.add_argument(
        "--grpc-port",
        metavar="PORT",
        type=int,
        default=_OPTIONS.grpc_port,
        help="for gRPC (default: %(default)s; 0 takes a free one)",
    )
    command.add_argument(
        "--no-grpc", action="store_true", help="do not listen for gRPC"
    )
    command.add_argument(
        "--token-file",
        metavar="FILE",
        help="ask for the bearer token in this file, except for health",
    )
    command.add_argument(
        "--tls-cert",
        metavar="FILE",
        help="listen with TLS by this certificate chain (PEM)",
    )
    command.add_argument(
        "--tls-key", metavar="FILE", help="the private key of the certificate (PEM)"
    )


def _add_engine(command: CommandParser) -> None:
    command.add_argument(
        "--backend",
        metavar="NAME",
        help="paddle, onnxruntime, openvino or trt (default: that of the bundle)",
    )
    command.add_argument(
        "--precision",
        metavar="NAME",
        help="float32, float16, bfloat16 or int8 (default: that of the bundle)",
    )
    command.add_argument(
        "--device", choices=("cpu", "gpu"), help="the device (default: the bundle's)"
    )
    command.add_argument(
        "--threads",
        metavar="N",
        type=int,
        help="threads of kernels, for all batches together (default: the number of cores)",
    )
    command.add_argument(
        "--requests",
        metavar="N",
        type=int,
        help="batches that run at the same time (default: the bundle's, or 1)",
    )
    command.add_argument(
        "--batch-size",
        metavar="N",
        type=int,
        default=_BATCHING.size,
        help="the most pictures per batch (default: %(default)s)",
    )
    command.add_argument(
        "--batch-delay",
        metavar="MS",
        type=float,
        default=1000 * _BATCHING.seconds,
        help="how long a picture waits for others to share its batch, in milliseconds (default: %(default)g)",
    )


def _add_limits(command: CommandParser) -> None:
    command.add_argument(
        "--queue",
        metavar="N",
        type=int,
        default=_LIMITS.queue,
        help="pictures per model that may wait; more are refused (default: %(default)s)",
    )
    command.add_argument(
        "--timeout",
        metavar="S",
        type=float,
        default=_LIMITS.seconds,
        help="seconds for a request, from its last byte to its answer (default: %(default)g)",
    )
    command.add_argument(
        "--body-timeout",
        metavar="S",
        type=float,
        default=_LIMITS.body_seconds,
        help="seconds for a client to send its request (default: %(default)g)",
    )
    command.add_argument(
        "--max-body",
        metavar="BYTES",
        type=int,
        default=_LIMITS.body_bytes,
        help="bytes of a request (default: %(default)s)",
    )
    command.add_argument(
        "--max-pixels",
        metavar="N",
        type=int,
        default=_LIMITS.pixels,
        help="pixels of a picture (default: %(default)s)",
    )
    command.add_argument(
        "--max-pictures",
        metavar="N",
        type=int,
        default=_LIMITS.pictures,
        help="pictures of one request (default: %(default)s)",
    )
    command.add_argument(
        "--max-connections",
        metavar="N",
        type=int,
        default=_LIMITS.connections,
        help="open connections over HTTP, and calls at a time over gRPC (default: %(default)s)",
    )
    command.add_argument(
        "--drain-timeout",
        metavar="S",
        type=float,
        default=_OPTIONS.drain_seconds,
        help="seconds for accepted requests after SIGTERM (default: %(default)g)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C, and return the exit code."""
    options = _options(arguments)
    batching = Batching(arguments.batch_size, arguments.batch_delay / 1000)
    places = _places(arguments.models)
    load_kserve()
    # Needs the packages of the extra
    from ppcls.serving.models import Source
    from ppcls.serving.server import serve

    sources = []
    for name, path in places.items():
        sources.append(
            Source(
                name,
                partial(find_bundle, place_of(path)),
                partial(_settings, arguments),
                batching,
                options.limits,
            )
        )
    serve(sources, options)
    return 0


def _options(arguments: argparse.Namespace) -> ServerOptions:
    limits = Limits(
        queue=arguments.queue,
        seconds=arguments.timeout,
        body_seconds=arguments.body_timeout,
        body_bytes=arguments.max_body,
        pixels=arguments.max_pixels,
        pictures=arguments.max_pictures,
        connections=arguments.max_connections,
    )
    return ServerOptions(
        host=arguments.host,
        http_port=arguments.http_port,
        grpc_port=None if arguments.no_grpc else arguments.grpc_port,
        token_file=_path(arguments.token_file),
        certificate=_path(arguments.tls_cert),
        key=_path(arguments.tls_key),
        drain_seconds=arguments.drain_timeout,
        limits=limits,
        explain=arguments.explain,
    )


def _settings(arguments: argparse.Namespace, bundle: Bundle) -> Settings:
    return resolve(
        bundle.settings or default_settings(bundle),
        backend=arguments.backend,
        precision=arguments.precision,
        device=arguments.device,
        threads=arguments.threads,
        requests=arguments.requests,
    )


def _places(words: list[str]) -> dict[str, str]:
    """The paths of bundles, or the names of published models, by the names in addresses.

    Raises:
        UserError: A name cannot stand in an address, or stands twice.
    """
    places: dict[str, str] = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals:
            path = word
            name = Path(word).resolve().name if Path(word).exists() else word
            name = name.replace("/", "-")
        expect(
            _NAME.fullmatch(name),
            f"{word}: {name!r} cannot stand in an address; write NAME={path} with a name of letters, digits, '.', "
            "'_' and '-'",
        )
        if name in places:
            raise UserError(
                f"{word}: there are two models named {name}; give one of them another name, as in other={path}"
            )
        places[name] = path
    return places


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
