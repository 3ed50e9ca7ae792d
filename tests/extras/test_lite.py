"""Every family through Paddle Lite itself, and what docs/deployment/lite.md shows. `make test-lite` runs this.

`ppcls lite` makes its environment of Python 3.7 in `.venv-lite`.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import arch_facts as facts
import numpy as np
import paddle
import pytest

from helpers.checkout import ROOT
from ppcls.arch import build_model
from ppcls.arch.model_table import MODELS
from ppcls.arch.weights.sources import find_source
from ppcls.cli import main
from ppcls.data.transforms import Pipeline
from ppcls.deployment.lite import LiteOptions, add_lite
from ppcls.deployment.lite.converter import running
from ppcls.deployment.lite.environment import lite_python
from ppcls.engine.exporter import export_bundle
from ppcls.inference import Bundle
from ppcls.inference.backends import open_backend
from ppcls.inference.golden import classes_compared, score_difference
from ppcls.inference.settings import Settings

# One of each family, and of DLA also one with grouped convolutions
FAMILIES = ("AlexNet", "DLA34", "DLA60x_c", "DPN68", "DarkNet53", "SENet154_vd", "SqueezeNet1_1")


@pytest.fixture(autouse=True, scope="session")
def _home():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PPCLS_HOME", str(ROOT / ".venv-lite"))
        yield


@pytest.fixture(scope="session")
def python(_home) -> Path:
    return lite_python()


def export(name: str, folder: Path) -> Bundle:
    """A model whose scores differ: no class takes all."""
    size = MODELS[name].input_size
    model = build_model(name)
    model.set_state_dict(facts.paddleclas_state(name))
    model.eval()
    pictures = facts.pictures(2, *size[1:])
    with paddle.no_grad():
        spread = float(model(paddle.to_tensor(pictures)).std())
        for parameter in model.fc.parameters():
            parameter.set_value(parameter / spread)
    pipeline = Pipeline.from_list(find_source(name).preprocessing.transform_ops())
    export_bundle(
        model, pipeline, folder, architecture=name, class_num=1000, image_shape=size,
        program_file="inference.pdmodel",
    )  # fmt: skip
    return Bundle.load(folder)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_gives_paddles_scores(name: str, python: Path, tmp_path: Path) -> None:
    result = add_lite(export(name, tmp_path / "bundle"), LiteOptions(target="x86"))
    assert result.difference < 1e-5
    assert result.classes_compared == 1000
    bundle = result.bundle
    pictures = facts.pictures(3, *bundle.input.shape[2:])
    expected = open_backend(bundle, Settings()).run(pictures)
    assert classes_compared(expected) == 1000
    with running(python, bundle, bundle.path_of(result.form.program)) as backend:
        together = backend.run(pictures)
        alone = np.concatenate([backend.run(picture[np.newaxis]) for picture in pictures])
    print(f"{name}: {result.difference:.1e} golden, {score_difference(together, expected):.1e} on 3 inputs")
    assert score_difference(together, expected) < 1e-5
    assert score_difference(alone, expected) < 1e-5


@pytest.fixture(scope="session")
def squeezenet(_home, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return export("SqueezeNet1_1", tmp_path_factory.mktemp("squeezenet") / "bundle")


def test_the_same_bundle_gives_the_same_bytes(squeezenet: Bundle) -> None:
    digests = {add_lite(squeezenet, LiteOptions()).form.program.sha256 for _ in range(2)}
    assert len(digests) == 1


def test_a_program_for_arm_is_another_file_and_its_description_fits(squeezenet: Bundle) -> None:
    arm = add_lite(squeezenet, LiteOptions()).form
    x86 = add_lite(squeezenet, LiteOptions(target="x86")).form
    assert arm.program.sha256 != x86.program.sha256
    described = json.loads((squeezenet.folder / arm.description.file).read_bytes())
    assert (described["target"], described["program"]["sha256"]) == ("arm", arm.program.sha256)


def test_a_damaged_program_ends_the_child_alone(squeezenet: Bundle, python: Path, tmp_path: Path) -> None:
    form = add_lite(squeezenet, LiteOptions(target="x86")).form
    cut = tmp_path / "cut.nb"
    cut.write_bytes((squeezenet.folder / form.program.file).read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"Paddle Lite ended while it ran .*cut\.nb"), running(python, squeezenet, cut):
        pass


def test_a_program_that_is_not_one_is_refused(squeezenet: Bundle, tmp_path: Path, capsys) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", squeezenet.folder, copy], check=True)
    (copy / "inference.pdmodel").write_bytes(b"garbage")
    assert main(["lite", str(copy)]) == 2
    assert "is not the file that inference.yml describes" in capsys.readouterr().err
