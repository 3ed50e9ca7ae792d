"""A web server on this machine that answers as a test asks: slow, cut off, lying, or well."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """What one request gets.

    Attributes:
        body: The whole file.
        status: Of a plain answer; an honoured Range makes it 206 or 416.
        headers: More of them.
        sent: Bytes after which the connection ends; None sends all.
        length: Content-Length if it is to differ from the truth; None states the truth, -1 nothing.
        ranges: Whether `Range` is honoured, and `If-Range` against `ETag`.
        stalls: Whether, after `sent` bytes, nothing more comes and the connection stays.
        piece: Bytes a write.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    sent: int | None = None
    length: int | None = None
    ranges: bool = True
    stalls: bool = False
    piece: int = 1 << 20


class FickleServer:
    """Gives the answers in their order, and the last one for ever; keeps the headers of the requests.

    Attributes:
        paths: What was asked for.
        requests: The headers of each request.
        asked: Set once there was a request.
        released: What stalls goes on once this is set.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.paths: list[str] = []
        self.requests: list[dict[str, str]] = []
        self.asked = threading.Event()
        self.released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FickleServer:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> Any:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.paths.append(self.path)
                outer.requests.append(dict(self.headers))
                outer.asked.set()
                answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                _respond(self, answer, outer.released)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def _respond(handler: BaseHTTPRequestHandler, answer: Answer, released: threading.Event) -> None:
    status, body, headers = answer.status, answer.body, dict(answer.headers)
    asked = handler.headers.get("Range")
    if answer.ranges and asked and handler.headers.get("If-Range") in (None, headers.get("ETag")):
        start = int(asked[len("bytes=") : -1])
        status, body = (206, body[start:]) if start < len(answer.body) else (416, b"")
        reach = f"{start}-{len(answer.body) - 1}" if body else "*"
        headers["Content-Range"] = f"bytes {reach}/{len(answer.body)}"
    handler.send_response(status)
    if answer.length != -1:
        headers["Content-Length"] = str(len(body) if answer.length is None else answer.length)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    body = body[: answer.sent]
    for start in range(0, len(body), answer.piece):
        handler.wfile.write(body[start : start + answer.piece])
        handler.wfile.flush()
    if answer.stalls:
        released.wait(10)
