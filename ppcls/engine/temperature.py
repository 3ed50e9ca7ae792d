"""The temperature of a model's logits, folded into its weights."""

from __future__ import annotations

from typing import Any

import paddle

from ppcls.utils.errors import expect
from ppcls.utils.logging import get_logger


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
