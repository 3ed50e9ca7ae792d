# ruff: noqa: E501 (whole messages stand in one line)
from pathlib import Path

import pytest

from helpers.messages import says
from ppcls.config import load_deploy_config
from ppcls.data.transforms import TRANSFORMS, CropImage, ResizeImage
from ppcls.utils.errors import ConfigError

TEXT = "Global:\n  inference_model_dir: .\n  infer_imgs: .\n"


def load(*overrides, text=TEXT, say=None):
    Path("d.yaml").write_text(text)
    return load_deploy_config("d.yaml", overrides, {"transform": TRANSFORMS}, say=say)


def problems(*overrides, text=TEXT):
    with pytest.raises(ConfigError) as caught:
        load(*overrides, text=text)
    return caught.value.problems


def test_defaults():
    config = load()
    run = config.Global
    assert (run.inference_model_dir, run.infer_imgs, run.batch_size) == (".", ".", 1)
    assert (run.use_gpu, run.enable_mkldnn, run.cpu_num_threads, run.output) == (False, True, None, None)
    assert (config.PostProcess.Topk.topk, config.PostProcess.Topk.class_id_map_file) == (5, None)


def test_the_shipped_one_needs_pictures_and_a_bundle():
    Path("inference").mkdir()
    with pytest.raises(ConfigError) as caught:
        load_deploy_config("inference_cls")
    (problem,) = caught.value.problems
    missing = (
        "inference_cls.yaml:3 Global.infer_imgs: is missing; write the path of a file or folder, or a pattern such as "
    )
    assert missing in problem
    config = load_deploy_config("inference_cls", ["Global.infer_imgs=inference"])
    assert config == load("Global.inference_model_dir=./inference", "Global.infer_imgs=inference")


def test_it_loads_again():
    config = load(
        "Global.output=a.csv", "PostProcess.Topk.topk=3", "Global.cpu_num_threads=2", "Global.backend=openvino"
    )
    assert load(text=config.to_yaml()) == config
    assert config.to_yaml() == (
        "Global:\n  inference_model_dir: .\n  infer_imgs: .\n  batch_size: 1\n  use_gpu: false\n  enable_mkldnn: true\n"
        "  cpu_num_threads: 2\n  backend: openvino\n  precision: null\n  requests: null\n  use_fp16: false\n  use_tensorrt: null\n"
        "  tensorrt:\n    min_batch: 1\n    opt_batch: 8\n    max_batch: 32\n    min_subgraph_size: 3\n    workspace_mb: 1024\n    collect_shapes: false\n"
        "    cache_dir: null\n    calibration: null\n  model_name: null\n  output: a.csv\n  save_dir: null\n"
        "PreProcess:\n  transform_ops: null\nPostProcess:\n  Topk:\n    topk: 3\n    class_id_map_file: null\n"
    )


def test_paddleclas_preprocessing_is_read_and_loads_again():
    crop = "PreProcess.transform_ops=[{ResizeImage: {resize_short: 256}}, {CropImage: {size: 224}}]"
    config = load(crop)
    assert config.PreProcess.transform_ops == (ResizeImage(resize_short=256), CropImage(size=224))
    assert load(text=config.to_yaml()) == config


