"""`ppcls browse`: the pictures of the page are those of the first batches, and the schedule is the training's."""

import base64
import re

import cv2
import numpy as np
import pytest

from helpers.tiny_run import prepare, use_tiny
from ppcls.cli import main
from ppcls.config import load_config
from ppcls.data.transforms import DecodeImage, NormalizeImage, Pipeline
from ppcls.engine import build
from ppcls.engine.browse import label_text, shown_pixels
from ppcls.engine.schema import registries


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    use_tiny(monkeypatch.setattr)
    prepare(tmp_path, 0)
    return tmp_path


def pictures_of(page):
    return [
        cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
        for text in re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    ]


def test_the_sheet_shows_what_the_training_sees(home, capsys):
    assert main(["browse", "-c", "config_0.yaml", "--pictures", "5"]) == 0
    assert capsys.readouterr().out.endswith("browse.html\n")
    page = (home / "browse.html").read_text()
    config = load_config("config_0.yaml", [], registries(), "lr-find")
    section = config.DataLoader.Train
    reader = build.loader(section, build.images(section, 4), config)
    batches = reader.epoch(0)
    seen = np.concatenate([next(batches).image.numpy() for _ in range(2)])[:5]
    drawn = pictures_of(page)[:5]
    pipeline = Pipeline(section.dataset.transform_ops)
    expected = [shown_pixels(image, pipeline).astype(int) for image in seen]
    for place, shown in enumerate(drawn):
        # As JPEG, which blurs the colours of noise
        distances = [np.abs(shown - one).mean() for one in expected]
        flipped = np.abs(shown - expected[place][:, ::-1]).mean()
        assert np.argmin(distances) == place and distances[place] < flipped
    # Mixed by Mixup
    assert re.search(r"\d+% [abcd], \d+% [abcd]", page)
    assert "RandFlipImage, draw 4" in page and "24x20 to 16x16" in page
    assert "<dt>steps</dt><dd>16</dd>" in page and "<svg " in page


def test_the_normalisation_is_undone():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)
    for pipeline in (
        Pipeline([DecodeImage(), NormalizeImage()]),
        Pipeline([DecodeImage(to_rgb=False), NormalizeImage(scale=1.0, mean=(1, 2, 3), std=(4, 5, 6))]),
        Pipeline([DecodeImage()]),
    ):
        image = pipeline.from_array(pixels, "RGB")
        assert (shown_pixels(image, pipeline) == pixels).all()


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (np.array(1), "tulip"),
        (np.array(7), "7"),
        (np.array([0.0, 1.0]), "tulip"),
        (np.array([0.25, 0.75]), "75% tulip, 25% rose"),
        (np.array([0.99, 0.01]), "rose"),
    ],
)
def test_labels_by_their_names(label, text):
    assert label_text(label, ["rose", "tulip"]) == text


def test_mistakes(home, capsys):
    (home / "browse.html").write_text("mine")
    assert main(["browse", "-c", "config_0.yaml"]) == 2
    assert capsys.readouterr().err.startswith("browse.html is there already and was not written by this library")
    assert (home / "browse.html").read_text() == "mine"
    with pytest.raises(SystemExit):
        main(["browse", "-c", "config_0.yaml", "--pictures", "0"])
    assert "give one from 1 to 1000" in capsys.readouterr().err
