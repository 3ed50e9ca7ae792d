"""The preprocessing of a model without a manifest: given, described beside the program, or known by the model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ppcls.arch.weights.sources import MODELS, Preprocessing, weights_of
from ppcls.config.paddleclas.inference_yml import OfficialDescription
from ppcls.data.transforms import DecodeImage, Pipeline
from ppcls.inference.onnx_file import transforms_of
from ppcls.utils.errors import UserError, suggest, translated

_ROUNDING = 1e-5  # relative

Preprocess = Pipeline | Mapping[str, Any] | Sequence[Any] | str | Preprocessing
"""A pipeline; its transforms, as YAML has them; or what differs from the model's, by the fields of `Preprocessing`."""


def pipeline_of(
    place: Path,
    model: str | None,
    preprocess: Preprocess | None,
    described: OfficialDescription,
) -> Pipeline:
    """The preprocessing: `preprocess`, or what the file beside the program says, or that of the model's weights.

    Raises:
        UserError: it is unknown, or impossible.
    """
    if isinstance(preprocess, Pipeline):
        return preprocess
    if preprocess is not None:
        with translated(
            ValueError,
            lambda error: UserError(
                f"{place}: the given preprocessing is impossible: {error}"
            ),
        ):
            return _given(preprocess, model)
    if described.transforms is not None:
        return with_decoding(described.transforms)
    if model is not None:
        return Pipeline.from_list(_of_table(model).transform_ops())
    raise UserError(
        f"{place} does not state its preprocessing; name the model (in Python model='DLA34', for `ppcls adopt` "
        "--model DLA34, for `ppcls predict` -o Global.model_name=DLA34), or give its transforms (preprocess=[...], "
        "--resize-short and --size, or the section PreProcess)"
    )


def _given(preprocess: Any, model: str | None) -> Pipeline:
    """The pipeline of transforms, or of what differs from a model's preprocessing."""
    if isinstance(preprocess, Mapping):
        of_model = asdict(_of_table(model)) if model else {}
        preprocess = {**of_model, **preprocess}
    entries = transforms_of(preprocess)
    for entry in entries:
        if isinstance(entry, Mapping) and "DecodeImage" in entry:
            return Pipeline.from_list(entries)
    return Pipeline.from_list([{"DecodeImage": {"to_rgb": True}}, *entries])


def with_decoding(transforms: Sequence[Any]) -> Pipeline:
    """The pipeline of PaddleClas's transforms, whose deployment decodes by itself, to RGB.

    Raises:
        UserError: their order is impossible.
    """
    decodes = any(isinstance(transform, DecodeImage) for transform in transforms)
    with translated(
        ValueError, lambda error: UserError(f"PreProcess.transform_ops: {error}")
    ):
        return Pipeline(transforms if decodes else [DecodeImage(), *transforms])


def first_difference(one: Pipeline, other: Pipeline) -> tuple[str, str] | None:
    """The first transforms in which two pipelines differ; None if they mean the same.

    Numbers may be rounded: PaddleClas's deployment writes 1/255 as 0.00392157.
    """
    ours, theirs = (pipeline.normalized().to_list() for pipeline in (one, other))
    for here, there in zip_longest(ours, theirs):
        if not _is_same(here, there):
            return _shown(here), _shown(there)
    return None


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_ROUNDING)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            _is_same(one[key], other[key]) for key in one
        )
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other)


def _shown(entry: Mapping[str, Any] | None) -> str:
    """A transform in one line, without the keys that are null; `nothing` for None."""
    if entry is None:
        return "nothing"
    ((name, keys),) = entry.items()
    given = {key: value for key, value in keys.items() if value is not None}
    return f"{name} {given}" if given else name


def _of_table(model: str) -> Preprocessing:
    rows = weights_of(model)
    if not rows:
        hint = suggest(model, MODELS) or f"; it has {', '.join(MODELS)}"
        raise UserError(
            f"the table of models has no {model!r}{hint}; or give the transforms themselves"
        )
    return rows[0].preprocessing
