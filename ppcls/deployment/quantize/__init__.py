"""Int8 forms of a bundle, made after training: `ppcls quantize`.

`options` says what may be asked for, `samples` which pictures are calibrated and compared on, `openvino` and
`onnxruntime` quantize, `gate` compares with float32, `store` puts the form into the bundle, `run` does it all in turn.
"""

from ppcls.deployment.quantize.options import QuantizeOptions
from ppcls.deployment.quantize.run import GateFailure, QuantizationResult, quantize

__all__ = ["GateFailure", "QuantizationResult", "QuantizeOptions", "quantize"]
