"""Console and file log.

A file has PaddleClas's lines: `2021-04-09 11:43:34 INFO: message`. The console has short ones, without date and level;
a record may bring another text for it (`on_console`).
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from ppcls.utils.terminal import coloured, wrapped

LOGGER_NAME = "ppcls"
FORMAT = logging.Formatter(
    "%(asctime)s %(levelname)s: %(message)s", datefmt="%Y-%m-%d %H:%M:%S"
)


Style = Literal["short", "paddleclas", "quiet"]
_COLOURS = {logging.WARNING: "yellow", logging.ERROR: "red"}


def on_console(text: str | None) -> dict[str, Any]:
    """Return the `extra` of a record that is another text on a short console; None shows nothing there."""
    return {"short": text}


class _ShortFormatter(logging.Formatter):
    """Formats a record for a console: no date, and a level only where it is a warning or worse."""

    def format(self, record: logging.LogRecord) -> str:
        text = getattr(record, "short", record.getMessage())
        level = ""
        if record.levelno >= logging.WARNING:
            level = f"{record.levelname}: "
        shown = wrapped(level + text, sys.stdout)
        if not level:
            return shown
        style = _COLOURS.get(record.levelno, "red")
        return coloured(level, style, sys.stdout) + shown[len(level) :]


class _ConsoleHandler(logging.Handler):
    """Writes lines to standard output above a running progress bar instead of through it."""

    def __init__(self, style: Style) -> None:
        super().__init__()
        self.setFormatter(_ShortFormatter() if style == "short" else FORMAT)
        if style == "short":
            self.addFilter(_is_shown)

    def emit(self, record: logging.LogRecord) -> None:
        # Importing it takes half as long as starting the runtime, for a line that may never be logged
        from tqdm import tqdm

        try:
            tqdm.write(self.format(record), file=sys.stdout)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader is gone (`| head`, a closed terminal), which must not end a training
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_shown(record: logging.LogRecord) -> bool:
    """Whether a short console shows a record."""
    return getattr(record, "short", "") is not None


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


_OURS = (_ConsoleHandler, _FileHandler, _KeptLines, logging.NullHandler)


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
            short = getattr(record, "short", None)
            if short is not None:
                record.short = f"{short} ({remark})"
        return True

    logger = get_logger()
    logger.addFilter(add)
    try:
        yield
    finally:
        logger.removeFilter(add)


def setup_logging(
    file: Path | None = None,
    console: bool = True,
    keep_lines: bool = False,
    style: Style = "short",
) -> None:
    """Write the library's log to standard output.

    Args:
        file: Also append the log to this file, whose folder is made.
        console: Whether to write to standard output.
        keep_lines: Also keep the lines in memory, for a file that `log_also_to` names later.
        style: The lines of standard output: `short`, `paddleclas` for those of the file, or none (`quiet`).
    """
    logger = get_logger()
    for handler in list(logger.handlers):
        # A program's own handlers stay
        if isinstance(handler, _OURS):
            logger.removeHandler(handler)
            handler.close()
    is_silent = not console or style == "quiet"
    logger.addHandler(logging.NullHandler() if is_silent else _ConsoleHandler(style))
    if keep_lines:
        logger.addHandler(_KeptLines())
    if file is not None:
        log_also_to(file)
    # --verbose has set a lower one
    logger.setLevel(min(logger.level or logging.INFO, logging.INFO))
    logger.propagate = False


@contextlib.contextmanager
def as_it_was() -> Iterator[None]:
    """Put the log back as it was after a `with` block that sets it up."""
    logger = get_logger()
    handlers, level, propagate = list(logger.handlers), logger.level, logger.propagate
    # Its own would be closed by `setup_logging`
    logger.handlers[:] = [each for each in handlers if not isinstance(each, _OURS)]
    try:
        yield
    finally:
        for handler in list(logger.handlers):
            if handler not in handlers:
                logger.removeHandler(handler)
                handler.close()
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate


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
