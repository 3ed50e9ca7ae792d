"""Conversion of a file of weights of any source to a file of ours or PaddleClas's, which is checked after writing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ppcls import __version__
from ppcls.arch.catalog import BACKBONES, BackboneParams
from ppcls.arch.model_table import info_of
from ppcls.arch.weights.files import WeightsFile, writable, write_weights
from ppcls.arch.weights.fit import lacks_classifier, likely_model, outline, prefixed
from ppcls.arch.weights.layouts import convert_state_dict, to_layout, wanted_and_given
from ppcls.arch.weights.load import (
    Found,
    Loaded,
    build_with_weights,
    load_weights,
    locate_weights,
    named_arrays,
)
from ppcls.arch.weights.names import layouts_of, models_with_layout
from ppcls.arch.weights.sources import SOURCES
from ppcls.utils.errors import UserError, expect
from ppcls.utils.fields import require
from ppcls.utils.files import PathLike, sha256_of, write_atomically

if TYPE_CHECKING:
    from ppcls.arch.layers import Backbone

# Dividing by a dropout's factor and shifting an epsilon round once; everything else is exact.
_ROUNDING = 1e-6
_MADE_BY = "converted by ppcls"


@dataclasses.dataclass(frozen=True)
class Converted:
    """The file that was written, the account of every key, and a text for the user."""

    path: Path
    account: Path
    loaded: Loaded
    text: str


def convert(
    source: PathLike,
    target: PathLike,
    arch: str | None = None,
    to: str = "ppcls",
    use_ema: bool = True,
) -> Converted:
    """Convert a file of weights.

    Args:
        source: A file of any known layout, its address, or with `arch` the name of a source (`timm`).
        target: A path ending in `.pdparams` or `.safetensors`. A file beside it, with `.keys.txt` added to the name,
            lists how each key was mapped. Only a file that was converted before is replaced, and only if all goes well.
        arch: The model's name; recognised by the weights if not given.
        to: `ppcls`, which records the arguments and the preprocessing that belong to the weights, or `paddleclas`.
        use_ema: Whether the moving average is converted where the file holds weights and their moving average.

    Raises:
        UserError: the source cannot be had or fits no model, the target's layout cannot express it, or another file is
            in its place.
    """
    require(
        to in ("ppcls", "paddleclas"), f"to is {to!r}; give 'ppcls' or 'paddleclas'"
    )
    if arch is None and source in SOURCES:
        raise UserError(
            f"{source}: a source of weights of several models; name the model with --arch"
        )
    path = writable(target)
    found = locate_weights(arch or "a model", source)
    if path.exists() and path.samefile(found.path):
        raise UserError(
            f"{path}: is the file to convert; give another place for the result"
        )
    account = path.with_name(f"{path.name}.keys.txt")
    _refuse_to_replace(path, account)
    file = found.read(use_ema)
    params = dataclasses.replace(
        _params_of(arch or _recognised(file), file), use_ema=use_ema
    )
    loaded = build_with_weights(params, found, file=file)
    arrays, record = _content(loaded, found, to)

    def verify(written: Path) -> None:
        _verify(written, loaded.model)
        write_atomically(account, _account(loaded, to).encode())

    write_weights(path, arrays, record, verify)
    return Converted(path, account, loaded, _text(loaded, path, account, to))


def _refuse_to_replace(path: Path, account: Path) -> None:
    """Refuse the place of a file that no conversion wrote: its account would be beside it."""
    if account.is_file():
        with account.open("rb") as file:
            if _MADE_BY.encode() in file.read(1000):
                return
    for place in (path, account):
        expect(
            not place.exists(),
            f"{place}: exists and was not made by `ppcls convert`; remove it, or give another place",
        )


def _recognised(file: WeightsFile) -> str:
    name: Any = None
    if file.record is not None:
        name = file.record.get("model")
    elif file.format == "darknet":  # which has no names that could be recognised
        candidates = models_with_layout("darknet")
        if len(candidates) == 1:
            name = candidates[0]
    if name is None:
        name = likely_model(file.arrays)
    if name not in BACKBONES:
        remedy = prefixed(list(file.arrays)) or "name the nearest with --arch"
        raise UserError(
            f"{file.path}: fits none of the models of `ppcls models`; {remedy}"
        )
    return name


def _params_of(arch: str, file: WeightsFile) -> BackboneParams:
    """The model's arguments with as many classes, and channels of the input, as the file's weights have."""
    params: BackboneParams = BACKBONES[arch](arch)
    model = outline(params)
    layout, arrays = named_arrays(model, file)
    conversion = convert_state_dict(model, arrays, layout)
    bias = conversion.state.get("fc.bias")
    stem = conversion.state.get(f"{model.stem_layer}.weight")
    if bias is not None and bias.ndim == 1:
        params = dataclasses.replace(params, class_num=len(bias))
    elif conversion.missing and lacks_classifier(conversion.missing):
        params = dataclasses.replace(params, class_num=0)
    if stem is not None and stem.ndim == 4:
        params = dataclasses.replace(params, in_channels=stem.shape[1])
    return params


def _content(loaded: Loaded, found: Found, to: str) -> Any:
    """The arrays to write, and their record."""
    model = loaded.model
    if to == "ppcls":
        arrays = {key: value.numpy() for key, value in model.state_dict().items()}
        return arrays, _record(loaded, found)
    layouts = {layout.source: layout for layout in layouts_of(model.params.name)}
    expect(
        "paddleclas" in info_of(model.params.name).published,
        f"PaddleClas has no {model.params.name}; leave --to out",
    )
    wanted, given = wanted_and_given(model, layouts[to])
    expect(
        wanted == given,
        f"{loaded.file.path}: these weights belong to {given} and PaddleClas's {model.params.name} has {wanted}, "
        "with which they would score otherwise; leave --to out",
    )
    return to_layout(model, layouts[to]), None


def _record(loaded: Loaded, found: Found) -> dict[str, Any]:
    """What is recorded of the weights; of a file that was converted before, where they first came from."""
    params, row = loaded.model.params, found.row
    record: dict[str, Any] = {
        "model": params.name,
        "arguments": params.own_arguments,
        "source": loaded.source,
    }
    if loaded.preprocessing is not None:
        record["preprocessing"] = dataclasses.asdict(loaded.preprocessing)
    if found.url is not None:
        record["url"] = found.url
    if row is not None:
        record["licence"] = row.licence
    record["file"] = {"name": found.path.name, "sha256": sha256_of(found.path)}
    before = loaded.file.record or {}
    for key in ("url", "licence", "file"):
        if key in before:
            record[key] = before[key]
    return {**record, "converted_by": f"ppcls {__version__}"}


def _verify(path: Path, model: Backbone) -> None:
    """Load what was written into a new model and compare every value."""
    again = model.params.make()
    load_weights(again, path)
    written = again.state_dict()
    for key, value in model.state_dict().items():
        expected, found = value.numpy(), written[key].numpy()
        atol = _ROUNDING * np.abs(expected).max(initial=0)
        if not np.allclose(found, expected, rtol=_ROUNDING, atol=atol):
            raise AssertionError(f"{path}: {key} reads back with other values")


def _account(loaded: Loaded, to: str) -> str:
    what = f"{loaded.source}'s {loaded.model.params.name}"
    head = f"# {loaded.file.path.name}: {what}, {_MADE_BY} {__version__} to {to}\n"
    return head + loaded.conversion.account()


def _text(loaded: Loaded, path: Path, account: Path, to: str) -> str:
    uses = loaded.conversion.uses
    dropped = sum(use.target is None for use in uses)
    lines = [
        f"{loaded.file.path}: {loaded.source}'s weights of {loaded.model.params.name}",
        f"{len(uses) - dropped} keys used, {dropped} dropped; {account} lists how each was mapped",
    ]
    if to == "ppcls":
        own = loaded.model.params.own_arguments
        arguments = ", ".join(f"{key}={value}" for key, value in own.items())
        if arguments:
            lines.append(f"arguments that belong to them: {arguments}")
        preprocessing = loaded.preprocessing or "unknown"
        lines.append(f"preprocessing that belongs to them: {preprocessing}")
    lines.append(f"written and verified: {path}")
    return "\n".join(lines)