def test_printing_does_not_look_for_the_paths():
    Path("d.yaml").write_text(TEXT)
    overrides = ["Global.infer_imgs=no", "Global.inference_model_dir=nor"]
    config = load_deploy_config("d.yaml", overrides, check_paths=False)
    assert config.to_yaml().startswith("Global:\n  inference_model_dir: nor\n  infer_imgs: 'no'\n")


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("Global.batch_size=0", "-o Global.batch_size=0: is 0; ... at least 1"),
        ("Global.cpu_num_threads=0", "-o Global.cpu_num_threads=0: is 0; ... at least 1 or null"),
        ("Global.use_gpu=1", "-o Global.use_gpu=1: is 1; write true or false"),
        ("Global.output=a.txt", "d.yaml:1 Global: output is 'a.txt'; ... ends with .csv or .json"),
        ("Global.infer_imgs=no", "-o Global.infer_imgs=no: there is no file or folder 'no'; write the path ..."),
        ('Global.infer_imgs=""', '-o Global.infer_imgs="": is empty; write the path ... photos/*.jpg'),
        ("Global.inference_model_dir=no", "-o Global.inference_model_dir=no: there is no file or folder 'no'; write the path ..."),
        ("PostProcess.Topk.topk=0", "-o PostProcess.Topk.topk=0: is 0; ... at least 1"),
        ("PostProcess.Topk.class_id_map_file=no", "-o PostProcess.Topk.class_id_map_file=no: ... file 'no'; write the path ..."),
        ("PreProcess.transform_ops=[{BlurImage: {}}]", "-o ... PreProcess.transform_ops.0.BlurImage: ... BlurImage is not supported here; remove it or write GaussianBlur"),
        ("PreProcess.transform_ops=[{CropImage: {sise: 1}}]", "-o ... PreProcess.transform_ops.0.CropImage: unknown key 'sise'. ... 'size'?"),
        ("Global.use_tensorrt=1", "-o Global.use_tensorrt=1: is 1; write true or false or null"),
        ("Global.tensorrt.max_batch=0", "-o Global.tensorrt.max_batch=0: is 0; ... at least 1"),
        ("Global.tensorrt.max_batch=64", "d.yaml:1 Global: tensorrt ... TensorRT ... write use_tensorrt: true"),
        ("Global.tensorrt.batch=1", "-o Global.tensorrt.batch=1: unknown key 'batch'. ... 'opt_batch'?"),
        ("Global.backend=onnx", "-o Global.backend=onnx: is 'onnx'; write 'paddle' or 'paddle-openvino' ..."),
        ("Global.precision=fp16", "-o Global.precision=fp16: is 'fp16'; write 'float32' or 'float16' ..."),
        ("Global.requests=0", "-o Global.requests=0: is 0; ... at least 1 or null"),
        ("PostProcess.main_indicator=ThreshOutput", "-o PostProcess.main_indicator=ThreshOutput: Topk is the only ...; remove it"),
        ("Global.batchsize=1", "-o Global.batchsize=1: unknown key 'batchsize'. ... 'batch_size'?"),
    ],
)  # fmt: skip
def test_problems(override, problem):
    assert problems(override) == [says(problem)]


def test_half_precision_is_asked_for_once():
    assert load("Global.use_fp16=true", "Global.precision=float16").Global.use_fp16
    (problem,) = problems("Global.use_fp16=true", "Global.precision=int8")
    assert problem.endswith("use_fp16 asks for float16, but precision is int8; remove one of them")


def test_paddleclas_keys_that_ask_for_nothing():
    off = (
        "use_fp16=false",
        "use_onnx=false",
        "ir_optim=true",
        "enable_profile=false",
        "enable_benchmark=false",
    )
    overrides = [f"Global.{setting}" for setting in off]
    assert load(*overrides, "PostProcess.main_indicator=Topk") == load()


@pytest.mark.parametrize(
    ("old", "new"),
    [("use_onnx", "backend: onnxruntime"), ("use_openvino", "backend: openvino"), ("use_int8", "precision: int8")],
)
def test_a_key_of_paddleclas_is_read_as_the_one_here(old, new):
    lines, (key, value) = [], new.split(": ")
    assert load(f"Global.{old}=True", say=lines.append) == load(f"Global.{key}={value}")
    assert lines == [f"-o Global.{old}=True: Global.{old} read as Global.{new}"]
    assert load(f"Global.{old}=False", say=lines.append) == load()
    assert len(lines) == 1


def test_an_old_key_and_a_new_one_that_contradict_each_other():
    assert problems("Global.backend=openvino", "Global.use_onnx=True") == [
        says("-o Global.use_onnx=True: is True, but Global.backend is openvino; remove one of them")
    ]
    text = TEXT + "  backend: openvino\n"
    assert load("Global.use_onnx=True", text=text, say=[].append).Global.backend == "onnxruntime"
    assert problems("Global.use_onnx=1") == [says("-o Global.use_onnx=1: ...; write Global.backend: onnxruntime")]


def test_one_transform_cannot_be_changed_where_the_bundle_has_them():
    override = "PreProcess.transform_ops.0.ResizeImage.resize_short=300"
    assert problems(override) == [
        says(
            f"-o {override}: PreProcess.transform_ops has no operations ...; a bundle ... change "
            "DataLoader.Eval.dataset.transform_ops of its configuration and export again"
        )
    ]


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("Global.benchmark=true", "`ppcls benchmark latency` measures speed"),
        ("Global.enable_benchmark=true", "`ppcls benchmark latency` measures speed"),
        ("Global.save_log_path=x.log", "`ppcls benchmark latency` measures speed"),
        ("Global.gpu_mem=8000", "GPU memory grows as it is needed"),
        ("Global.ir_optim=false", "the program is always optimized"),
        ("Global.enable_profile=true", "`ppcls benchmark` commands measure time"),
        ("PostProcess.SavePreLabel={save_dir: x}", "`ppcls predict --output` saves the answers"),
    ],
)
def test_what_no_answer_depends_on_is_accepted_with_one_line(override, reason):
    lines = []
    assert load(override, say=lines.append) == load()
    assert lines == [f"-o {override}: accepted without effect: {reason}"]
