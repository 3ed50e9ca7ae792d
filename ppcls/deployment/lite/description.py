"""The description of a form for Paddle Lite: what a program on the device needs of the manifest, as JSON.

A phone has no YAML reader, and gets the `.nb` file, this one and, to check itself, `golden.npz`.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import ppcls
from ppcls.inference.bundle import Bundle
from ppcls.inference.entries import DigestedFile
from ppcls.inference.manifest import plain

SCHEMA = 1


def description_text(
    bundle: Bundle, program: DigestedFile, target: str, precision: str, converter: str
) -> str:
    """Return the text of a description.

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
