"""The manifest of a bundle whose other files are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ppcls
from ppcls.data.transforms import Pipeline
from ppcls.inference.bundle import (
    GOLDEN_FILE,
    PARAMETERS_FILE,
    PROGRAM_FILE,
    Bundle,
    digested,
)
from ppcls.inference.entries import GoldenFile, Input, Output
from ppcls.utils.files import PathLike, sha256_of


def write_manifest(
    folder: PathLike,
    *,
    paddle: str,
    architecture: str,
    config_sha256: str | None,
    weights_sha256: str | None,
    input_name: str,
    input_shape: Sequence[int],
    output_name: str,
    class_num: int,
    transforms: Pipeline,
    class_names: Sequence[str] | None,
    golden_source: str,
    program_file: str = PROGRAM_FILE,
    architecture_arguments: Mapping[str, Any] | None = None,
    weights_source: str | None = None,
) -> Bundle:
    """Writes the manifest of the program, parameters and golden file that lie in `folder`, and reads it back.

    Args:
        folder: holds `program_file`, `inference.pdiparams` and `golden.npz`.
        paddle: Paddle's version.
        architecture: the backbone's name.
        config_sha256: digest of the resolved configuration, None without one.
        weights_sha256: digest of the weights' file, None for weights that were never loaded.
        input_name: the program's name of its input.
        input_shape: (channels, height, width).
        output_name: the program's name of its output.
        class_num: scores a picture.
        transforms: the preprocessing, which says the colour order too; written in its canonical form.
        class_names: one name a class, or None.
        golden_source: whose picture the golden one is.
        program_file: `inference.json`, or `inference.pdmodel` for a program of Paddle 2.
        architecture_arguments: the backbone's arguments.
        weights_source: the file or address of the weights.
    """
    place = Path(folder)
    bundle = Bundle(
        folder=place,
        library=ppcls.__version__,
        paddle=paddle,
        architecture=architecture,
        config_sha256=config_sha256,
        weights_sha256=weights_sha256,
        program=digested(place / program_file),
        parameters=digested(place / PARAMETERS_FILE),
        input=Input(
            input_name, (-1, *input_shape), "float32", "NCHW", transforms.color
        ),
        output=Output(output_name, (-1, class_num), "probabilities"),
        transforms=tuple(transforms.normalized().to_list()),
        class_names=None if class_names is None else tuple(class_names),
        golden=GoldenFile(GOLDEN_FILE, golden_source, sha256_of(place / GOLDEN_FILE)),
        architecture_arguments=(
            None if architecture_arguments is None else dict(architecture_arguments)
        ),
        weights_source=weights_source,
    )
    bundle.save()
    return Bundle.load(place)
