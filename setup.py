"""The wheel: the package, its data, and the shipped configurations beside it.

Every list of requirements is written once, in requirements*.txt.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
# `-c DLA60` finds the configurations of a checkout under configs/, and those of a wheel here.
CONFIGS = {"ppcls.configs": "configs", "ppcls.deploy_configs": "deploy/configs"}
# What `ppcls paddle-serving` copies
PADDLE_SERVING = {"ppcls.deploy_paddleserving": "deploy/paddleserving"}


def requirements(name: str) -> list[str]:
    """The packages of a requirements file, without those that it includes from another."""
    lines = [
        line.split("#")[0].strip()
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
    ]
    return [line for line in lines if line and not line.startswith("-")]


def version() -> str:
    """`__version__` of the package, read as text."""
    found = re.search(
        r'^__version__ = "(.+)"$',
        (ROOT / "ppcls" / "__init__.py").read_text(encoding="utf-8"),
        re.M,
    )
    assert found is not None
    return found.group(1)


def files(folder: str, *suffixes: str) -> list[str]:
    """The files below `folder` with one of the suffixes, relative to it."""
    paths = sorted((ROOT / folder).rglob("*"))
    return [
        path.relative_to(ROOT / folder).as_posix()
        for path in paths
        if path.suffix in suffixes
    ]


setup(
    name="ppcls",
    version=version(),
    description="Image classification on PaddlePaddle: train, evaluate, export and serve a backbone by a YAML file",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=[
        *find_packages(include=["ppcls", "ppcls.*"]),
        *CONFIGS,
        *PADDLE_SERVING,
    ],
    package_dir={**CONFIGS, **PADDLE_SERVING},
    package_data={
        "ppcls": [
            "py.typed",
            *files("ppcls", ".txt", ".jpg", ".jpeg", ".png", ".html"),
        ],
        **{package: files(folder, ".yaml") for package, folder in CONFIGS.items()},
        **{
            package: files(folder, ".sh", ".txt")
            for package, folder in PADDLE_SERVING.items()
        },
    },
    entry_points={"console_scripts": ["ppcls=ppcls.__main__:main"]},
    install_requires=requirements("requirements-core.txt"),
    extras_require={
        "cpu": requirements("requirements.txt"),
        "gpu": requirements("requirements-gpu.txt"),
        "analysis": requirements("requirements-analysis.txt"),
        "demo": [
            *requirements("requirements-analysis.txt"),
            *requirements("requirements-demo.txt"),
        ],
        "onnx": requirements("requirements-onnx.txt"),
        "onnxruntime": requirements("requirements-onnxruntime.txt"),
        "openvino": requirements("requirements-openvino.txt"),
        "quantize": [
            *requirements("requirements-onnxruntime.txt"),
            *requirements("requirements-openvino.txt"),
            *requirements("requirements-quantize.txt"),
        ],
        "serving": requirements("requirements-serving.txt"),
        "probe": requirements("requirements-probe.txt"),
        "shards": requirements("requirements-shards.txt"),
        "tensorboard": requirements("requirements-tensorboard.txt"),
        "visualdl": requirements("requirements-visualdl.txt"),
        "dev": [
            *requirements("requirements-shards.txt"),
            *requirements("requirements-visualdl.txt"),
            *requirements("requirements-dev.txt"),
        ],
    },
)
