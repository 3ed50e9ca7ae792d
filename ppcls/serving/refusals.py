"""Why a request is refused, in one sentence, with the codes of HTTP and gRPC."""

from __future__ import annotations


class Refusal(Exception):
    """A request that is not answered.

    Attributes:
        status: The status of HTTP.
        code: The name of gRPC's status code.
        headers: Further headers of the HTTP response.
        reason: The reason in the metrics, for what a limit or a deadline refuses; empty for the rest.
        is_servers_fault: Whether the log gets a traceback.
    """

    status = 500
    code = "INTERNAL"
    headers: dict[str, str] = {}
    reason = ""
    is_servers_fault = False


class BadRequest(Refusal):
    """The request, or a picture in it, cannot be read."""

    status = 400
    code = "INVALID_ARGUMENT"


class Unauthenticated(Refusal):
    """The bearer token is missing or wrong."""

    status = 401
    code = "UNAUTHENTICATED"
    headers = {"WWW-Authenticate": "Bearer"}


class Forbidden(Refusal):
    """Another web site's page has sent the request, or the server was not started to answer such ones."""

    status = 403
    code = "PERMISSION_DENIED"


class UnknownModel(Refusal):
    """There is no model of that name."""

    status = 404
    code = "NOT_FOUND"


class DeadlinePassed(Refusal):
    """The client did not send the request in time."""

    status = 408
    code = "DEADLINE_EXCEEDED"
    reason = "slow"
    headers = {"Connection": "close"}


class TooLarge(Refusal):
    """The request has too many bytes."""

    status = 413
    code = "RESOURCE_EXHAUSTED"
    reason = "bytes"
    headers = {"Connection": "close"}


class ServerFault(Refusal):
    """The model has failed, through no fault of the client."""

    status = 500
    code = "INTERNAL"
    is_servers_fault = True


class Busy(Refusal):
    """The queue is full."""

    status = 503
    code = "RESOURCE_EXHAUSTED"
    reason = "queue"
    headers = {"Retry-After": "1"}


class NotReady(Refusal):
    """The model is loading, was unloaded, or the server is about to end."""

    status = 503
    code = "UNAVAILABLE"
    headers = {"Retry-After": "1"}


class OutOfTime(Refusal):
    """The answer took longer than a request may take."""

    status = 504
    code = "DEADLINE_EXCEEDED"
    reason = "deadline"
