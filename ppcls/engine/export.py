"""`ppcls export`: the bundle of saved weights, written once it agrees with the model."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import paddle

from ppcls.arch.weights.load import Found
from ppcls.config import Config
from ppcls.engine import build, classes
from ppcls.engine.device import start
from ppcls.engine.exporter import example_input, export_bundle
from ppcls.engine.infer import ModelBackend
from ppcls.engine.input_size import at_size
from ppcls.engine.results import ExportResult
from ppcls.inference.golden import GOLDEN_PICTURE
from ppcls.utils.errors import expect
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


def settle_batch_norms(model: Any, image: np.ndarray) -> None:
    """Sets each batch norm's variance to the mean square of its input for one picture.

    With the initial variance of 1 activations grow at every residual connection. Softmax of the logits of SENet154_vd,
    about 100,000, leaves one class all, and rounding decides which: no program could be compared with the model. With
    trained statistics activations stay near 1, and so they do with these. It is one number a layer: a channel's own
    variance may be nothing but rounding where a small picture ends in a single pixel.

    Args:
        model: keeps its parameters, and evaluates afterwards.
        image: a picture as the model takes it, float32 [1, C, H, W].
    """

    def settle(norm: Any, inputs: Any) -> None:
        norm._variance.set_value(
            paddle.full_like(norm._variance, inputs[0].square().mean().item())
        )

    model.eval()
    hooks = []
    for part in model.sublayers():
        if isinstance(part, paddle.nn.BatchNorm2D):
            hooks.append(part.register_forward_pre_hook(settle))
    with paddle.no_grad():
        model(paddle.to_tensor(image))
    for hook in hooks:
        hook.remove()


def fold_temperature(model: Any, temperature: float) -> None:
    """Divide a model's logits by a temperature, in the weights of its classifier.

    Nothing follows the classifier but, in SqueezeNet, a ReLU and a mean over positions, which only scale with it. The
    answers stay the same; their probabilities change.

    Args:
        model: A backbone.
        temperature: Above 0; above 1 makes probabilities less sure.

    Raises:
        UserError: The model has no classifier.
    """
    expect(
        model.fc is not None,
        "the model has no classifier (Arch.class_num: 0), so its logits have no temperature; leave --temperature out",
    )
    with paddle.no_grad():
        for parameter in (model.fc.weight, model.fc.bias):
            if parameter is not None:
                parameter.set_value(parameter / temperature)
    get_logger().info("logits are divided by the temperature %g", temperature)
