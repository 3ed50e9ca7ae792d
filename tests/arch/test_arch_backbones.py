"""What every backbone promises: gradients, stages, classifier, dropout, input sizes, initial values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import paddle
import pytest

from helpers.messages import refusal, says
from helpers.small_families import shrink_large_families
from ppcls.arch import Backbone, build_model, list_models
from ppcls.arch.families.dla.network import DLA
from ppcls.arch.layers import ConvNormRelu, conv_norm_relu
from ppcls.arch.model_table import MODELS

# Paddle says so whenever a batch norm trains.
pytestmark = pytest.mark.filterwarnings("ignore:When training, we now always track global mean:UserWarning")

# The smallest model of each family, and those of them that are cheap to make
SIZES = {name: MODELS[name].trainable_params for name in sorted(MODELS, key=lambda name: MODELS[name].trainable_params)}
EVERY = tuple({MODELS[name].family: name for name in reversed(SIZES)}.values())
SMALL = tuple(name for name in EVERY if SIZES[name] < 100e6)
ANY_SIZE = ("DPN68", "DarkNet53", "SENet154_vd")


@pytest.fixture(scope="module", params=list_models())
def model(request: pytest.FixtureRequest) -> Backbone:
    paddle.seed(0)
    with pytest.MonkeyPatch.context() as patch:
        shrink_large_families(patch)
        made = build_model(request.param, class_num=10)
    return made


def stem_of(backbone: Backbone) -> Any:
    return dict(backbone.named_sublayers())[backbone.stem_layer]


def make(name: str, **keywords: Any) -> Backbone:
    paddle.seed(1)
    backbone = build_model(name, **keywords)
    backbone.eval()
    return backbone


@pytest.fixture
def small_families(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink_large_families(monkeypatch)


def noise(*shape: int) -> paddle.Tensor:
    return paddle.to_tensor(np.random.RandomState(0).normal(size=shape).astype("float32"))


def test_every_parameter_gets_a_gradient(model: Backbone) -> None:
    model.train()
    paddle.nn.functional.cross_entropy(model(noise(2, 3, 64, 64)), paddle.to_tensor([3, 7])).backward()
    trained = {name: p for name, p in model.named_parameters() if not p.stop_gradient}
    assert [name for name, p in trained.items() if p.grad is None or not np.any(p.grad.numpy())] == []
    assert len(trained) > 2  # more than the classifier
    model.clear_gradients()


def test_features_are_what_the_attributes_say(model: Backbone) -> None:
    model.eval()
    with paddle.no_grad():
        small, large = model.features(noise(1, 3, 64, 64)), model.features(noise(1, 3, 96, 128))
    assert [tensor.shape[1] for tensor in small] == list(model.feature_channels)
    assert model.num_features == (64 if model.params.name == "AlexNet" else model.feature_channels[-1])
    # So many pixels more of the input give one more position: true with borders of any kind.
    for before, after, stride in zip(small, large, model.feature_strides):
        assert ((after.shape[2] - before.shape[2]) * stride, (after.shape[3] - before.shape[3]) * stride) == (32, 64)


@pytest.mark.parametrize(
    ("name", "channels", "strides"),
    [
        ("DLA34", (16, 32, 64, 128, 256, 512), (1, 2, 4, 8, 16, 32)),
        ("DLA60_res2next", (16, 32, 128, 256, 512, 1024), (1, 2, 4, 8, 16, 32)),
        ("DPN68", (10, 144, 320, 704, 832), (2, 4, 8, 16, 32)),
        ("DPN92", (64, 336, 704, 1552, 2688), (2, 4, 8, 16, 32)),
        ("DPN107", (128, 376, 1152, 2432, 2688), (2, 4, 8, 16, 32)),
        ("AlexNet", (64, 192, 256, 256), (4, 8, 16, 32)),
        ("DarkNet53", (32, 64, 128, 256, 512, 1024), (1, 2, 4, 8, 16, 32)),
        ("SENet154_vd", (128, 256, 512, 1024, 2048), (2, 4, 8, 16, 32)),
        ("SqueezeNet1_0", (96, 256, 512, 512), (2, 4, 8, 16)),
        ("SqueezeNet1_1", (64, 128, 256, 512), (2, 4, 8, 16)),
    ],
)
def test_stages_of_a_family(name: str, channels: tuple, strides: tuple) -> None:
    with paddle.LazyGuard():  # no values
        backbone = build_model(name)
    assert (backbone.feature_channels, backbone.feature_strides) == (channels, strides)


def test_dla_stages_divide_the_input_exactly() -> None:
    sizes = [tensor.shape[2:] for tensor in make("DLA46_c").features(noise(1, 3, 64, 96))]
    assert sizes == [[64 // s, 96 // s] for s in (1, 2, 4, 8, 16, 32)]


@pytest.mark.parametrize(
    ("name", "keywords", "sizes"),
    [
        ("SqueezeNet1_0", {}, [109, 54, 26, 12]),
        ("SqueezeNet1_1", {}, [112, 55, 27, 13]),
        ("SqueezeNet1_0", {"ceil_pooling": True}, [109, 54, 27, 13]),
        ("SqueezeNet1_1", {"stem_padding": 0, "ceil_pooling": True}, [111, 55, 27, 13]),
    ],
)
def test_squeezenet_geometry_is_an_argument(name: str, keywords: dict, sizes: list[int]) -> None:
    with paddle.no_grad():
        stages = make(name, **keywords).features(noise(1, 3, 224, 224))
    assert [tensor.shape[2:] for tensor in stages] == [[size, size] for size in sizes]


@pytest.mark.usefixtures("small_families")
@pytest.mark.parametrize("name", ANY_SIZE)
def test_odd_sizes_are_rounded_up(name: str) -> None:
    backbone = make(name, class_num=2)
    for height, width in [(1, 2), (3, 5), (33, 70)]:
        with paddle.no_grad():
            sizes = [tensor.shape[2:] for tensor in backbone.features(noise(1, 3, height, width))]
            assert backbone(noise(1, 3, height, width)).shape == [1, 2]
        assert sizes == [[-(-height // stride), -(-width // stride)] for stride in backbone.feature_strides]
    assert (backbone.admits(0), backbone.admits(1)) == (False, True)
    assert backbone.size_rule() == "height and width must be at least 1"


@pytest.mark.usefixtures("small_families")
def test_alexnet_ends_in_hidden_layers() -> None:
    backbone = make("AlexNet", class_num=0)
    weights = {key: value.numpy() for key, value in backbone.state_dict().items()}
    for side, grid in [(63, 1), (224, 6), (256, 7)]:
        x = noise(2, 3, side, side)
        with paddle.no_grad():
            last, found = backbone.forward_features(x), backbone(x).numpy()
        assert last.shape == [2, 256, grid, grid]
        pooled = paddle.nn.functional.adaptive_avg_pool2d(last, 6).numpy()
        if grid == 1:
            np.testing.assert_array_equal(pooled, np.broadcast_to(last.numpy(), pooled.shape))
        hidden = np.maximum(pooled.reshape(2, -1) @ weights["fc6.weight"] + weights["fc6.bias"], 0)
        hidden = np.maximum(hidden @ weights["fc7.weight"] + weights["fc7.bias"], 0)
        assert found.shape == (2, backbone.num_features) == (2, 64)
        np.testing.assert_allclose(found, hidden, rtol=1e-4, atol=1e-4 * hidden.max())


@pytest.mark.usefixtures("small_families")
@pytest.mark.parametrize("name", [name for name in SMALL if name != "AlexNet"])
def test_no_classes_give_pooled_features(name: str) -> None:
    backbone, x = make(name, class_num=0, drop_rate=0.9), noise(2, 3, 64, 64)
    backbone.train()
    pooled = backbone.features(x)[-1].numpy().mean(axis=(2, 3))
    assert pooled.shape == (2, backbone.num_features)
    backbone.eval()
    pooled = backbone.features(x)[-1].numpy().mean(axis=(2, 3))
    np.testing.assert_allclose(backbone(x).numpy(), pooled, rtol=1e-4, atol=1e-5)
    assert not [key for key in backbone.state_dict() if key.startswith("fc.")]


@pytest.mark.usefixtures("small_families")
@pytest.mark.parametrize("name", [name for name in SMALL if name != "AlexNet"])
def test_forward_is_head_of_features(name: str) -> None:
    backbone, x = make(name, class_num=7), noise(2, 3, 64, 64)
    last = backbone.forward_features(x).numpy()
    np.testing.assert_array_equal(last, backbone.features(x)[-1].numpy())
    weight, bias = backbone.fc.weight.numpy()[:, :, 0, 0], backbone.fc.bias.numpy()
    if not name.startswith("SqueezeNet"):
        expected = last.mean(axis=(2, 3)) @ weight.T + bias
    else:
        scores = np.einsum("nchw,kc->nkhw", last, weight) + bias[:, None, None]
        expected = np.maximum(scores, 0).mean(axis=(2, 3))
    np.testing.assert_allclose(backbone(x).numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("small_families")
@pytest.mark.parametrize("name", SMALL)
def test_reset_classifier(name: str) -> None:
    backbone, x = make(name, class_num=10), noise(1, 3, 64, 64)
    before = {key: value.numpy().copy() for key, value in backbone.state_dict().items() if not key.startswith("fc.")}
    for class_num in (3, 0, 5):
        backbone.reset_classifier(class_num)
        assert backbone(x).shape == [1, class_num or backbone.num_features]
        assert backbone.params.class_num == class_num
    for key, value in before.items():
        np.testing.assert_array_equal(backbone.state_dict()[key].numpy(), value)
    with pytest.raises(ValueError, match=r"^class_num is -1; write a whole number of at least 0$"):
        backbone.reset_classifier(-1)


@pytest.mark.usefixtures("small_families")
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("in_channels", [1, 4])
def test_other_inputs(name: str, in_channels: int) -> None:
    backbone = make(name, in_channels=in_channels, class_num=2)
    assert stem_of(backbone).weight.shape[1] == in_channels
    assert backbone(noise(3, in_channels, 64, 96)).shape == [3, 2]


@pytest.mark.usefixtures("small_families")
@pytest.mark.parametrize("name", SMALL)
def test_wrong_inputs_are_named(name: str) -> None:
    backbone = make(name)
    assert refusal(backbone, noise(1, 1, 64, 64)) == says(
        f"{name} ... 3 channels and was given 1 (shape [1, 1, 64, 64]); make it with in_channels=1"
    )
    assert refusal(backbone, noise(3, 64, 64)) == says(f"{name} takes pictures as [N, C, H, W] ... shape [3, 64, 64]")


@pytest.mark.usefixtures("small_families")
def test_sizes_that_the_geometry_does_not_admit() -> None:
    assert refusal(make("AlexNet", class_num=1), noise(1, 3, 62, 64)) == says(
        "AlexNet ... 62 x 64 pixels; ... at least 63"
    )
    assert refusal(make("DLA46_c"), noise(1, 3, 64, 100)) == says("DLA46_c ... 64 x 100 pixels; ... multiples of 32")
    assert refusal(make("SqueezeNet1_0"), noise(1, 3, 64, 16)) == says(
        "SqueezeNet1_0 ... 64 x 16 pixels; ... at least 35"
    )


@pytest.mark.usefixtures("small_families")
@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("DLA46_c", {}),
        ("DLA60_res2net", {}),
        ("AlexNet", {}),
        ("SqueezeNet1_0", {}),
        ("SqueezeNet1_1", {}),
        ("SqueezeNet1_1", {"stem_padding": 0, "ceil_pooling": True}),
    ],
)
def test_the_rule_for_sizes_is_what_the_layers_do(name: str, keywords: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = make(name, class_num=2, **keywords)
    monkeypatch.setattr(backbone, "check_input", lambda x: None)
    admitted = [side for side in range(12, 70) if backbone.admits(side)]
    assert admitted == [side for side in range(12, 70) if _fits(backbone, side)]


def _fits(backbone: Backbone, side: int) -> bool:
    """Whether every pool of the running model finds what it needs in the stage before it."""
    try:
        with paddle.no_grad():
            sizes = [tensor.shape[2] for tensor in backbone.features(noise(1, 3, side, side))]
    except ValueError:  # Paddle's refusal of sums of different shapes
        return False
    if isinstance(backbone, DLA):
        return all(size % 2 == 0 for size in sizes[1:-1])
    return all(size >= (2 if getattr(backbone, "ceil_pooling", False) else 3) for size in sizes[:-1])


@pytest.mark.usefixtures("small_families")
@pytest.mark.parametrize("name", SMALL)
def test_dropout_acts_in_training_only(name: str) -> None:
    dropping, plain, x = make(name, drop_rate=0.25), make(name, drop_rate=0.0), noise(2, 3, 64, 64)
    plain.set_state_dict(dropping.state_dict())
    np.testing.assert_array_equal(dropping(x).numpy(), plain(x).numpy())
    seen = []
    dropping.dropout.register_forward_post_hook(lambda layer, inputs, out: seen.append((inputs[0], out)))
    dropping.train()
    dropping(x)
    before, after = (tensor.numpy().ravel() for tensor in seen[0])
    kept = after != 0
    np.testing.assert_allclose(after[kept], before[kept] / 0.75, rtol=1e-6)
    assert 0.2 < np.mean(after[before != 0] == 0) < 0.3


def test_default_drop_rates_are_paddleclas() -> None:
    with paddle.LazyGuard():  # no values
        rates = {name: build_model(name).dropout.p for name in list_models()}
    assert {name for name, rate in rates.items() if rate == 0.5} == {"AlexNet", "SqueezeNet1_0", "SqueezeNet1_1"}
    assert sorted(set(rates.values())) == [0, 0.5]


def test_two_of_a_model_share_no_name() -> None:
    with paddle.LazyGuard():  # no values
        models = [build_model(name) for name in EVERY for _ in range(2)]
    names = [parameter.name for backbone in models for parameter in backbone.parameters()]
    assert len(set(names)) == len(names)


def test_two_models_live_side_by_side() -> None:
    first, second = make("DLA46_c", class_num=4), make("DLA46_c", class_num=4)
    kept = {key: value.numpy().copy() for key, value in second.state_dict().items()}
    first.train()
    first(noise(2, 3, 32, 32)).sum().backward()
    paddle.optimizer.SGD(0.1, parameters=first.parameters()).step()
    changed = first.fc.bias.numpy()
    np.testing.assert_allclose(changed, np.full(4, -0.2), rtol=1e-5)
    for key, value in second.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), kept[key])


@pytest.mark.usefixtures("small_families")
@pytest.mark.parametrize(("name", "side"), [*((name, None) for name in EVERY), ("AlexNet", 224)])
def test_static_graph_equals_dynamic(name: str, side: int | None) -> None:
    backbone, x = make(name, class_num=5), noise(3, 3, side or 64, side or 64)
    expected = backbone(x).numpy()
    spec = [paddle.static.InputSpec([None, 3, side, side], "float32", "image")]
    static = paddle.jit.to_static(backbone, input_spec=spec, full_graph=True)
    np.testing.assert_allclose(static(x).numpy(), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_initial_values_come_from_paddles_generator() -> None:
    first, again = make("DLA46_c"), make("DLA46_c")
    other = build_model("DLA46_c")
    for key, value in first.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), again.state_dict()[key].numpy())
    assert not np.array_equal(first.level0[0].weight.numpy(), other.level0[0].weight.numpy())


DEVIATIONS = {
    "DLA34": {
        "level5.tree1.conv2.weight": math.sqrt(2 / (9 * 512)),
        "level5.root.conv.weight": math.sqrt(2 / 1280),
        "fc.weight": 0.01,
    },
    "DLA46x_c": {"level5.tree1.conv2.weight": math.sqrt(2 / (9 * 8))},
    "SqueezeNet1_1": {
        "fire9.squeeze.weight": math.sqrt(2 / 512),
        "fire9.expand3x3.weight": math.sqrt(2 / (9 * 64)),
        "fc.weight": 0.01,
    },
    "DPN68": {"conv4_2.spatial.conv.weight": math.sqrt(2 / (9 * 16))},
    "AlexNet": {"fc7.weight": 0.005},
    "DarkNet53": {"stages.4.blocks.3.conv2.0.weight": math.sqrt(2 / (9 * 512))},
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_initial_deviations(name: str) -> None:
    with paddle.LazyGuard():  # the values of the few that are looked at are drawn
        backbone = build_model(name)
    paddle.seed(1)
    parameters = dict(backbone.named_parameters())
    for key, deviation in DEVIATIONS[name].items():
        parameters[key].initialize()
        weight = parameters[key].numpy()
        assert np.std(weight) == pytest.approx(deviation, rel=0.02), key
        assert abs(np.mean(weight)) < 0.02 * deviation, key


@pytest.mark.parametrize("name", SMALL)
def test_the_first_loss_is_that_of_guessing(name: str) -> None:
    backbone, labels = make(name, class_num=10), paddle.arange(8)
    backbone.train()
    for class_num in (10, 1000):
        backbone.reset_classifier(class_num)
        loss = paddle.nn.functional.cross_entropy(backbone(noise(8, 3, 64, 64)), labels)
        assert float(loss) == pytest.approx(math.log(class_num), rel=0.1)


def test_arguments_of_dpn() -> None:
    backbone = make("DPN68", class_num=1, epsilon=0.5)
    norms = [part for part in backbone.sublayers() if isinstance(part, paddle.nn.BatchNorm2D)]
    assert {norm._epsilon for norm in norms} == {0.5}
    assert len(norms) == 72
    out = backbone.stem[1](paddle.ones([1, 10, 1, 1])).numpy()  # statistics of 0 and 1
    np.testing.assert_allclose(out, 1 / math.sqrt(1.5), rtol=1e-6)


def test_arguments_of_darknet() -> None:
    x = paddle.to_tensor([-2.0, 3.0]).reshape([1, 1, 1, 2])
    for slope in (0, 0.01, 0.1):
        with paddle.LazyGuard():  # no values
            backbone = build_model("DarkNet53", activation_slope=slope)
        slopes = [part.slope for part in backbone.sublayers() if isinstance(part, ConvNormRelu)]
        assert slopes == [slope] * 52
        block = conv_norm_relu(1, 1, 1, slope=slope)
        block.eval()
        block[0].weight.set_value(paddle.ones([1, 1, 1, 1]))
        np.testing.assert_allclose(block(x).numpy().ravel(), [-2 * slope, 3], rtol=1e-5)  # statistics of 0 and 1
