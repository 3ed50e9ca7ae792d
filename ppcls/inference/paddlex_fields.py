"""The keys of a manifest that newer PaddleClas writes into its `inference.yml` and PaddleX reads.

They are derived from the bundle's own keys whenever a manifest is written; nothing here reads them back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
        "PreProcess": {"transform_ops": [_plain(entry) for entry in transforms[1:]]},
        "PostProcess": {"Topk": answer},
    }


def _plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A transform without the keys that are null or PaddleX's default."""
    ((name, keys),) = entry.items()
    kept = {}
    for key, value in (keys or {}).items():
        is_default = name == "ResizeImage" and _DEFAULT_RESIZE.get(key) == value
        if value is not None and not is_default:
            kept[key] = value
    return {name: kept or None}
