"""The forms in which a bundle can be run: an engine and a precision, such as `openvino:bfloat16`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from ppcls.inference.bundle import Bundle
from ppcls.inference.settings import (
    DEVICES,
    ENGINES,
    OFFERED,
    PRECISIONS,
    TENSORRT_PRECISIONS,
    TRT,
    Settings,
    settings_of,
)
from ppcls.utils.errors import UserError, suggest


@dataclass(frozen=True)
class Form:
    """An engine, of `ENGINES`, and the precision of its arithmetic."""

    backend: str
    precision: str

    def __str__(self) -> str:
        return f"{self.backend}:{self.precision}"

    def settings(
        self,
        device: str = "cpu",
        threads: int | None = None,
        calibration: str | None = None,
    ) -> Settings:
        """What the form is opened with; nothing that a bundle has stored counts.

        Args:
            device: `cpu` or `gpu`.
            threads: of the CPU kernels.
            calibration: pictures for `CALIBRATED`, which alone reads it.

        Raises:
            UserError: the form does not run on the device, or the threads are fewer than one.
        """
        pictures = calibration if self == CALIBRATED else None
        return settings_of(
            self.backend, self.precision, pictures, device=device, threads=threads
        )


REFERENCE = Form("paddle", "float32")
CALIBRATED = Form(TRT, "int8")  # when it is opened, not before
FORMS: dict[str, tuple[Form, ...]] = {
    device: tuple(
        Form(b, p) for b, offered in OFFERED.items() for p in offered.get(device, ())
    )
    for device in DEVICES
}
FORMS["gpu"] += tuple(Form(TRT, precision) for precision in TENSORRT_PRECISIONS)


def parse_forms(text: str, device: str = "cpu") -> dict[Form, bool]:
    """What a user asks for, in the order of `FORMS`: whether the form was asked for by its name.

    Args:
        text: `all`, or engines with or without a precision, `openvino,onnxruntime:int8`; an engine alone asks for its
            float32 by name, and for its other precisions where they can be had. `all:float32` is all of a precision.
        device: `cpu` or `gpu`.

    Raises:
        UserError: an engine or a precision is not known, or no such form exists.
    """
    asked: dict[Form, bool] = {}
    for item in text.split(","):
        backend, _, precision = item.strip().partition(":")
        _known("backend", backend, ("all", *ENGINES))
        if precision:
            _known("precision", precision, PRECISIONS)
        found = [
            f
            for f in FORMS[device]
            if backend in ("all", f.backend) and precision in ("", f.precision)
        ]
        if not found:
            possible = ", ".join(str(form) for form in FORMS[device])
            raise UserError(
                f"nothing runs {item.strip()} on a {device.upper()}; write all, or some of {possible}"
            )
        for form in found:
            by_name = backend != "all" and form.precision == (precision or "float32")
            asked[form] = asked.get(form, False) or by_name
    return {form: asked[form] for form in FORMS[device] if form in asked}


def _known(name: str, value: str, possible: tuple[str, ...]) -> None:
    if value not in possible:
        raise UserError(
            f"{value!r} is no {name}{suggest(value, possible)}; write one of {', '.join(possible)}"
        )


def form_digest(bundle: Bundle, form: Form) -> str:
    """SHA-256 of what the scores of a form follow from: its preprocessing, and the digests of the files it runs."""
    if form.backend in ("paddle", TRT):
        files = [bundle.program.sha256, bundle.parameters.sha256]
    elif form.precision == "int8":
        files = [
            entry.sha256
            for kind in bundle.quantized
            if kind.backend == form.backend
            for entry in kind.files
        ]
    else:
        files = [bundle.onnx.sha256] if bundle.onnx else []
    said = json.dumps([str(form), files, bundle.transforms], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()
