"""ONNX files of other libraries: what they say of themselves, and what a user has to say."""

from __future__ import annotations

import dataclasses
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.fake_onnxruntime import fake_onnxruntime
from helpers.messages import refusal, says
from helpers.protobuf import field, varint
from ppcls.inference import Classifier
from ppcls.inference.golden import GOLDEN_PICTURE
from ppcls.inference.onnx_file import bundle_of_onnx
from ppcls.untrusted.protobuf import MAX_FIELDS, Budget, Message, fields
from ppcls.untrusted.refusals import Damaged
from ppcls.utils.errors import UserError

FLOAT, HALF = 1, 10
SIZE = {"size": 32, "resize_short": 40, "backend": "pil"}


def port(name, shape, kind=FLOAT):
    """A ValueInfoProto; a text in the shape is the name of a side that is not fixed."""
    sides = [field(2, side.encode()) if isinstance(side, str) else field(1, side) for side in shape]
    tensor = field(1, kind) + field(2, b"".join(field(1, side) for side in sides))
    return field(1, name.encode()) + field(2, field(1, tensor))


def node(operator, inputs, outputs):
    """A NodeProto."""
    named = [field(1, name.encode()) for name in inputs] + [field(2, name.encode()) for name in outputs]
    return b"".join(named) + field(4, operator.encode())


def model(inputs=(("input", ("N", 3, 32, 32)),), outputs=(("logits", ("N", 5)),), parameters=("weight",), nodes=()):
    tensors = [field(5, field(1, 7) + varint(2 << 3 | 5) + b"\0\0\0\0" + field(8, p.encode())) for p in parameters]
    nodes = [field(1, node(*parts)) for parts in nodes]
    graph = b"".join([*nodes, field(2, b"a name"), *tensors, *(field(11, port(*parts)) for parts in inputs)])
    return field(1, 8) + field(7, graph + b"".join(field(12, port(*parts)) for parts in outputs))


@pytest.fixture
def write(tmp_path):
    def make(content=None, **parts):
        path = tmp_path / "net.onnx"
        path.write_bytes(model(**parts) if content is None else content)
        return path

    return make


def said(path, preprocess=SIZE, output="logits"):
    return refusal(bundle_of_onnx, path, preprocess, output).replace(str(path), "FILE")


def test_a_file_as_a_bundle(write):
    path = write()
    bundle = bundle_of_onnx(path, SIZE, "logits")
    assert (bundle.folder, bundle.architecture, bundle.golden) == (path.parent, "net", None)
    assert bundle.program == bundle.parameters == bundle.onnx
    assert bundle.checked(bundle.onnx) == (path,)
    assert dataclasses.astuple(bundle.input) == ("input", (-1, 3, 32, 32), "float32", "NCHW", "RGB")
    assert dataclasses.astuple(bundle.output) == ("logits", (-1, 5), "logits", "classification")
    assert bundle.settings.backend == "onnxruntime"
    assert [next(iter(op)) for op in bundle.transforms][:3] == ["DecodeImage", "ResizeImage", "CropImage"]
    resize = bundle.transforms[1]["ResizeImage"]
    assert (resize["resize_short"], resize["backend"], resize["interpolation"]) == (40, "pil", "bilinear")


NETWORK = ("Gemm", ["input", "weight"], ["scores"])


@pytest.mark.parametrize(
    "nodes",
    [
        [NETWORK, ("Softmax", ["scores"], ["logits"])],
        [("Softmax", ["scores"], ["logits"]), NETWORK],  # their order in the file proves nothing
        [NETWORK, ("Softmax", ["scores"], ["a"]), ("Reshape", ["a", "shape"], ["b"]), ("Cast", ["b"], ["logits"])],
    ],
)
def test_softmax_that_is_said_to_give_logits(write, nodes):
    assert said(write(nodes=nodes)) == says("FILE ends in softmax ...; write output='probabilities'")
    assert bundle_of_onnx(write(nodes=nodes), SIZE, "probabilities").output.meaning == "probabilities"


@pytest.mark.parametrize(
    "nodes",
    [
        [],
        [NETWORK, ("Identity", ["scores"], ["logits"])],
        [NETWORK, ("Softmax", ["scores"], ["attention"]), ("MatMul", ["attention", "weight"], ["logits"])],
        [NETWORK, ("Softmax", ["scores"], ["a"]), ("Log", ["a"], ["logits"])],
        [("Identity", ["a"], ["logits"]), ("Identity", ["logits"], ["a"])],  # round and round
        [("Reshape", [], ["logits"])],
    ],
)
def test_softmax_that_is_not_the_end(write, nodes):
    assert bundle_of_onnx(write(nodes=nodes), SIZE, "logits").output.meaning == "logits"


