"""Names of paddle.vision in lists of transforms become the transforms that do the same here."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.messages import says
from ppcls.config import load_config
from ppcls.config.paddleclas.rewritten import translate_vision_names
from ppcls.data.transforms import NormalizeImage, RandCropImage, RandFlipImage, ToCHWImage
from ppcls.engine.schema import registries
from ppcls.untrusted.yaml_nodes import Origin, as_node
from ppcls.utils.errors import ConfigError

FILE = Path(__file__).parent / "paddleclas" / "DLA60x_v2.5.yaml"
TRAIN, EVAL = (f"DataLoader.{part}.dataset.transform_ops" for part in ("Train", "Eval"))
pytestmark = pytest.mark.usefixtures("imagenet")


def transforms(*operations):
    """The training's transforms behind DecodeImage."""
    override = f"{TRAIN}=[DecodeImage: {{}}, {', '.join(operations)}]"
    config = load_config(FILE, [override], registries(), "train", check_paths=False)
    return config.DataLoader.Train.dataset.transform_ops[1:]


def test_tensors_and_their_normalization():
    mean, std = [0.5, 0.4, 0.3], [0.2, 0.3, 0.4]
    found = transforms("ToTensor: ", f"Normalize: {{mean: {mean}, std: {std}, data_format: CHW}}")
    assert found == (NormalizeImage(1 / 255, tuple(mean), tuple(std)), ToCHWImage())
    picture = np.uint8([[[51, 102, 204]]])
    expected = [(0.2 - 0.5) / 0.2, (0.4 - 0.4) / 0.3, (0.8 - 0.3) / 0.4]
    assert found[0](picture)[0, 0] == pytest.approx(expected, abs=1e-6)


def test_one_number_for_all_channels_and_none():
    assert transforms("ToTensor: {data_format: CHW}") == (NormalizeImage(1 / 255, (0,) * 3, (1,) * 3), ToCHWImage())
    halves = NormalizeImage(1 / 255, (0.5,) * 3, (0.25,) * 3)
    assert transforms("ToTensor: ", "Normalize: {mean: 0.5, std: 0.25}") == (halves, ToCHWImage())


def test_gray_pictures_have_one_number():
    listed = [{"DecodeImage": {"channels": 1}}, {"ToTensor": None}, {"Normalize": {"mean": 0.5}}]
    root = as_node({"PreProcess": {"transform_ops": listed}}, Origin("c.yaml", 3))
    translate_vision_names(root)
    assert root.plain()["PreProcess"]["transform_ops"][1:] == [
        {"NormalizeImage": {"mean": [0.5], "std": [1.0], "scale": "1.0/255.0"}}, {"ToCHWImage": {}},
    ]  # fmt: skip


def test_flips_and_crops():
    assert transforms("RandomHorizontalFlip: ", "ToTensor: ")[0] == RandFlipImage()
    assert transforms("RandomHorizontalFlip: {prob: 0.3}", "ToTensor: ")[0] == RandFlipImage(prob=0.3)
    cropped = transforms("RandomResizedCrop: {size: [112, 96], scale: [0.2, 1], interpolation: bicubic}", "ToTensor: ")
    assert cropped[0] == RandCropImage((96, 112), (0.2, 1), interpolation="bicubic", sampling="torchvision")
    assert transforms("RandomResizedCrop: {size: 112}", "ToTensor: ")[0] == RandCropImage(112, sampling="torchvision")


def test_every_list_is_translated():
    listed = "[DecodeImage: , ResizeImage: {size: 224}, ToTensor: , Normalize: {mean: 0.5, std: 0.25}]"
    overrides = [f"{EVAL}={listed}", f"Infer.transforms={listed}", "Infer.infer_imgs=x"]
    config = load_config(FILE, overrides, registries(), "infer", check_paths=False)
    halves = NormalizeImage(1 / 255, (0.5,) * 3, (0.25,) * 3)
    assert config.DataLoader.Eval.dataset.transform_ops[2] == halves
    assert config.Infer.transforms[2] == halves


@pytest.mark.parametrize(
    ("operations", "said"),
    [
        (
            ["Normalize: {mean: 0.5}"],
            "transform_ops.1.Normalize: works on what ToTensor gives; write ToTensor before it ...",
        ),
        (["ToTensor: {keys: x}"], "transform_ops.1.NormalizeImage: unknown key 'keys'; ..."),
        (["ToTensor: 5"], "transform_ops.1.ToTensor: has a value that is not a mapping; write it without one"),
        (["ToTensor: ", "Normalize: {men: 1}"], "transform_ops.1.NormalizeImage: unknown key 'men' ... 'mean'?"),
        (["ToTensor: ", "RandomErasing: "], "RandomErasing stands after ToCHWImage; write ToCHWImage last"),
    ],
)
def test_what_does_not_fit_is_said(operations, said):
    with pytest.raises(ConfigError) as caught:
        transforms(*operations)
    assert caught.value.problems == [says(f"... {said}")]


NAMES = st.sampled_from(["ToTensor", "Normalize", "DecodeImage", "RandomResizedCrop", "RandomHorizontalFlip", "x"])
VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["mean", "std", "size", "channels", "data_format"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=40)
@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=2) | VALUES, max_size=5))
def test_any_list_is_translated_or_left_to_the_checker(listed):
    root = as_node({"PreProcess": {"transform_ops": listed}}, Origin("c.yaml", 1))
    translate_vision_names(root)
    found = root.plain()["PreProcess"]["transform_ops"]
    assert len(found) >= len(listed)
    others = [operation for operation in listed if not (isinstance(operation, dict) and len(operation) == 1)]
    assert all(operation in found for operation in others)
