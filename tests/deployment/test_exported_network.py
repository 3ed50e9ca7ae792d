"""How a model's code becomes a program: networks of this package as they stand, a user's rewritten by Paddle."""

import numpy as np
import paddle
import pytest
from paddle.jit.dy2static.program_translator import FunctionCache

from ppcls.arch import build_model
from ppcls.deployment.exported_network import deployed


class Branching(paddle.nn.Layer):
    """A user's layer, which does one of two things by the values of its input."""

    def __init__(self):
        super().__init__()
        self.linear = paddle.nn.Linear(2, 2, bias_attr=False)
        self.linear.weight.set_value(paddle.eye(2))

    def forward(self, x):
        x = self.linear(x)
        if x.mean() > 0:
            y = x * 2
        else:
            y = x - 1
        return y


def traced(model, shape):
    spec = paddle.static.InputSpec([None, *shape], "float32", name="image")
    return paddle.jit.to_static(deployed(model), input_spec=[spec], full_graph=True)


def test_a_branch_of_a_users_layer_is_part_of_the_program(tmp_path):
    stem = str(tmp_path / "inference")
    paddle.jit.save(traced(Branching(), [2]), stem)
    program = paddle.jit.load(stem)
    for values, logits in (([1.0, 2.0], [2.0, 4.0]), ([-1.0, -3.0], [-2.0, -4.0])):
        exponents = np.exp(np.array(logits))
        np.testing.assert_allclose(program(paddle.to_tensor([values]))[0], exponents / exponents.sum(), atol=1e-6)


@pytest.mark.parametrize("name", ["SqueezeNet1_1", "AlexNet"])
def test_networks_of_this_package_are_not_rewritten(name, monkeypatch):
    rewritten = []
    original = FunctionCache.convert_with_cache
    monkeypatch.setattr(
        FunctionCache, "convert_with_cache", lambda cache, f: rewritten.append(f.__name__) or original(cache, f)
    )
    model = build_model(name, class_num=2)
    model.eval()
    assert traced(model, (3, 224, 224)).forward.concrete_program
    assert rewritten == []
    assert traced(Branching(), [2]).forward.concrete_program
    assert rewritten == ["forward", "forward"]  # of the network with softmax, and of the layer


def test_a_relu_stands_before_a_concatenation():
    """Engines then make it a part of the convolution; behind the concatenation it is a pass over memory of its own."""
    model = build_model("SqueezeNet1_1", class_num=2)
    model.eval()
    network = traced(model, (3, 64, 64))
    sources = []
    for operation in network.forward.concrete_program.main_program.global_block().ops:
        if operation.name() == "pd_op.concat":
            parts = operation.operand_source(0).get_defining_op()
            sources += [part.get_defining_op().name() for part in parts.operands_source()]
    assert sources == ["pd_op.relu"] * 16