def test_preprocessing_in_its_other_forms(write):
    path = write(inputs=[("input", ("N", 3, "H", "W"))])
    table = bundle_of_onnx(path, "DPN68/timm", "logits")
    assert table.input.shape == (-1, 3, 224, 224)
    assert table.transforms[1]["ResizeImage"]["interpolation"] == "bicubic"
    written = [{"DecodeImage": {"to_rgb": False}}, {"ResizeImage": {"size": [48, 64]}}, {"NormalizeImage": None}]
    own = bundle_of_onnx(path, written, "probabilities")
    assert (own.input.shape, own.input.color, own.output.meaning) == ((-1, 3, 64, 48), "BGR", "probabilities")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"inputs": [("x", (8, 3, 32, 32))]}, "FILE takes x [8, 3, 32, 32], always 8 pictures; export it again ..."),
        ({"inputs": [("x", ("N", 32, 32, 3))]}, "FILE takes x [-1, 32, 32, 3], the channels last; export it again"),
        ({"inputs": [("x", ("N", 3, 32, 32), HALF)]}, "FILE takes x [-1, 3, 32, 32]; this runtime gives one float32"),
        ({"inputs": [("a", (1, 2)), ("b", (3,))]}, "FILE takes a [1, 2], b [3]; this runtime gives one float32"),
        (
            {"inputs": [(name, (1,)) for name in "abcde"]},
            "FILE takes a [1], b [1], c [1], and 2 more; ... one float32",
        ),
        ({"inputs": [("x\ny", (1,))]}, "FILE takes x\\ny [1]; this runtime gives one float32"),
        ({"outputs": [("y", ("N", 5, 1, 1))]}, "FILE gives y [-1, 5, 1, 1]; ... one float32 [N, "),
        ({"outputs": [("y", ("N", "C"))]}, "FILE gives y [-1, -1]; ... one float32 [N, class_num], "),
        ({"outputs": [("y", ("N", 5)), ("z", ("N", 5))]}, "FILE gives y [-1, 5], z [-1, 5]; this runtime reads one "),
        ({"inputs": [("x", ("N", 3, 64, 64))]}, "FILE: the transforms give pictures of [3, 32, 32] "),
    ],
)
def test_programs_that_are_refused(write, parts, message):
    found = said(write(**parts))
    assert found == says(f"{message} ...")


def test_parameters_that_are_listed_as_inputs_are_none(write):
    inputs = [("x", ("N", 3, 32, 32)), ("weight", (5, 3))]  # as files of old exporters do
    assert bundle_of_onnx(write(inputs=inputs), SIZE, "logits").input.name == "x"


@pytest.mark.parametrize(
    ("preprocess", "output", "message"),
    [
        (SIZE, "", "FILE ... scores are; write output='logits' ... or output='probabilities'"),
        ({"size": 32, "std": 0}, "logits", "FILE: std is 0 and not three numbers"),
        ({"sise": 32}, "logits", "FILE: unknown key 'sise'. Did you mean 'size'?"),
        ("DLA34/tim", "logits", "DLA34 ... 'tim' (did you mean timm?); it has paddleclas, timm, ucbdrive"),
        ([{"CropImages": {}}], "logits", "there is no transform named 'CropImages' (... CropImage?)"),
    ],
)  # fmt: skip
def test_what_the_user_has_to_say(write, preprocess, output, message):
    assert said(write(), preprocess, output) == says(f"{message} ...")


def test_damaged_files(write, tmp_path):
    whole = model()
    assert said(write(b"")) == says("FILE: ... (it has 0 graphs); copy or download ... again")
    assert "not a valid ONNX program" in said(write(whole[:-3]))
    assert "not a valid ONNX program" in said(write(b"<!doctype html>"))
    assert "cannot be read (No such file or directory)" in said(tmp_path / "none.onnx")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(place=st.integers(0, len(model()) - 1), byte=st.integers(0, 255), end=st.integers(0, len(model())))
def test_any_bytes_are_a_program_or_the_users_mistake(write, place, byte, end):
    content = bytearray(model())
    content[place] = byte
    try:
        bundle_of_onnx(write(bytes(content[:end])), SIZE, "logits")
    except UserError as error:
        assert "\n" not in str(error)


