"""Turn a model without a manifest into a bundle."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ppcls.data.labels import load_class_names
from ppcls.deployment.installing import IN_USE
from ppcls.inference.backends import open_backend
from ppcls.inference.bundle import GOLDEN_FILE, PARAMETERS_FILE, Bundle, digested
from ppcls.inference.classifier import Classifier
from ppcls.inference.entries import GoldenFile, ModelOrigin
from ppcls.inference.golden import GOLDEN_PICTURE, GOLDEN_SOURCE, Agreement, Golden
from ppcls.inference.official.find import find_bundle
from ppcls.inference.official.preprocess import Preprocess
from ppcls.inference.settings import Settings
from ppcls.utils.errors import UserError, expect, translated
from ppcls.utils.files import (
    PathLike,
    beside,
    replace_folder,
    resolved,
    scratch_folder,
    sha256_of,
)
from ppcls.utils.lock import claimed

_SOURCE = f"{GOLDEN_SOURCE}; its scores are this program's own, on Paddle's plain kernels, when it was adopted"


def adopt(
    source: PathLike,
    target: PathLike,
    model: str | None = None,
    preprocess: Preprocess | None = None,
    class_names: str | Path | Sequence[str] | None = None,
) -> Agreement:
    """Write a bundle from PaddleClas's folder or tar; the golden scores are the program's own.

    Args:
        source: The folder or the tar; see `find_bundle`.
        target: The bundle's folder, which must not exist.
        model: A name in the table of models, which gives the preprocessing.
        preprocess: Replaces that preprocessing.
        class_names: A label file, or one name per class.

    Returns:
        How far the kernels that run it (oneDNN) are from the plain ones.

    Raises:
        UserError: The source cannot be used or is a bundle already, or the target exists or is being written.
        GoldenMismatch: The kernels disagree.
    """
    _check_new(resolved(target))
    found = find_bundle(source, model, preprocess)
    expect(
        found.origin is not ModelOrigin.BUNDLE,
        f"{source} is a bundle already; use it as it is",
    )
    if class_names is not None:
        found = _with_class_names(found, class_names)
    return adopt_bundle(found, target)


def adopt_bundle(found: Bundle, target: PathLike) -> Agreement:
    """Write a bundle from what `find_bundle` found; otherwise as `adopt`."""
    folder = resolved(target)
    _check_new(folder)
    with claimed(folder, "adopting a model into", IN_USE):
        return _adopt(found, folder)


def _adopt(found: Bundle, folder: Path) -> Agreement:
    """Write the bundle aside, and move it to `folder` when its golden scores are right."""
    with scratch_folder(beside(folder, "new")) as aside:
        for entry in (found.program, found.parameters):
            shutil.copyfile(found.path_of(entry), aside / entry.file)
        _golden(found).save(aside / GOLDEN_FILE)
        bundle = replace(
            found,
            folder=aside,
            program=digested(aside / found.program.file),
            parameters=digested(aside / PARAMETERS_FILE),
            golden=GoldenFile(GOLDEN_FILE, _SOURCE, sha256_of(aside / GOLDEN_FILE)),
        )
        bundle.save()
        agreement = Classifier(Bundle.load(aside)).verify()
        _check_new(folder)  # again, because another process may have been faster
        replace_folder(aside, folder)
    return agreement


def _golden(found: Bundle) -> Golden:
    """The golden picture with the program's own scores, by plain kernels."""
    picture = GOLDEN_PICTURE.read_bytes()
    tensor = found.pipeline(picture)[np.newaxis]
    scores = open_backend(found, Settings(onednn=False)).run(tensor)
    return Golden(picture, tensor, scores)


def _check_new(folder: Path) -> None:
    expect(
        not folder.exists(), f"{folder} exists already; give the name of a new folder"
    )


def _with_class_names(
    bundle: Bundle, class_names: str | Path | Sequence[str]
) -> Bundle:
    if isinstance(class_names, (str, Path)):
        class_names = load_class_names(class_names)
    with translated(
        ValueError, lambda error: UserError(f"{error}; give one name per class")
    ):
        return replace(bundle, class_names=tuple(map(str, class_names)))
