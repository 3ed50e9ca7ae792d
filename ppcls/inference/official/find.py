"""The bundle that a path means: one of ours, or one made in memory of a model without a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ppcls.inference.bundle import PROGRAM_FILES, Bundle
from ppcls.inference.manifest import MANIFEST_FILE, is_ours
from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike

if TYPE_CHECKING:
    from ppcls.inference.official.preprocess import Preprocess


def find_bundle(
    path: PathLike, model: str | None = None, preprocess: Preprocess | None = None
) -> Bundle:
    """The bundle of a folder that `ppcls export` wrote, or one in memory of PaddleClas's folder or tar.

    A bundle in memory has no golden picture, and a tar is unpacked to a temporary folder that ends with the process.

    Args:
        path: the folder, or the tar.
        model: the name of a model in the table, whose weights' preprocessing it gets.
        preprocess: in place of that; see `Preprocess`.

    Raises:
        UserError: there is no such model, nothing says its preprocessing, or the two do not fit; or a bundle of ours is
            told another model or a preprocessing.
    """
    place = Path(path)
    if place.is_file() and is_ours(place.parent):
        raise UserError(
            f"{place} is a file of a bundle; give the bundle's folder, {place.parent}"
        )
    if place.is_file() or (
        not is_ours(place) and any((place / name).is_file() for name in PROGRAM_FILES)
    ):
        # Loads what checks configurations
        from ppcls.inference.official.in_memory import bundle_in_memory

        return bundle_in_memory(place, model, preprocess)
    bundle = Bundle.load(place)
    if preprocess is not None:
        raise UserError(
            f"{place} carries its preprocessing ({MANIFEST_FILE}); leave the given one (PreProcess) out"
        )
    if model not in (None, bundle.architecture):
        raise UserError(
            f"{place} is a bundle of {bundle.architecture}, not of {model}; leave the model's name out"
        )
    return bundle
