"""Int8 forms of a bundle, made after training: `ppcls quantize`.

`options` has the choices, `samples` chooses the pictures to calibrate and compare on, `openvino` and `onnxruntime`
quantize, `gate` compares with float32, and `run` does it all and adds the form to the bundle.
"""

from ppcls.deployment.quantize.options import QuantizeOptions
from ppcls.deployment.quantize.run import GateFailure, QuantizationResult, quantize

__all__ = ["GateFailure", "QuantizationResult", "QuantizeOptions", "quantize"]
