"""`ppcls export`: the bundle of saved weights, written once it agrees with the model."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import paddle

from ppcls.arch.weights.load import Found
from ppcls.config import Config
from ppcls.engine import build, classes
from ppcls.engine.exporter import example_input, export_bundle
from ppcls.engine.infer import ModelBackend
from ppcls.engine.initial_statistics import settle_batch_norms
from ppcls.engine.input_size import at_size
from ppcls.engine.results import ExportResult
from ppcls.engine.startup import start
from ppcls.engine.temperature import fold_temperature
from ppcls.inference.golden import GOLDEN_PICTURE
from ppcls.utils.files import resolved, sha256_of
from ppcls.utils.logging import get_logger


def export(
    config: Config,
    untrained: bool = False,
    golden_picture: str | None = None,
    opset: int | None = None,
    program_format: str | None = None,
    size: tuple[int, int] | None = None,
    temperature: float | None = None,
) -> ExportResult:
    """Write the bundle of the configured weights to Global.save_inference_dir, once it agrees with the model.

    Args:
        config: The configuration.
        untrained: Whether initial weights are exported where none are configured.
        golden_picture: The bundle's example, in place of the library's own.
        opset: Also write the program as ONNX of this opset.
        program_format: json or pdmodel; None takes the one that the default of prediction runs fastest.
        size: (height, width) in place of the configuration's.
        temperature: What the logits are divided by; None leaves them as they are.
    """
    start(config)
    # Where the bundle is checked; a GPU may round products to TF32
    paddle.set_device("cpu")
    model, config = build.model(config, untrained=untrained)
    found = build.find_weights(config)
    config = at_size(config, size) if size else config
    folder = resolved(config.Global.save_inference_dir)
    pipeline = build.eval_pipeline(config)
    if found is None:
        example = example_input(pipeline, GOLDEN_PICTURE, config.Global.image_shape)
        settle_batch_norms(model, example)
    if temperature is not None:
        fold_temperature(model, temperature)
    agreement = export_bundle(
        model,
        pipeline,
        folder,
        architecture=config.Arch.name,
        class_num=config.Arch.class_num,
        image_shape=config.Global.image_shape,
        class_names=classes.class_names(config),
        config_sha256=hashlib.sha256(config.to_yaml().encode()).hexdigest(),
        weights_sha256=sha256_of(found.path) if found else None,
        golden_picture=Path(golden_picture) if golden_picture else None,
        opset=opset,
        program_file=program_format and f"inference.{program_format}",
        architecture_arguments=arguments_of(config.Arch),
        weights_source=source_of(found) if found else None,
    )
    get_logger().info(
        "exported to %s; through Paddle Inference its input differs by %.1e, its scores by %.1e of their spread",
        folder, agreement.input_difference, agreement.score_difference,
    )  # fmt: skip
    if agreement.classes_compared < 2:
        get_logger().warning(
            "the example's scores are one 1 and else zeros, as weights gone astray may give: they could not be compared"
        )
    return ExportResult(folder, agreement.input_difference, agreement.score_difference)


def arguments_of(params: Any) -> dict[str, Any]:
    """The backbone's arguments, without where its weights come from and how it is trained."""
    arguments = dataclasses.asdict(params)
    for name in ("name", "pretrained", "use_ema", "recompute", "freeze"):
        del arguments[name]
    return arguments


def source_of(found: Found) -> str:
    """The address of the weights without user name, password and query, which may be secrets; or their path."""
    if found.url is None:
        return str(found.path)
    parts = urlsplit(found.url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def reference(config: Config, temperature: float | None = None) -> ModelBackend:
    """The model of the configured weights on the CPU, for `ppcls verify` to compare a bundle with.

    Args:
        config: The configuration.
        temperature: The one that the bundle was exported with.
    """
    start(config)
    paddle.set_device("cpu")  # a GPU may round products to TF32
    model = build.model(config)[0]
    if temperature is not None:
        fold_temperature(model, temperature)
    return ModelBackend(model)
