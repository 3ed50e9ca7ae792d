"""Which engine computes how on what, and the exact calls to ONNX Runtime and OpenVINO, by stand-ins for both."""

from __future__ import annotations

import dataclasses
import sys
from types import SimpleNamespace
from typing import get_args, get_type_hints

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.fake_onnxruntime import fake_onnxruntime
from helpers.messages import refusal, says
from ppcls.config.deploy_schema import DeployGlobalSection
from ppcls.deployment.verify.forms import FORMS
from ppcls.inference import Bundle
from ppcls.inference.backends import common, open_backend
from ppcls.inference.backends import paddle as paddle_backend
from ppcls.inference.backends.adapted import OneByOne, Softmax, adapted
from ppcls.inference.backends.common import BackendPool, in_parts, pictures_together
from ppcls.inference.backends.onnxruntime import OnnxRuntimeBackend
from ppcls.inference.bundle import digested
from ppcls.inference.entries import ModelOrigin, Quantized
from ppcls.inference.settings import BACKENDS, OFFERED, PRECISIONS, Settings, offered_on
from ppcls.utils.errors import UserError

BATCH = np.zeros((2, 3, 32, 32), np.float32)


@pytest.fixture
def with_forms(copy, monkeypatch):
    """A bundle that has an ONNX file and two int8 forms, of bytes that no engine reads; its batches stay whole."""
    monkeypatch.setattr(common, "_CACHED_WEIGHTS", 0)
    files = {}
    for name in ("inference.onnx", "inference.onnxruntime-int8.onnx", "inference.openvino-int8.xml"):
        (copy / name).write_bytes(name.encode())
        files[name] = digested(copy / name)
    quantized = [Quantized(b, (files[f"inference.{b}-int8.{s}"],), "minmax", "2 pictures")
                 for b, s in (("onnxruntime", "onnx"), ("openvino", "xml"))]  # fmt: skip
    return dataclasses.replace(Bundle.load(copy), onnx=files["inference.onnx"], quantized=tuple(quantized))


class Session:
    """`onnxruntime.InferenceSession`, whose scores tell the number of a call."""

    made: list = []

    def __init__(self, path, options, providers):
        self.path, self.options, self.providers, self.calls = path, options, providers, []
        Session.made.append(self)

    def get_inputs(self):
        return [SimpleNamespace(name="image")]

    def get_outputs(self):
        return [SimpleNamespace(name="fetch_name_0")]

    def run(self, outputs, feed):
        self.calls.append((outputs, feed))
        return [np.full((len(feed["image"]), 5), len(self.calls), np.float32)]


@pytest.fixture
def sessions(monkeypatch):
    monkeypatch.setattr(Session, "made", [])
    monkeypatch.setitem(sys.modules, "onnxruntime", fake_onnxruntime(Session))
    return Session.made


class Request:
    """`openvino.InferRequest`, whose output is its own memory, which the next run overwrites."""

    def __init__(self):
        self.memory = np.zeros((2, 5), np.float32)
        self.sizes = []

    def infer(self, inputs, share_inputs):
        assert share_inputs and len(inputs) == 1 and inputs[0].flags.c_contiguous
        self.sizes.append(len(inputs[0]))
        self.memory = self.memory[: len(inputs[0])]
        self.memory += 1

    def get_output_tensor(self, number):
        assert number == 0
        return SimpleNamespace(data=self.memory)


@pytest.fixture
def compiled(monkeypatch):
    """What is compiled from now on: path, fixed shape, device, properties, requests made."""
    seen = []

    class Core:
        capabilities = ("FP32", "BF16", "INT8")

        def get_property(self, device, name):
            assert (device, name) == ("CPU", "OPTIMIZATION_CAPABILITIES")
            return list(self.capabilities)

        def read_model(self, path):
            inputs, outputs = ([SimpleNamespace(get_any_name=lambda n=n: n)] for n in ("image", "fetch_name_0"))
            program = SimpleNamespace(path=path, shape=None, inputs=inputs, outputs=outputs)
            program.reshape = lambda shape: setattr(program, "shape", shape)
            return program

        def compile_model(self, program, device, properties):
            requests = []
            seen.append((program.path.name, program.shape, device, properties, requests))

            def make():
                requests.append(Request())
                return requests[-1]

            return SimpleNamespace(create_infer_request=make)

    stub = SimpleNamespace(Core=Core)
    monkeypatch.setitem(sys.modules, "openvino", stub)
    return seen, Core


