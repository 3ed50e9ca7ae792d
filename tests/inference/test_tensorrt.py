"""TensorRT inside Paddle: what it gets, and when, on a machine of stand-ins (tests/helpers/fake_tensorrt.py)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import paddle
import pytest

from helpers.fake_tensorrt import Machine
from helpers.messages import pattern, refusal, says
from helpers.pictures import save_picture, solid
from ppcls import Classifier
from ppcls.cli import main
from ppcls.config.tensorrt import TensorRT
from ppcls.deployment.verify.forms import FORMS, Form, form_digest, parse_forms
from ppcls.inference import Bundle, Golden
from ppcls.inference.backends import open_backend
from ppcls.inference.backends.engine_cache import EngineKey, cached_engine
from ppcls.inference.backends.tensorrt import InParts
from ppcls.inference.settings import TENSORRT_OFFERED, Settings, resolve, settings_of
from ppcls.utils.errors import Unavailable, UserError

GPU = {"device": "gpu"}


@pytest.fixture
def machine(monkeypatch, tmp_path):
    monkeypatch.setenv("PPCLS_HOME", str(tmp_path / "home"))
    return Machine().install(monkeypatch)


@pytest.fixture
def pir(copy):
    return Bundle.load(copy)


@pytest.fixture
def legacy(copy):
    """A bundle whose program is called one of Paddle 2; nothing here loads it."""
    (copy / "inference.json").rename(copy / "inference.pdmodel")
    manifest = copy / "inference.yml"
    manifest.write_text(manifest.read_text().replace("inference.json", "inference.pdmodel"))
    return Bundle.load(copy)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    for index in range(10):
        save_picture(folder / f"{index}.png", solid(20 * index))
    return folder


def settings(precision="float32", **options):
    return Settings("paddle", precision, "gpu", tensorrt=TensorRT(**options))


def machine_home():
    return Path(os.environ["PPCLS_HOME"]) / "tensorrt"


def engines():
    return sorted(path.name for path in machine_home().iterdir())


def sizes(machine):
    """Batches in the order in which predictors ran them, a list of all of them where a predictor ended."""
    return [each.get("size", each.get("sizes")) for name, each in machine.log if name in ("run", "released")]


def cache_folders(machine):
    """Where predictors keep engines, in the order in which they were made."""
    return [Path(each["arg0"]) for each in machine.calls("set_optim_cache_dir")]


@pytest.mark.parametrize(("precision", "called"), [("float32", "Float32"), ("float16", "Half")])
def test_programs_of_paddle_2_build_their_engines_once(machine, legacy, precision, called, caplog):
    first = open_backend(legacy, settings(precision))
    assert caplog.messages == [says(f"building ... {legacy.folder / 'inference.pdmodel'}; ... once")]
    building, opening = machine.calls("enable_tensorrt_engine")
    assert building == opening
    assert (building["precision_mode"].name, building["use_static"], building["use_calib_mode"]) == (
        called,
        True,
        False,
    )
    assert (building["max_batch_size"], building["min_subgraph_size"], building["workspace_size"]) == (32, 3, 1 << 30)
    assert machine.calls("set_trt_dynamic_shape_info")[0] == {
        "min_input_shape": {"image": [1, 3, 32, 32]},
        "max_input_shape": {"image": [32, 3, 32, 32]},
        "optim_input_shape": {"image": [8, 3, 32, 32]},
    }
    assert sizes(machine) == [8, [8], 8]
    (name,) = engines()
    kept = machine_home() / name
    built_in, opened_in = cache_folders(machine)
    assert built_in != opened_in == kept
    assert {path.name for path in kept.iterdir()} == {"key.json", "trt_serialized_1"}
    machine.log.clear()
    second = open_backend(legacy, settings(precision))
    assert len(caplog.messages) == 1
    assert (cache_folders(machine), sizes(machine)) == ([kept], [8])
    assert engines() == [name]
    assert first.run(np.zeros((3, 3, 32, 32), np.float32)).shape == (3, 5)
    assert second.run(np.zeros((3, 3, 32, 32), np.float32)).shape == (3, 5)


def test_shapes_are_collected(machine, legacy):
    open_backend(legacy, settings(collect_shapes=True))
    assert sizes(machine) == [1, 8, 32, [1, 8, 32], 8, [8], 8]  # collected, built, opened
    (collected,) = machine.calls("collect_shape_range_info")
    built_in, opened_in = cache_folders(machine)
    assert Path(collected["arg0"]) == built_in / "shapes.pbtxt"
    assert machine.calls("enable_tuned_tensorrt_dynamic_shape") == [
        {"shape_range_info_path": str(folder / "shapes.pbtxt"), "allow_build_at_runtime": False}
        for folder in (built_in, opened_in)
    ]
    assert machine.calls("set_trt_dynamic_shape_info") == []
    assert (opened_in / "shapes.pbtxt").read_text() == "[1, 8, 32]"


def test_int8_is_calibrated_once_by_full_batches(machine, legacy, pictures):
    options = {"calibration": str(pictures), "opt_batch": 4}
    backend = open_backend(legacy, settings("int8", **options))
    (calls,) = {str(each) for each in machine.calls("enable_tensorrt_engine")}
    assert "Precision.Int8" in calls
    assert "'use_calib_mode': True" in calls
    assert sizes(machine) == [4, 4, [4, 4], 4, [4], 4]  # two pictures are left out
    (folder,) = engines()
    assert (machine_home() / folder / "trt_calib_1").read_text() == "[4, 4]"
    machine.log.clear()
    open_backend(legacy, settings("int8", **options))
    assert machine.calls("run") == [{"size": 4}]
    del backend


@pytest.mark.parametrize(("precision", "called"), [("float32", "FP32"), ("float16", "FP16")])
def test_programs_of_paddle_3_are_converted(machine, pir, precision, called):
    wanted = settings(precision, min_subgraph_size=5, workspace_mb=2)
    backend = open_backend(pir, wanted)
    (shapes,), (options,) = machine.calls("Input"), machine.calls("TensorRTConfig")
    assert (shapes["name"], shapes["input_data_type"]) == ("image", "float32")
    assert [shapes[f"{which}_input_shape"] for which in ("min", "optim", "max")] == [
        (1, 3, 32, 32), (8, 3, 32, 32), (32, 3, 32, 32),
    ]  # fmt: skip
    assert (options["precision_mode"].name, options["min_subgraph_size"], options["workspace_size"]) == (
        called, 5, 2 << 20,
    )  # fmt: skip
    assert machine.calls("convert") == [{"model_path": str(pir.folder / "inference")}]
    (name,) = engines()
    converted = machine_home() / name / "converted"
    opened = [
        {"program": f"{converted}.json", "parameters": f"{converted}.pdiparams"},
        {"FLAGS_trt_engine_serialized_path": str(converted)},
    ]
    assert machine.calls("Config", "set_flags") == opened
    machine.log.clear()
    open_backend(pir, wanted)
    assert (machine.calls("Config", "set_flags"), machine.calls("convert")) == (opened, [])
    assert backend.run(np.zeros((70, 3, 32, 32), np.float32)).shape == (70, 5)
    assert sizes(machine)[-3:] == [32, 32, 6]


def test_the_flag_is_one_of_paddles():
    if paddle.__version__.startswith("3.0."):
        with pytest.raises(ValueError, match="FLAGS_trt_engine_serialized_path"):
            paddle.get_flags("FLAGS_trt_engine_serialized_path")
    else:
        assert list(paddle.get_flags("FLAGS_trt_engine_serialized_path")) == ["FLAGS_trt_engine_serialized_path"]


def test_a_paddle_that_looks_for_engines_where_they_were_built(machine, pir, monkeypatch):
    """As 3.0 does, without the flag."""
    unread(monkeypatch)

    def get_flags(name):
        raise ValueError(f"Flag {name} cannot get its value through this function.")

    monkeypatch.setattr(paddle, "get_flags", get_flags)
    assert refused(pir, settings()) == says(
        f"... newer Paddle than {paddle.__version__}, ... FLAGS_trt_engine_serialized_path; "
        "install one, or export again with --format pdmodel"
    )


def test_the_stand_in_binds_to_the_real_signatures(machine):
    config = paddle.inference.Config("a", "b")
    with pytest.raises(TypeError, match="unexpected keyword argument 'workspace'"):
        config.enable_tensorrt_engine(workspace=1)
    with pytest.raises(TypeError, match="missing a required argument: 'memory_pool_init_size_mb'"):
        config.enable_use_gpu()
    with pytest.raises(AttributeError, match="enable_tensorrt"):
        config.enable_tensorrt()


KEY = EngineKey(
    "P", "W", "float32", ((1, 3, 32, 32), (8, 3, 32, 32), (32, 3, 32, 32)), False, 3, 1024, None, "NVIDIA T4", "7.5",
    True, "8.6.1", "3.3.1",
)  # fmt: skip


@pytest.mark.parametrize("fact", ["program", "parameters"])
def test_another_model_is_another_engine(fact, tmp_path):
    other = dataclasses.replace(KEY, **{fact: "other"})
    folders = [cached_engine(tmp_path, key, lambda folder: (folder / "e").write_text("")) for key in (KEY, other, KEY)]
    assert folders[0] == folders[2] != folders[1]


@pytest.mark.parametrize(
    ("change", "another"),
    [
        (lambda m, p: setattr(m, "gpu", "NVIDIA A10"), True),
        (lambda m, p: setattr(m, "capability", (8, 6)), True),
        (lambda m, p: setattr(m, "runtime", (8, 6, 2)), True),
        (lambda m, p: p.setattr("paddle.__version__", "3.9.0"), True),
        (lambda m, p: p.setenv("NVIDIA_TF32_OVERRIDE", "0"), True),
        (lambda m, p: None, False),
    ],
)
def test_another_machine_is_another_engine(machine, legacy, monkeypatch, change, another):
    open_backend(legacy, settings())
    change(machine, monkeypatch)
    open_backend(legacy, settings())
    assert len(engines()) == 1 + another


def test_every_setting_is_in_the_key(machine, legacy, pictures, tmp_path):
    wanted = [
        settings(), settings("float16"), settings(min_batch=2), settings(opt_batch=9), settings(max_batch=33),
        settings(min_subgraph_size=4), settings(workspace_mb=1), settings(collect_shapes=True),
        settings("int8", calibration=str(pictures)),
    ]  # fmt: skip
    for number, each in enumerate(wanted, 1):
        open_backend(legacy, each)
        assert len(engines()) == number, each
    open_backend(legacy, dataclasses.replace(settings(), threads=3))
    assert len(engines()) == len(wanted)
    (pictures / "0.png").write_bytes((pictures / "1.png").read_bytes())
    open_backend(legacy, wanted[-1])
    assert len(engines()) == len(wanted) + 1
    open_backend(legacy, settings(cache_dir=str(tmp_path / "own")))
    assert len(engines()) == len(wanted) + 1
    assert len(list((tmp_path / "own").iterdir())) == 1


def test_a_failed_build_leaves_nothing(machine, legacy, pir):
    machine.engines = False
    assert refused(legacy, settings()) == says(
        f"no part of {legacy.folder / 'inference.pdmodel'} ...; write a smaller tensorrt.min_subgraph_size, or ..."
    )
    assert engines() == []


def test_another_process_may_be_faster(tmp_path):
    def build(folder):
        (folder / "engine").write_text("mine")
        (tmp_path / KEY.name).mkdir()
        (tmp_path / KEY.name / "engine").write_text("theirs")

    assert (cached_engine(tmp_path, KEY, build) / "engine").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == [KEY.name]


def refused(bundle, wanted):
    return refusal(open_backend, bundle, wanted)


def unread(monkeypatch):
    monkeypatch.setattr(Bundle, "checked", lambda *entries: pytest.fail("the program was read"))


def test_a_build_without_cuda(pir, monkeypatch):
    unread(monkeypatch)
    monkeypatch.setattr("paddle.is_compiled_with_cuda", lambda: False)
    assert refused(pir, settings()) == says(
        "TensorRT needs a GPU, ... no CUDA; "
        "write -o Global.use_tensorrt=False -o Global.use_gpu=False, or install paddlepaddle-gpu ..."
    )


def test_a_build_without_tensorrt(machine, pir, monkeypatch):
    unread(monkeypatch)
    machine.compiled = (0, 0, 0)
    assert refused(pir, settings()) == says(
        "TensorRT ... this build of Paddle has none; write -o Global.use_tensorrt=False (... tensorrt=False), "
        "or install a build of Paddle that has it (docs/deployment/tensorrt.md)"
    )
    machine.compiled, machine.runtime = (8, 6, 1), (0, 0, 0)
    assert refused(pir, settings()) == says("Paddle was built for TensorRT 8.6.1, ... this machine ...")


@pytest.mark.parametrize("module", ["tensorrt", "paddle.tensorrt.export"])
def test_what_converts_is_missing(machine, pir, monkeypatch, module):
    unread(monkeypatch)
    monkeypatch.setitem(sys.modules, module, None)
    assert refused(pir, settings()) == says(
        "... packages tensorrt 8.6.1 and paddle.tensorrt, but ...; install them, or export again with --format pdmodel"
    )


def test_int8_needs_the_older_format_and_enough_pictures(machine, copy, pir, pictures, monkeypatch):
    assert refused(pir, settings("int8", calibration=str(pictures))) == says(
        f"TensorRT runs {copy / 'inference.json'} in float32 or float16, not in int8; "
        "write one of these, or export again with --format pdmodel ..."
    )
    (copy / "inference.json").rename(copy / "inference.pdmodel")
    program = dataclasses.replace(pir.program, file="inference.pdmodel")
    bundle = dataclasses.replace(pir, program=program)
    assert refused(bundle, settings("int8")) == says("int8 by TensorRT ... calibrate on; write --calib LIST for ...")
    assert refused(bundle, settings("int8", calibration=str(pictures), opt_batch=11)) == says(
        f"{pictures} has 10 pictures, ... batch of 11; give more, or write a smaller tensorrt.opt_batch"
    )
    assert machine.calls("create_predictor") == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {},
            "TensorRT ... not by paddle on a CPU; write -o Global.use_gpu=True ..., or leave TensorRT out",
        ),
        ({"backend": "openvino"}, "TensorRT ... not by openvino on a CPU; ..."),
        (
            {**GPU, "precision": "bfloat16"},
            "trt on a GPU ... bfloat16; write precision float32 or float16 or int8",
        ),
        (
            {**GPU, "tensorrt": TensorRT(calibration="list")},
            "... calibration is for int8, but the precision is float32; write precision int8, or leave ...",
        ),
    ],
)
def test_settings_that_are_impossible(values, message):
    with pytest.raises(ValueError) as caught:
        Settings(**{"tensorrt": TensorRT(), **values})
    assert str(caught.value) == says(message)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"min_batch": 0}, "min_batch is 0; ... at least 1"),
        ({"min_subgraph_size": 0}, "min_subgraph_size is 0; ... at least 1"),
        ({"workspace_mb": 0}, "workspace_mb is 0; ... at least 1"),
        ({"opt_batch": 64}, "min_batch, opt_batch and max_batch are 1, 64 and 32; write numbers that do not fall"),
    ],
)
def test_options_that_are_impossible(values, message):
    with pytest.raises(ValueError, match=pattern(message)):
        TensorRT(**values)


def test_true_and_false_stand_for_options():
    stored = Settings(**GPU, tensorrt=TensorRT(max_batch=64))
    assert resolve(None, **GPU, tensorrt=True) == Settings(**GPU, tensorrt=TensorRT())
    assert resolve(stored) == resolve(stored, tensorrt=True) == stored
    assert resolve(stored, tensorrt=False) == resolve(stored, backend="paddle") == Settings(**GPU)
    assert stored == Settings("trt", **GPU, tensorrt=TensorRT(max_batch=64))  # the name of Paddle with TensorRT
    assert resolve(stored, backend="trt") == stored
    assert resolve(None, backend="trt", **GPU) == Settings("trt", **GPU) == Settings(**GPU, tensorrt=TensorRT())
    assert resolve(stored, device="cpu") == resolve(stored, backend="paddle", device="cpu") == Settings()
    assert resolve(stored, backend="openvino", device="cpu") == Settings("openvino")
    half = Settings("paddle", "float16", threads=3, **GPU)
    assert resolve(half) == resolve(half, device="gpu") == half
    assert resolve(half, device="cpu") == Settings()  # which has no float16
    assert settings_of("trt", "float16", **GPU).backend == "trt"
    assert settings_of("paddle", "float16", **GPU).backend == "paddle"


def test_a_bundle_keeps_the_settings(machine, copy):
    kept = settings("float16", max_batch=64)
    dataclasses.replace(Bundle.load(copy), settings=kept).save()
    assert Bundle.load(copy).settings == kept
    assert Classifier(copy).settings == kept
    assert machine.calls("Input")[0]["max_input_shape"] == (64, 3, 32, 32)


def test_a_program_of_one_picture(machine, pir):
    single = dataclasses.replace(pir, input=dataclasses.replace(pir.input, shape=(1, 3, 32, 32)))
    backend = open_backend(single, settings(min_batch=4))
    assert (
        machine.calls("Input")[0]["min_input_shape"] == machine.calls("Input")[0]["max_input_shape"] == (1, 3, 32, 32)
    )
    assert backend.run(np.zeros((3, 3, 32, 32), np.float32)).shape == (3, 5)
    assert [each["size"] for each in machine.calls("run")] == [1, 1, 1, 1]


class Echo:
    """The first number of each picture; it takes 2 to 4."""

    def run(self, batch):
        assert 2 <= len(batch) <= 4
        return batch[:, 0, 0, :1].copy()


@pytest.mark.parametrize("count", range(1, 14))
def test_batches_are_cut_and_filled_up(count):
    batch = np.arange(count, dtype=np.float32).reshape(count, 1, 1, 1)
    assert InParts(Echo(), 2, 4).run(batch).tolist() == [[each] for each in range(count)]


def test_trt_is_a_form_of_a_gpu(pir):
    assert [str(form) for form in FORMS["gpu"]][2:] == ["trt:float32", "trt:float16", "trt:int8"]
    assert Form("trt", "float16").settings("gpu") == settings("float16")
    assert parse_forms("trt:float16", "gpu") == {Form("trt", "float16"): True}
    with pytest.raises(UserError, match="nothing runs trt on a CPU; write all, or some of paddle:float32, "):
        parse_forms("trt")
    digests = {form_digest(pir, Form("trt", precision)) for precision in ("float32", "float16", "int8")}
    assert len(digests) == 3
    other = dataclasses.replace(pir, parameters=dataclasses.replace(pir.parameters, sha256="0" * 64))
    assert form_digest(other, Form("trt", "int8")) not in digests
    assert set(TENSORRT_OFFERED) == {".json", ".pdmodel"}


def test_verify_leaves_it_out_where_it_does_not_run(machine, pir):
    machine.compiled = (0, 0, 0)
    with pytest.raises(Unavailable, match="this build of Paddle has none"):
        open_backend(pir, Form("trt", "float16").settings("gpu"))


def test_verify_calibrates(machine, legacy, pictures, capsys):
    words = ["verify", str(legacy.folder), "--device", "gpu", "--backend", "trt:int8"]
    assert main([*words, "--calib", str(pictures)]) == 1  # the stub's scores are no network's
    (kept,) = engines()
    key = json.loads((machine_home() / kept / "key.json").read_text())
    digests = "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(pictures.iterdir()))
    assert (key["precision"], key["calibration"]) == ("int8", hashlib.sha256(digests.encode()).hexdigest())
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["trt", "int8"]


def test_pictures_to_calibrate_on_are_for_int8_alone(machine, legacy, pictures, capsys):
    words = ["verify", str(legacy.folder), "--device", "gpu", "--backend", "trt:float32,paddle"]
    assert main([*words, "--calib", str(pictures)]) == 2
    assert capsys.readouterr().err == says(
        f"pictures to calibrate on ({pictures}) ... trt:int8 alone, ...; "
        "leave them out, or write --device gpu --backend trt:int8\n"
    )
    assert Form("trt", "float16").settings("gpu", calibration="list") == settings("float16")
    assert Form("trt", "int8").settings("gpu", calibration="list") == settings("int8", calibration="list")


def test_the_command(machine, copy, pictures, capsys):
    keys = ["Global.use_gpu=True", "Global.use_tensorrt=True", "Global.use_fp16=True", "Global.tensorrt.max_batch=16"]
    keys += [f"Global.inference_model_dir={copy}", f"Global.infer_imgs={pictures}", "Global.batch_size=20"]
    assert main(["predict", *(part for key in keys for part in ("-o", key))]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 10
    assert machine.calls("TensorRTConfig")[0]["precision_mode"].name == "FP16"
    assert machine.calls("Input")[0]["max_input_shape"] == (16, 3, 32, 32)
    assert [each["size"] for each in machine.calls("run")] == [8, 10]


@pytest.mark.parametrize(("said", "most"), [(None, 64), (True, 64), (False, None)])
def test_a_bundles_own_tensorrt_can_be_left_out(machine, copy, pictures, said, most):
    dataclasses.replace(Bundle.load(copy), settings=settings(max_batch=64)).save()
    keys = [f"Global.inference_model_dir={copy}", f"Global.infer_imgs={pictures}", "Global.use_gpu=True"]
    keys += [] if said is None else [f"Global.use_tensorrt={said}"]
    assert main(["predict", *(part for key in keys for part in ("-o", key))]) == 0
    assert [each["max_input_shape"][0] for each in machine.calls("Input")] == ([most] if most else [])


@pytest.fixture
def bundle_of(tmp_path, monkeypatch):
    """Exports SqueezeNet1_1 in a format; its engines are kept beside it."""
    monkeypatch.setenv("PPCLS_HOME", str(tmp_path / "home"))

    def export(program_format, seed=0):
        folder = tmp_path / f"{program_format}_{seed}"
        words = ["export", "-c", "SqueezeNet1_1", "--untrained", "--format", program_format, "--size", "64"]
        assert main([*words, "-o", f"Global.save_inference_dir={folder}", "-o", f"Global.seed={seed}"]) == 0
        return Bundle.load(folder)

    return export


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("float16", 1e-2)])
@pytest.mark.parametrize("program_format", ["json", "pdmodel"])
def test_real_engines_give_the_golden_scores(bundle_of, program_format, precision, tolerance):
    bundle = bundle_of(program_format)
    golden = Golden.of(bundle)
    for _ in range(2):  # built, then read
        scores = open_backend(bundle, settings(precision)).run(np.repeat(golden.input, 40, axis=0))
        np.testing.assert_allclose(scores, np.repeat(golden.scores, 40, axis=0), atol=tolerance)
    assert len(engines()) == 1


@pytest.mark.gpu
@pytest.mark.parametrize("program_format", ["json", "pdmodel"])
def test_real_engines_of_two_models_are_not_mixed_up(bundle_of, program_format):
    """Two models of one structure with other weights are opened before either has run."""
    first, second = bundle_of(program_format, 1), bundle_of(program_format, 2)
    assert first.parameters != second.parameters
    opened = [(bundle, open_backend(bundle, settings())) for bundle in (first, second)]
    for bundle, backend in opened:
        golden = Golden.of(bundle)
        np.testing.assert_allclose(backend.run(golden.input), golden.scores, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.parametrize("collect_shapes", [False, True])
def test_real_int8_is_near(bundle_of, pictures, collect_shapes):
    bundle = bundle_of("pdmodel")
    golden = Golden.of(bundle)
    wanted = settings("int8", calibration=str(pictures), collect_shapes=collect_shapes)
    scores = open_backend(bundle, wanted).run(golden.input)
    np.testing.assert_allclose(scores, golden.scores, atol=0.1)
