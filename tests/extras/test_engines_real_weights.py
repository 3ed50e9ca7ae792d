"""Real weights on real pictures: every engine gives the same answers in float32, and bfloat16 nearly so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from helpers.new_process import output_of
from ppcls.inference import Classifier
from ppcls.utils.errors import UserError

DATA = os.environ.get("PPCLS_TEST_DATA")
pytestmark = pytest.mark.skipif(DATA is None, reason="PPCLS_TEST_DATA names no folder with imagenet_200 and weights")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """torchvision's SqueezeNet 1.1 with its own geometry and preprocessing, with the programs of Paddle 3 and 2."""
    folder = tmp_path_factory.mktemp("real")
    weights = Path(str(DATA), "squeezenet1_1_torchvision.pth")
    for program in ("json", "pdmodel"):
        overrides = ["-o", f"Global.pretrained_model={weights}", "-o", f"Global.save_inference_dir={folder / program}"]
        words = ["export", "-c", "SqueezeNet1_1", "--format", program, "--onnx", *overrides]
        output_of("-m", "ppcls", *words, folder=folder)
    return folder


def answers(bundle: Path, backend: str, precision: str) -> list[int]:
    """The likeliest class of each of the 200 pictures."""
    paths, _ = listed()
    results = Classifier(bundle, backend=backend, precision=precision, topk=1).predict(paths)
    return [result.class_ids[0] for result in results]


def listed() -> tuple[list[str], list[int]]:
    folder = Path(str(DATA), "imagenet_200")
    rows = [line.split() for line in (folder / "val_list.txt").read_text().splitlines()]
    return [str(folder / name) for name, _ in rows], [int(label) for _, label in rows]


def test_200_pictures(bundles: Path) -> None:
    _, labels = listed()
    reference = answers(bundles / "json", "paddle", "float32")
    correct = sum(map(int.__eq__, reference, labels))
    assert (len(reference), correct) == (200, pytest.approx(128, abs=1))  # 64.0 % as torchvision scores
    for program, engine in (
        ("json", "onnxruntime"),
        ("json", "openvino"),
        ("pdmodel", "paddle"),
        ("pdmodel", "paddle-openvino"),
    ):
        assert answers(bundles / program, engine, "float32") == reference, engine
    for program, engine in (("json", "paddle"), ("json", "openvino"), ("pdmodel", "paddle-openvino")):
        try:
            found = answers(bundles / program, engine, "bfloat16")
        except UserError as error:
            assert "this processor does not compute in bfloat16" in str(error)
        else:
            print(f"{engine} in bfloat16: {sum(map(int.__eq__, found, labels))} of {correct}")
            assert sum(map(int.__eq__, found, labels)) >= correct - 1, engine
