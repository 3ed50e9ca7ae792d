"""Backbones on both kernels: what is the same, and what keeps a pass on Paddle's."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from helpers.small_families import shrink_large_families
from ppcls.arch import build_model
from ppcls.arch.layers import Backbone
from ppcls.kernels import library, plans, selection
from ppcls.utils import cpu

# One of each family, and what only its siblings have: groups, Res2Net's average pool, a leaky ReLU, ceil pooling
MODELS = {
    "DLA34": {},
    "DLA60_res2next": {},
    "DPN68": {},
    "AlexNet": {},
    "SqueezeNet1_1": {"ceil_pooling": True, "stem_padding": 0},
    "DarkNet53": {"activation_slope": 0.1},
    "SENet154_vd": {},
}
# Behind few layers rounding is not amplified: these stages are compared
SHALLOW = 2


def picture(size=64, seed=0):
    return np.random.default_rng(seed).standard_normal((2, 3, size, size)).astype("float32")


def near(ours, theirs, bound):
    return np.abs(ours - theirs).max() <= bound * np.abs(theirs).max()


@pytest.fixture
def implementations(monkeypatch):
    """The names of oneDNN's implementations that a test makes."""
    made = []
    describe = library.Primitive.__init__

    def note(self, *arguments):
        describe(self, *arguments)
        made.append(self.implementation)

    monkeypatch.setattr(library.Primitive, "__init__", note)
    for cache in (plans.convolution, plans.batch_norm, plans.pool, plans.channels):
        cache.cache_clear()
    return made


def references(implementations):
    """Those of them that oneDNN has for what it has no fast one for: ten to seventy times slower."""
    assert implementations
    return {name for name in implementations if name.startswith(("ref", "nspc"))}


@pytest.mark.parametrize("name", MODELS)
def test_stages_and_gradients_are_those_of_paddles_kernels(name, monkeypatch, implementations):
    shrink_large_families(monkeypatch)
    paddle.seed(0)
    model = build_model(name, class_num=3, **MODELS[name])
    before = {key: value.numpy() for key, value in model.state_dict().items()}
    results = []
    for kernels in ("paddle", "onednn"):
        selection.use(kernels)
        model.set_state_dict({key: paddle.to_tensor(value) for key, value in before.items()})
        model.clear_gradients()
        model.train()
        stages = model.features(paddle.to_tensor(picture()))[:SHALLOW]
        sum((stage * stage).mean() for stage in stages).backward()
        stem = dict(model.named_sublayers())[model.stem_layer].weight.grad
        state = {key: value.numpy() for key, value in model.state_dict().items()}
        results.append(([stage.numpy() for stage in stages], stem.numpy(), state))
    assert not references(implementations)
    (theirs, their_stem, their_state), (ours, our_stem, our_state) = results
    for one, other in zip(ours, theirs):
        assert near(one, other, 2e-5)
    assert near(our_stem, their_stem, 2e-4)
    for key in list(our_state)[:8]:
        assert near(our_state[key], their_state[key], 2e-5)


@pytest.mark.skipif(not cpu.has_bfloat16(), reason="the processor does not multiply bfloat16 numbers")
@pytest.mark.parametrize("name", MODELS)
def test_no_operator_of_a_step_in_bfloat16_is_a_reference(name, monkeypatch, implementations):
    shrink_large_families(monkeypatch)
    selection.use("onednn")
    model = build_model(name, class_num=3, **MODELS[name])
    with selection.bfloat16():
        logits = model(paddle.to_tensor(picture(224)))
    logits.sum().backward()
    assert not references(implementations)


@pytest.mark.parametrize("name", ["AlexNet", "SqueezeNet1_1"])
def test_logits_and_dropout_are_those_of_paddles_kernels(name):
    model = build_model(name, class_num=3, drop_rate=0.5)
    logits = []
    for kernels in ("paddle", "onednn"):
        selection.use(kernels)
        paddle.seed(7)
        logits.append(model(paddle.to_tensor(picture(67))).numpy())
    assert near(*logits, 1e-5)


