"""What the command line sets."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from ppcls.utils.errors import UserError, expect

_PORTS = range(1 << 16)
# The options of the command line that set the fields of Limits
_OPTIONS = {
    "queue": "--queue",
    "seconds": "--timeout",
    "body_seconds": "--body-timeout",
    "body_bytes": "--max-body",
    "pixels": "--max-pixels",
    "pictures": "--max-pictures",
    "connections": "--max-connections",
}


@dataclass(frozen=True)
class Limits:
    """Bounds on what clients can ask for.

    Attributes:
        queue: Pictures per model that are accepted and not yet in a batch; more are refused.
        seconds: Time for one request, from its last byte to its answer.
        body_seconds: Time for a client to send its request.
        body_bytes: Bytes of a request.
        pixels: Pixels of a picture.
        pictures: Pictures of one request.
        connections: Open connections over HTTP, and calls at a time over gRPC.
    """

    queue: int = 128
    seconds: float = 30
    body_seconds: float = 30
    body_bytes: int = 20 << 20
    pixels: int = 50_000_000
    pictures: int = 32
    connections: int = 1000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            expect(
                value > 0,
                f"{_OPTIONS[name]} is {value}; write a number above 0",
            )


@dataclass(frozen=True)
class Batching:
    """How pictures are put into batches.

    Attributes:
        size: The most pictures per batch.
        seconds: How long a picture waits for others to share its batch.
    """

    size: int = 4
    seconds: float = 0.002

    def __post_init__(self) -> None:
        expect(
            self.size >= 1, f"--batch-size is {self.size}; write a whole number from 1"
        )
        expect(
            self.seconds >= 0,
            f"--batch-delay is {1000 * self.seconds:g}; write milliseconds from 0",
        )


@dataclass(frozen=True)
class ServerOptions:
    """Where and how the server listens.

    Attributes:
        host: The address that it binds.
        http_port: For REST and the page; 0 takes a free one.
        grpc_port: For gRPC; 0 takes a free one, None opens none.
        token_file: The file of the bearer token; None for none.
        certificate: The file of the TLS certificate chain; None for plain text.
        key: The file of its private key.
        drain_seconds: How long accepted requests may take after SIGTERM.
        limits: Bounds on requests.
        explain: Whether clients may ask for maps of where a class is seen, which cost some 170 pictures each.
    """

    host: str = "127.0.0.1"
    http_port: int = 8080
    grpc_port: int | None = 8081
    token_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    drain_seconds: float = 30
    limits: Limits = Limits()
    explain: bool = False

    def __post_init__(self) -> None:
        ports = {"--http-port": self.http_port, "--grpc-port": self.grpc_port}
        for name, port in ports.items():
            expect(
                port is None or port in _PORTS,
                f"{name} is {port}; write a number from 0 to {_PORTS[-1]}",
            )
        if (self.certificate is None) != (self.key is None):
            raise UserError(
                "TLS needs a certificate and its key; give both --tls-cert and --tls-key"
            )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
