"""The bundle: one folder with an exported model and all that is needed to run it as it was meant.

    inference.json        the program (inference.pdmodel: one of Paddle 2)
    inference.pdiparams   its parameters
    inference.yml         the manifest: the fields of `Bundle`, the schema's number, and what PaddleX reads
    golden.npz            a picture, its input tensor and its scores; see `ppcls.inference.golden`
    inference.onnx        the same program for other engines, where it was asked for
    inference.*.nb        the same program for Paddle Lite, each with a .json, where it was asked for

`ppcls.deployment.bundle_writer` writes the manifest, every runtime reads it with `Bundle.load`, and what adds to a
bundle changes it (`bundle.change(settings=...)`); so the format stands here once.
"""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import ppcls
from ppcls.data.transforms import Pipeline
from ppcls.inference.entries import (
    DigestedFile,
    GoldenFile,
    Input,
    LiteForm,
    ModelOrigin,
    Output,
    Quantized,
    shape_text,
)
from ppcls.inference.manifest import (
    KEYS,
    MANIFEST_FILE,
    manifest_text,
    paddlex_fields,
    read_manifest,
)
from ppcls.inference.settings import Settings
from ppcls.untrusted.manifest_records import read_record, shown
from ppcls.utils.errors import UserError, expect
from ppcls.utils.fields import require
from ppcls.utils.files import PathLike, expanded, sha256_of, write_atomically
from ppcls.utils.lock import claimed

# 2 added onnx, quantized and settings; 3 added architecture_arguments, weights_source, output.kind and golden.sha256.
# 4 added lite. Manifests of earlier schemas are read as manifests without these keys.
SCHEMA = 4
PROGRAM_FILE = "inference.json"
LEGACY_PROGRAM_FILE = "inference.pdmodel"
PROGRAM_FILES = (PROGRAM_FILE, LEGACY_PROGRAM_FILE)
PARAMETERS_FILE = "inference.pdiparams"
ONNX_SUFFIX = ".onnx"
GOLDEN_FILE = "golden.npz"