def step_of(model, x, labels):
    model.clear_gradients(set_to_zero=False)
    loss = F.cross_entropy(model(paddle.to_tensor(x)), paddle.to_tensor(labels))
    loss.backward()
    return {name: value.grad.numpy() for name, value in model.named_parameters() if not value.stop_gradient}


def test_recompute_gives_the_same_gradients_and_statistics():
    selection.use("onednn")
    model = build_model("DLA46_c", class_num=3)
    plain = step_of(model, picture(), [0, 1])
    mean = model.base_layer[1]._mean.numpy()
    model.base_layer[1]._mean.zero_()
    model.set_recompute()
    again = step_of(model, picture(), [0, 1])
    repeated = step_of(model, picture(), [0, 1])
    for name, gradient in again.items():
        np.testing.assert_array_equal(gradient, repeated[name])
        assert near(gradient, plain[name], 1e-4)
    np.testing.assert_allclose(model.base_layer[1]._mean.numpy(), 1.9 * mean, rtol=1e-5)


def test_a_frozen_beginning_gets_no_gradients_and_the_rest_gets_its_own():
    selection.use("onednn")
    model = build_model("DLA46_c", class_num=3)
    whole = step_of(model, picture(), [0, 1])
    for part in (model.base_layer, model.level0, model.level1):
        for parameter in part.parameters():
            parameter.stop_gradient = True
    frozen = step_of(model, picture(), [0, 1])
    assert {name.split(".")[0] for name in whole.keys() - frozen.keys()} == {"base_layer", "level0", "level1"}
    for name, gradient in frozen.items():
        assert near(gradient, whole[name], 1e-4)


def ran_on_ours(model, x, monkeypatch):
    """Whether any part of a pass has its channels last."""
    seen = []
    convolution = type(model).run_stages

    def note(self, x):
        seen.append(selection.is_channels_last())
        return convolution(self, x)

    monkeypatch.setattr(type(model), "run_stages", note)
    model(x)
    assert not selection.is_channels_last()
    return seen


def test_a_pass_with_hooks_runs_on_paddles_kernels(monkeypatch):
    selection.use("onednn")
    model = build_model("SqueezeNet1_1", class_num=2)
    x = paddle.to_tensor(picture(33))
    assert ran_on_ours(model, x, monkeypatch) == [True]
    seen = []
    hook = model.fire2.register_forward_post_hook(lambda layer, inputs, output: seen.append(output.shape))
    assert ran_on_ours(model, x, monkeypatch)[-1] is False
    assert seen == [[2, 128, 8, 8]]
    hook.remove()
    assert ran_on_ours(model, x, monkeypatch)[-1] is True


def test_a_part_that_is_called_alone_runs_on_paddles_kernels():
    selection.use("onednn")
    model = build_model("SqueezeNet1_1", class_num=2)
    assert model.fire2(paddle.zeros([1, 64, 5, 7])).shape == [1, 128, 5, 7]
    assert model.forward_head(model.forward_features(paddle.to_tensor(picture(33)))).shape == [2, 2]


def test_a_family_that_defines_features_itself_gets_what_it_expects():
    class Own(Backbone):
        def features(self, x):
            assert not selection.is_channels_last()
            return [self.stem(x)]

    selection.use("onednn")
    model = build_model("SqueezeNet1_1", class_num=2)
    own = Own(model.params, (64,), (2,))
    own.stem = model.stem
    assert own(paddle.to_tensor(picture(33))).shape == [2, 2]


def test_an_impossible_input_is_refused_before_the_kernels_see_it():
    from ppcls.utils.errors import UserError

    selection.use("onednn")
    model = build_model("DLA34", class_num=2)
    with pytest.raises(UserError, match="multiples of 32"):
        model(paddle.zeros([1, 3, 33, 33]))
