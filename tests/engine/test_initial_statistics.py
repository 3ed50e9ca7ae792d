"""Initial weights get batch-norm statistics with which their scores can be compared."""

import numpy as np
import paddle
import pytest

from ppcls.arch import DLA46_c, SENet154_vd
from ppcls.engine.export import settle_batch_norms


@pytest.fixture
def model():
    paddle.seed(5)
    return DLA46_c(class_num=7)


@pytest.fixture
def image():
    return np.random.default_rng(0).standard_normal((1, 3, 32, 64), dtype=np.float32)


def norms_of(model):
    return [part for part in model.sublayers() if isinstance(part, paddle.nn.BatchNorm2D)]


def test_the_variance_is_the_mean_square_of_what_each_norm_sees(model, image):
    settle_batch_norms(model, image)
    seen = {}
    for norm in norms_of(model):
        norm.register_forward_pre_hook(lambda part, inputs: seen.update({id(part): inputs[0].numpy()}))
    model(paddle.to_tensor(image))
    assert len(seen) == len(norms_of(model)) > 20
    for norm in norms_of(model):
        expected = np.square(seen[id(norm)], dtype=np.float64).mean()
        np.testing.assert_allclose(norm._variance.numpy(), np.full(norm._num_features, expected), rtol=1e-4)


def test_nothing_else_changes(model, image):
    names = {name for name in model.state_dict() if not name.endswith("_variance")}
    before = {name: model.state_dict()[name].numpy() for name in names}
    settle_batch_norms(model, image)
    assert not any(part.training for part in model.sublayers(include_self=True))
    for name in names:
        np.testing.assert_array_equal(before[name], model.state_dict()[name].numpy(), err_msg=name)
    variances = [norm._variance.numpy() for norm in norms_of(model)]
    model(paddle.to_tensor(2 * image))
    for variance, norm in zip(variances, norms_of(model)):
        np.testing.assert_array_equal(variance, norm._variance.numpy())


def test_the_deepest_model_leaves_every_class_a_share(image):
    paddle.seed(5)
    model = SENet154_vd(class_num=10)
    settle_batch_norms(model, image)
    with paddle.no_grad():
        scores = paddle.nn.functional.softmax(model(paddle.to_tensor(image)))
    assert scores.min().item() > 1e-6  # 0 without
