"""Add a form for Paddle Lite to a bundle, if its x86 twin gives the model's scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ppcls
from ppcls.deployment.installing import LITE, install_form, temporary_folder
from ppcls.deployment.lite.converter import X86, convert, running
from ppcls.deployment.lite.environment import PADDLELITE, lite_python
from ppcls.deployment.quantize.gate import compare_int8
from ppcls.deployment.quantize.run import GateFailure
from ppcls.deployment.quantize.samples import COMPARED, Samples, choose
from ppcls.deployment.verify.forms import Form
from ppcls.deployment.verify.report import VerificationReport
from ppcls.inference.backends import Backend
from ppcls.inference.bundle import LEGACY_PROGRAM_FILE, Bundle, digested
from ppcls.inference.entries import LITE_TARGETS, DigestedFile, LiteForm
from ppcls.inference.golden import (
    Golden,
    GoldenMismatch,
    classes_compared,
    score_difference,
)
from ppcls.inference.manifest import plain
from ppcls.utils.errors import UserError
from ppcls.utils.fields import require
from ppcls.utils.files import PathLike

TOLERANCE = 1e-5  # of the spread of the golden scores; every family is below 3e-6
_CONVERTER = PADDLELITE.replace("==", " ")
_BACKEND = "lite"  # in tables


@dataclass(frozen=True)
class LiteOptions:
    """What is made, and how it is compared.

    Attributes:
        target: `arm` or `x86`.
        int8: Whether the weights are stored in int8, which makes the file a quarter as large.
        data: For int8: pictures to compare with float32, a list file, a folder, or a folder of `ppcls npz make`.
        image_root: What the list's paths are relative to; its own folder by default.
        compared: How many of the pictures are compared, at most.

    Raises:
        ValueError: A value is impossible, or would have no effect.
    """

    target: str = "arm"
    int8: bool = False
    data: PathLike | None = None
    image_root: PathLike | None = None
    compared: int = COMPARED

    def __post_init__(self) -> None:
        require(
            self.target in LITE_TARGETS,
            f"target is {self.target!r}; write {' or '.join(LITE_TARGETS)}",
        )
        require(
            not self.int8 or self.data is not None,
            "an int8 form is kept only if it is as good as float32; give pictures to compare them on (--data LIST)",
        )
        require(
            self.int8 or self.data is None,
            "pictures are compared for int8 alone; write --int8 as well, or leave --data out",
        )
        require(self.compared >= 1, f"check is {self.compared}; write 1 or more")

    @property
    def precision(self) -> str:
        """`float32` or `int8`."""
        return "int8" if self.int8 else "float32"


@dataclass(frozen=True)
class LiteResult:
    """The result of `add_lite`.

    Attributes:
        bundle: The bundle with the new form.
        form: The new form.
        bytes: The size of its program.
        difference: How far the x86 twin's golden scores are from the model's, relative to their spread.
        classes_compared: How many golden scores were large enough to compare; with 1 the comparison is void.
        verdict: For int8: how the x86 twin compares with float32.
        unreadable: Pictures that were left out, each with the reason.
    """

    bundle: Bundle
    form: LiteForm
    bytes: int
    difference: float
    classes_compared: int
    verdict: VerificationReport | None
    unreadable: dict[str, str]

    def __str__(self) -> str:
        files = [str(self.bundle.folder / entry.file) for entry in self.form.files]
        what = "it" if self.form.target == X86 else "the same program for x86"
        return (
            f"written: {', '.join(files)}; {self.bytes / 1e6:.1f} MB; {what} gives the model's golden scores to "
            f"{self.difference:.1e} of their spread"
        )


def add_lite(
    bundle: Bundle, options: LiteOptions, python: str | None = None
) -> LiteResult:
    """Write a program for Paddle Lite and its description into a bundle, in place of older ones of that kind.

    Before anything is kept, the same program for x86 runs on this machine: in float32 its golden scores are the
    model's, and in int8 it passes the bounds of `ppcls quantize`. A program for ARM does not run here.

    Args:
        bundle: A bundle with a program of Paddle 2 and a golden picture.
        options: The target and the precision.
        python: A Python 3.7; see `lite_python`.

    Raises:
        GoldenMismatch: The scores are off; the bundle is unchanged.
        GateFailure: The int8 form is not as good; the bundle is unchanged.
        UserError: The bundle has no such program, paddlelite is not to be had or fails, or no picture can be read.
    """
    _require_legacy_program(bundle)
    golden = Golden.of(bundle)
    bundle.checked(bundle.program, bundle.parameters)
    samples = None
    if options.data is not None:
        samples = Samples(bundle, options.data, options.image_root)
    interpreter = lite_python(python)
    with temporary_folder(bundle, LITE) as folder:
        program = folder / _program_file(options)
        convert(interpreter, bundle, program, options.target, options.precision)
        twin = program
        if options.target != X86:
            twin = folder / "twin.nb"
            convert(interpreter, bundle, twin, X86, options.precision)
        with running(interpreter, bundle, twin) as backend:
            difference = score_difference(backend.run(golden.input), golden.scores)
            verdict = None
            if samples is None:
                _require_same_scores(bundle, difference)
            else:
                verdict = _compared(bundle, backend, samples, options.compared)
        form = _described(bundle, program, options)
        size = program.stat().st_size
        bundle = _add_form(bundle, form, folder)
    unreadable = {} if samples is None else samples.unreadable
    return LiteResult(
        bundle, form, size, difference, classes_compared(golden.scores), verdict, unreadable
    )  # fmt: skip


def _require_legacy_program(bundle: Bundle) -> None:
    """Check that a bundle has a program of Paddle 2.

    Raises:
        UserError: It has none; the message has the command that exports one.
    """
    if Path(bundle.program.file).suffix == Path(LEGACY_PROGRAM_FILE).suffix:
        return
    if bundle.architecture_arguments is None:
        raise UserError(
            f"{bundle.folder} has a program of Paddle 3, and Paddle Lite reads those of Paddle 2 alone; export the "
            "model it was adopted from as inference.pdmodel, and adopt that"
        )
    weights = "--untrained"
    if bundle.weights_sha256 is not None:
        source = bundle.weights_source or "WEIGHTS"
        weights = f"-o Global.pretrained_model={source}"
    raise UserError(
        f"{bundle.folder} has a program of Paddle 3, and Paddle Lite reads those of Paddle 2 alone; export the model "
        f"again, with the configuration that it was trained with: `ppcls export -c {bundle.architecture} {weights} "
        f"-o Global.save_inference_dir={bundle.folder}_pdmodel --format pdmodel`"
    )


def _program_file(options: LiteOptions) -> str:
    form = options.target
    if options.int8:
        form += "-int8"
    return f"inference.{form}.nb"


def _require_same_scores(bundle: Bundle, difference: float) -> None:
    # Written as "not <=", so that NaN counts as a difference.
    if not difference <= TOLERANCE:
        raise GoldenMismatch(
            f"{bundle.folder} through Paddle Lite: the golden input's scores are off by {difference:.3g} (relative, "
            f"at most {TOLERANCE:g}), so nothing was kept; run the bundle with another runtime"
        )


def _compared(
    bundle: Bundle, backend: Backend, samples: Samples, count: int
) -> VerificationReport:
    """Compare an int8 program with float32; see `compare_int8`."""
    indices: Sequence[int] = choose(samples.list, count)
    form = Form(_BACKEND, "int8")
    verdict = compare_int8(
        bundle, form, backend, samples, indices, f"of {samples.source.name}"
    )
    if verdict.failures:
        raise GateFailure(
            f"the int8 form for Paddle Lite is not kept: {verdict.failures[0].failure}; make the float32 form, "
            "without --int8",
            verdict,
        )
    return verdict


def _described(bundle: Bundle, program: Path, options: LiteOptions) -> LiteForm:
    """Write the description beside a program."""
    entry = digested(program)
    description = program.with_suffix(".json")
    text = description_text(
        bundle, entry, options.target, options.precision, _CONVERTER
    )
    description.write_text(text, encoding="utf-8")
    return LiteForm(
        options.target, options.precision, entry, digested(description), _CONVERTER
    )


def _add_form(bundle: Bundle, form: LiteForm, folder: Path) -> Bundle:
    """Move the form's files from `folder` into the bundle, replacing an older form; see `install_form`."""
    kind = (form.target, form.precision)
    return install_form(
        bundle,
        "lite",
        form,
        folder,
        lambda existing: (existing.target, existing.precision) == kind,
    )


SCHEMA = 1


def description_text(
    bundle: Bundle, program: DigestedFile, target: str, precision: str, converter: str
) -> str:
    """Return the description of a form: what a program on the device needs of the manifest, as JSON.

    A phone has no YAML reader, and gets the `.nb` file, this one and, to check itself, `golden.npz`.

    Args:
        bundle: The bundle that the form belongs to.
        program: The `.nb` file.
        target: `arm` or `x86`.
        precision: `float32` or `int8`.
        converter: The converter's name and version.
    """
    golden = None if bundle.golden is None else asdict(bundle.golden)
    values: dict[str, Any] = {
        "schema": SCHEMA,
        "library": ppcls.__version__,
        "architecture": bundle.architecture,
        "program": asdict(program),
        "target": target,
        "precision": precision,
        "converter": converter,
        "input": asdict(bundle.input),
        "output": asdict(bundle.output),
        "transforms": bundle.transforms,
        "class_names": bundle.class_names,
        "golden": golden,
    }
    return json.dumps(plain(values), ensure_ascii=False, indent=1) + "\n"