@given(st.lists(st.tuples(st.integers(1, 2**20), st.integers(0, 2**63) | st.binary(max_size=300))))
def test_fields_are_read_as_they_were_written(written):
    content = b"".join(field(number, value) for number, value in written)
    view = memoryview(content)
    assert [(number, value if isinstance(value, int) else bytes(value)) for number, value in fields(view)] == written
    for number in {number for number, _ in written}:
        assert Message(view, Budget()).numbers(number) == [v for n, v in written if n == number and isinstance(v, int)]
        assert [bytes(v) for v in Message(view, Budget()).bytes_of(number)] == [
            v for n, v in written if n == number and isinstance(v, bytes)
        ]


def test_a_file_of_too_many_fields_is_refused():
    content = memoryview(field(1, 0) * (MAX_FIELDS + 1))
    with pytest.raises(Damaged, match="more than 250,000 fields"):
        Message(content, Budget())
    assert len(Message(content[2:], Budget()).numbers(1)) == MAX_FIELDS


class Session:
    """`onnxruntime.InferenceSession` of a program that takes one picture: class 3 leads, by ln 2."""

    def __init__(self, path, options, providers):
        pass

    def get_inputs(self):
        return [SimpleNamespace(name="input")]

    def get_outputs(self):
        return [SimpleNamespace(name="logits")]

    def run(self, outputs, feed):
        assert feed["input"].shape == (1, 3, 32, 32)
        return [np.log(np.float32([[1, 1, 1, 2, 1]]))]


def test_pictures_through_such_a_file(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", fake_onnxruntime(Session))
    path = write(inputs=[("input", (1, 3, 32, 32))], outputs=[("logits", (1, 5))])
    classifier = Classifier(path, preprocess=SIZE, output="logits", class_names=list("abcde"), topk=1)
    results = list(classifier.predict([GOLDEN_PICTURE] * 3))
    assert [(result.class_ids, result.names) for result in results] == [([3], ["d"])] * 3
    assert results[0].scores == pytest.approx([1 / 3])
    with pytest.raises(UserError, match="has no golden picture to compare with; only bundles have one"):
        classifier.verify()
    told_otherwise = Classifier(path, preprocess=SIZE, output="probabilities")
    assert refusal(list, told_otherwise.predict(str(GOLDEN_PICTURE))) == says(
        f"{path} gives scores from 0 to 0.693, ... not probabilities; write output='logits'"
    )


def test_probabilities_that_are_said_to_be_logits(write, monkeypatch):
    """Where softmax is written by other operators, only the scores show it."""
    scores = {"now": np.float32([[0.1, 0.2, 0.3, 0.25, 0.15]])}

    class Probable(Session):
        def run(self, outputs, feed):
            return [scores["now"]]

    monkeypatch.setitem(sys.modules, "onnxruntime", fake_onnxruntime(Probable))
    path = write(inputs=[("input", (1, 3, 32, 32))], outputs=[("logits", (1, 5))])
    assert refusal(list, Classifier(path, preprocess=SIZE, output="logits").predict(GOLDEN_PICTURE)) == says(
        f"{path} ... probabilities already (from 0.1 to 0.3, ...); write output='probabilities'"
    )
    for logits in ([[0.1, 0.2, 0.3, 0.25, 0.16]], [[-0.1, 0.4, 0.3, 0.25, 0.15]]):
        scores["now"] = np.float32(logits)
        classifier = Classifier(path, preprocess=SIZE, output="logits")
        assert len(list(classifier.predict(GOLDEN_PICTURE))) == 1
    scores["now"] = np.float32([[0.1, 0.2, 0.3, 0.25, 0.15]])
    assert len(list(classifier.predict(GOLDEN_PICTURE))) == 1  # others of its logits have shown what they are


def test_what_belongs_to_one_kind_alone(write, exported):
    path = write()
    with pytest.raises(UserError, match=r"net.onnx does not state its preprocessing; write preprocess='DLA34"):
        Classifier(path, output="logits")
    with pytest.raises(UserError, match="states what its scores are; leave output out"):
        Classifier(exported, output="logits")
    with pytest.raises(UserError, match="is an ONNX program, which Paddle does not run; write backend onnxruntime or "):
        Classifier(path, preprocess=SIZE, output="logits", backend="paddle")
