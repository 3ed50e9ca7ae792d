"""The bundle of a path: one of this library, or one made in memory for a model without a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ppcls.inference.bundle import PROGRAM_FILES, Bundle
from ppcls.inference.manifest import MANIFEST_FILE, is_ours
from ppcls.utils.errors import UserError, expect
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
        model: a name in the table of models, whose preprocessing is used.
        preprocess: in place of that of the model; see `Preprocess`.

    Raises:
        UserError: there is no such model, its preprocessing is unknown or does not fit; or another model or a
            preprocessing is given for a bundle of this library.
    """
    place = Path(path)
    if place.is_file():
        expect(
            not is_ours(place.parent),
            f"{place} is a file of a bundle; give the bundle's folder, {place.parent}",
        )
        return _in_memory(place, model, preprocess)
    if _has_program(place) and not is_ours(place):
        return _in_memory(place, model, preprocess)
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


def _has_program(folder: Path) -> bool:
    return any((folder / name).is_file() for name in PROGRAM_FILES)


def _in_memory(place: Path, model: str | None, preprocess: Preprocess | None) -> Bundle:
    # Loads what checks configurations
    from ppcls.inference.official.in_memory import bundle_in_memory

    return bundle_in_memory(place, model, preprocess)
