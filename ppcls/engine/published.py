"""A bundle of a model with its published weights, for what is measured of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from ppcls.config import load_config, shipped_configs
from ppcls.engine import commands
from ppcls.engine.schema import registries
from ppcls.inference.bundle import MANIFEST_FILE, Bundle
from ppcls.inference.onnx_export import OPSET


def published_bundle(model: str, folder: Path) -> Bundle:
    """Loads the bundle in `folder`, or exports the model there first, as ONNX too where paddle2onnx is installed.

    Args:
        model: its name, which is its configuration's.
        folder: the bundle's place.

    Raises:
        UserError: the weights cannot be had.
    """
    if not (folder / MANIFEST_FILE).is_file():
        overrides = [f"Global.save_inference_dir={folder}", "Arch.pretrained=true"]
        shipped = str(shipped_configs()[model])  # its path: a file or folder of that name may lie where the user is
        opset = OPSET if importlib.util.find_spec("paddle2onnx") else None
        commands.export(load_config(shipped, overrides, registries(), "export"), opset=opset)
    return Bundle.load(folder)
