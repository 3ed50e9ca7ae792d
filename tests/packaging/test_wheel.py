"""What `pip install .` and a source archive put on a machine, looked at without a network."""

import os
import sys
import tarfile
import zipfile
from pathlib import Path
from shutil import copytree

import pytest

from helpers.checkout import ROOT
from helpers.new_process import output_of

SHIPPED = [
    "setup.py",
    "pyproject.toml",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
    *(p.name for p in ROOT.glob("requirements*")),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from the source archive of a copy of this checkout."""
    folder = tmp_path_factory.mktemp("packaging")
    source = folder / "source"
    for name in ("ppcls", "configs", "deploy/configs", "deploy/paddleserving"):
        copytree(ROOT / name, source / name, ignore=lambda _, names: [n for n in names if n == "__pycache__"])
    for name in SHIPPED:
        (source / name).write_bytes((ROOT / name).read_bytes())
    output_of("setup.py", "--quiet", "sdist", "--dist-dir", folder, folder=source, environment=os.environ)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "unpacked", **({"filter": "data"} if sys.version_info >= (3, 12) else {}))
    (unpacked,) = (folder / "unpacked").iterdir()
    output_of("setup.py", "--quiet", "bdist_wheel", "--dist-dir", folder, folder=unpacked, environment=os.environ)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def content(wheel):
    """Name to bytes of what the wheel holds."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def tree(folder, *suffixes):
    paths = (ROOT / folder).rglob("*")
    return {path.relative_to(ROOT / folder).as_posix(): path.read_bytes() for path in paths if path.suffix in suffixes}


def below(content, prefix, *suffixes):
    names = (name for name in content if name.startswith(prefix) and name.endswith(suffixes))
    return {name[len(prefix) :]: content[name] for name in names}


def test_the_wheel_is_for_every_machine(wheel):
    assert wheel.name == "ppcls-0.1.0-py3-none-any.whl"


def test_all_code_and_nothing_else_is_in(content):
    assert below(content, "ppcls/", ".py") == {
        **tree("ppcls", ".py"),
        **{f"deploy_paddleserving/{name}": code for name, code in tree("deploy/paddleserving", ".py").items()},
    }
    assert {name.split("/")[0] for name in content} == {"ppcls", "ppcls-0.1.0.dist-info"}
    suffixes = {Path(name).suffix for name in content if name.startswith("ppcls/")}
    assert suffixes == {".py", ".yaml", ".txt", ".png", ".html", ".typed", ".sh"}
    assert content["ppcls/py.typed"] == b""


def test_data_is_in(content):
    assert content["ppcls/data/imagenet1k_labels.txt"].count(b"\n") == 1000
    assert content["ppcls/inference/golden.png"] == (ROOT / "ppcls/inference/golden.png").read_bytes()


def test_the_licence_is_in(content):
    (name,) = (name for name in content if name.endswith("/LICENSE"))
    assert content[name] == (ROOT / "LICENSE").read_bytes()
    assert b"Apache License" in content[name]


def test_configurations_are_in(content):
    training, deployment = tree("configs", ".yaml"), tree("deploy/configs", ".yaml")
    assert {"demo/digits.yaml", "DLA/DLA60.yaml"} <= set(training) and "inference_cls.yaml" in deployment
    assert below(content, "ppcls/configs/", ".yaml") == training
    assert below(content, "ppcls/deploy_configs/", ".yaml") == deployment


def test_what_paddle_serving_needs_is_in(content):
    files = tree("deploy/paddleserving", ".py", ".sh", ".txt")
    assert {"environment.sh", "requirements.txt", "check.py"} <= set(files)
    assert below(content, "ppcls/deploy_paddleserving/", ".py", ".sh", ".txt") == files


def test_the_command_is_there(content):
    assert (
        content["ppcls-0.1.0.dist-info/entry_points.txt"].decode() == "[console_scripts]\nppcls = ppcls.__main__:main\n"
    )


def test_requirements(content):
    lines = content["ppcls-0.1.0.dist-info/METADATA"].decode().split("\n\n")[0].splitlines()
    assert "Requires-Python: >=3.10" in lines
    needed = sorted(
        line[len("Requires-Dist: ") :]
        .replace(" >=", ">=")
        .replace(" <", "<")
        .replace("'", '"')  # as older setuptools writes it
        for line in lines
        if line.startswith("Requires-Dist: ")
    )
    core = [line for line in needed if "extra ==" not in line]
    assert core == [
        "numpy>=1.21.2", "opencv-python-headless>=4.10", "pillow>=11.3", "pyyaml>=6.0", "safetensors>=0.4",
        "simplejpeg>=1.8", "tqdm>=4.60",
    ]  # fmt: skip
    extras: dict[str, list[str]] = {
        extra: []
        for extra in ("cpu", "gpu", "analysis", "demo", "onnx", "onnxruntime", "openvino", "quantize", "serving")
    }
    for line in needed:
        name, _, marker = line.partition(";")
        for extra, names in extras.items():
            if f'extra == "{extra}"' in marker:
                names.append(name.strip().replace("ml-dtypes", "ml_dtypes"))  # older setuptools writes a hyphen
    assert extras == {
        "cpu": ["paddlepaddle>=3.0"],
        "gpu": ["paddlepaddle-gpu>=3.0"],
        "analysis": ["matplotlib>=3.5"],
        "demo": ["matplotlib>=3.5", "scikit-learn>=1.0.2"],
        "onnx": ["onnx>=1.16", "packaging", "paddle2onnx>=2.1"],
        "onnxruntime": ["onnxruntime>=1.16"],
        "openvino": ["openvino>=2024.0"],
        "quantize": [
            "ml_dtypes",
            "nncf>=2.14",
            "onnx>=1.16",
            "onnxruntime>=1.16",
            "onnxruntime>=1.18",
            "openvino>=2024.0",
        ],
        "serving": ["kserve<0.22,>=0.21"],
    }
    assert any(line.startswith("pytest") and 'extra == "dev"' in line for line in needed)
    # KServe's minor releases change what the server relies on
    assert not [
        line
        for line in needed
        if ("<" in line.split(";")[0] and 'extra == "serving"' not in line)
        or ("==" in line.split(";")[0] and 'extra == "dev"' not in line)
    ]


def test_an_installed_wheel_finds_its_configurations_and_labels(wheel, tmp_path):
    site = tmp_path / "site"
    output_of(
        "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", site, wheel, environment=os.environ
    )
    program = (
        "import sys, ppcls; from ppcls.config.paths import find_config, find_deploy_config\n"
        "from ppcls.data.labels import PACKAGED_LABELS, load_class_names\n"
        "found = find_config('DLA60'), find_deploy_config('inference_cls')\n"
        "print(ppcls.__file__, *(path.resolve() for path in found), sep='\\n')\n"
        "print(load_class_names(PACKAGED_LABELS)[1], 'paddle' in sys.modules)"
    )
    assert output_of("-c", program, folder=tmp_path, environment={"PYTHONPATH": str(site)}).splitlines() == [
        str(site / "ppcls/__init__.py"),
        str(site / "ppcls/configs/DLA/DLA60.yaml"),
        str(site / "ppcls/deploy_configs/inference_cls.yaml"),
        "goldfish, Carassius auratus False",
    ]
