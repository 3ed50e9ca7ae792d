"""Who may send what: the bearer token, and which requests may change the models."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ppcls.serving.options import ServerOptions
from ppcls.serving.refusals import Forbidden, Refusal, Unauthenticated, UnknownModel
from ppcls.utils.errors import UserError, expect

_MOST_BYTES = 4096
# Health, metadata-free, and the page, which holds no data of its own
_OPEN_PATHS = re.compile(
    r"/|/v2/health/(live|ready)|/v2/models/[^/]+/ready|/v1/models/[^/:]+|/favicon\.ico"
)
_OPEN_CALLS = ("ServerLive", "ServerReady", "ModelReady")
_REPOSITORY = "/v2/repository"
_REPOSITORY_CALLS = ("RepositoryModelLoad", "RepositoryModelUnload")


class Access:
    """Decides about each request by its address and headers.

    Args:
        options: Where the server listens, and the file of its token.

    Raises:
        UserError: The file of the token cannot be used.
    """

    def __init__(self, options: ServerOptions) -> None:
        self._token = read_token(options.token_file) if options.token_file else None
        self._may_change_models = self._token is not None or options.is_loopback

    def check_http(self, path: str, headers: Mapping[str, str]) -> None:
        """Refuse a request over HTTP that may not be answered; the names of headers are in lower case.

        Raises:
            Refusal: It may not.
        """
        if _OPEN_PATHS.fullmatch(path):
            return
        self._check_token(headers.get("authorization", ""))
        if path.startswith(_REPOSITORY):
            if not self._may_change_models:
                raise _no_repository()
            self._check_own_page(headers)

    def check_grpc(self, call: str, authorization: str) -> None:
        """Refuse a call over gRPC that may not be answered.

        Args:
            call: The name of the method, such as `ModelInfer`.
            authorization: The value of that metadata; empty if there is none.

        Raises:
            Refusal: It may not.
        """
        if call in _OPEN_CALLS:
            return
        self._check_token(authorization)
        if call in _REPOSITORY_CALLS and not self._may_change_models:
            raise _no_repository()

    def _check_token(self, authorization: str) -> None:
        if self._token is None:
            return
        scheme, _, given = authorization.partition(" ")
        is_right = hmac.compare_digest(
            given.strip().encode("utf-8", "replace"), self._token
        )
        if scheme.lower() != "bearer" or not is_right:
            raise Unauthenticated(
                "the request needs the header Authorization: Bearer TOKEN with this server's token"
            )

    def _check_own_page(self, headers: Mapping[str, str]) -> None:
        """Refuse what a page of another site sends from a browser on this machine."""
        host = headers.get("host", "")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise Forbidden("a page of another site may not change the models")
        if self._token is None and not _is_loopback(host):
            raise Forbidden(
                f"without a token the models are changed through a loopback address alone, not {host[:100]!r}"
            )


def read_token(path: Path) -> bytes:
    """The token in a file, without the end of its line.

    Raises:
        UserError: The file cannot be read, or is not one line of printable ASCII characters.
    """
    try:
        with path.open("rb") as file:
            token = file.read(_MOST_BYTES).strip()
    except OSError as error:
        raise UserError(
            f"{path}: {error.strerror}; give --token-file a file with one line, the token"
        ) from error
    expect(
        re.fullmatch(rb"[!-~]+", token),
        f"{path}: a token is one line of printable ASCII characters without spaces; write one, for example with "
        f"`openssl rand -hex 32 > {path}`",
    )
    return token


def _is_loopback(host: str) -> bool:
    """Whether the header Host names this machine itself."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _no_repository() -> Refusal:
    return UnknownModel(
        "this server does not change its models: it has no token and other machines can reach it; start it with "
        "--token-file, or on a loopback address"
    )
