"""The listener for REST and the page: KServe's endpoints, the raw road, and what stands in front of all of them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from kserve.errors import (
    InvalidInput,
    ModelNotReady,
    ServerNotReady,
)
from kserve.protocol.rest.v1_endpoints import register_v1_endpoints
from kserve.protocol.rest.v2_endpoints import register_v2_endpoints
from prometheus_client import REGISTRY, exposition
from starlette.exceptions import HTTPException
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ppcls.serving import metrics, page, payloads
from ppcls.serving.bodies import Bodies, ClientGone
from ppcls.serving.explanations import explain
from ppcls.serving.logs import request_id, say_request
from ppcls.serving.models import Models
from ppcls.serving.options import ServerOptions
from ppcls.serving.protocols import Plane, Repository, refusal_of
from ppcls.serving.refusals import BadRequest, Forbidden, NotReady, Refusal
from ppcls.serving.security import Access

_HEALTH = ("/", "/v2/health/live", "/v2/health/ready")
_CLIENT_GONE = 499  # as nginx logs it
_SECONDS_FOR_HEADERS = 10
_BACKLOG = 2048
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_SECONDS_IDLE = 65  # longer than proxies keep a connection


def application(
    models: Models, plane: Plane, repository: Repository, may_explain: bool
) -> FastAPI:
    """KServe's endpoints of both protocols, and this package's own."""
    app = FastAPI(title="ppcls serve", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/")
    async def root(request: Request) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(page.HTML, headers=page.HEADERS)
        return _json(await plane.live())

    @app.get("/metrics")
    async def show_metrics(request: Request) -> Response:
        encode, kind = exposition.choose_encoder(request.headers.get("accept", ""))
        return Response(
            encode(REGISTRY), media_type=None, headers={"content-type": kind}
        )

    @app.post("/v2/models/{model_name}/classify")
    async def classify(model_name: str, request: Request) -> Response:
        model = models.get(model_name)
        topk = model.check_topk(request.query_params.get("topk"))
        content = await _picture_of(request)
        began = time.perf_counter()
        try:
            answer = await model.classify(content, topk)
        except BadRequest as refusal:
            raise BadRequest(f"{refusal}{_remedy(request)}") from refusal
        return _json(
            {
                "id": request.scope["sender"].identity,
                "model_name": model_name,
                "backend": model.settings.backend,
                "precision": model.settings.precision,
                "milliseconds": round(1000 * (time.perf_counter() - began), 3),
                **payloads.plain(answer),
            }
        )

    @app.post("/v2/models/{model_name}/explain")
    async def explain_picture(model_name: str, request: Request) -> Response:
        model = models.get(model_name)
        if not may_explain:
            raise Forbidden(
                "this server explains no answers; start it with `ppcls serve --explain`"
            )
        class_id = model.check_class(request.query_params.get("class_id"))
        content = await _picture_of(request)
        explanation = await explain(model, content, class_id)
        answer = {
            "id": request.scope["sender"].identity,
            "model_name": model_name,
            "class_id": explanation.class_id,
            "score": explanation.score,
            "png": base64.b64encode(explanation.png).decode("ascii"),
        }
        if explanation.name:
            answer["name"] = explanation.name
        return _json(answer)

    @app.post("/v2/repository/index")
    async def index() -> Response:
        return _json(models.index())

    register_v1_endpoints(app, plane, repository)
    register_v2_endpoints(app, plane, repository)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_exception)
    for kind in (
        Refusal,
        InvalidInput,
        ModelNotReady,
        ServerNotReady,
        NotImplementedError,
        Exception,
    ):
        app.add_exception_handler(kind, _on_error)
    return app


class HttpFront:
    """Stands in front of the application: ids, access, limits, disconnects, log and metrics.

    Args:
        app: The application.
        models: The models that are served.
        access: Who may send what.
        bodies: Reads the bodies of requests.
    """

    def __init__(
        self, app: FastAPI, models: Models, access: Access, bodies: Bodies
    ) -> None:
        self._app = app
        self._models = models
        self._access = access
        self._bodies = bodies

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request of ASGI."""
        if scope["type"] != "http":
            return
        began = time.perf_counter()
        headers = _headers(scope)
        identity = request_id(headers.get("x-request-id"))
        sender = scope["sender"] = _Sender(send, identity)
        error = await self._answer(scope, headers, receive, sender)
        path = scope["path"]
        model = _model_in(path, self._models)
        reason = {}
        if sender.refusal is not None:
            reason = {"reason": str(sender.refusal)}
            if sender.refusal.reason:
                metrics.REJECTED.labels(model, sender.refusal.reason).inc()
            if sender.refusal.is_servers_fault and error is None:
                error = sender.refusal
        if path not in _HEALTH:
            metrics.REQUESTS.labels(model, "http", str(sender.status)).inc()
        say_request(
            {
                "request_id": identity,
                "protocol": "http",
                "method": scope["method"],
                "path": path[:200],
                "model": model,
                "code": sender.status,
                "seconds": round(time.perf_counter() - began, 6),
                **reason,
            },
            error,
        )

    async def _answer(
        self, scope: Any, headers: Mapping[str, str], receive: Any, sender: _Sender
    ) -> BaseException | None:
        """Answer a request, and return the error if it is the server's."""
        try:
            self._access.check_http(scope["path"], headers)
            if self._models.is_draining and scope["path"] not in _HEALTH:
                raise NotReady("the server is about to end; send to another one")
            await self._run(scope, headers, receive, sender)
        except ClientGone:
            sender.status = _CLIENT_GONE
        except Refusal as refusal:
            await sender.refuse(scope, refusal)
        except Exception as error:
            # The application has answered it, and raised it again
            return error
        return None

    async def _run(
        self, scope: Any, headers: Mapping[str, str], receive: Any, sender: _Sender
    ) -> None:
        """Read the body, and run the application until it has answered or the client has gone."""
        body = await self._bodies.read(receive, headers)
        try:
            answering = asyncio.ensure_future(
                self._app(scope, _replay(body), sender.send)
            )
            leaving = asyncio.ensure_future(receive())
            try:
                await asyncio.wait(
                    (answering, leaving), return_when=asyncio.FIRST_COMPLETED
                )
                if not answering.done():
                    raise ClientGone
                answering.result()
            finally:
                for task in (answering, leaving):
                    task.cancel()
        finally:
            self._bodies.free(body)