@dataclass(frozen=True)
class Bundle:
    """The manifest of a bundle, checked; or, by its `origin`, what is known of another library's model.

    Of an ONNX file of another library, program, parameters and onnx are that file. Only a bundle has a golden picture.

    Attributes:
        folder: where the files lie.
        library: version of this library that wrote the manifest.
        paddle: Paddle's version at the export.
        architecture: the backbone's name.
        config_sha256: digest of the resolved configuration, or None.
        weights_sha256: digest of the weights' file, or None for weights that were never loaded.
        program: the file of the program.
        parameters: the file of its parameters.
        input: what the program takes.
        output: what it gives.
        transforms: the preprocessing, as a configuration lists it.
        class_names: one name per class, or None.
        golden: the golden picture.
        architecture_arguments: the backbone's arguments, for making the model again; None where they are unknown.
        weights_source: the file or address of the weights, or None.
        onnx: the same program as ONNX, or None.
        quantized: its int8 forms.
        lite: its forms for Paddle Lite.
        settings: how it is run unless a user says otherwise, or None.
        origin: where the model comes from; not in the manifest.
    """

    folder: Path
    library: str
    paddle: str
    architecture: str
    config_sha256: str | None
    weights_sha256: str | None
    program: DigestedFile
    parameters: DigestedFile
    input: Input
    output: Output
    transforms: tuple[Any, ...]
    class_names: tuple[str, ...] | None
    golden: GoldenFile | None
    architecture_arguments: dict[str, Any] | None = None
    weights_source: str | None = None
    onnx: DigestedFile | None = None
    quantized: tuple[Quantized, ...] = ()
    lite: tuple[LiteForm, ...] = ()
    settings: Settings | None = None
    origin: ModelOrigin = ModelOrigin.BUNDLE

    def __post_init__(self) -> None:
        if self.class_names is not None and len(self.class_names) != self.class_num:
            raise ValueError(
                f"class_names has {len(self.class_names)} names for {self.class_num} classes"
            )
        pipeline = self.pipeline
        require(
            not pipeline.draws,
            "a transform draws at random; export with the transforms of evaluation",
        )
        require(
            pipeline.color == self.input.color,
            f"input.color is {self.input.color}, but the transforms give {pipeline.color}",
        )
        require(
            pipeline.output_size == self.input.shape[1:],
            f"the transforms give pictures of {_sides(pipeline.output_size)}, but the program takes "
            f"{_sides(self.input.shape[1:])}; end them with a crop or a size that the program takes",
        )

    @property
    def class_num(self) -> int:
        """How many scores the program gives a picture."""
        return self.output.shape[1]

    @classmethod
    def load(cls, folder: PathLike) -> "Bundle":
        """Reads and checks the manifest; the digests wait for `checked`, which a backend calls.

        Raises:
            UserError: a file is missing, or the manifest is of a newer schema, has a key that nothing reads,
                lacks one, or has an impossible value.
        """
        place = Path(expanded(folder))
        manifest = place / MANIFEST_FILE
        expect(
            manifest.is_file(),
            f"{place}: no {MANIFEST_FILE} there; give the folder that `ppcls export` (tools/export_model.py) "
            "wrote, or that `ppcls adopt` made of a model of PaddleClas",
        )
        known = {"folder": place, "origin": ModelOrigin.BUNDLE}
        bundle = read_record(cls, _values(manifest), str(manifest), **known)
        for name in bundle.files:
            expect(
                Path(name).name == name,
                f"{manifest}: {name!r} is not the name of a file beside it; export again",
            )
            expect(
                (bundle.folder / name).is_file(),
                f"{bundle.folder / name} is missing; copy the bundle's folder whole, or export again",
            )
        return bundle

    @property
    def entries(self) -> tuple[DigestedFile, ...]:
        """The files that have a digest."""
        quantized = [entry for form in self.quantized for entry in form.files]
        lite = [entry for form in self.lite for entry in form.files]
        return (
            self.program,
            self.parameters,
            *([self.onnx] if self.onnx else []),
            *quantized,
            *lite,
        )

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files that the manifest names."""
        golden = (self.golden.file,) if self.golden else ()
        return (*(entry.file for entry in self.entries), *golden)

    def path_of(self, entry: Any) -> Path:
        """Where the file of an entry lies: `program`, `onnx`, `golden`."""
        return self.folder / entry.file

    def checked(self, *entries: DigestedFile | GoldenFile) -> tuple[Path, ...]:
        """The paths of `entries`, their bytes compared with the manifest, at about 1.5 GB/s.

        The golden file of an older manifest has no digest and is not compared.

        Raises:
            UserError: a file is not the one that was exported.
        """
        for entry in entries:
            path = self.path_of(entry)
            if entry.sha256 not in (None, sha256_of(path)):
                raise UserError(
                    f"{path} is not the file that {MANIFEST_FILE} describes (its SHA-256 differs); "
                    "copy the bundle's folder again, or export again"
                )
        return tuple(self.path_of(entry) for entry in entries)

    def save(self) -> None:
        """Writes the manifest, whole or not at all."""
        values = {"schema": SCHEMA, **asdict(self)}
        del values["folder"], values["origin"]
        if not self.lite:  # what earlier versions read
            del values["lite"]
            values["schema"] = 3
        values |= paddlex_fields(
            self.architecture, self.transforms, self.class_names, self.class_num
        )
        write_atomically(self.folder / MANIFEST_FILE, manifest_text(values).encode())

    def change(self, **fields: Any) -> "Bundle":
        """Writes other values of these fields into the manifest; what another process changed there meanwhile stays.

        Waits for a process that is changing the manifest.

        Returns:
            The bundle as its manifest says now.

        Raises:
            UserError: the bundle is gone or damaged.
            ValueError: a value is impossible.
        """
        with claimed(self.folder / MANIFEST_FILE, "changing"):
            changed = replace(Bundle.load(self.folder), **fields)
            changed.save()
        return changed

    @cached_property
    def pipeline(self) -> Pipeline:
        """The preprocessing, from a picture's bytes to float32 [C, H, W]."""
        return Pipeline.from_list(self.transforms)


def digested(path: Path) -> DigestedFile:
    """A file's entry in the manifest beside it."""
    return DigestedFile(path.name, sha256_of(path))


def _values(manifest: Path) -> dict[str, Any]:
    """Read a manifest, and check its schema's number."""
    values = read_manifest(manifest)
    expect(
        isinstance(values, dict) and "schema" in values,
        f"{manifest} has no schema number: it was not written by this library; export the model again",
    )
    for key in KEYS:
        values.pop(key, None)
    schema = values.pop("schema")
    if type(schema) is int and schema > SCHEMA:
        raise UserError(
            f"{manifest} was written by a newer version of this library, {shown(values.get('library'))} "
            f"(schema {shown(schema)}; this is {ppcls.__version__} and reads schema {SCHEMA}); install that version"
        )
    expect(
        type(schema) is int and schema >= 1,
        f"{manifest}: schema is {shown(schema)}; this library reads 1 to {SCHEMA}; export the model again",
    )
    return values


def _sides(shape: tuple[int, ...] | None) -> str:
    if shape is None:
        return "no fixed size"
    return f"{shape_text(shape)} (channels, height, width)"
