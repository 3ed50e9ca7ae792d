"""The text of a bundle's manifest, `inference.yml`: YAML, read within bounds because anybody may have written it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ppcls.untrusted.refusals import refusals
from ppcls.untrusted.yaml_nodes import Origin, Problems
from ppcls.untrusted.yaml_reader import read_yaml
from ppcls.untrusted.yaml_scalars import QuotingDumper, Scalar, parse_scalar
from ppcls.utils.errors import UserError, expect, shortened

MANIFEST_FILE = "inference.yml"
_MAX_BYTES = 16 << 20
_AGAIN = "copy the bundle again, or export again"
# Keys of the document itself, which stand at the beginning of a line
_OUR_KEYS = re.compile(rb"^\{?[\"']?(schema|library)[\"']?[ \t]*:", re.MULTILINE)
_YAML_1_1 = yaml.resolver.Resolver()


def read_manifest(path: Path) -> Any:
    """Reads a manifest as dicts, lists and scalars.

    Raises:
        UserError: The file is too large, is not YAML, or has values out of proportion to its size.
    """
    problems = Problems()
    with refusals(path, "manifest", again=_AGAIN):
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        expect(
            len(content) <= _MAX_BYTES,
            f"{path} has more than {_MAX_BYTES >> 20} MiB; {_AGAIN}",
        )
        text = content.decode("utf-8")
        root = read_yaml(
            text, lambda line: Origin(str(path), line), problems, parse=_parse
        )
    if problems:
        raise UserError(f"{shortened(str(problems[0]), 600)}, or {_AGAIN}")
    return None if root is None else root.plain()


def is_ours(folder: Path) -> bool:
    """Whether a folder has a manifest of this library. PaddleClas's file of that name has none of these keys."""
    path = folder / MANIFEST_FILE
    if not path.is_file():
        return False
    with refusals(path, "manifest", again=_AGAIN), path.open("rb") as file:
        return _OUR_KEYS.search(file.read(_MAX_BYTES)) is not None


def manifest_text(values: dict[str, Any]) -> str:
    """Return the text of a manifest, which any version of YAML reads alike."""
    return yaml.dump(
        _plain(values),
        Dumper=QuotingDumper,
        sort_keys=False,
        allow_unicode=True,
        width=1000,
    )


def _parse(text: str) -> Scalar:
    """Read a scalar by YAML 1.2.

    What is a number there and text by YAML 1.1 (`1e5`, `0o17`) stays text: PyYAML wrote such names without quotes.
    """
    value = parse_scalar(text)
    if isinstance(value, str):
        return value
    tag = _YAML_1_1.resolve(yaml.ScalarNode, text, (True, False))
    return text if tag.endswith(":str") else value


def _plain(value: Any) -> Any:
    r"""Return tuples as lists, and bytes of a file's name that are not UTF-8 as the text `\udce9`."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
