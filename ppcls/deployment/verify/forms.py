"""The forms in which a bundle can be run: a backend and a precision, such as `openvino:bfloat16`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from ppcls.inference.bundle import Bundle
from ppcls.inference.entries import DigestedFile
from ppcls.inference.settings import (
    BACKENDS,
    DEVICES,
    OFFERED,
    PADDLE_OPENVINO,
    PRECISIONS,
    TRT,
    Settings,
    settings_of,
)
from ppcls.utils.errors import UserError, suggest


@dataclass(frozen=True)
class Form:
    """A backend, one of `BACKENDS`, and the precision of its arithmetic."""

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
        """The settings that open the form; the bundle's own settings are ignored.

        Args:
            device: `cpu` or `gpu`.
            threads: CPU threads.
            calibration: Pictures for `CALIBRATED`, the only form that reads them.

        Raises:
            UserError: The form does not run on the device, or threads is less than one.
        """
        pictures = calibration if self == CALIBRATED else None
        return settings_of(
            self.backend, self.precision, pictures, device=device, threads=threads
        )


def _forms(device: str) -> tuple[Form, ...]:
    forms = []
    for backend, offered in OFFERED.items():
        forms += [Form(backend, precision) for precision in offered.get(device, ())]
    return tuple(forms)


REFERENCE = Form("paddle", "float32")
CALIBRATED = Form(TRT, "int8")  # TensorRT calibrates when it builds the engine
FORMS: dict[str, tuple[Form, ...]] = {device: _forms(device) for device in DEVICES}


def parse_forms(text: str, device: str = "cpu") -> dict[Form, bool]:
    """Read the forms that a user asks for; the value says whether the form was named.

    Args:
        text: `all`, or backends with or without a precision: `openvino,onnxruntime:int8`. A backend alone names its
            float32 form, and asks for its other precisions where they are available. `all:float32` asks for every
            form of one precision.
        device: `cpu` or `gpu`.

    Raises:
        UserError: A backend or precision is unknown, or no such form exists.
    """
    asked: dict[Form, bool] = {}
    for item in text.split(","):
        backend, _, precision = item.strip().partition(":")
        for form in _matching(backend, precision, device):
            is_named = backend != "all" and form.precision == (precision or "float32")
            asked[form] = asked.get(form, False) or is_named
    order = FORMS[device].index
    return {form: asked[form] for form in sorted(asked, key=order)}


def _matching(backend: str, precision: str, device: str) -> list[Form]:
    """The device's forms of a backend or `all`, in a precision or, if that is empty, in any.

    Raises:
        UserError: A name is unknown, or there are none.
    """
    _check_known("backend", backend, ("all", *BACKENDS))
    found = list(FORMS[device])
    if backend != "all":
        found = [form for form in found if form.backend == backend]
    if precision:
        _check_known("precision", precision, PRECISIONS)
        found = [form for form in found if form.precision == precision]
    if not found:
        name = f"{backend}:{precision}" if precision else backend
        possible = ", ".join(map(str, FORMS[device]))
        raise UserError(
            f"nothing runs {name} on a {device.upper()}; write all, or some of {possible}"
        )
    return found


def _check_known(name: str, value: str, possible: tuple[str, ...]) -> None:
    if value not in possible:
        raise UserError(
            f"unknown {name} {value!r}{suggest(value, possible)}; write one of {', '.join(possible)}"
        )


def form_digest(bundle: Bundle, form: Form) -> str:
    """SHA-256 of what determines the scores of a form: its preprocessing, and the digests of the files it runs."""
    digests = [entry.sha256 for entry in _files_of(bundle, form)]
    content = json.dumps([str(form), digests, bundle.transforms], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _files_of(bundle: Bundle, form: Form) -> Sequence[DigestedFile]:
    """The files of a bundle that a form runs; none if the bundle does not have the form."""
    if form.backend in ("paddle", PADDLE_OPENVINO, TRT):
        return bundle.program, bundle.parameters
    if form.precision != "int8":
        return () if bundle.onnx is None else (bundle.onnx,)
    for quantized in bundle.quantized:
        if quantized.backend == form.backend:
            return quantized.files
    return ()
