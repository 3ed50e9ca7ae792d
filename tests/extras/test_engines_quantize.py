"""int8 by NNCF for OpenVINO and by ONNX Runtime: what the files hold, and what real ImageNet weights lose by it.

The last tests run where PPCLS_TEST_DATA names the folder that tests/engine/test_real_weights.py describes.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import openvino
import paddle
import pytest
from onnx import numpy_helper
from paddle import nn

from helpers.checkout import ROOT
from helpers.new_process import new_python, output_of
from helpers.pictures import save_picture
from ppcls.data.transforms import Pipeline
from ppcls.deployment.quantize import GateFailure, QuantizeOptions, quantize
from ppcls.deployment.quantize import onnxruntime as onnxruntime_module
from ppcls.deployment.quantize import openvino as openvino_module
from ppcls.engine.exporter import export_bundle
from ppcls.inference import Bundle, Classifier

DATA = os.environ.get("PPCLS_TEST_DATA")
ENGINES = ("openvino", "onnxruntime")
TRANSFORMS = [{"DecodeImage": {}}, {"ResizeImage": {"size": 32}}, {"NormalizeImage": None}, {"ToCHWImage": None}]
# Of NNCF and of what it loads; nothing of it is ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")


class Network(nn.Layer):
    """A stem, two convolutions whose results are added, another beside a concatenation, and a fully connected head."""

    def __init__(self):
        super().__init__()
        sizes = [(3, 8, 3), (8, 16, 3), (8, 16, 1), (16, 16, 3)]
        self.convs = nn.LayerList([nn.Conv2D(i, o, k, padding=k // 2, bias_attr=False) for i, o, k in sizes])
        self.norms = nn.LayerList([nn.BatchNorm2D(o) for _, o, _ in sizes])
        self.fc = nn.Linear(32, 5)

    def forward(self, x):
        def conv(index, x):
            return self.norms[index](self.convs[index](x))

        x = nn.functional.max_pool2d(nn.functional.relu(conv(0, x)), 2)
        x = nn.functional.relu(conv(1, x) + conv(2, x))
        x = paddle.concat([x, nn.functional.relu(conv(3, x))], axis=1)
        return 20 * self.fc(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A bundle with an ONNX form, and five pictures twelve times, whose first classes int8 does not change."""
    folder = tmp_path_factory.mktemp("quantize")
    paddle.seed(5)
    export_bundle(
        Network(),
        Pipeline.from_list(TRANSFORMS),
        folder / "bundle",
        architecture="Tiny",
        class_num=5,
        image_shape=(3, 32, 32),
        opset=13,
    )
    for index in range(60):
        color = np.array([40 * (index % 5), 50, 160 - 40 * (index % 5)])
        pixels = np.random.default_rng(index % 5).integers(0, 90, (32, 32, 3)) + color
        save_picture(folder / "pictures" / f"{index:02}.png", pixels.astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def inputs(place):
    pipeline = Bundle.load(place / "bundle").pipeline
    return np.stack([pipeline.from_file(path) for path in sorted((place / "pictures").iterdir())[:20]])


def int8_weights_of_openvino(folder):
    model = openvino.Core().read_model(folder / openvino_module.FILES[0])
    constants = [node for node in model.get_ordered_ops() if node.get_type_name() == "Constant"]
    int8 = [node.output(0) for node in constants if node.output(0).get_element_type() == openvino.Type.i8]
    return sorted(sorted(output.shape) for output in int8)


def graph_of_onnxruntime(folder):
    graph = onnx.load(folder / onnxruntime_module.FILES[0]).graph
    return graph, {value.name: numpy_helper.to_array(value) for value in graph.initializer}


@pytest.mark.parametrize(("layers", "missing"), [("none", []), ("first", [0]), ("last", [4]), ("both", [0, 4])])
def test_openvino_keeps_the_layers_that_were_asked_for(place, inputs, tmp_path, layers, missing):
    options = QuantizeOptions("openvino", float32_layers=layers)
    method = openvino_module.quantize(place / "bundle" / "inference.onnx", inputs, options, tmp_path)
    assert method.startswith("NNCF ") and "; ranges by the smallest and the largest value" in method
    assert method.endswith("; fast bias correction")
    shapes = [[8, 3, 3, 3], [16, 8, 3, 3], [16, 8, 1, 1], [16, 16, 3, 3], [32, 5]]
    kept = sorted(sorted(shape) for index, shape in enumerate(shapes) if index not in missing)
    assert int8_weights_of_openvino(tmp_path) == kept


@pytest.mark.parametrize(
    ("ranges", "share"),
    # An error of rounding counts by its square, so a histogram keeps an outlier in the range.
    [("mean", 0.2), ("percentile", 0.2), ("histogram", 1.05)],
)
def test_openvino_estimates_ranges_as_it_is_told(place, inputs, tmp_path, ranges, share):
    inputs = inputs.copy()
    inputs[0, 0, 0, 0] = 40.0
    for name in ("minmax", ranges):
        (tmp_path / name).mkdir()
        options = QuantizeOptions(ranges=name)
        openvino_module.quantize(place / "bundle" / "inference.onnx", inputs, options, tmp_path / name)
    minmax, other = (highest_of_openvino(tmp_path / name) for name in ("minmax", ranges))
    assert minmax[0] == pytest.approx(40, rel=0.02)
    assert other[0] < share * 40
    assert other != minmax


def highest_of_openvino(folder):
    """The ends of the ranges of activations, the picture's first."""
    model = openvino.Core().read_model(folder / openvino_module.FILES[0])
    nodes = [node for node in model.get_ordered_ops() if node.get_type_name() == "FakeQuantize"]
    nodes.sort(key=lambda node: node.input_value(0).get_node().get_type_name() != "Parameter")
    return [float(node.input_value(2).get_node().get_data().max()) for node in nodes]


@pytest.mark.parametrize("bias", ["full", "none"])
def test_openvino_corrects_biases_as_it_is_told(place, inputs, tmp_path, bias):
    options = QuantizeOptions(bias_correction=bias)
    method = openvino_module.quantize(place / "bundle" / "inference.onnx", inputs, options, tmp_path)
    assert method.endswith(f"; {'no' if bias == 'none' else bias} bias correction")
    assert len(int8_weights_of_openvino(tmp_path)) == 5


@pytest.mark.parametrize(("layers", "missing"), [("none", []), ("first", [0]), ("last", [4]), ("both", [0, 4])])
def test_onnxruntime_has_signed_weights_a_channel_and_unsigned_activations(place, inputs, tmp_path, layers, missing):
    options = QuantizeOptions("onnxruntime", float32_layers=layers)
    method = onnxruntime_module.quantize(place / "bundle" / "inference.onnx", inputs, options, tmp_path)
    assert "QDQ, activations unsigned, weights signed per channel; ranges by the smallest" in method
    graph, values = graph_of_onnxruntime(tmp_path)
    weights = {name: value for name, value in values.items() if value.dtype == np.int8 and value.ndim > 1}
    shapes = [(8, 3, 3, 3), (16, 8, 3, 3), (16, 8, 1, 1), (16, 16, 3, 3), (32, 5)]
    assert sorted(value.shape for value in weights.values()) == sorted(
        shape for index, shape in enumerate(shapes) if index not in missing
    )
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in weights and weights[node.input[0]].ndim == 4:
            assert values[node.input[1]].shape == weights[node.input[0]].shape[:1]
        if node.op_type == "QuantizeLinear":
            assert values[node.input[2]].dtype == np.uint8
    softmax = next(node for node in graph.node if node.op_type == "Softmax")
    assert softmax.output[0] == graph.output[0].name  # in float32, or small probabilities were lost


@pytest.mark.parametrize("ranges", ["percentile", "entropy"])
def test_onnxruntime_estimates_ranges_as_it_is_told(place, inputs, tmp_path, ranges):
    steps = {}
    for name in ("minmax", ranges):
        (tmp_path / name).mkdir()
        few = inputs.copy()
        few[0, 0, 0, 0] = 40.0  # an outlier
        options = QuantizeOptions("onnxruntime", name)
        onnxruntime_module.quantize(place / "bundle" / "inference.onnx", few, options, tmp_path / name)
        graph, values = graph_of_onnxruntime(tmp_path / name)
        first = next(n for n in graph.node if n.op_type == "QuantizeLinear" and n.input[0] == graph.input[0].name)
        steps[name] = float(values[first.input[1]])
    assert steps["minmax"] == pytest.approx((40 - inputs.min()) / 255, rel=0.01)
    assert steps[ranges] < 0.5 * steps["minmax"]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_command_and_what_it_leaves(place, tmp_path, engine):
    bundle = Path(shutil.copytree(place / "bundle", tmp_path / "bundle"))
    ran = new_python("-m", "ppcls", "quantize", bundle, "--calib", place / "pictures", "--backend", engine)
    assert (ran.code, ran.err) == (0, "")
    written, _, row, last = ran.out.splitlines()
    assert written.startswith(f"written: {bundle / f'inference.{engine}-int8.'}")
    assert row.split()[:2] == [engine, "int8"] and row.endswith("passed")
    assert last == "compared with Paddle's float32 program, on 30 pictures that it was not calibrated on"
    (form,) = Bundle.load(bundle).quantized
    assert {path.name for path in bundle.iterdir()} == {
        *(path.name for path in (place / "bundle").iterdir()), *(entry.file for entry in form.files),
    }  # fmt: skip
    pictures = sorted((place / "pictures").iterdir())
    exact, int8 = (
        [result.class_ids[0] for result in Classifier(bundle, **how).predict(pictures)]
        for how in ({}, {"backend": engine, "precision": "int8"})
    )
    assert len(set(exact)) > 1
    assert sum(a == b for a, b in zip(exact, int8)) >= 58


needs_data = pytest.mark.skipif(DATA is None, reason="PPCLS_TEST_DATA names no folder with imagenet_200 and weights")


@pytest.fixture(scope="module")
def squeezenet(tmp_path_factory):
    """Real weights beside 200 pictures, and what the page's commands make of them."""
    folder = tmp_path_factory.mktemp("squeezenet")
    (folder / "images").symlink_to(Path(DATA, "imagenet_200", "images"))
    shutil.copy(Path(DATA, "imagenet_200", "val_list.txt"), folder)
    shutil.copy(Path(DATA, "squeezenet1_1_torchvision.pth"), folder)
    text = (ROOT / "docs" / "deployment" / "quantization.md").read_text(encoding="utf-8")
    (commands,) = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)
    convert = "ppcls convert --arch SqueezeNet1_1 squeezenet1_1_torchvision.pth squeezenet.pdparams"
    for line in (convert, *commands.splitlines()):
        words = line.split()
        assert words[0] == "ppcls"
        output_of("-m", *words, folder=folder)
    return folder


