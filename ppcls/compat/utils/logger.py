"""PaddleClas's `ppcls.utils.logger`: functions that write to this library's log."""

from __future__ import annotations

import logging
from pathlib import Path

from ppcls.utils.logging import get_logger, setup_logging

debug = get_logger().debug
info = get_logger().info
warning = get_logger().warning
error = get_logger().error


def init_logger(
    name: str = "ppcls",
    log_file: str | None = None,
    log_level: int | str = logging.INFO,
) -> logging.Logger:
    """Write the log to standard output and, if a file is given, append it to that file.

    Args:
        name: The only possible value is `ppcls`, the name of this library's logger.
        log_file: A path, whose folder is made.
        log_level: A level of `logging`.

    Raises:
        ValueError: the name is another one.
    """
    logger = get_logger()
    if name != logger.name:
        raise ValueError(f"the logger is called {logger.name}, not {name}")
    setup_logging(None if log_file is None else Path(log_file))
    logger.setLevel(log_level)
    return logger
