"""Lines of the log, and ids of requests."""

from __future__ import annotations

import json
import logging

import pytest

from ppcls.serving.logs import JsonFormatter, request_id


def record(message: str, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("ppcls.serving", logging.INFO, "x.py", 1, message, None, None)
    vars(made).update(more)
    return made


def test_a_record_is_one_line_of_json() -> None:
    line = JsonFormatter().format(record("two\nlines", serving_fields={"code": 200, "path": "/naïve"}))
    assert "\n" not in line
    values = json.loads(line)
    assert values.pop("time").endswith("+00:00")
    assert values == {"level": "info", "message": "two\nlines", "code": 200, "path": "/naïve"}


def test_a_traceback_is_a_value() -> None:
    try:
        raise ValueError("why")
    except ValueError as error:
        line = JsonFormatter().format(record("request", exc_info=(ValueError, error, error.__traceback__)))
    assert "\n" not in line
    assert json.loads(line)["traceback"].endswith("ValueError: why")


@pytest.mark.parametrize("given", ["7", "a.b-c_d:e/f=", "x" * 128])
def test_an_id_of_the_client_is_kept(given: str) -> None:
    assert request_id(given) == given


@pytest.mark.parametrize("given", [None, "", "two words", "a\nb", "naïve", "x" * 129, '"'])
def test_another_id_is_replaced(given: str | None) -> None:
    made = request_id(given)
    assert len(made) == 32 and made != request_id(given)
