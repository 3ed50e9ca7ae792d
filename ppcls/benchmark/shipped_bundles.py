"""Bundles of the shipped configurations, exported to be measured."""

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
from ppcls.utils.errors import expect_available


def published_bundle(model: str, folder: Path) -> Bundle:
    """Load the bundle in `folder`; export the model there first if needed, as ONNX too where paddle2onnx is installed.

    Args:
        model: The name of the model and of its configuration.
        folder: The bundle's folder.

    Raises:
        UserError: The weights cannot be loaded.
    """
    if (folder / MANIFEST_FILE).is_file():
        return Bundle.load(folder)
    opset = OPSET if importlib.util.find_spec("paddle2onnx") else None
    return _export(model, folder, "true", opset=opset)


def untrained_bundle(model: str, folder: Path) -> Bundle:
    """Export a model with its initial weights, which do not change how fast it runs.

    Args:
        model: The name of the model and of its configuration.
        folder: The bundle's folder.
    """
    return _export(model, folder, "false", untrained=True)


def _export(model: str, folder: Path, pretrained: str, **keywords: Any) -> Bundle:
    overrides = [f"Global.save_inference_dir={folder}", f"Arch.pretrained={pretrained}"]
    # The path, because the working directory may have a file or folder with the model's name
    shipped = str(shipped_configs()[model])
    export(load_config(shipped, overrides, registries(), "export"), **keywords)
    return Bundle.load(folder)


def open_untrained(bundle: Bundle, settings: Settings) -> Backend:
    """Open a backend; if it runs ONNX and the bundle has no ONNX form, add that first.

    Raises:
        UserError: As for `open_backend`, or the model cannot be converted to ONNX, or int8 is asked for.
    """
    expect_available(
        settings.precision != "int8",
        "int8 needs ranges of real pictures; quantize exported bundles by `ppcls quantize`, and give their folders "
        "with --bundles",
    )
    current = Bundle.load(bundle.folder)
    if settings.backend in ("onnxruntime", "openvino") and current.onnx is None:
        current = add_onnx(current)
    return open_backend(current, settings)
