"""Plain scalars by the core schema of YAML 1.2 (section 10.3.2), fractions, and text that needs quotes."""

from __future__ import annotations

import re
from typing import Any

import yaml

TEXT_TAG = "tag:yaml.org,2002:str"
Scalar = bool | int | float | str | None

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# Python refuses to read whole numbers of thousands of digits. As floats they are infinite, which no key accepts.
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}")
_OTHER_BASE = re.compile(r"0o[0-7]{1,100}|0x[0-9a-fA-F]{1,100}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_FRACTION = re.compile(rf"\s*({_FLOAT.pattern})\s*/\s*({_FLOAT.pattern})\s*")


def parse_scalar(text: str) -> Scalar:
    """The value of an unquoted scalar: `1e-4` is a number, `yes`, `12:30` and `1_000` are text, `010` is ten."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", ""))
    return text


def parse_fraction(text: str) -> float | None:
    """The value of a fraction such as `1.0/255.0`; None if `text` is none.

    Raises:
        ZeroDivisionError: the fraction divides by zero.
    """
    match = _FRACTION.fullmatch(text)
    return float(match[1]) / float(match[2]) if match else None


class QuotingDumper(yaml.SafeDumper):
    """Quotes text that YAML 1.1 or 1.2 would read as a number."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        """Find the tag that a value has without quotes; another tag than its own forces quotes."""
        tag = super().resolve(kind, value, implicit)
        is_plain_text = kind is yaml.ScalarNode and implicit[0] and tag == TEXT_TAG
        # 1e-4 is a number to YAML 1.2 and text to 1.1, which has no tag for it
        if is_plain_text and not isinstance(parse_scalar(value), str):
            return "quoted"
        return tag
