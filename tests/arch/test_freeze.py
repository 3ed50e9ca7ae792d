"""Frozen parts of a backbone: which they are, and that training leaves them as they are."""

import numpy as np
import paddle
import pytest

from helpers.messages import refusal, says
from ppcls.arch import build_model
from ppcls.arch.catalog import BACKBONES
from ppcls.arch.families.squeezenet.facts import SqueezeNet1_1Params


def frozen_names(model):
    fixed = {each.name for each in model._frozen_parameters}
    return [name for name, each in model.named_parameters() if each.name in fixed]


def test_the_stages_from_the_stem_on_are_found_by_their_gradients():
    model = build_model("SqueezeNet1_1", class_num=3)
    model.freeze(1)
    assert frozen_names(model) == ["stem.weight", "stem.bias"]
    model.freeze(2)
    assert {name.partition(".")[0] for name in frozen_names(model)} == {"stem", "fire2", "fire3"}
    model.freeze("backbone")
    learnt = [name for name, each in model.named_parameters() if not each.stop_gradient]
    assert learnt == ["fc.weight", "fc.bias"]
    model.freeze(0)
    assert frozen_names(model) == [] and not any(each.stop_gradient for each in model.parameters())
    assert refusal(model.freeze, 5) == says("Arch.freeze: 5, but SqueezeNet1_1 has 4 stages; write 4 or less ...")


def test_the_argument_freezes_a_new_model():
    model = SqueezeNet1_1Params("SqueezeNet1_1", class_num=3, freeze=1).make()
    assert frozen_names(model) == ["stem.weight", "stem.bias"]


def test_frozen_batch_norms_stay_in_evaluation_and_keep_their_statistics():
    model = BACKBONES["DLA46_c"](name="DLA46_c", class_num=3, freeze=2).make()
    norms = [layer for _, layer in model.named_sublayers() if isinstance(layer, paddle.nn.BatchNorm2D)]
    model.train()
    assert [layer.training for layer in norms[:4]] == [False, False, False, True]
    before = {name: value.numpy() for name, value in model.state_dict().items()}
    optimizer = paddle.optimizer.SGD(0.1, parameters=model.parameters())
    model(paddle.randn([2, 3, 64, 64])).square().sum().backward()
    optimizer.step()
    changed = {name for name, value in model.state_dict().items() if not np.array_equal(value.numpy(), before[name])}
    fixed = set(frozen_names(model)) | {f"{name[: -len('weight')]}_mean" for name in frozen_names(model)}
    assert "fc.weight" in changed and "level5.root.bn._mean" in changed
    assert not changed & fixed


@pytest.mark.parametrize("value", [-1, "head"])
def test_what_it_may_be(value):
    with pytest.raises(ValueError, match="freeze"):
        SqueezeNet1_1Params("SqueezeNet1_1", freeze=value)
