"""Every family through Paddle Lite itself, and the commands of docs/deployment/lite.md. `make test-lite` runs this.

`ppcls lite` makes its environment of Python 3.7 in `.venv-lite`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import arch_facts as facts
import numpy as np
import pytest
from lite_bundles import LITE_HOME, export

from ppcls.cli import main
from ppcls.deployment.lite import LiteOptions, add_lite
from ppcls.deployment.lite.converter import running
from ppcls.deployment.lite.environment import lite_python
from ppcls.inference import Bundle
from ppcls.inference.backends import open_backend
from ppcls.inference.golden import classes_compared, score_difference
from ppcls.inference.settings import Settings

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))  # for test_documents

import test_documents as documents

PAGE = documents.ROOT / "docs" / "deployment" / "lite.md"
sandbox = documents.sandbox
# One of each family, and of DLA also one with grouped convolutions
FAMILIES = ("AlexNet", "DLA34", "DLA60x_c", "DPN68", "DarkNet53", "SENet154_vd", "SqueezeNet1_1")


@pytest.fixture(autouse=True, scope="session")
def _home():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PPCLS_HOME", str(LITE_HOME))
        yield


@pytest.fixture(scope="session")
def python(_home) -> Path:
    return lite_python()


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


def test_the_commands_of_the_page(python: Path, sandbox: Path) -> None:
    lines = [line for line in documents.commands(PAGE) if line.startswith("ppcls ")]
    assert [line.split()[1] for line in lines] == ["export", "lite", "lite"]
    environment = python.parents[1]
    (sandbox / "cache" / environment.name).symlink_to(environment)  # the cache of these commands, which are offline
    said = [documents.run_command(line, sandbox) for line in lines]
    assert said[1].startswith("written: inference/inference.arm.nb, inference/inference.arm.json; ")
    assert "passed" in said[2]
    assert (sandbox / "inference" / "inference.arm-int8.nb").is_file()
