"""A bundle in memory, of a model that PaddleClas published or exported: a program, its parameters, and no manifest."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

import numpy as np

import ppcls
from ppcls.config.paddleclas.inference_yml import (
    OfficialDescription,
    read_official_description,
)
from ppcls.data.transforms import TRANSFORMS, Pipeline
from ppcls.inference.bundle import (
    PARAMETERS_FILE,
    PROGRAM_FILES,
    Bundle,
    digested,
)
from ppcls.inference.entries import Input, ModelOrigin, Output, shape_text
from ppcls.inference.golden import GOLDEN_PICTURE
from ppcls.inference.manifest import MANIFEST_FILE, is_ours
from ppcls.inference.official.preprocess import Preprocess, pipeline_of
from ppcls.inference.official.trial import tried
from ppcls.untrusted.paddle_programs import Shape, check_parameters, declared_inputs
from ppcls.untrusted.refusals import shown
from ppcls.untrusted.tar import unpack
from ppcls.utils.errors import UserError, expect, translated

_UNKNOWN = "unknown"


def bundle_in_memory(
    place: Path, model: str | None, preprocess: Preprocess | None
) -> Bundle:
    """Describes a model, as far as the program, PaddleClas's own file and the caller tell.

    Args:
        place: its folder, or its tar, which is unpacked to a temporary folder that ends with the process.
        model: the name of a model in the table, whose weights' preprocessing it gets.
        preprocess: in place of that; see `Preprocess`.

    Raises:
        UserError: nothing says the preprocessing, it does not fit the program, or a file is missing or damaged.
    """
    folder = _unpacked(place) if place.is_file() else place
    if folder != place and is_ours(folder):
        raise UserError(
            f"{place} has a bundle of this library in it; unpack it, and give the bundle's folder"
        )
    program = next(
        (folder / name for name in PROGRAM_FILES if (folder / name).is_file()), None
    )
    if program is None or not (folder / PARAMETERS_FILE).is_file():
        raise UserError(
            f"{place}: a model is a program ({' or '.join(PROGRAM_FILES)}) and its parameters ({PARAMETERS_FILE}); "
            "one of them is missing, download both again"
        )
    described = OfficialDescription()
    if (folder / MANIFEST_FILE).is_file():
        described = read_official_description(
            folder / MANIFEST_FILE, {"transform": TRANSFORMS}
        )
    if model and described.model_name not in (None, model):
        raise UserError(
            f"{place} is a model {described.model_name}, not {model}; leave the model's name out"
        )
    pipeline = pipeline_of(place, model, preprocess, described)
    check_parameters(folder / PARAMETERS_FILE)
    name, shape = _input(place, program, pipeline)
    entries = digested(program), digested(folder / PARAMETERS_FILE)
    batch = pipeline(GOLDEN_PICTURE.read_bytes())[np.newaxis]
    trial = tried(program, entries, name, batch)
    with translated(ValueError, lambda error: UserError(f"{place}: {error}")):
        return Bundle(
            folder=folder,
            library=ppcls.__version__,
            paddle=_UNKNOWN,
            architecture=model or described.model_name or _UNKNOWN,
            config_sha256=None,
            weights_sha256=None,
            program=entries[0],
            parameters=entries[1],
            input=Input(name, shape, "float32", "NCHW", pipeline.color),
            output=Output(trial.output, (-1, trial.class_num), trial.meaning),
            transforms=tuple(pipeline.normalized().to_list()),
            class_names=described.class_names,
            golden=None,
            origin=ModelOrigin.PADDLECLAS,
        )


def _unpacked(tar: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="ppcls-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    unpack(tar, folder)
    return folder


def _input(place: Path, program: Path, pipeline: Pipeline) -> tuple[str, Shape]:
    """Name and shape of the only input; a side that the program leaves open is that of the pictures."""
    inputs: dict[str, Shape] = declared_inputs(program)
    expect(
        len(inputs) == 1,
        f"{place} takes {len(inputs)} inputs ({shown(', '.join(inputs))}); a classifier takes pictures alone",
    )
    ((name, shape),) = inputs.items()
    given = pipeline.output_size
    if given is None:
        raise UserError(
            f"{place}: its preprocessing gives pictures of no fixed size; end it with a crop"
        )
    expect(
        len(shape) == 4 and shape[0] == -1,
        f"{place} takes an input of {shape_text(shape)}; a classifier takes [-1, channels, height, width]",
    )
    whole = (
        -1,
        *(
            declared if declared > 0 else side
            for declared, side in zip(shape[1:], given)
        ),
    )
    if whole[1:] != given:
        raise UserError(
            f"{place} takes pictures of {list(whole[1:])} (channels, height, width), but its preprocessing gives "
            f"{list(given)}; give the size that belongs to it"
        )
    return name, whole
