"""Bundles of the shipped configurations, for what is measured of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from ppcls.config import load_config, shipped_configs
from ppcls.deployment.onnx.export import OPSET, add_onnx
from ppcls.engine.export import export
from ppcls.engine.schema import registries
from ppcls.inference.backends import Backend, open_backend
from ppcls.inference.bundle import MANIFEST_FILE, Bundle
from ppcls.inference.settings import Settings
from ppcls.utils.errors import Unavailable


def published_bundle(model: str, folder: Path) -> Bundle:
    """Loads the bundle in `folder`, or exports the model there first, as ONNX too where paddle2onnx is installed.

    Args:
        model: its name, which is its configuration's.
        folder: the bundle's place.

    Raises:
        UserError: the weights cannot be had.
    """
    if (folder / MANIFEST_FILE).is_file():
        return Bundle.load(folder)
    return _export(
        model,
        folder,
        "true",
        opset=OPSET if importlib.util.find_spec("paddle2onnx") else None,
    )


def untrained_bundle(model: str, folder: Path) -> Bundle:
    """Exports a model with its initial weights, for what does not depend on them: how fast it runs.

    Args:
        model: its name, which is its configuration's.
        folder: the bundle's place.
    """
    return _export(model, folder, "false", untrained=True)


def _export(model: str, folder: Path, pretrained: str, **keywords: Any) -> Bundle:
    overrides = [f"Global.save_inference_dir={folder}", f"Arch.pretrained={pretrained}"]
    # Its path: a file or folder of that name may lie where the user is
    shipped = str(shipped_configs()[model])
    export(load_config(shipped, overrides, registries(), "export"), **keywords)
    return Bundle.load(folder)


def open_untrained(bundle: Bundle, settings: Settings) -> Backend:
    """The backend of the settings; the first that runs ONNX has it made.

    Raises:
        UserError: as `open_backend`, or there is no ONNX form to be had, or int8 is asked for.
    """
    if settings.precision == "int8":
        raise Unavailable(
            "int8 needs ranges of real pictures; quantize exported bundles by `ppcls quantize`, and give their folders "
            "with --bundles"
        )
    current = Bundle.load(bundle.folder)
    if settings.backend in ("onnxruntime", "openvino") and current.onnx is None:
        current = add_onnx(current)
    return open_backend(current, settings)
