"""Console and file log in PaddleClas's manner: `2021-04-09 11:43:34 INFO: message`."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

LOGGER_NAME = "ppcls"
FORMAT = logging.Formatter(
    "%(asctime)s %(levelname)s: %(message)s", datefmt="%Y-%m-%d %H:%M:%S"
)


class _ConsoleHandler(logging.Handler):
    """Writes lines to standard output above a running progress bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        # Importing it takes half as long as starting the runtime, for a line that may never be logged
        from tqdm import tqdm

        try:
            tqdm.write(self.format(record), file=sys.stdout)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader is gone (`| head`, a closed terminal), which must not end a training
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _FileHandler(logging.FileHandler):
    """Reports once that the file cannot be written, instead of a traceback for every line."""

    _reported = False

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._reported:
            self._reported = True
            reason = error.strerror or error
            print(
                f"{self.baseFilename}: lines of the log cannot be written ({reason}); they are lost",
                file=sys.stderr,
            )


class _KeptLines(logging.handlers.MemoryHandler):
    """Keeps lines until it is known which file they belong in."""

    def __init__(self) -> None:
        super().__init__(capacity=0, flushOnClose=False)

    def shouldFlush(self, record: logging.LogRecord) -> bool:
        return False


def get_logger() -> logging.Logger:
    """Return the library's logger, which a program can configure as any other."""
    return logging.getLogger(LOGGER_NAME)


@contextlib.contextmanager
def remarked(remark: str) -> Iterator[None]:
    """Append ` (remark)` to every line that this thread logs during a `with` block."""
    thread = threading.get_ident()

    def add(record: logging.LogRecord) -> bool:
        if threading.get_ident() == thread:
            record.msg, record.args = f"{record.getMessage()} ({remark})", None
        return True

    logger = get_logger()
    logger.addFilter(add)
    try:
        yield
    finally:
        logger.removeFilter(add)


def setup_logging(
    file: Path | None = None, console: bool = True, keep_lines: bool = False
) -> None:
    """Write the library's log to standard output.

    Args:
        file: Also append the log to this file, whose folder is made.
        console: Whether to write to standard output.
        keep_lines: Also keep the lines in memory, for a file that `log_also_to` names later.
    """
    logger = get_logger()
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    handlers: list[logging.Handler] = (
        [_ConsoleHandler()] if console else [logging.NullHandler()]
    )
    if keep_lines:
        handlers.append(_KeptLines())
    for handler in handlers:
        handler.setFormatter(FORMAT)
        logger.addHandler(handler)
    if file is not None:
        log_also_to(file)
    # --verbose has set a lower one
    logger.setLevel(min(logger.level or logging.INFO, logging.INFO))
    logger.propagate = False


def log_also_to(file: Path) -> None:
    """Also append the library's log to a file, beginning with the lines that were kept; its folder is made."""
    logger = get_logger()
    file.parent.mkdir(parents=True, exist_ok=True)
    to_file = _FileHandler(file, encoding="utf-8")
    to_file.setFormatter(FORMAT)
    for handler in list(logger.handlers):
        if isinstance(handler, _KeptLines):
            handler.setTarget(to_file)
            handler.flush()
            logger.removeHandler(handler)
            handler.close()
    logger.addHandler(to_file)
