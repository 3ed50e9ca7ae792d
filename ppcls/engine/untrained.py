"""A bundle of a model that was never trained, for what does not depend on the weights: how fast it runs."""

from __future__ import annotations

from pathlib import Path

from ppcls.config import load_config, shipped_configs
from ppcls.engine import commands
from ppcls.engine.schema import registries
from ppcls.inference.backends import Backend, open_backend
from ppcls.inference.bundle import Bundle
from ppcls.inference.onnx_export import add_onnx
from ppcls.inference.settings import Settings
from ppcls.utils.errors import Unavailable


def untrained_bundle(model: str, folder: Path) -> Bundle:
    """Exports the shipped configuration of a model with its initial weights, and loads the bundle.

    Args:
        model: its name, which is its configuration's.
        folder: the bundle's place.
    """
    overrides = [f"Global.save_inference_dir={folder}", "Arch.pretrained=False"]
    shipped = str(shipped_configs()[model])  # its path: a file or folder of that name may lie where the user is
    commands.export(load_config(shipped, overrides, registries(), "export"), untrained=True)
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