def message(*arguments, **settings):
    with pytest.raises((UserError, ValueError)) as caught:
        open_backend(*arguments, Settings(**settings)) if arguments else Settings(**settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"backend": "onnxruntime", "precision": "bfloat16"},
            "onnxruntime on a CPU does not compute in bfloat16; write precision float32 or int8",
        ),
        (
            {"precision": "float16"},
            "paddle on a CPU ... float16; write precision float32 or bfloat16",
        ),
        (
            {"precision": "int8", "device": "gpu"},
            "paddle on a GPU ... int8; write precision float32 or float16",
        ),
        ({"backend": "openvino", "device": "gpu"}, "openvino runs on cpu alone here, not on gpu"),
    ],
)
def test_what_a_backend_does_not_have(settings, sentence):
    assert message(**settings) == says(sentence)


def test_one_table_names_every_form():
    assert tuple(OFFERED) == BACKENDS
    assert {precision for on in OFFERED.values() for each in on.values() for precision in each} == set(PRECISIONS)
    assert [str(form) for form in FORMS["gpu"]] == [
        "paddle:float32", "paddle:float16", "trt:float32", "trt:float16", "trt:int8",
    ]  # fmt: skip
    assert [str(form) for form in FORMS["cpu"]] == [
        "paddle:float32", "paddle:bfloat16", "paddle-openvino:float32", "paddle-openvino:bfloat16",
        "onnxruntime:float32", "onnxruntime:int8", "openvino:float32", "openvino:bfloat16", "openvino:int8",
    ]  # fmt: skip
    hints = get_type_hints(DeployGlobalSection)
    assert get_args(get_args(hints["backend"])[0]) == BACKENDS
    assert get_args(get_args(hints["precision"])[0]) == PRECISIONS


@pytest.mark.parametrize(("engine", "name"), [("onnxruntime", "ONNX Runtime"), ("openvino", "OpenVINO")])
def test_an_engine_that_is_not_installed(engine, name, with_forms, monkeypatch):
    monkeypatch.setitem(sys.modules, engine, None)
    assert message(with_forms, backend=engine) == f"{name} is not installed; run `pip install 'ppcls[{engine}]'`"


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_bundle_without_the_form(engine, exported, sessions, compiled):
    bundle = Bundle.load(exported)
    assert message(bundle, backend=engine) == says(
        f"{exported} has no inference.onnx, ... {engine} ...; export again with `ppcls export ... "
        f"--onnx`, or add it by `ppcls onnx {exported}`"
    )
    assert message(bundle, backend=engine, precision="int8") == (
        f"{exported} has no int8 form for {engine}; run `ppcls quantize {exported} --backend {engine} --calib LIST`"
    )


@pytest.mark.parametrize(
    ("precision", "file"), [("float32", "inference.onnx"), ("int8", "inference.onnxruntime-int8.onnx")]
)
@pytest.mark.parametrize(("threads", "requests", "shared"), [(4, 1, 4), (4, 3, 2), (1, 2, 1)])
def test_onnx_runtime_is_told_everything(with_forms, sessions, precision, file, threads, requests, shared):
    backend = open_backend(with_forms, Settings("onnxruntime", precision, threads=threads, requests=requests))
    (session,) = sessions
    assert session.path == str(with_forms.folder / file)
    assert session.providers == ["CPUExecutionProvider"]
    assert vars(session.options) == {
        "intra_op_num_threads": shared,
        "log_severity_level": 3,
        "enable_mem_pattern": False,
        "entries": {"session.use_env_allocators": "1"},
    }
    by_need = {"arena_extend_strategy": 1}
    assert sys.modules["onnxruntime"].arenas == [(("Cpu", "arena", 0, "default"), by_need)]
    assert backend.run(BATCH).tolist() == [[1] * 5] * 2
    ((outputs, feed),) = session.calls
    assert (outputs, list(feed)) == (["fetch_name_0"], ["image"])


