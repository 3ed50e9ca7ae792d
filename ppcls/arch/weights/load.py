"""Weights into a model: found, recognised, accounted for key by key, and loaded whole or not at all."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ppcls.arch.catalog import BackboneParams
from ppcls.arch.weights.darknet import Convolution, split_darknet
from ppcls.arch.weights.files import WeightsFile, read_weights
from ppcls.arch.weights.fit import (
    check,
    check_variances,
    fit_classifier,
    fit_stem,
    outline,
    warn_of_new_classifier,
)
from ppcls.arch.weights.layouts import (
    Conversion,
    arguments_of,
    convert_state_dict,
    recognise,
)
from ppcls.arch.weights.names import OURS, Layout, layouts_of, models_with_layout
from ppcls.arch.weights.sources import (
    SOURCES,
    Preprocessing,
    PretrainedWeights,
    find_source,
    preprocessing_by_layout,
)
from ppcls.untrusted.refusals import shown
from ppcls.untrusted.weights_paths import weights_file
from ppcls.utils.download import fetch
from ppcls.utils.errors import UserError, expect, translated
from ppcls.utils.files import PathLike
from ppcls.utils.load_paddle import load_paddle
from ppcls.utils.logging import get_logger

if TYPE_CHECKING:
    from ppcls.arch.layers import Backbone


@dataclass(frozen=True)
class Found:
    """A file of weights.

    Attributes:
        path: The file.
        row: Its row in the table of published ones, where it was asked for by name.
        url: Its address, if it was downloaded.
    """

    path: Path
    row: PretrainedWeights | None = None
    url: str | None = None

    def read(self, use_ema: bool = True) -> WeightsFile:
        """What it holds; `use_ema` as in `read_weights`.

        Raises:
            UserError: it cannot be read; of a download that is kept, the sentence says what to remove.
        """
        try:
            return read_weights(self.path, use_ema)
        except UserError as error:
            if self.url is None:
                raise
            raise UserError(
                f"{error}; this is the kept download of {self.url}: remove it first"
            ) from error


@dataclass(frozen=True)
class Loaded:
    """A model with its weights.

    Attributes:
        model: The model; its `params` hold the arguments that belong to the weights.
        file: Where the weights were.
        conversion: How each key was mapped.
        source: Who published them, as far as that is known.
        preprocessing: What belongs to them; None if nothing is known.
    """

    model: Backbone
    file: WeightsFile
    conversion: Conversion
    source: str
    preprocessing: Preprocessing | None


def locate_weights(model: str, pretrained: bool | PathLike) -> Found:
    """The file of weights that `pretrained` means; a named one is downloaded unless the cache has it.

    Args:
        model: The model's name.
        pretrained: True for the model's first source, a source's name, an address, or a path.

    Raises:
        UserError: there is no such source or file, or it cannot be downloaded.
        ValueError: `pretrained` is False.
    """
    if pretrained is False:
        raise ValueError(
            "pretrained is False, which means no weights; give True, a source's name or a path"
        )
    if pretrained is True or pretrained in SOURCES:
        source = None if pretrained is True else str(pretrained)
        row = find_source(model, source)
        path = fetch(
            row.url,
            sha256_prefix=row.sha256_prefix,
            what=f"{row.source} weights of {model}",
        )
        return Found(path, row, row.url)
    if "://" in str(pretrained):
        return Found(
            fetch(str(pretrained), what=f"weights of {model}"), url=str(pretrained)
        )
    return Found(weights_file(pretrained))


def build_with_weights(
    params: BackboneParams,
    found: Found,
    new_classifier: bool = False,
    file: WeightsFile | None = None,
) -> Loaded:
    """A new model with the weights of a file, made with the arguments that belong to them.

    Args:
        params: The model's arguments. Those of its geometry that are at their defaults follow the weights.
        found: The file.
        new_classifier: Whether the model keeps its own classifier where the file has none, or one of other classes.
        file: What it holds, if it was read before.

    Raises:
        UserError: the file cannot be read, or its weights do not fit the model or its arguments.
    """
    file = file or found.read(params.use_ema)
    adapted = _adapted(params, _arguments(outline(params), file), file)
    return _fill(adapted.make(), file, found.row, new_classifier)


def load_weights(
    model: Backbone, path: PathLike, new_classifier: bool = False
) -> Loaded:
    """Fills an existing model from a file of any layout that is known: every tensor, or none at all.

    Args:
        model: The model.
        path: The file, see `ppcls.untrusted.weights_paths.weights_file`.
        new_classifier: Whether the model keeps its own classifier where the file has none, or one of other classes.

    Raises:
        UserError: the file cannot be read, or its weights do not fit the model or the arguments it was made with.
    """
    file = read_weights(path, model.params.use_ema)
    _adapted(model.params, _arguments(model, file), file, may_follow=False)
    return _fill(model, file, None, new_classifier)


def named_arrays(
    model: Backbone, file: WeightsFile
) -> tuple[Layout, dict[str, np.ndarray]]:
    """A file's layout and its arrays by that layout's names, floating-point ones as float32.

    Raises:
        UserError: the file has no names, and its numbers are not as many as the model's.
    """
    layout, arrays = _layout_of(model, file), dict(file.arrays)
    if file.format == "darknet":
        numbers = arrays["values"]
        convolutions = _convolutions(model, numbers.size)
        arrays = split_darknet(file.path, numbers, convolutions)
    with np.errstate(over="ignore"):  # `fit.check` refuses infinities
        for key, value in arrays.items():
            if value.dtype.kind == "f":
                arrays[key] = value.astype(np.float32, copy=False)
    return layout, arrays


def _layout_of(model: Backbone, file: WeightsFile) -> Layout:
    if file.format == "darknet":
        for layout in layouts_of(model.params.name):
            if layout.source == "darknet":
                return layout
        known = " and ".join(models_with_layout("darknet"))
        raise UserError(
            f"{file.path}: Darknet's weights are read for {known} only, not for {model.params.name}"
        )
    return recognise(model, list(file.arrays))


def _arguments(model: Backbone, file: WeightsFile) -> dict[str, Any]:
    """The arguments that belong to a file's weights."""
    if file.record is None:
        layout = _layout_of(model, file)
        if layout is OURS:
            return {}
        arguments = arguments_of(model, layout)
        if layout.epsilon is not None:
            arguments["epsilon"] = layout.epsilon
        return arguments
    recorded, name = file.record.get("model"), model.params.name
    expect(
        isinstance(recorded, str),
        f"{file.path}: its record names no model; convert the weights again",
    )
    expect(
        recorded == name,
        f"{file.path}: these are weights of {recorded} and not of {name}; give weights of {name}",
    )
    arguments = file.record.get("arguments", {})
    known = model.params.own_arguments
    expect(
        isinstance(arguments, dict) and set(arguments) <= set(known),
        f"{file.path}: its record names arguments that {name} has not; convert the weights again",
    )
    return arguments


