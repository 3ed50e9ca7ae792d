"""From a bundle and calibration pictures to an int8 form that has passed the gate."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from ppcls.deployment.installing import aside, install
from ppcls.deployment.quantize.gate import judge
from ppcls.deployment.quantize.options import QuantizeOptions
from ppcls.deployment.quantize.samples import (
    COMPARED,
    Samples,
    calibration_inputs,
    split,
)
from ppcls.deployment.verify.report import VerificationReport
from ppcls.inference.bundle import Bundle, digested
from ppcls.inference.entries import Quantized
from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike


class GateFailure(UserError):
    """An int8 form is too far from float32; `verdict` says how far."""

    def __init__(self, message: str, verdict: VerificationReport) -> None:
        self.verdict = verdict
        super().__init__(message)


@dataclass(frozen=True)
class QuantizationResult:
    """What was written.

    Attributes:
        bundle: with the new form.
        form: the new form.
        bytes_before: of the float32 program as ONNX.
        bytes_after: of the form's files.
        verdict: how it compares with float32.
        unreadable: pictures that were left out, each with the reason.
    """

    bundle: Bundle
    form: Quantized
    bytes_before: int
    bytes_after: int
    verdict: VerificationReport
    unreadable: dict[str, str]

    def __str__(self) -> str:
        names = ", ".join(
            str(self.bundle.folder / entry.file) for entry in self.form.files
        )
        return (
            f"written: {names}; {self.bytes_after / 1e6:.1f} MB, float32 {self.bytes_before / 1e6:.1f} MB; "
            f"calibrated on {self.form.calibration}"
        )


def quantize(
    bundle: Bundle,
    calibration: PathLike,
    options: QuantizeOptions,
    data: PathLike | None = None,
    image_root: PathLike | None = None,
    count: int | None = None,
    compared: int = COMPARED,
) -> QuantizationResult:
    """Adds an int8 form to a bundle, in place of an older one of the same engine, if it is as good as float32.

    Args:
        bundle: with its ONNX form.
        calibration: pictures to estimate ranges on: a list file, a folder, or a folder of `ppcls npz make`.
        options: the engine and the method.
        data: pictures to compare on, those that were calibrated on left out; by default the rest of `calibration`.
        image_root: what the paths of lists are relative to; a list's own folder by default.
        count: pictures to calibrate on; 256 by default, or half of a shorter list without `data`.
        compared: pictures to compare on, at most.

    Raises:
        GateFailure: it is not; the bundle is as it was.
        UserError: a package is missing, or the pictures or the bundle cannot be used; the bundle is as it was.
    """
    for name, value in (("count", count), ("check", compared)):
        if value is not None and value < 1:
            raise UserError(f"{name} is {value}; write 1 or more")
    if bundle.onnx is None:
        raise UserError(
            f"{bundle.folder} has no inference.onnx, which is quantized; add it by `ppcls onnx {bundle.folder}`"
        )
    engine = importlib.import_module(f"ppcls.deployment.quantize.{options.engine}")
    engine.require()
    samples = Samples(bundle, calibration, image_root)
    chosen = split(
        samples,
        None if data is None else Samples(bundle, data, image_root),
        count,
        compared,
    )
    (onnx,) = bundle.checked(bundle.onnx)
    with aside(bundle, f"{options.engine}-int8") as folder:
        inputs = calibration_inputs(samples, chosen.calibrated)
        method = engine.quantize(onnx, inputs, options, folder)
        words = f"{len(inputs)} of {len(samples)} pictures of {samples.source.name} (SHA-256 {samples.digest})"
        del inputs
        files = tuple(digested(folder / name) for name in engine.FILES)
        form = Quantized(options.engine, files, method, words)
        verdict = judge(bundle, form, folder, chosen.comparison, chosen.compared)
        for row in verdict.failures:
            raise GateFailure(
                f"the int8 form for {options.engine} is not kept: {row.failure}; calibrate on more pictures (--count), "
                "with other --ranges, or with --float32-layers both",
                verdict,
            )
        size = sum((folder / entry.file).stat().st_size for entry in files)
        bundle = add_form(bundle, form, folder)
    unreadable = {**samples.unreadable, **chosen.comparison.unreadable}
    return QuantizationResult(
        bundle, form, onnx.stat().st_size, size, verdict, unreadable
    )


def add_form(bundle: Bundle, form: Quantized, folder: Path) -> Bundle:
    """Moves the form's files from `folder` into the bundle, in place of an older form; see `install`."""
    # Another process may have added to it meanwhile
    current = Bundle.load(bundle.folder)
    others = tuple(kept for kept in current.quantized if kept.backend != form.backend)
    older = [
        entry
        for kept in current.quantized
        if kept.backend == form.backend
        for entry in kept.files
    ]
    return install(
        current,
        folder,
        form.files,
        older,
        {"quantized": others},
        {"quantized": (*others, form)},
    )
