"""The text of a bundle's manifest, `inference.yml`: YAML, read within bounds because anybody may have written it.

It also carries the keys that newer PaddleClas writes and PaddleX reads. They are derived from the bundle's own keys
whenever a manifest is written; nothing here reads them back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ppcls.untrusted.refusals import refusals
from ppcls.untrusted.yaml_nodes import Origin, Problems
from ppcls.untrusted.yaml_reader import QuotingDumper, Scalar, parse_scalar, read_yaml
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
        plain(values),
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


def plain(value: Any) -> Any:
    r"""Return tuples as lists, and bytes of a file's name that are not UTF-8 as the text `\udce9`."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


KEYS = ("Global", "PreProcess", "PostProcess")
_TOPK = 5
# PaddleX resizes so by itself, and does not know our names of it.
_DEFAULT_RESIZE = {"interpolation": "bilinear", "backend": "cv2"}


def paddlex_fields(
    architecture: str,
    transforms: Sequence[Mapping[str, Any]],
    class_names: Sequence[str] | None,
    class_num: int,
) -> dict[str, Any]:
    """The keys for a bundle; none for pictures that PaddleX, which decodes to RGB, would give otherwise.

    Args:
        architecture: The backbone's name.
        transforms: The canonical transforms of the manifest.
        class_names: The label list; None for a model without names.
        class_num: Scores per picture.
    """
    decode: Mapping[str, Any] = transforms[0].get("DecodeImage") or {}
    if not decode.get("to_rgb", True) or decode.get("channels", 3) != 3:
        return {}
    answer: dict[str, Any] = {"topk": min(_TOPK, class_num)}
    if class_names is not None:
        answer["label_list"] = list(class_names)
    return {
        "Global": {"model_name": architecture},
        "PreProcess": {
            "transform_ops": [_plain_value(entry) for entry in transforms[1:]]
        },
        "PostProcess": {"Topk": answer},
    }


def _plain_value(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A transform without the keys that are null or PaddleX's default."""
    ((name, keys),) = entry.items()
    kept = {}
    for key, value in (keys or {}).items():
        is_default = name == "ResizeImage" and _DEFAULT_RESIZE.get(key) == value
        if value is not None and not is_default:
            kept[key] = value
    return {name: kept or None}
