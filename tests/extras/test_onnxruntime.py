"""ONNX files as they are written, and ONNX Runtime as the engine, where OpenVINO is not installed."""

from __future__ import annotations

import importlib.util
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import arch_facts as facts
import numpy as np
import onnx
import pytest
from engine_bundles import agrees_with_paddle, bundle_of

from helpers.checkout import ROOT
from ppcls.cli import main
from ppcls.deployment.onnx.export import add_onnx
from ppcls.inference import Bundle, Classifier
from ppcls.inference.backends import open_backend
from ppcls.inference.golden import Golden, score_difference
from ppcls.inference.settings import Settings

PICTURE = ROOT / "ppcls" / "inference" / "golden.png"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle_of("SqueezeNet1_1", tmp_path_factory.mktemp("engines") / "bundle")


def test_this_is_onnx_runtime_alone() -> None:
    assert importlib.util.find_spec("openvino") is None


def test_the_file_is_as_other_exporters_write_it(bundle: Bundle) -> None:
    model = onnx.load(bundle.folder / "inference.onnx")
    kinds = Counter(node.op_type for node in model.graph.node)
    assert (kinds["Conv"], kinds["Softmax"]) == (26, 1)
    assert not {"Identity", "Constant"} & set(kinds)
    assert all(len(node.input) == 3 for node in model.graph.node if node.op_type == "Conv")  # each with its bias
    assert [domain.version for domain in model.opset_import] == [13]
    for port in (*model.graph.input, *model.graph.output):
        assert port.type.tensor_type.shape.dim[0].dim_param == "batch"


@pytest.mark.parametrize("opset", [7, 11, 21])
def test_other_opsets_give_the_same(bundle: Bundle, tmp_path: Path, opset: int) -> None:
    before = open_backend(bundle, Settings("onnxruntime")).run(facts.pictures(2, 64, 64))
    changed = add_onnx(Bundle.load(shutil.copytree(bundle.folder, tmp_path / "other")), opset)
    assert onnx.load(changed.folder / "inference.onnx").opset_import[0].version == opset
    after = open_backend(changed, Settings("onnxruntime")).run(facts.pictures(2, 64, 64))
    assert score_difference(after, before) < 1e-5


def test_programs_of_paddle_2_keep_their_names(tmp_path: Path) -> None:
    """paddle2onnx calls their output otherwise."""
    folder, adopted = tmp_path / "legacy", tmp_path / "adopted"
    words = ["export", "-c", "SqueezeNet1_1", "--untrained", "--size", "64", "--format", "pdmodel", "--onnx"]
    assert main([*words, "-o", f"Global.save_inference_dir={folder}"]) == 0
    assert Bundle.load(folder).output.name != "fetch_name_0"
    agrees_with_paddle(Bundle.load(folder), "onnxruntime")
    for name in ("inference.yml", "golden.npz", "inference.onnx"):
        (folder / name).unlink()
    assert main(["adopt", str(folder), str(adopted), "--model", "SqueezeNet1_1", "--size", "64"]) == 0
    assert main(["onnx", str(adopted), "--opset", "11"]) == 0
    agrees_with_paddle(Bundle.load(adopted), "onnxruntime")


def test_paddle_agrees_at_every_batch_size_and_several_at_once(bundle: Bundle) -> None:
    agrees_with_paddle(bundle, "onnxruntime")


def test_the_command_predicts_with_it(bundle: Bundle, capsys: Any) -> None:
    given = ["predict", "-o", f"Global.inference_model_dir={bundle.folder}", "-o", f"Global.infer_imgs={PICTURE}"]
    lines = []
    for engine in ("paddle", "onnxruntime"):
        assert main([*given, "-o", f"Global.backend={engine}"]) == 0
        lines.append(capsys.readouterr().out)
    assert lines[0] == lines[1] != ""
    assert Classifier(bundle.folder, backend="onnxruntime").verify().score_difference < 2e-4


@pytest.mark.parametrize("batch", ["batch", 1])
def test_a_file_of_another_library(bundle: Bundle, tmp_path: Path, batch: Any) -> None:
    """The same program without its softmax, as torch would export it: with a batch axis, or for one picture."""
    model = onnx.load(bundle.folder / "inference.onnx")
    softmax = next(node for node in model.graph.node if node.op_type == "Softmax")
    for port in (*model.graph.input, *model.graph.output):
        side = port.type.tensor_type.shape.dim[0]
        if batch == 1:
            side.dim_value = batch  # in the place of its name
    model.graph.output[0].name = softmax.input[0]
    model.graph.node.remove(softmax)
    onnx.save(model, tmp_path / "net.onnx")
    own = Classifier(bundle)
    other = Classifier(tmp_path / "net.onnx", preprocess=bundle.transforms, output="logits")
    golden = Golden.load(bundle.path_of(bundle.golden))
    pictures = np.concatenate([golden.input, facts.pictures(2, 64, 64)])
    scores = [open_backend(each.bundle, each.settings).run(pictures) for each in (own, other)]
    assert score_difference(scores[1], scores[0]) < 2e-4
    np.testing.assert_allclose(scores[1].sum(axis=1), 1, rtol=1e-5)
    (first,), (second,) = (list(each.predict(str(PICTURE))) for each in (own, other))
    assert first.class_ids == second.class_ids
