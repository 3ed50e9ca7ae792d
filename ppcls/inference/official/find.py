"""The bundle of a path: one of this library, or one made in memory for a model without a manifest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ppcls.inference.bundle import (
    LEGACY_PROGRAM_FILE,
    PARAMETERS_FILE,
    PROGRAM_FILES,
    Bundle,
)
from ppcls.inference.manifest import MANIFEST_FILE, is_ours
from ppcls.utils.errors import UserError, expect
from ppcls.utils.files import PathLike

if TYPE_CHECKING:
    from ppcls.inference.official.preprocess import Preprocess

_PROGRAM_SUFFIX, _PARAMETERS_SUFFIX = ".pdmodel", ".pdiparams"
_PARTS = (_PROGRAM_SUFFIX, _PARAMETERS_SUFFIX)
# Paddle 1 wrote these
_OLD_NAMES = ("__model__", "model")
_OLD_PARAMETERS = ("__params__", "params", "__variables__")
_COMPRESSED = (".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".zip")


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
        UserError: there is no such model, its preprocessing is unknown or does not fit; or another model or another
            preprocessing is given for a bundle of this library.
    """
    place = Path(path)
    if place.is_file():
        expect(
            not is_ours(place.parent),
            f"{place} is a file of a bundle; give the bundle's folder, {place.parent}",
        )
        _require_tar(place)
        return _in_memory(place, model, preprocess)
    if _has_program(place) and not is_ours(place):
        return _in_memory(place, model, preprocess)
    if not (place / MANIFEST_FILE).exists():
        _refuse_other_names(place)
    bundle = Bundle.load(place)
    if preprocess is not None:
        _require_same(bundle, place, preprocess)
    if model not in (None, bundle.architecture):
        raise UserError(
            f"{place} is a bundle of {bundle.architecture}, not of {model}; leave the model's name out"
        )
    return bundle


def _require_same(bundle: Bundle, place: Path, preprocess: Preprocess) -> None:
    """Refuse a preprocessing that does not mean the same as a bundle's own.

    Raises:
        UserError: with the first transform that differs, here and there.
    """
    # Loads what checks configurations
    from ppcls.config.paddleclas.inference_yml import OfficialDescription
    from ppcls.inference.official.preprocess import first_difference, pipeline_of

    given = pipeline_of(place, None, preprocess, OfficialDescription())
    difference = first_difference(given, bundle.pipeline)
    if difference is None:
        return
    raise UserError(
        f"{place} carries its preprocessing ({MANIFEST_FILE}), and the given one (PreProcess) differs: "
        f"{difference[0]} is given, the bundle has {difference[1]}; leave PreProcess out, or change "
        "DataLoader.Eval.dataset.transform_ops and export again"
    )


def _has_program(folder: Path) -> bool:
    return any((folder / name).is_file() for name in PROGRAM_FILES)


def _require_tar(file: Path) -> None:
    """Refuse a file that is a part of a model, or a compressed archive.

    Raises:
        UserError: with what to give instead.
    """
    expect(
        not file.name.endswith(_COMPRESSED),
        f"{file} is a compressed archive, which is not unpacked here; unpack it with `tar -xf {file}`, and give "
        "the folder that comes out of it",
    )
    if file.suffix in _PARTS or file.name in _OLD_NAMES:
        expect(
            file.name not in (*PROGRAM_FILES, PARAMETERS_FILE),
            f"{file} is a part of a model; give its folder, {file.parent}",
        )
        _refuse_other_names(file.parent)


def _refuse_other_names(folder: Path) -> None:
    """Refuse a folder whose program has another name than PaddleClas's exports.

    Raises:
        UserError: with how to rename the program and its parameters.
    """
    found = []
    for program, parameters in _pairs_in(folder):
        found.append(program)
        if not (folder / parameters).is_file():
            continue
        raise UserError(
            f"{folder}: its program is called {program}; rename it to {LEGACY_PROGRAM_FILE} and {parameters} to "
            f"{PARAMETERS_FILE}, and give the folder"
        )
    if found:
        raise UserError(
            f"{folder} has the program {found[0]}, but not its parameters in one file; export the model again with "
            "its parameters in one file"
        )


def _pairs_in(folder: Path) -> Iterator[tuple[str, str]]:
    """The programs in a folder, each with the names that its parameters may have."""
    if not folder.is_dir():
        return
    for path in sorted(folder.glob(f"*{_PROGRAM_SUFFIX}")):
        yield path.name, path.with_suffix(_PARAMETERS_SUFFIX).name
    for program in _OLD_NAMES:
        if (folder / program).is_file():
            for parameters in _OLD_PARAMETERS:
                yield program, parameters


def _in_memory(place: Path, model: str | None, preprocess: Preprocess | None) -> Bundle:
    # Loads what checks configurations
    from ppcls.inference.official.in_memory import bundle_in_memory

    return bundle_in_memory(place, model, preprocess)