def _adapted(
    params: BackboneParams,
    arguments: Mapping[str, Any],
    file: WeightsFile,
    may_follow: bool = True,
) -> BackboneParams:
    """The model's arguments with those that belong to the weights, unless they contradict one another."""
    defaults = {field.name: field.default for field in dataclasses.fields(params)}
    changes = {}
    for name, wanted in arguments.items():
        given = getattr(params, name)
        if given == wanted:
            continue
        if may_follow and given == defaults[name]:
            changes[name] = wanted
            continue
        if name == "epsilon" and file.record is None:
            continue  # the variances of a foreign file are shifted to any epsilon
        remedy = f"make the model with {name}={wanted!r}"
        if may_follow:
            remedy = f"leave Arch.{name} out"
        raise UserError(
            f"{file.path}: made for {name}={wanted!r}, but the model has {name}={given!r}; {remedy}"
        )
    with translated(
        (TypeError, ValueError),
        lambda error: UserError(
            f"{file.path}: its record is wrong: {error}; convert the weights again"
        ),
    ):
        return dataclasses.replace(params, **changes)


def _fill(
    model: Backbone,
    file: WeightsFile,
    row: PretrainedWeights | None,
    new_classifier: bool,
) -> Loaded:
    layout, arrays = named_arrays(model, file)
    check_variances(file.path, arrays)
    with translated(UserError, lambda error: UserError(f"{file.path}: {error}")):
        conversion = convert_state_dict(model, arrays, layout)
    get_logger().debug(
        "%s: %s's layout\n%s", file.path, layout.source, conversion.account()
    )
    state = dict(conversion.state)
    replaced = fit_classifier(model, state, new_classifier)
    fit_stem(model, file.path, state)
    check(model, file.path, arrays, state, conversion.unexpected)
    if replaced:
        warn_of_new_classifier(model, file.path, replaced)
    # The model's own method would recognise and convert the layout again
    load_paddle().nn.Layer.set_state_dict(model, state)
    preprocessing: Preprocessing | None
    if row is not None:
        source, preprocessing = row.source, row.preprocessing
    else:
        source, preprocessing = _origin(model, file, layout)
    if preprocessing is not None:
        model.preprocessing = preprocessing
    return Loaded(model, file, conversion, source, preprocessing)


def _origin(
    model: Backbone, file: WeightsFile, layout: Layout
) -> tuple[str, Preprocessing | None]:
    """The source of weights and the preprocessing that belongs to them: as recorded, else those of their layout.

    A file in our layout or PaddleClas's may be of any training, whose configuration has the preprocessing.
    """
    if file.record is None:
        return layout.source, preprocessing_by_layout(model.params.name, layout.source)
    source = str(file.record.get("source", layout.source))
    recorded = file.record.get("preprocessing")
    if recorded is None:
        return source, None
    with translated(
        ValueError,
        lambda error: UserError(
            f"{file.path}: its recorded preprocessing is wrong: {shown(str(error), 300)}; convert it again"
        ),
    ):
        return source, Preprocessing.from_record(recorded)


def _convolutions(model: Backbone, numbers: int) -> list[Convolution]:
    """Name, shape and whether batch norm follows, in the order in which Darknet writes them: the classifier last.

    A Darknet file reads colour pictures and has as many classes as its `numbers` hold, whatever the model;
    one of the backbone alone, as `darknet53.conv.74` is, has no numbers for a classifier.
    """
    stem = f"{model.stem_layer}.weight"
    convolutions: list[Convolution] = []
    rest = numbers
    for key, value in model.state_dict().items():
        if value.ndim != 4 or key.startswith("fc."):
            continue
        out, channels, height, width = value.shape
        if key == stem:
            channels = 3
        shape = (out, channels, height, width)
        convolutions.append((key.removesuffix(".0.weight"), shape, True))
        rest -= math.prod(shape) + 4 * out  # batch norm has four numbers per channel
    if rest == 0:
        return convolutions
    classes, more = divmod(rest, model.num_features + 1)
    if classes < 1 or more:
        classes = model.params.class_num or 1000
    return [*convolutions, ("fc", (classes, model.num_features, 1, 1), False)]
