"""The rows of pretrained weights: how many, what belongs to each, and that the rest of the package takes it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from helpers.messages import refusal, says
from ppcls.arch.catalog import BACKBONES
from ppcls.arch.model_table import MODELS
from ppcls.arch.weights.sources import (
    INTERPOLATIONS,
    SOURCES,
    Preprocessing,
    PretrainedWeights,
    find_source,
    weights_of,
)
from ppcls.data.transforms import Pipeline, resample

ROWS = [row for model in MODELS for row in weights_of(model)]
IDS = [f"{row.model}-{row.source}" for row in ROWS]
DLA = ["DLA34", "DLA46_c", "DLA46x_c", "DLA60", "DLA60x", "DLA60x_c", "DLA102", "DLA102x", "DLA102x2", "DLA169"]
DPN = ["DPN68", "DPN92", "DPN98", "DPN107", "DPN131"]
FORMATS = (".pdparams", ".safetensors", ".pth", ".weights")


def models_of(source: str) -> dict[str, PretrainedWeights]:
    return {row.model: row for row in ROWS if row.source == source}


def test_sources_and_their_models() -> None:
    assert set(SOURCES) == {row.source for row in ROWS}
    assert list(SOURCES)[:3] == ["paddleclas", "timm", "ucbdrive"]
    assert (len(SOURCES), "timm" in SOURCES, "tim" in SOURCES) == (len(set(SOURCES)), True, False)
    published = [name for name, info in MODELS.items() if "paddleclas" in info.published]
    assert list(models_of("paddleclas")) == published
    assert set(models_of("timm")) >= {*DLA, *DPN, "DarkNet53", "DLA60_res2net", "DLA60_res2next"}
    assert set(models_of("ucbdrive")) == set(DLA)
    assert set(models_of("torchvision")) >= {"AlexNet", "SqueezeNet1_0", "SqueezeNet1_1"}
    assert "DarkNet53" in models_of("darknet")
    assert len(ROWS) == len({(row.model, row.source) for row in ROWS}) >= 52


def test_true_means_paddleclas_wherever_it_has_weights() -> None:
    first = {row.model: find_source(row.model) for row in ROWS}
    for model, row in first.items():
        assert row is weights_of(model)[0]
        assert (row.source == "paddleclas") == ("paddleclas" in MODELS[model].published)
    assert first["DLA60_res2net"].source == "timm"


def test_addresses() -> None:
    assert len({row.url for row in ROWS}) == len(ROWS)
    insecure = {row.source for row in ROWS if not row.url.startswith("https://")}
    assert insecure == {"ucbdrive"}  # that host has no https
    assert all(row.url.endswith(FORMATS) for row in ROWS)
    urls = {
        ("DLA60x_c", "paddleclas"): (
            "https://paddle-imagenet-models-name.bj.bcebos.com/dygraph/DLA60x_c_pretrained.pdparams"
        ),
        ("DLA60_res2net", "timm"): "https://huggingface.co/timm/dla60_res2net.in1k/resolve/main/model.safetensors",
        ("DPN107", "timm"): "https://huggingface.co/timm/dpn107.mx_in1k/resolve/main/model.safetensors",
        ("DarkNet53", "timm"): "https://huggingface.co/timm/darknet53.c2ns_in1k/resolve/main/model.safetensors",
        ("DLA46x_c", "ucbdrive"): "http://dl.yf.io/dla/models/imagenet/dla46x_c-d761bae7.pth",
        ("AlexNet", "torchvision"): "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        ("SqueezeNet1_1", "torchvision"): "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
        ("DarkNet53", "darknet"): "https://pjreddie.com/media/files/darknet53.weights",
    }
    assert {key: find_source(*key).url for key in urls} == urls


def test_digests_are_those_in_the_names() -> None:
    digests = {row.model: row.sha256_prefix for row in ROWS if row.source == "ucbdrive"}
    assert digests == {
        "DLA34": "ba72cf86",
        "DLA46_c": "2bfd52c3",
        "DLA46x_c": "d761bae7",
        "DLA60": "24839fc4",
        "DLA60x": "d15cacda",
        "DLA60x_c": "b870c45c",
        "DLA102": "d94d9790",
        "DLA102x": "ad62be81",
        "DLA102x2": "262837b6",
        "DLA169": "0914e092",
    }
    known = [row for row in ROWS if row.sha256_prefix is not None]
    assert {row.source for row in known} >= {"ucbdrive", "torchvision"}
    assert all(f"-{row.sha256_prefix}." in row.url for row in known)


def test_licences() -> None:
    assert {row.licence for row in ROWS if row.source == "paddleclas"} == {"Apache-2.0"}
    assert {row.licence for row in ROWS if row.source == "ucbdrive"} == {"BSD-3-Clause"}
    assert {row.licence for row in ROWS if row.source in ("torchvision", "darknet")} == {None}
    timm = {model: row.licence for model, row in models_of("timm").items()}
    assert (timm["DLA34"], timm["DPN68"], timm["DarkNet53"]) == ("BSD-3-Clause", "Apache-2.0", "Apache-2.0")
    assert (timm["DLA60_res2net"], timm["DLA60_res2next"]) == (None, None)


def test_accuracies() -> None:
    printed = {
        ("DLA60", "paddleclas"): (76.1, 92.92),
        ("DLA60", "timm"): (77.03, 93.32),
        ("DLA60", "ucbdrive"): (76.844, 93.23),
        ("DLA60_res2next", "timm"): (78.44, 94.15),
        ("DPN68", "timm"): (76.346, 93.008),
        ("DPN92", "timm"): (80.038, 94.86),
        ("DPN98", "timm"): (79.67, 94.654),
        ("DPN107", "timm"): (80.168, 94.942),
        ("DPN131", "timm"): (79.814, 94.7),
        ("AlexNet", "torchvision"): (56.522, 79.066),
        ("SqueezeNet1_0", "torchvision"): (58.092, 80.42),
        ("SqueezeNet1_1", "torchvision"): (58.178, 80.624),
        ("DarkNet53", "paddleclas"): (78.0, 94.1),
        ("DarkNet53", "timm"): (80.536, 95.434),
        ("DarkNet53", "darknet"): (77.2, 93.8),
        ("SENet154_vd", "paddleclas"): (81.4, 95.5),
    }
    assert {key: (find_source(*key).top1, find_source(*key).top5) for key in printed} == printed
    assert all(row.top1 is not None and row.top5 is not None and 50 < row.top1 < row.top5 < 100 for row in ROWS)


def test_preprocessing() -> None:
    pil = Preprocessing(backend="pil")
    for row in [row for model in (*DLA, "AlexNet", "SqueezeNet1_0", "SqueezeNet1_1") for row in weights_of(model)]:
        assert row.preprocessing == (Preprocessing() if row.source == "paddleclas" else pil), row
    std = 0.23482446870963955
    dpn = Preprocessing(
        224, 256, "bicubic", "pil", (0.48627450980392156, 0.4588235294117647, 0.40784313725490196), (std,) * 3
    )
    assert [find_source(model, "timm").preprocessing for model in DPN] == [dpn] * 5
    assert {row.source: row.preprocessing for row in weights_of("DarkNet53")} == {
        "paddleclas": Preprocessing(256, 292),
        "timm": Preprocessing(288, 288, "bicubic", "pil"),
        "darknet": Preprocessing(256, 256, "bilinear", "cv2", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    }


def test_the_interpolations_are_those_of_the_transforms() -> None:
    known = {backend: tuple(names) for backend, names in resample.INTERPOLATIONS.items()}
    assert known == INTERPOLATIONS


def test_arguments() -> None:
    squeezenet = {"stem_padding": 0, "ceil_pooling": True}
    assert not any(row.arguments for row in ROWS if row.source == "paddleclas" or row.model in DLA)
    expected = {
        **{(model, "timm"): {"epsilon": 0.001} for model in DPN},
        ("SqueezeNet1_0", "torchvision"): squeezenet,
        ("SqueezeNet1_1", "torchvision"): squeezenet,
        ("DarkNet53", "timm"): {"activation_slope": 0.01},
        ("DarkNet53", "darknet"): {"activation_slope": 0.1},
    }
    assert {key: find_source(*key).arguments for key in expected} == expected


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_the_model_and_the_transforms_take_a_row(row: PretrainedWeights) -> None:
    params = BACKBONES[row.model](row.model, **row.arguments)
    assert {name: getattr(params, name) for name in row.arguments} == row.arguments
    pipeline = Pipeline.from_list(row.preprocessing.transform_ops())
    size = row.preprocessing.size
    assert (pipeline.color, pipeline.output_size) == ("RGB", (3, size, size))


def test_a_picture_goes_through_the_preprocessing() -> None:
    gray = np.full((300, 400, 3), 51, np.uint8)  # a fifth of 255
    values = {}
    for source in ("paddleclas", "timm", "darknet"):
        pipeline = Pipeline.from_list(find_source("DarkNet53", source).preprocessing.transform_ops())
        values[source] = pipeline.from_array(gray, "RGB")
    assert {source: value.shape for source, value in values.items()} == {
        "paddleclas": (3, 256, 256),
        "timm": (3, 288, 288),
        "darknet": (3, 256, 256),
    }
    np.testing.assert_allclose(values["darknet"], 0.2, rtol=1e-6)
    np.testing.assert_allclose(values["timm"][0], (0.2 - 0.485) / 0.229, rtol=1e-6)


def test_rows_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        find_source("DLA34").url = "http://elsewhere"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("model", "source", "text"),
    [
        (
            "SENet154_vd",
            "tim",
            "SENet154_vd ... weights named 'tim'; it has paddleclas",
        ),
        (
            "DLA34",
            "tim",
            "DLA34 ... 'tim' (did you mean timm?); it has paddleclas, timm, ucbdrive",
        ),
        ("DLA43", None, "... weights of 'DLA43' (did you mean DLA34?)"),
        ("ResNet50", "timm", "there are no pretrained weights of 'ResNet50'"),
    ],
)
def test_what_is_not_there_gets_a_sentence(model: str, source: str | None, text: str) -> None:
    assert refusal(find_source, model, source) == says(text)