@needs_data
@pytest.mark.slow
def test_the_commands_of_the_page(squeezenet):
    openvino_form, onnxruntime_form = Bundle.load(squeezenet / "inference").quantized
    assert (openvino_form.backend, onnxruntime_form.backend) == ENGINES
    assert openvino_form.calibration.startswith("100 of 200 pictures of val_list.txt (SHA-256 ")
    assert onnxruntime_form.method.endswith("; first and last layers float32")


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_squeezenet_loses_at_most_two_of_200_pictures_that_it_was_not_calibrated_on(squeezenet, tmp_path, engine):
    bundle = Path(shutil.copytree(squeezenet / "inference", tmp_path / "bundle"))
    lines = (squeezenet / "val_list.txt").read_text().splitlines(keepends=True)
    halves = [tmp_path / "even.txt", tmp_path / "odd.txt"]
    for index, half in enumerate(halves):
        half.write_text("".join(lines[index::2]))
    exact = int8 = 0
    for calibrated, scored in (halves, halves[::-1]):  # so that every picture is scored
        arguments = (calibrated, QuantizeOptions(engine), scored, squeezenet, 100)
        try:
            verdict = quantize(Bundle.load(bundle), *arguments).verdict
        except GateFailure as failure:  # the gate is stricter: one of the hundred at a time
            verdict = failure.verdict
        assert verdict.base.pictures == 100
        exact += verdict.base.correct
        int8 += verdict.rows[0].seen.correct
    print(f"{engine}: {exact} of 200 in float32, {int8} in int8")
    assert exact == 128
    assert int8 >= exact - 2
