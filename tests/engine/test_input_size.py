"""`--size`: transforms and shape change together, in the configuration's own ratio."""

import pytest

from ppcls.cli import main
from ppcls.config import load_config
from ppcls.data.transforms import CenterCrop, CropImage, DecodeImage, NormalizeImage, Pipeline, ResizeImage, ToCHWImage
from ppcls.engine.input_size import at_size, parse_size, resized
from ppcls.engine.schema import registries
from ppcls.utils.errors import UserError


@pytest.mark.parametrize(("text", "size"), [("256", (256, 256)), ("256x320", (256, 320)), ("1x99999", (1, 99999))])
def test_a_size_is_a_side_or_height_and_width(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "256x", "x256", "256X320", "2.5", "-1", "100000", "1x2x3"])
def test_what_is_no_size(text):
    with pytest.raises(ValueError, match=f"a size of {text!r}; write 256, or 256x320 for a height of 256"):
        parse_size(text)


@pytest.mark.parametrize(
    ("short", "crop", "size", "expected"),
    [
        (256, 224, (288, 288), 329),  # 256 / 224 * 288 = 329.14
        (292, 256, (320, 320), 365),
        (256, 224, (128, 256), 293),  # the longer side counts, so that no picture is smaller than the crop
        (224, 224, (192, 192), 192),
    ],
)
def test_the_shorter_side_keeps_its_ratio_to_the_crop(short, crop, size, expected):
    for kind in (CropImage, CenterCrop):
        ops = (DecodeImage(), ResizeImage(resize_short=short), kind(size=crop), NormalizeImage(), ToCHWImage())
        changed = resized(ops, size)
        assert changed == (ops[0], ResizeImage(resize_short=expected), kind(size=size[::-1]), *ops[3:])
        assert Pipeline(changed).output_size == (3, *size)


def test_a_resize_to_a_size_is_changed_too():
    ops = (DecodeImage(), ResizeImage(size=224, backend="pil"), NormalizeImage())
    assert resized(ops, (96, 64))[1] == ResizeImage(size=(64, 96), backend="pil")


@pytest.mark.parametrize(
    "ops",
    [
        (DecodeImage(), ResizeImage(resize_short=256), NormalizeImage()),
        (DecodeImage(), ResizeImage(size=256), CropImage(size=224), NormalizeImage()),
    ],
)
def test_transforms_without_a_single_size_are_said(ops):
    with pytest.raises(UserError, match=r"no single size that --size could change; end them with one CropImage"):
        resized(ops, (96, 96))


def test_the_shape_goes_with_the_transforms():
    config = at_size(load_config("DarkNet53", [], registries(), "export", check_paths=False), (320, 320))
    assert config.Global.image_shape == (3, 320, 320)
    assert Pipeline(config.DataLoader.Eval.dataset.transform_ops).output_size == (3, 320, 320)
    assert "resize_short: 365" in config.to_yaml()


def test_a_size_that_the_geometry_does_not_admit(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["export", "-c", "DLA46_c", "--untrained", "--size", "100"]) == 2
    expected = "DLA46_c was given pictures of 100 x 100 pixels; height and width must be multiples of 32\n"
    assert capsys.readouterr().err.endswith(expected)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_size_is_said_by_the_command(capsys):
    with pytest.raises(SystemExit):
        main(["export", "-c", "DLA46_c", "--size", "big"])
    assert "argument --size: a size of 'big'; write 256, or 256x320" in capsys.readouterr().err
