"""The listener for gRPC: KServe's service behind an interceptor."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import (
    add_GRPCInferenceServiceServicer_to_server,
)
from kserve.protocol.grpc.servicer import InferenceServicer

from ppcls.serving import metrics
from ppcls.serving.logs import request_id, say_request
from ppcls.serving.models import Models
from ppcls.serving.options import ServerOptions
from ppcls.serving.protocols import Plane, Repository, refusal_of
from ppcls.serving.refusals import NotReady
from ppcls.serving.security import Access
from ppcls.utils.errors import UserError

_HEALTH = ("ServerLive", "ServerReady", "ModelReady")
_CANCELLED = "CANCELLED"


class GrpcFront(grpc.aio.ServerInterceptor):
    """Stands in front of the service: access, refusals, log and metrics.

    Args:
        models: The models that are served.
        access: Who may send what.
    """

    def __init__(self, models: Models, access: Access) -> None:
        self._models = models
        self._access = access

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: Any
    ) -> Any:
        """Wrap the handler of a call."""
        handler = await continuation(details)
        if handler is None or handler.unary_unary is None:
            return handler
        call = details.method.rsplit("/", 1)[-1]
        metadata = dict(details.invocation_metadata)

        async def answer(request: Any, context: Any) -> Any:
            return await self._answer(
                call, metadata, handler.unary_unary, request, context
            )

        return grpc.unary_unary_rpc_method_handler(
            answer, handler.request_deserializer, handler.response_serializer
        )

    async def _answer(
        self,
        call: str,
        metadata: dict[str, Any],
        inner: Any,
        request: Any,
        context: Any,
    ) -> Any:
        began = time.perf_counter()
        identity = request_id(metadata.get("x-request-id"))
        name = getattr(request, "model_name", "") or getattr(request, "name", "")
        model = name if name in self._models.sources else ""
        code, error, reason = _CANCELLED, None, {}
        try:
            self._access.check_grpc(call, str(metadata.get("authorization", "")))
            if self._models.is_draining and call not in _HEALTH:
                raise NotReady("the server is about to end; send to another one")
            response = await inner(request, context)
            code = "OK"
            return response
        except Exception as raised:
            refusal = refusal_of(raised)
            code, reason = refusal.code, {"reason": str(refusal)}
            if refusal.reason:
                metrics.REJECTED.labels(model, refusal.reason).inc()
            if refusal.is_servers_fault:
                error = raised
            await context.abort(grpc.StatusCode[refusal.code], str(refusal))
        finally:
            if call not in _HEALTH:
                metrics.REQUESTS.labels(model, "grpc", code).inc()
            say_request(
                {
                    "request_id": identity,
                    "protocol": "grpc",
                    "method": call,
                    "model": model,
                    "code": code,
                    "seconds": round(time.perf_counter() - began, 6),
                    **reason,
                },
                error,
            )


def grpc_server(
    models: Models,
    plane: Plane,
    repository: Repository,
    access: Access,
    options: ServerOptions,
) -> tuple[Any, int]:
    """The gRPC server, which does not run yet, and its port.

    Raises:
        UserError: The port cannot be bound, or a file of TLS cannot be read.
    """
    limits = options.limits
    server = grpc.aio.server(
        interceptors=[GrpcFront(models, access)],
        options=[
            ("grpc.max_receive_message_length", limits.body_bytes),
            ("grpc.max_send_message_length", -1),
            # Else two servers would share a port, and each get some of the calls
            ("grpc.so_reuseport", 0),
        ],
        maximum_concurrent_rpcs=limits.connections,
    )
    add_GRPCInferenceServiceServicer_to_server(
        InferenceServicer(plane, repository), server
    )
    host = f"[{options.host}]" if ":" in options.host else options.host
    address = f"{host}:{options.grpc_port}"
    try:
        if options.certificate is None or options.key is None:
            return server, server.add_insecure_port(address)
        return server, server.add_secure_port(address, _credentials(options))
    except RuntimeError as error:
        raise UserError(
            f"{address} cannot be bound for gRPC; is it in use? give another --grpc-port"
        ) from error


def _credentials(options: ServerOptions) -> grpc.ServerCredentials:
    assert options.certificate is not None and options.key is not None
    pair = (options.key.read_bytes(), options.certificate.read_bytes())
    return grpc.ssl_server_credentials([pair])
