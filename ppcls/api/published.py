"""Published models by name: `DLA34`, `DLA34/timm`. Each becomes a bundle in the cache, once.

`DLA34` is what PaddleClas published: its inference model, or its weights where it has none. `DLA34/SOURCE` are the
weights of one source. The bundle is checked as one of `ppcls export` or `ppcls adopt` is.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ppcls.arch.catalog import BACKBONES
from ppcls.arch.families import *  # noqa: F403
from ppcls.arch.model_table import MODELS, info_of
from ppcls.arch.weights.load import build_with_weights, locate_weights
from ppcls.arch.weights.sources import PretrainedWeights, find_source, weights_of
from ppcls.data.labels import imagenet_names
from ppcls.data.transforms import Pipeline
from ppcls.deployment.adopt import adopt_bundle
from ppcls.inference.bundle import Bundle
from ppcls.inference.official.find import find_bundle
from ppcls.utils import child
from ppcls.utils.download import cache_home, cached_path, fetch
from ppcls.utils.errors import UserError, suggest
from ppcls.utils.files import PathLike, beside, numbered, sha256_of
from ppcls.utils.load_paddle import load_paddle
from ppcls.utils.lock import locked
from ppcls.utils.logging import get_logger

_PADDLECLAS = "paddleclas"


@dataclass(frozen=True)
class PublishedModel:
    """A published model.

    Attributes:
        weights: Its row in the table of weights.
        inference_url: The address of its inference model; None where its weights are exported.
    """

    weights: PretrainedWeights
    inference_url: str | None

    @property
    def folder(self) -> Path:
        """The place of its bundle."""
        return cache_home() / "bundles" / f"{self.weights.model}-{self.weights.source}"

    @property
    def url(self) -> str:
        """The address that it is made from."""
        return self.inference_url or self.weights.url


def published_names() -> list[str]:
    """The names of all published models: `DLA34`, `DLA34/paddleclas`, `DLA34/timm`."""
    names = []
    for model in MODELS:
        sources = [row.source for row in weights_of(model)]
        if sources:
            names.append(model)
        names += [f"{model}/{source}" for source in sources]
    return names


def find_published(name: str) -> PublishedModel:
    """The published model of a name.

    Raises:
        UserError: There is none; the sentence has the nearest name.
    """
    model, slash, source = name.partition("/")
    if not weights_of(model):
        raise UserError(
            f"{name}: neither a bundle's path nor a published model's name{suggest(name, published_names())}; give the "
            "folder that `ppcls export` wrote, or a name that `ppcls models` lists with weights"
        )
    row = find_source(model, source if slash else None)
    url = info_of(model).inference_url if row.source == _PADDLECLAS else None
    # Who has trained with the weights has them already
    if url and not cached_path(url).is_file() and cached_path(row.url).is_file():
        url = None
    return PublishedModel(row, url)


def place_of(path: PathLike, say: Callable[[str], None] | None = None) -> PathLike:
    """The path itself where something is there, or else the bundle of the published model of that name.

    Raises:
        UserError: It is neither, or the bundle cannot be made.
    """
    if os.path.lexists(path):
        return path
    return bundle_of(os.fspath(path), say or get_logger().info)


def bundle_of(name: str, say: Callable[[str], None]) -> Path:
    """The folder of a published model's bundle, which is made if it is missing or damaged.

    If several processes ask at once, one makes it and the others wait.

    Args:
        name: Such as `DLA34` or `DLA34/timm`.
        say: Gets one line if the bundle is made.

    Raises:
        UserError: The model is unknown, or its file cannot be downloaded or used. Offline, the message names the file
            and the place to put it.
    """
    published = find_published(name)
    folder = published.folder
    if folder.is_dir() and not _fault(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(beside(folder, "making"), f"making the bundle of {name}, {folder}"):
        if folder.exists():
            fault = _fault(folder)
            if not fault:
                return folder
            _move_aside(folder, fault, say)
        _make(published, folder)
    say(f"made a bundle of {name} from {published.url}: {folder}")
    return folder


def _fault(folder: Path) -> str:
    """What is wrong with a bundle; empty if all its files are as they were written."""
    try:
        bundle = Bundle.load(folder)
        golden = (bundle.golden,) if bundle.golden else ()
        bundle.checked(*bundle.entries, *golden)
    except UserError as error:
        return str(error)
    return ""


def _move_aside(folder: Path, fault: str, say: Callable[[str], None]) -> None:
    """Make room for a new bundle; a form or settings that a user has added stay in the old one."""
    kept = numbered(folder)
    folder.rename(kept)
    say(f"{fault}; the damaged bundle is now {kept}, and is made anew")


def _make(published: PublishedModel, folder: Path) -> None:
    row = published.weights
    if published.inference_url is None:
        locate_weights(row.model, row.source)  # with its progress bar
        # An export sets the device and draws random numbers, which are the caller's here
        child.call(export_published, row.model, row.source, folder, quiet=True)
        return
    tar = fetch(published.inference_url, what=f"inference model of {row.model}")
    try:
        found = find_bundle(tar, row.model)
    except UserError as error:
        raise UserError(
            f"{error}; this is the kept download of {published.inference_url}: remove it first"
        ) from error
    if found.class_names is None:
        found = replace(found, class_names=imagenet_names(found.class_num))
    adopt_bundle(found, folder)


def export_published(model: str, source: str, folder: Path) -> None:
    """Export a model with published weights, with the preprocessing that belongs to them."""
    load_paddle().set_device("cpu")
    from ppcls.engine.export import arguments_of, source_of
    from ppcls.engine.exporter import export_bundle

    found = locate_weights(model, source)
    loaded = build_with_weights(BACKBONES[model](name=model), found)
    preprocessing = find_source(model, source).preprocessing
    params = loaded.model.params
    export_bundle(
        loaded.model,
        Pipeline.from_list(preprocessing.transform_ops()),
        folder,
        architecture=model,
        class_num=params.class_num,
        image_shape=(3, preprocessing.size, preprocessing.size),
        class_names=imagenet_names(params.class_num),
        weights_sha256=sha256_of(found.path),
        architecture_arguments=arguments_of(params),
        weights_source=source_of(found),
        program_file=None,
    )