@pytest.mark.parametrize(
    ("precision", "file", "hint"),
    [
        ("float32", "inference.onnx", "f32"),
        ("bfloat16", "inference.onnx", "bf16"),
        ("int8", "inference.openvino-int8.xml", "f32"),
    ],
)
def test_openvino_is_told_everything(with_forms, compiled, precision, file, hint):
    backend = open_backend(with_forms, Settings("openvino", precision, threads=3, requests=2))
    ((opened, shape, device, properties, requests),) = compiled[0]
    assert (opened, shape, device, len(requests)) == (file, None, "CPU", 2)
    assert properties == {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": 3, "NUM_STREAMS": 2}
    first = backend.run(BATCH)
    second = backend.run(BATCH)  # of the same request, for it was free: its memory is not what the first one got
    assert (first.tolist(), second.tolist()) == ([[1] * 5] * 2, [[2] * 5] * 2)


def test_openvino_without_bfloat16(with_forms, compiled):
    compiled[1].capabilities = ("FP32", "INT8")
    assert message(with_forms, backend="openvino", precision="bfloat16") == says(
        "this processor ... bfloat16; write precision float32 or int8"
    )
    assert compiled[0] == []


def test_a_program_of_other_names_is_refused(with_forms, sessions):
    renamed = dataclasses.replace(with_forms, output=dataclasses.replace(with_forms.output, name="scores"))
    assert message(renamed, backend="onnxruntime") == says(
        f"{with_forms.folder / 'inference.onnx'} takes ['image'] and gives ['fetch_name_0'], ... "
        "image and scores; export the model again"
    )


def test_a_damaged_form_is_refused(with_forms, sessions):
    (with_forms.folder / "inference.onnx").write_bytes(b"other")
    assert "inference.onnx is not the file that inference.yml describes" in message(with_forms, backend="onnxruntime")
    assert sessions == []


def test_turns_are_taken_by_one_at_a_time():
    pool = BackendPool("ab")
    with pool.take() as first, pool.take() as second:
        assert {first, second} == {"a", "b"}
        assert pool._free.empty()
    with pool.take() as again:
        assert again == first  # the one given back last
    with pytest.raises(ZeroDivisionError), pool.take():
        raise ZeroDivisionError
    assert pool._free.qsize() == 2


def test_a_gpu_is_looked_for_before_anything_is_loaded(exported, monkeypatch):
    monkeypatch.setattr("paddle.is_compiled_with_cuda", lambda: False)
    monkeypatch.setattr(Bundle, "checked", lambda *entries: pytest.fail("the program was read"))
    said = message(Bundle.load(exported), device="gpu", precision="float16")
    assert said.startswith("a GPU is asked for, but this build of Paddle has no CUDA; write -o Global.use_gpu=False")


def test_paddle_is_refused_where_onednn_would_be_wrong(exported, monkeypatch):
    monkeypatch.setenv("OMP_THREAD_LIMIT", "8")
    bundle = Bundle.load(exported)
    assert message(bundle, backend="paddle") == says(
        "oneDNN ... wrong scores ... OMP_THREAD_LIMIT ...; unset it (OMP_NUM_THREADS ...)"
    )
    batch = np.zeros((1, 3, 224, 224), np.float32)
    assert open_backend(bundle, Settings("paddle", onednn=False)).run(batch).shape == (1, 5)


def test_bfloat16_of_paddle(exported, monkeypatch):
    bundle = Bundle.load(exported)
    assert message(bundle, precision="bfloat16", onednn=False) == says(
        "... bfloat16 ... oneDNN's kernels ...; leave them on, or write float32"
    )
    monkeypatch.setattr("paddle.base.core.supports_bfloat16", lambda: True)
    assert refusal(paddle_backend.check, exported / "inference.pdmodel", Settings(precision="bfloat16")).startswith(
        f"{exported / 'inference.pdmodel'} is a program of Paddle 2, which Paddle "
    )
    monkeypatch.setattr("paddle.base.core.supports_bfloat16", lambda: False)
    assert message(bundle, precision="bfloat16") == says("this processor ... bfloat16; write precision float32")


@pytest.mark.parametrize(
    ("settings", "calls"),
    [
        (Settings(), {"enable_mkldnn"}),
        (Settings(precision="bfloat16"), {"enable_mkldnn", "enable_mkldnn_bfloat16"}),
        (Settings(device="gpu"), {("enable_use_gpu", "256", "0", "Precision.Float32"), "enable_memory_optim"}),
        (
            Settings(device="gpu", precision="float16"),
            {("enable_use_gpu", "256", "0", "Precision.Half"), "enable_memory_optim"},
        ),
    ],
)
def test_paddle_is_told_the_precision(settings, calls, exported, monkeypatch):
    """The calls are of the real class's names; a CPU build could not carry out those for a GPU."""
    import paddle.inference

    seen, real = set(), paddle.inference.Config

    class Config:
        def __init__(self, program, parameters):
            pass

        def __getattr__(self, name):
            assert hasattr(real, name)
            return lambda *arguments: seen.add((name, *map(str, arguments)) if arguments else name)

    monkeypatch.setattr("paddle.inference.Config", Config)
    monkeypatch.setattr("paddle.inference.create_predictor", lambda config: "made")
    monkeypatch.setattr(paddle_backend, "check", lambda program, settings: None)
    assert paddle_backend.open_predictor(exported, exported, settings) == "made"
    assert {call for call in seen if str(call).strip("('").startswith("enable_")} == calls


class Counting:
    """Logits that are the picture's mean times 0 to 4; it takes `most` pictures at a time."""

    def __init__(self, most):
        self.most = most

    def run(self, batch):
        assert len(batch) <= self.most
        return batch.mean(axis=(1, 2, 3))[:, None] * np.arange(5, dtype=np.float32)


def test_programs_of_others_are_adapted(exported):
    bundle = Bundle.load(exported)
    backend = Counting(1)
    assert adapted(backend, bundle) is backend
    single = dataclasses.replace(bundle, input=dataclasses.replace(bundle.input, shape=(1, 3, 32, 32)))
    logits = dataclasses.replace(single, output=dataclasses.replace(single.output, meaning="logits"))
    batch = np.stack([np.full((3, 32, 32), value, np.float32) for value in (0, 1, 100)])
    assert isinstance(adapted(backend, single), OneByOne)
    assert isinstance(adapted(backend, logits), Softmax)
    scores = adapted(backend, logits).run(batch)
    assert (scores.shape, scores.dtype) == ((3, 5), np.float32)
    powers = np.exp(np.arange(5))
    np.testing.assert_allclose(scores, [[0.2] * 5, powers / powers.sum(), [0, 0, 0, 0, 1]], atol=1e-6)


@given(st.integers(1, 9), st.integers(1, 12) | st.none())
def test_a_batch_in_parts_gives_what_the_whole_gives(count, most):
    sizes = []

    def run(part):
        sizes.append(len(part))
        return part * 2

    batch = np.arange(count)
    np.testing.assert_array_equal(in_parts(run, batch, most), batch * 2)
    assert len(sizes) == -(-count // (most or count))
    assert max(sizes) <= (most or count) and set(sizes[:-1]) <= {most}


@pytest.mark.parametrize(
    ("threads", "requests", "precision", "together"),
    [
        (1, 1, "float32", 1),
        (2, 1, "float32", 1),
        (8, 1, "float32", 4),
        (8, 2, "float32", 2),
        (3, 1, "bfloat16", 1),
        (1, 8, "int8", 1),
        (2, 1, "int8", 8),
        (2, 2, "int8", 4),
    ],
)
def test_networks_whose_weights_fit_into_caches_compute_few_pictures_at_a_time(
    threads, requests, precision, together, exported, monkeypatch
):
    files = [exported / "inference.pdiparams", exported / "inference.yml"]
    settings = Settings("openvino", precision, threads=threads, requests=requests)
    size = sum(file.stat().st_size for file in files)
    monkeypatch.setattr(common, "_CACHED_WEIGHTS", size)
    assert pictures_together(files, settings) == together
    monkeypatch.setattr(common, "_CACHED_WEIGHTS", size - 1)
    assert pictures_together(files, settings) is None


def test_engines_get_few_pictures_at_a_time(with_forms, sessions, compiled, monkeypatch):
    monkeypatch.setattr(common, "_CACHED_WEIGHTS", 1 << 20)
    (with_forms.folder / "inference.pdiparams").unlink()  # `ppcls quantize` tries forms in folders without it
    batch = np.repeat(BATCH, 2, axis=0)[:3]
    for engine in ("onnxruntime", "openvino"):
        scores = open_backend(with_forms, Settings(engine, threads=4)).run(batch)
        assert scores.tolist() == [[1] * 5, [1] * 5, [2] * 5]
    assert [len(feed["image"]) for _, feed in sessions[0].calls] == [2, 1]
    ((_, shape, *_, (request,)),) = compiled[0]
    assert (shape, request.sizes) == (None, [2, 1])


def test_an_onnx_file_of_another_library_gets_whole_batches(with_forms, sessions, monkeypatch):
    """Its weights may lie in files beside it, so that its size says nothing."""
    monkeypatch.setattr(common, "_CACHED_WEIGHTS", 1 << 20)
    foreign = dataclasses.replace(with_forms, origin=ModelOrigin.ONNX)
    OnnxRuntimeBackend(foreign, Settings("onnxruntime", threads=1)).run(BATCH)
    assert [len(feed["image"]) for _, feed in sessions[0].calls] == [2]


def test_openvino_fixes_the_shape_where_it_gets_one_picture_at_a_time(with_forms, compiled, monkeypatch):
    monkeypatch.setattr(common, "_CACHED_WEIGHTS", 1 << 20)
    assert open_backend(with_forms, Settings("openvino", threads=2)).run(BATCH).tolist() == [[1] * 5, [2] * 5]
    ((_, shape, *_, (request,)),) = compiled[0]
    assert (shape, request.sizes) == ([1, 3, 32, 32], [1, 1])


def test_few_pictures_at_a_time_without_a_number_of_threads(exported, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "6")
    assert pictures_together([exported / "inference.pdiparams"], Settings("onnxruntime")) == 3


def test_what_is_computed_in_on_a_device():
    assert offered_on("cpu") == ("float32", "bfloat16", "int8")
    assert offered_on("gpu") == ("float32", "float16")


@pytest.mark.parametrize(("engine", "name"), [("onnxruntime", "ONNX Runtime"), ("openvino", "OpenVINO")])
def test_what_an_engine_says_of_a_program_is_one_sentence(with_forms, sessions, compiled, monkeypatch, engine, name):
    class Fail(Exception):
        """As ONNX Runtime's: no UserError, no RuntimeError."""

    def fail(*_, **__):
        raise Fail("[ERROR] : 1\n  External data path " + "x" * 400)

    monkeypatch.setattr(Session, "__init__", fail)
    monkeypatch.setattr(compiled[1], "read_model", fail)
    file = with_forms.folder / "inference.onnx"
    said = message(with_forms, backend=engine)
    assert said.startswith(f"{name} cannot load {file} ([ERROR] : 1 External data path xxx")
    assert "xxx); export it again, with operators and an opset that this engine knows, and with its files of" in said
    assert len(said) < 600


def test_a_model_that_is_no_bundle_is_sent_the_right_way(with_forms, compiled):
    file = with_forms.folder / "inference.onnx"
    foreign = dataclasses.replace(with_forms, golden=None, quantized=(), origin=ModelOrigin.ONNX)
    foreign = dataclasses.replace(foreign, program=foreign.onnx)
    assert message(foreign, backend="openvino", precision="int8") == says(
        f"{file} is run as it is; leave precision int8 out, ... `ppcls quantize` ..."
    )
    assert message(dataclasses.replace(foreign, origin=ModelOrigin.PADDLECLAS), backend="openvino") == says(
        f"{file.parent} is a model of PaddleClas, ... openvino ...; make a bundle of it by `ppcls "
        f"adopt {file.parent} NEW`, and ... `ppcls onnx NEW`"
    )
