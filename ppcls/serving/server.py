"""The server, from its start to SIGTERM.

start      bind the ports, so that one in use is a mistake at once; listen; load the models; be ready
SIGTERM    not ready; refuse new requests; close idle connections; answer what was accepted; end the engines
a second   end at once
"""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import Sequence

from ppcls.serving.bodies import Bodies
from ppcls.serving.grpc import grpc_server
from ppcls.serving.http import HttpFront, application, http_server, listening_socket
from ppcls.serving.logs import log_as_json, say
from ppcls.serving.models import Models, Source
from ppcls.serving.options import ServerOptions
from ppcls.serving.protocols import ModelRegistry, Plane, Repository
from ppcls.serving.security import Access
from ppcls.utils.cpu import spare_freed_memory
from ppcls.utils.errors import UserError

_SECONDS_OF_REFUSALS = 0.5
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(sources: Sequence[Source], options: ServerOptions) -> None:
    """Serve models until SIGTERM or Ctrl-C.

    Raises:
        UserError: A bundle, a port or a file cannot be used.
    """
    spare_freed_memory()
    access = Access(options)
    _check_files(options)
    log_as_json()
    asyncio.run(_Server(sources, options, access).run())


class _Server:
    def __init__(
        self, sources: Sequence[Source], options: ServerOptions, access: Access
    ) -> None:
        self._options = options
        self._access = access
        self._models = Models(sources, say)
        self._stop = asyncio.Event()
        self._signals = 0

    async def run(self) -> None:
        models, options = self._models, self._options
        registry = ModelRegistry(models)
        plane = Plane(registry, models, options.explain)
        repository = Repository(registry, models)
        front = HttpFront(
            application(models, plane, repository, options.explain),
            models,
            self._access,
            Bodies(options.limits),
        )
        self._http = http_server(front, options)
        listener = _bound(options)
        self._grpc = None
        grpc_port = None
        if options.grpc_port is not None:
            self._grpc, grpc_port = grpc_server(
                models, plane, repository, self._access, options
            )
            await self._grpc.start()
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)
        listening = asyncio.ensure_future(self._http.serve(sockets=[listener]))
        scheme = "http" if options.certificate is None else "https"
        http_port = listener.getsockname()[1]
        host = f"[{options.host}]" if ":" in options.host else options.host
        say("listening", http=f"{scheme}://{host}:{http_port}", grpc_port=grpc_port)
        try:
            if await self._loaded():
                say("ready", models=list(models.loaded))
                await self._stop.wait()
        finally:
            await self._drain(listening)

    async def _loaded(self) -> bool:
        """Load the models; whether that ended before the server was told to stop."""
        loading = asyncio.ensure_future(self._models.load_all())
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait((loading, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not loading.done():
                return False
            loading.result()
            return True
        finally:
            loading.cancel()
            stopping.cancel()

    def _on_signal(self) -> None:
        self._signals += 1
        self._models.is_draining = True
        self._stop.set()
        if self._signals > 1:
            self._http.force_exit = True

    async def _drain(self, listening: asyncio.Future) -> None:
        say("draining")
        self._models.is_draining = True
        if self._signals == 1:
            # Clients that send now get a refusal, where a port that closes at once would reset or cancel what they send
            await asyncio.sleep(_SECONDS_OF_REFUSALS)
        self._http.should_exit = True
        if self._grpc is not None:
            grace = 0 if self._signals > 1 else self._options.drain_seconds
            await asyncio.gather(listening, self._grpc.stop(grace))
        await listening
        await self._models.close()
        say("ended")


def _bound(options: ServerOptions):  # type: ignore[no-untyped-def]
    try:
        return listening_socket(options)
    except OSError as error:
        raise UserError(
            f"{options.host}:{options.http_port} cannot be bound: {error.strerror or error}; give another --http-port "
            "or --host"
        ) from error


def _check_files(options: ServerOptions) -> None:
    """Check the files of TLS before anything is loaded."""
    for option, path in (
        ("--tls-cert", options.certificate),
        ("--tls-key", options.key),
    ):
        if path is None:
            continue
        try:
            path.read_bytes()
        except OSError as error:
            raise UserError(
                f"{path}: {error.strerror}; give {option} a file in PEM format"
            ) from error
    if options.certificate is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            options.certificate, options.key, password=""
        )
    except (ssl.SSLError, ValueError) as error:
        raise UserError(
            f"{options.certificate} and {options.key} are not a certificate and its key in PEM format; give such "
            "files, the key without a password, to --tls-cert and --tls-key"
        ) from error