class _Sender:
    """Sends the response, adds the request's id to it, and remembers its status.

    Attributes:
        identity: The id.
        status: The status that was sent; 0 before.
        refusal: Why the request was refused, if it was.
    """

    def __init__(self, send: Any, identity: str) -> None:
        self._send = send
        self.identity = identity
        self.status = 0
        self.refusal: Refusal | None = None

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *message.get("headers", ()),
                (b"x-request-id", self.identity.encode("ascii")),
            ]
        await self._send(message)

    async def refuse(self, scope: Any, refusal: Refusal) -> None:
        response = self.response_to(refusal)
        await response(scope, _replay(b""), self.send)

    def response_to(self, refusal: Refusal) -> Response:
        self.refusal = refusal
        return _json({"error": str(refusal)}, refusal.status, refusal.headers)


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which by itself waits for ever for the headers of a request."""

    _headers_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the headers of the first request."""
        super().connection_made(transport)
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """End waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin to wait for the headers of a further request."""
        super().on_message_begin()
        self._wait_for_headers()

    def on_headers_complete(self) -> None:
        """End waiting."""
        self._stop_waiting()
        super().on_headers_complete()

    def _wait_for_headers(self) -> None:
        self._stop_waiting()
        self._headers_timer = self.loop.call_later(
            _SECONDS_FOR_HEADERS, self.transport.close
        )

    def _stop_waiting(self) -> None:
        if self._headers_timer is not None:
            self._headers_timer.cancel()
            self._headers_timer = None


class HttpServer(uvicorn.Server):
    """uvicorn without its own handlers of signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the server of both protocols."""
        yield


def http_server(front: HttpFront, options: ServerOptions) -> HttpServer:
    """The HTTP server, which does not run yet."""
    return HttpServer(
        uvicorn.Config(
            front,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_SECONDS_IDLE,
            timeout_graceful_shutdown=int(options.drain_seconds) or 1,
            limit_concurrency=options.limits.connections,
            ssl_certfile=options.certificate,
            ssl_keyfile=options.key,
        )
    )


def listening_socket(options: ServerOptions) -> socket.socket:
    """A socket that listens on the host and port.

    Raises:
        OSError: It cannot be.
    """
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    # Only where the protocol is named does asyncio turn off Nagle's algorithm, by which the body of an answer waits up
    # to 40 ms for the acknowledgement of its headers
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((options.host, options.http_port))
        # Connections that come before uvicorn runs wait
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


async def _picture_of(request: Request) -> bytes:
    content = await request.body()
    if not content:
        raise BadRequest(
            "the request has no body; send the bytes of a picture file, as `curl --data-binary @cat.jpg` does"
        )
    return content


def _remedy(request: Request) -> str:
    """What to do about a picture that cannot be read, where the type of the body says that it was sent as a form."""
    if not request.headers.get("content-type", "").startswith(_FORMS):
        return ""
    return "; send the file itself as the body, as `curl --data-binary @cat.jpg` does, where -d and -F change it"


async def _on_invalid(request: Request, error: Exception) -> Response:
    """The answer to a request that is not of KServe's form, in one sentence."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])[:200]
    return request.scope["sender"].response_to(
        BadRequest(
            f"the request is not one of protocol v2, at {place}: {first['msg'][:200]}; see the model's metadata at "
            "/v2/models/NAME"
        )
    )


async def _on_http_exception(request: Request, error: Exception) -> Response:
    """The answer to a path or a method that does not exist."""
    assert isinstance(error, HTTPException)
    return _json(
        {"error": f"{request.method} {request.url.path[:200]}: {error.detail}"},
        error.status_code,
        error.headers,
    )


async def _on_error(request: Request, error: Exception) -> Response:
    return request.scope["sender"].response_to(refusal_of(error))


def _json(
    content: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json")


def _headers(scope: Any) -> dict[str, str]:
    """Headers by their names in lower case; of several the last counts."""
    return {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in scope["headers"]
    }


def _model_in(path: str, models: Models) -> str:
    """The name of the model in a path; empty without one, so that labels of metrics stay few."""
    _, _, rest = path.partition("/models/")
    name = rest.split("/")[0].split(":")[0]
    return name if name in models.sources else ""


def _replay(body: bytes) -> Any:
    """A function of ASGI that gives a whole body."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        # The front notices that the client has gone
        return await asyncio.get_running_loop().create_future()

    return receive
