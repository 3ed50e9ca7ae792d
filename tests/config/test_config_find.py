from pathlib import Path

import pytest

from helpers.messages import refusal, says
from ppcls.config import find_config, find_deploy_config, load_config, paths, shipped_configs
from ppcls.utils.errors import UserError

NAMES = [
    "DLA60",
    "DLA60.yaml",
    "DLA/DLA60",
    "DLA/DLA60.yaml",
    "configs/DLA/DLA60.yaml",
    "./configs/DLA/DLA60.yaml",
    "ImageNet/DLA/DLA60.yaml",
    "ppcls/configs/ImageNet/DLA/DLA60.yaml",
    "./ppcls/configs/ImageNet/DLA/DLA60.yaml",
    "ppcls/configs/DLA/DLA60.yaml",
]


@pytest.fixture(params=["checkout", "wheel"])
def installed(request, tmp_path, monkeypatch):
    """A library with two configurations, in a checkout (configs/) or installed from a wheel (ppcls/configs/)."""
    package = tmp_path / "lib" / "ppcls"
    folder = package / "configs" if request.param == "wheel" else package.parent / "configs"
    for name in ("DLA/DLA60.yaml", "DLA/DLA60x.yaml", "_base_/dla.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"# {name}")
    if request.param == "checkout":
        (package.parent / "pyproject.toml").write_text("")
        package.mkdir()
    monkeypatch.setattr(paths, "_PACKAGE", package)
    monkeypatch.setattr(paths, "_TRAINING", (package / "configs", package.parent / "configs"))
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_one_goes_by_many_names(installed, name):
    assert find_config(name).read_text() == "# DLA/DLA60.yaml"


def test_a_file_that_is_there_comes_first(installed):
    Path("DLA60").write_text("mine")
    assert find_config("DLA60") == Path("DLA60")
    assert find_config(Path("DLA60")) == Path("DLA60")


def test_bases_are_not_offered(installed):
    assert list(shipped_configs()) == ["DLA60", "DLA60x"]
    with pytest.raises(UserError):
        find_config("dla")


def test_paths_are_short_in_the_checkout(installed, monkeypatch):
    monkeypatch.chdir(installed.parent)
    assert find_config("DLA60") == Path(installed.name) / "DLA" / "DLA60.yaml"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "DLA61",
            "... DLA61 (did you mean DLA60?); give a path or ... a shipped one",
        ),
        (
            "DPN/DLA60.yaml",
            "... DPN/DLA60.yaml (did you mean DLA60?); give a path or ... a shipped one",
        ),
        (
            "ppcls/configs/ImageNet/Zoo/q.yaml",
            "... ppcls/configs/ImageNet/Zoo/q.yaml; shipped are DLA60, DLA60x; give a path or ...",
        ),
        (
            "DLA60.txt",
            "... DLA60.txt (did you mean DLA60?); give a path or ... a shipped one",
        ),
        ("..", ".. is a folder; give one YAML file in it"),
        ("", " is a folder; give one YAML file in it"),
    ],
)
def test_names_that_mean_nothing(installed, name, message):
    assert refusal(find_config, name) == says(message)


def test_a_strangers_configs_beside_an_installed_package_are_not_ours(installed, monkeypatch):
    package = installed.parent / "elsewhere" / "ppcls"
    stranger = package.parent / "configs"
    stranger.mkdir(parents=True)
    (stranger / "theirs.yaml").write_text("")
    monkeypatch.setattr(paths, "_PACKAGE", package)
    monkeypatch.setattr(paths, "_TRAINING", (package / "configs", stranger))
    assert shipped_configs() == {}
    with pytest.raises(UserError, match=r"^there is no configuration theirs; give a path"):
        find_config("theirs")


@pytest.mark.parametrize(
    "name", ["inference_cls", "inference_cls.yaml", "configs/inference_cls.yaml", "deploy/configs/inference_cls.yaml"]
)
def test_the_deployment_configuration(name):
    assert find_deploy_config(name).name == "inference_cls.yaml"


def test_load_config_takes_a_name(small):
    with pytest.raises(UserError, match="there is no configuration DLA61"):
        load_config("DLA61", (), small.registries)
