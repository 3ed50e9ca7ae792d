"""Quantize a bundle: calibrate, quantize, compare with float32, and add the int8 form to the bundle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import ppcls.deployment.quantize.onnxruntime as onnxruntime
import ppcls.deployment.quantize.openvino as openvino
from ppcls.deployment.installing import install_form, temporary_folder
from ppcls.deployment.quantize.gate import compare_int8
from ppcls.deployment.quantize.options import QuantizeOptions
from ppcls.deployment.quantize.samples import COMPARED, Samples, split
from ppcls.deployment.verify.forms import Form
from ppcls.deployment.verify.report import VerificationReport
from ppcls.inference.backends import open_backend
from ppcls.inference.bundle import Bundle, digested
from ppcls.inference.entries import Quantized
from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike

# By the names of `ppcls.deployment.quantize.options.BACKENDS`
_BACKENDS = {"openvino": openvino, "onnxruntime": onnxruntime}


class GateFailure(UserError):
    """An int8 form is too far from float32; `verdict` says how far."""

    def __init__(self, message: str, verdict: VerificationReport) -> None:
        self.verdict = verdict
        super().__init__(message)


@dataclass(frozen=True)
class QuantizationResult:
    """The result of `quantize`.

    Attributes:
        bundle: The bundle with the new form.
        form: The new form.
        bytes_before: The size of the float32 program as ONNX.
        bytes_after: The size of the form's files.
        verdict: How the form compares with float32.
        unreadable: Pictures that were left out, each with the reason.
    """

    bundle: Bundle
    form: Quantized
    bytes_before: int
    bytes_after: int
    verdict: VerificationReport
    unreadable: dict[str, str]

    def __str__(self) -> str:
        files = [str(self.bundle.folder / entry.file) for entry in self.form.files]
        return (
            f"written: {', '.join(files)}; {self.bytes_after / 1e6:.1f} MB, float32 {self.bytes_before / 1e6:.1f} MB; "
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
    """Add an int8 form to a bundle, replacing an older one for the same backend, if it is as good as float32.

    Args:
        bundle: A bundle with an ONNX form.
        calibration: Pictures to estimate ranges on: a list file, a folder, or a folder of `ppcls npz make`.
        options: The backend and the method.
        data: Pictures to compare on, without those that are calibrated on; by default the rest of `calibration`.
        image_root: What the paths of lists are relative to; a list's own folder by default.
        count: How many pictures to calibrate on; by default 256, or half of a shorter list without `data`.
        compared: How many pictures to compare on, at most.

    Raises:
        GateFailure: The form is not as good; the bundle is unchanged.
        UserError: A package is missing, or the pictures or the bundle cannot be used; the bundle is unchanged.
    """
    for name, value in (("count", count), ("check", compared)):
        if value is not None and value < 1:
            raise UserError(f"{name} is {value}; write 1 or more")
    if bundle.onnx is None:
        raise UserError(
            f"{bundle.folder} has no inference.onnx to quantize; add it with `ppcls onnx {bundle.folder}`"
        )
    backend = _BACKENDS[options.backend]
    backend.require()
    samples = Samples(bundle, calibration, image_root)
    others = None if data is None else Samples(bundle, data, image_root)
    chosen = split(samples, others, count, compared)
    (onnx,) = bundle.checked(bundle.onnx)
    with temporary_folder(bundle, f"{options.backend}-int8") as folder:
        inputs = samples.inputs(chosen.calibrated)
        words = f"{len(inputs)} of {len(samples)} pictures of {samples.source.name} (SHA-256 {samples.digest})"
        method = backend.quantize(onnx, inputs, options, folder)
        del inputs  # a few hundred megabytes
        size = 0
        entries = []
        for name in backend.FILES:
            entries.append(digested(folder / name))
            size += (folder / name).stat().st_size
        form = Quantized(options.backend, tuple(entries), method, words)
        precision = Form(options.backend, "int8")
        with_int8 = replace(bundle, folder=folder, quantized=(form,))
        int8 = open_backend(with_int8, precision.settings())
        verdict = compare_int8(
            bundle, precision, int8, chosen.comparison, chosen.compared
        )
        if verdict.failures:
            raise GateFailure(
                f"the int8 form for {options.backend} is not kept: {verdict.failures[0].failure}; calibrate on more "
                "pictures (--count), with other --ranges, or with --float32-layers both",
                verdict,
            )
        bundle = add_form(bundle, form, folder)
    unreadable = {**samples.unreadable, **chosen.comparison.unreadable}
    return QuantizationResult(
        bundle, form, onnx.stat().st_size, size, verdict, unreadable
    )


def add_form(bundle: Bundle, form: Quantized, folder: Path) -> Bundle:
    """Move the form's files from `folder` into the bundle, replacing an older form; see `install_form`."""
    return install_form(
        bundle,
        "quantized",
        form,
        folder,
        lambda existing: existing.backend == form.backend,
    )
