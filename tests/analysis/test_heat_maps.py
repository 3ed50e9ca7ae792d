"""Maps of where a class is seen, on pictures whose answer is known by construction."""

import numpy as np
import paddle
import pytest

from helpers.small_families import shrink_large_families
from ppcls.analysis.heat_maps import grad_cam, occlusion_map, overlaid
from ppcls.arch import build_model, list_models

FAMILIES = ("DLA46_c", "DLA60_res2net", "DPN68", "AlexNet", "SqueezeNet1_1", "DarkNet53", "SENet154_vd")
NAMES = [name if name in FAMILIES else pytest.param(name, marks=pytest.mark.long) for name in list_models()]
SIDE, PATCH = 224, 96
CORNERS = ((0, 0), (128, 128), (0, 128), (64, 32))


def picture(top, left, seed):
    """Smooth noise with a patch of fine stripes, float32 [3, SIDE, SIDE]."""
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 0.3, (3, SIDE // 16, SIDE // 16)).repeat(16, 1).repeat(16, 2)
    stripes = np.where(np.arange(PATCH) // 3 % 2, 2.0, -2.0)
    image[:, top : top + PATCH, left : left + PATCH] = stripes
    return image.astype(np.float32)


def share_inside(heat, top, left, margin=16):
    """The share of a map's energy in the patch and a margin, the reach of a position of the last stage."""
    inside = np.zeros(heat.shape, bool)
    inside[max(top - margin, 0) : top + PATCH + margin, max(left - margin, 0) : left + PATCH + margin] = True
    return heat[inside].sum() / heat.sum()


def stripe_detector(model):
    """A linear classifier by ridge regression: 1 for positions of the last stage at stripes, -1 elsewhere."""
    inputs = np.stack([picture(*corner, number) for number, corner in enumerate(CORNERS)])
    with paddle.no_grad():
        stages = model.features(paddle.to_tensor(inputs))[-1].numpy()  # [N, K, h, w]
    stride = SIDE / stages.shape[2]
    rows, columns = np.indices(stages.shape[2:]) * stride + stride / 2
    positions, wanted = [], []
    for last, (top, left) in zip(stages, CORNERS):
        is_patch = (top < rows) & (rows < top + PATCH) & (left < columns) & (columns < left + PATCH)
        positions.append(last.reshape(len(last), -1).T)
        wanted.append(np.where(is_patch, 1.0, -1.0).ravel())
    found = np.concatenate(positions)  # [positions, K]
    products = found @ found.T
    ridge = 0.1 * np.trace(products) / len(products)
    return found.T @ np.linalg.solve(products + ridge * np.eye(len(products)), np.concatenate(wanted))


def set_classifier(model, weights):
    layers = [model.fc]
    if model.params.name == "AlexNet":
        # A hidden unit that sums what the weights say of each position, always above 0, and one that passes it on
        layers = [model.fc6, model.fc7, model.fc]
        weights = weights[:, None, None].repeat(6, 1).repeat(6, 2).ravel()
    for layer in layers:
        values = np.zeros(layer.weight.shape, np.float32)
        if len(values.shape) == 2:  # a linear layer, [in, out]
            values[: len(weights), 0] = weights
        else:
            values[0, : len(weights), 0, 0] = weights
        layer.weight.set_value(values)
        bias = np.zeros(layer.bias.shape, np.float32)
        bias[0] = 100 if layer is not model.fc else 0
        layer.bias.set_value(bias)
        weights = np.ones(1, np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_the_energy_falls_on_what_the_class_is(name, monkeypatch):
    shrink_large_families(monkeypatch)
    paddle.seed(0)
    model = build_model(name, class_num=2)
    model.eval()
    set_classifier(model, stripe_detector(model))
    place = (112, 16)  # none of those that the classifier was made with
    maps = grad_cam(model, picture(*place, 50)[None], [0])
    assert maps.shape == (1, SIDE, SIDE) and maps.dtype == np.float32
    assert maps.max() == pytest.approx(1)
    area = (PATCH + 32) ** 2 / SIDE**2
    assert area < 0.33 and share_inside(maps[0], *place) > 0.9


@pytest.fixture(scope="module")
def small():
    paddle.seed(0)
    with pytest.MonkeyPatch.context() as patch:
        shrink_large_families(patch)
        return build_model("DLA46_c", class_num=3)


def test_each_picture_is_explained_for_its_own_class(small):
    inputs = np.stack([picture(0, 0, 1), picture(128, 128, 2)])[:, :, :64, :96]
    together = grad_cam(small, inputs, [1, 2])
    assert together.shape == (2, 64, 96)
    alone = [grad_cam(small, inputs[:1], [1]), grad_cam(small, inputs[1:], [2])]
    assert np.allclose(together, np.concatenate(alone), atol=1e-5)
    assert not np.allclose(together[:1], grad_cam(small, inputs[:1], [2]), atol=0.1)
    assert not small.training


def test_a_class_that_nothing_speaks_for_has_no_map(small):
    small.fc.weight.set_value(-paddle.ones_like(small.fc.weight))
    assert not grad_cam(small, picture(0, 0, 1)[None, :, :64, :64], [0]).any()


class Bright:
    """Class 1 is as likely as a place of the picture is bright."""

    calls = 0

    def run(self, batch):
        self.calls += 1
        value = batch[:, :, 20:30, 40:60].mean(axis=(1, 2, 3))
        likely = 1 / (1 + np.exp(-4 * value))
        return np.stack([1 - likely, likely], axis=1).astype(np.float32)


@pytest.mark.parametrize("size", [(64, 96), (96, 64)])
def test_hiding_what_counts_costs_the_class_most(size):
    image = np.zeros((3, *size), np.float32)
    image[:, 20:30, 40:60] = 2
    backend = Bright()
    heat = occlusion_map(backend.run, image, 1, batch_size=50)
    assert heat.shape == size and heat.max() == 1
    # A patch of 14 pixels touches the place from 13 pixels away
    near = heat[7:43, 27 : min(73, size[1])]
    assert near.sum() == pytest.approx(heat.sum())
    assert heat[24:26, 45:55].min() > 0.5
    assert not occlusion_map(backend.run, image, 0).any()


def test_patches_reach_every_pixel_of_any_picture():
    seen = []

    def run(batch):
        seen.append(batch)
        return np.full((len(batch), 2), 0.5, np.float32)

    image = np.random.default_rng(0).normal(size=(3, 23, 31)).astype(np.float32)
    occlusion_map(run, image, 0)
    changed = np.concatenate(seen[1:]) != image
    assert changed.any(axis=(0, 1)).all()


def test_the_stronger_the_map_the_less_of_the_picture_shows():
    pixels = np.full((2, 2, 3), 200, np.uint8)
    laid = overlaid(pixels, np.array([[0.0, 0.2], [0.6, 1.0]]))
    assert laid.dtype == np.uint8 and laid.shape == (2, 2, 3)
    assert laid[0, 0].tolist() == [200, 200, 200]
    differences = np.abs(laid.astype(int) - 200).sum(axis=2)
    assert differences[0, 1] > 0 and differences[0, 1] < differences[1, 0]
