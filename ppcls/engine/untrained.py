"""A bundle of a model that was never trained, for what does not depend on the weights: how fast it runs."""

from __future__ import annotations

from pathlib import Path

from ppcls.config import load_config
from ppcls.engine import commands
from ppcls.engine.schema import registries
from ppcls.inference.bundle import Bundle


def untrained_bundle(model: str, folder: Path) -> Bundle:
    """Exports the shipped configuration of a model with its initial weights, and loads the bundle.

    Args:
        model: its name, which is its configuration's.
        folder: the bundle's place.
    """
    overrides = [f"Global.save_inference_dir={folder}", "Global.pretrained_model=null", "Arch.pretrained=False"]
    config = load_config(model, overrides, registries(), "export")
    commands.export(config, untrained=True)
    return Bundle.load(folder)
