"""A bundle of a tiny network, exported for real."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppcls.data.transforms import Pipeline
from ppcls.deployment.bundle_writer import write_manifest
from ppcls.inference import Bundle, Golden
from ppcls.inference.golden import GOLDEN_PICTURE, GOLDEN_SOURCE
from ppcls.utils.files import sha256_of

TRANSFORMS = [
    {"DecodeImage": {"to_rgb": True}},
    {"ResizeImage": {"resize_short": 40}},
    {"CropImage": {"size": 32}},
    {"NormalizeImage": None},
    {"ToCHWImage": None},
]
NAMES = ["tench, Tinca tinca", "goldfish", 'a "shark"', "naïve ray", "hen"]


def network(epsilon: float = 1e-5) -> Any:
    """Two convolutions with batch norms whose statistics are those of a trained network's size."""
    import paddle
    from paddle import nn

    paddle.seed(7)
    layers = [nn.Conv2D(3, 8, 3, stride=2), nn.BatchNorm2D(8, epsilon=epsilon), nn.ReLU()]
    layers += [nn.Conv2D(8, 16, 3, stride=2), nn.BatchNorm2D(16, epsilon=epsilon), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2D(1), nn.Flatten(), nn.Linear(16, 5), nn.Softmax())
    for norm in (model[1], model[4]):
        norm._variance.set_value(paddle.full([norm._num_features], 0.1))
    model.eval()
    return model


def export(folder: Path, model: Any) -> Bundle:
    """The program, the golden picture and the manifest of a network that takes [N, 3, 32, 32]."""
    import paddle

    folder.mkdir(parents=True, exist_ok=True)
    spec = paddle.static.InputSpec([None, 3, 32, 32], "float32", "image")
    paddle.jit.save(model, str(folder / "inference"), input_spec=[spec])
    pipeline = Pipeline.from_list(TRANSFORMS)
    tensor = pipeline(GOLDEN_PICTURE.read_bytes())[np.newaxis]
    with paddle.no_grad():
        scores = model(paddle.to_tensor(tensor)).numpy()
    Golden(GOLDEN_PICTURE.read_bytes(), tensor, scores).save(folder / "golden.npz")
    return write_manifest(
        folder,
        paddle=paddle.__version__,
        architecture="Tiny",
        config_sha256="c" * 64,
        weights_sha256=None,
        input_name="image",
        input_shape=(3, 32, 32),
        output_name="fetch_name_0",
        class_num=5,
        transforms=pipeline,
        class_names=NAMES,
        golden_source=GOLDEN_SOURCE,
        architecture_arguments={"class_num": 5, "depths": (1, 2)},
        weights_source="https://example.org/tiny.pdparams",
    )


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle's folder; tests read it only."""
    folder = tmp_path_factory.mktemp("exported")
    export(folder, network())
    return folder


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(exported, tmp_path / "bundle"))


@pytest.fixture
def edit(copy: Path) -> Callable[..., Path]:
    """Changes the copy's manifest: `edit({"schema": 2})`, `edit(None, remove="paddle")`; gives the folder."""
    import yaml

    def change(values: dict[str, Any] | None = None, remove: str | None = None) -> Path:
        manifest = copy / "inference.yml"
        content = yaml.safe_load(manifest.read_text(encoding="utf-8"))
        content.update(values or {})
        if remove:
            del content[remove]
        manifest.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        return copy

    return change


@pytest.fixture
def write_golden() -> Callable[[Path, Golden], None]:
    """Gives a bundle another golden picture, in its manifest too."""

    def write(folder: Path, golden: Golden) -> None:
        path = folder / "golden.npz"
        golden.save(path)
        bundle = Bundle.load(folder)
        assert bundle.golden is not None
        bundle.change(golden=replace(bundle.golden, sha256=sha256_of(path)))

    return write


@pytest.fixture
def export_again() -> Callable[[Path, Any], Bundle]:
    return export


@pytest.fixture
def tiny_network() -> Callable[..., Any]:
    return network


@pytest.fixture
def interrupt_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Brings Ctrl-C once so many manifests have been saved, in the place of the next one."""

    def begin(saves: int) -> None:
        save, seen = Bundle.save, []

        def interrupted(bundle: Bundle) -> None:
            seen.append(bundle)
            if len(seen) == saves + 1:
                raise KeyboardInterrupt
            save(bundle)

        monkeypatch.setattr(Bundle, "save", interrupted)

    return begin
