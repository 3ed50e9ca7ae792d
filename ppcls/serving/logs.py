"""The log: one JSON object per line, on standard error."""

from __future__ import annotations

import json
import logging
import re
import sys
import uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

LOGGER = logging.getLogger("ppcls.serving")
_FIELDS = "serving_fields"
_IDENTITY = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)
# Of libraries, which log a line or a traceback for what is logged here already
_QUIET = ("uvicorn.access", "kserve", "kserve.trace", "httpx", "watchfiles")


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object of one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, timezone.utc)
        values: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            values["traceback"] = self.formatException(record.exc_info)
        return json.dumps(values, ensure_ascii=False, default=str)


def log_as_json() -> None:
    """Send every record of this process to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "kserve", "ppcls"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    LOGGER.setLevel(logging.INFO)


def say(message: str, **fields: Any) -> None:
    """Log a line of the server's own."""
    LOGGER.info(message, extra={_FIELDS: fields})


def say_request(fields: Mapping[str, Any], error: BaseException | None) -> None:
    """Log a request that has ended, with the traceback of an error that is the server's."""
    level = logging.INFO if error is None else logging.ERROR
    LOGGER.log(level, "request", extra={_FIELDS: fields}, exc_info=error)


def request_id(given: str | None) -> str:
    """The id that a client has given, if it can stand in a log; else a new one."""
    if given is not None and _IDENTITY.fullmatch(given):
        return given
    return uuid.uuid4().hex
