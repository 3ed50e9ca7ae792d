"""Write the manifest of a bundle."""

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
    """Write the manifest for the program, parameters and golden file in a folder, and read it back.

    Args:
        folder: Holds `program_file`, `inference.pdiparams` and `golden.npz`.
        paddle: Paddle's version.
        architecture: The backbone's name.
        config_sha256: Digest of the resolved configuration; None without one.
        weights_sha256: Digest of the weights file; None for weights that were never loaded.
        input_name: The name of the program's input.
        input_shape: Channels, height and width.
        output_name: The name of the program's output.
        class_num: Scores per picture.
        transforms: The preprocessing, which also defines the colour order; written in its canonical form.
        class_names: One name per class, or None.
        golden_source: Where the golden picture is from.
        program_file: `inference.json`, or `inference.pdmodel` for a program of Paddle 2.
        architecture_arguments: The backbone's arguments.
        weights_source: The file or address of the weights.
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
