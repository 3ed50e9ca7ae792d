"""A command that is refused changes nothing: no file, no folder, no byte, no time of a change."""

from __future__ import annotations

import contextlib
import re
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest

from ppcls.cli import main
from ppcls.inference.golden import GOLDEN_PICTURE

CONFIG = """
Global: {device: cpu, epochs: 1, image_shape: [3, 32, 32], output_dir: output, save_inference_dir: exported}
Arch: {name: SqueezeNet1_1, class_num: 3}
Loss: {Train: [CELoss: {}], Eval: [CELoss: {}]}
Optimizer: {name: Momentum, lr: {name: Constant, learning_rate: 0.1}}
DataLoader:
  Train: &reader
    dataset:
      name: ImageFolder
      image_root: pictures
      transform_ops: [DecodeImage: {}, ResizeImage: {size: 32}, NormalizeImage: {}]
    sampler: {name: DistributedBatchSampler, batch_size: 2}
    loader: {num_workers: 0}
  Eval: *reader
Metric: {Train: [TopkAcc: {topk: 1}], Eval: [TopkAcc: {topk: 1}]}
"""
INFER = "-o Infer.infer_imgs=golden.png"
PREDICT = "predict -o Global.inference_model_dir=bundle -o Global.infer_imgs"
EXPORT = "export -c own.yaml --untrained"
NAMES = "-o Infer.PostProcess.name=Topk -o Infer.PostProcess.class_id_map_file"

COMMANDS = [
    # export
    "export -c own.yaml",
    "export -c own.yaml -o Global.pretrained_model=missing",
    "export -c own.yaml -o Global.pretrained_model=notes.txt",
    "export -c own.yaml -o Global.pretrained_model=narrow.pdparams",
    f"{EXPORT} -o Global.save_inference_dir=notes.txt",
    f"{EXPORT} -o Global.save_inference_dir=notes.txt/new",
    f"{EXPORT} -o Global.save_inference_dir=pictures",
    f"{EXPORT} -o Global.save_inference_dir=.",
    f"{EXPORT} -o Global.save_inference_dir=a/b/c --golden missing.png",
    f"{EXPORT} -o Global.save_inference_dir=a/b/c --golden notes.txt",
    f"{EXPORT} -o Global.save_inference_dir=bundle --golden notes.txt",
    f"{EXPORT} --size 7x7",
    f"{EXPORT} -o Global.save_inference_dir=a/b/c {NAMES}=missing.txt",
    f"{EXPORT} -o Global.save_inference_dir=a/b/c {NAMES}=list.txt",
    f"{EXPORT} -o Global.image_shape=[3,64,64] -o Global.save_inference_dir=a/b/c",
    f"{EXPORT} --onnx -o Global.save_inference_dir=a/b/c",
    # eval and infer
    "eval -c own.yaml --output a/b.csv",
    "eval -c own.yaml -o Global.pretrained_model=wide.pdparams --output a/b.txt",
    "eval -c own.yaml -o Global.pretrained_model=wide.pdparams --output table.csv",
    "eval -c own.yaml -o Global.pretrained_model=wide.pdparams --data list.txt --output list.csv",
    "eval -c own.yaml -o Global.pretrained_model=wide.pdparams --data damaged.txt --output a/b.csv",
    "eval -c own.yaml -o Global.pretrained_model=wide.pdparams --data absent.txt --output a/b.csv",
    f"infer -c own.yaml {INFER} --output a/b.csv",
    f"infer -c own.yaml {INFER} -o Global.pretrained_model=wide.pdparams --output a/b.txt",
    f"infer -c own.yaml {INFER} -o Global.pretrained_model=wide.pdparams --output table.csv",
    f"infer -c own.yaml {INFER} -o Global.pretrained_model=wide.pdparams --output list.json",
    f"infer -c own.yaml {INFER} -o Global.pretrained_model=wide.pdparams --output pictures.csv",
    # predict
    f"{PREDICT}=missing -o Global.output=a/b.csv",
    f"{PREDICT}=golden.png -o Global.output=a/b.txt",
    f"{PREDICT}=golden.png -o Global.output=table.csv",
    f"{PREDICT}=golden.png -o Global.output=list.json",
    f"{PREDICT}=golden.png -o Global.output=notes.txt/b.csv",
    f"{PREDICT}=golden.png -o Global.output=pictures.csv",
    f"{PREDICT}=golden.png -o Global.output=a/b.csv -o Global.backend=openvino",
    f"{PREDICT}=golden.png -o Global.output=a/b.csv -o Global.use_gpu=true",
    f"{PREDICT}=golden.png -o Global.output=a/b.csv -o PostProcess.Topk.class_id_map_file=list.txt",
    "predict -o Global.inference_model_dir=pictures -o Global.infer_imgs=golden.png -o Global.output=a/b.csv",
    "predict -o Global.inference_model_dir=damaged -o Global.infer_imgs=golden.png -o Global.output=a/b.csv",
    # what is done to a bundle
    "adopt official adopted",
    "adopt official adopted --model NoSuchModel",
    "adopt official bundle --size 32 --resize-short 40",
    "adopt official a/b/c --size 33 --resize-short 40",
    "adopt official a/b/c --size 32 --resize-short 40 --labels missing.txt",
    "adopt official a/b/c --size 32 --resize-short 40 --labels list.txt",
    "adopt official a/b/c --size 0 --resize-short 40",
    "adopt official notes.txt/new --size 32 --resize-short 40",
    "adopt bundle a/b/c",
    "adopt pictures a/b/c --size 32 --resize-short 40",
    "adopt notes.txt a/b/c --size 32 --resize-short 40",
    "onnx bundle",
    "onnx bundle --opset 3",
    "onnx missing",
    "onnx damaged",
    "quantize bundle --calib list.txt",
    "quantize bundle --calib missing.txt",
    "quantize bundle --calib list.txt --backend onnxruntime --ranges nonsense",
    "quantize damaged --calib list.txt",
    "verify bundle --backend openvino",
    "verify bundle --data missing.txt",
    "verify bundle --data absent.txt",
    "verify damaged",
    "verify bundle --backend trt:int8 --device gpu --calib list.txt",
    # npz
    "npz make bundle --data missing.txt --output a/b",
    "npz make bundle --data absent.txt --output a/b",
    "npz make bundle --data damaged.txt --output a/b",
    "npz make bundle --data list.txt --output a/b --count 0",
    "npz make bundle --data list.txt --output a/b --seed 1",
    "npz make bundle --data list.txt --output npz",
    "npz make bundle --data list.txt --output lists",
    "npz make bundle --data list.txt --output notes.txt",
    "npz make bundle -c own.yaml --data list.txt --output a/b",
    "npz make --data list.txt --output a/b",
    "npz run bundle --datalist missing.txt --output a/b",
    "npz run bundle --datalist list.txt --output a/b",
    "npz run bundle --datalist datalist.txt --output a/b",
    "npz run bundle --datalist datalist.txt --output npz",
    "npz run bundle --datalist datalist.txt --output a/b --backend openvino",
    "npz run damaged --datalist datalist.txt --output a/b",
    "npz score --results npz --datalist missing.txt --labels list.txt",
    "npz score --results npz --datalist datalist.txt --labels list.txt",
    "npz score --results missing --datalist datalist.txt --labels list.txt",
    # benchmark
    "benchmark latency --models NoSuchModel --output a/b",
    "benchmark latency --bundles missing --output a/b",
    "benchmark latency --bundles damaged --output a/b",
    "benchmark latency --bundles bundle --output a/b --span -1",
    "benchmark latency --bundles bundle --output a/b --backend openvino --span 0.01 --settle 0 --batch-size 1",
    "benchmark latency --bundles bundle --output sheets",
    "benchmark latency --bundles bundle --output tables",
    "benchmark latency --bundles bundle --output notes.txt",
    "benchmark accuracy --data list.txt --output a/b",
    "benchmark accuracy missing --data list.txt --output a/b",
    "benchmark accuracy damaged --data list.txt --output a/b",
    "benchmark accuracy bundle --data missing.txt --output a/b",
    "benchmark accuracy bundle --data nolabels.txt --output a/b",
    "benchmark accuracy bundle --data absent.txt --output a/b",
    "benchmark accuracy bundle --data damaged.txt --output a/b",
    "benchmark accuracy bundle --data list.txt --output a/b --backend openvino",
    "benchmark accuracy bundle --data list.txt --output sheets",
    "benchmark accuracy bundle --data list.txt --output tables",
    "benchmark accuracy --models NoSuchModel --data list.txt --output a/b",
    "benchmark accuracy --models SqueezeNet1_1 --data missing.txt --output a/b",
    "benchmark backends bundle --span -1",
    "benchmark backends bundle --allow bfloat16",
    "benchmark backends bundle --data list.txt",
    "benchmark backends damaged",
    "benchmark backends missing",
    # weights
    "convert missing.pdparams a/b.pdparams",
    "convert notes.txt a/b.pdparams",
    "convert wide.pdparams a/b.txt",
    "convert wide.pdparams wide.pdparams",
    "convert wide.pdparams narrow.pdparams",
    "convert wide.pdparams a/b.pdparams --arch DLA34",
    "convert wide.pdparams a/b.pdparams --arch NoSuchModel",
    # pictures
    "pack missing a/b",
    "pack pictures a/b --workers 0",
    "pack pictures a/b --quality 9",
    "pack pictures a/b --shard-size 0",
    "pack pictures shards",
    "pack pictures site",
    "pack pictures notes.txt",
    "pack . a/b --list missing.txt",
    "pack . a/b --list absent.txt --on-error raise",
    "pack . a/b --list damaged.txt --on-error raise",
    "pack . a/b --list nolabels.txt",
    "prepare-imagenet missing a/b",
    "prepare-imagenet pictures a/b",
    "prepare-imagenet imagenet a/b",
    "prepare-imagenet imagenet a/b --labels missing.txt",
    "prepare-imagenet imagenet a/b --labels list.txt --copy",
    "prepare-imagenet imagenet taken --labels list.txt",
    "prepare-imagenet imagenet notes.txt --labels list.txt",
    # training, whose other refusals are in tests/engine
    "train -c own.yaml -o Global.output_dir=a/b -o Global.device=gpu",
    "train -c own.yaml -o Global.output_dir=notes.txt",
    "train -c own.yaml -o Global.output_dir=a/b -o Global.pretrained_model=narrow.pdparams",
    "train -c own.yaml -o Global.output_dir=a/b -o Global.checkpoints=bundle",
    "finetune pictures --arch SqueezeNet1_1 --pretrained missing.pdparams -o Global.output_dir=a/b",
    "finetune pictures --arch SqueezeNet1_1 --pretrained narrow.pdparams -o Global.output_dir=a/b",
    "finetune missing --arch SqueezeNet1_1",
    "lr-find -c own.yaml --output notes.txt/a.png",
    "lr-find -c own.yaml --output notes.txt/a/b.png",
    "lr-find -c own.yaml --output list.png",
    "lr-find -c own.yaml --output a/b.png --low 2 --high 1",
    # what writes no files
    "summary NoSuchModel",
    "summary DLA34 --size 8",
    "summary DLA34 --class-num -1",
    "models NoSuchModel",
    "config migrate missing.yaml",
]


@pytest.fixture(scope="module")
def made(exported, tmp_path_factory):
    """A user's folder."""
    root = tmp_path_factory.mktemp("sandbox")
    for name in ("tench, Tinca tinca", "goldfish", "hen"):
        for number in range(5):
            place = root / "pictures" / name / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(GOLDEN_PICTURE, place)
    shutil.copy(GOLDEN_PICTURE, root / "golden.png")
    shutil.copytree(exported, root / "bundle")
    shutil.copytree(exported, root / "damaged")
    (root / "damaged" / "inference.pdiparams").write_bytes(b"short")
    for name in ("inference.json", "inference.pdiparams"):
        (root / "official").mkdir(exist_ok=True)
        shutil.copy(exported / name, root / "official" / name)
    texts = {
        "own.yaml": CONFIG,
        "notes.txt": "mine\n",
        "list.txt": "pictures/hen/0.png 0\npictures/hen/1.png 4\n",
        "list.csv": "image,label\npictures/hen/0.png,0\n",
        "list.json": '{"mine": 1}\n',
        "table.csv": "name,age\nAda,36\n",
        "absent.txt": "pictures/hen/0.png 0\nno.png 1\n",
        "damaged.txt": "damaged.png 1\n",
        "damaged.png": "not one",
        "nolabels.txt": "pictures/hen/0.png\n",
        "datalist.txt": "npz/a.npz\n",
        "lists/npz_datalist.txt": "mine\n",
        "lists/npz_labels.txt": "mine\n",
        "sheets/latency.json": "{}",
        "sheets/accuracy.json": "{}",
        "sheets/notes.md": "mine",
        "tables/latency.csv": "mine",
        "tables/accuracy.md": "mine",
        "shards/shards-000000.tar": "mine",
        "site/manifest.json": '{"name": "My site"}',
        "taken/val": "mine",
        "imagenet/val/1.JPEG": "x",
        "labels.txt": "1.JPEG 0\n",
    }
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "pictures.csv").mkdir()
    (root / "npz").mkdir()
    np.savez(root / "npz" / "a.npz", image=np.zeros((1, 3, 8, 8), "float32"))
    return root


@pytest.fixture(scope="module")
def weights(made):
    """Weights of three classes, and some that no model has."""
    import paddle

    from ppcls.arch import build_model

    paddle.seed(0)
    paddle.save(build_model("SqueezeNet1_1", class_num=3).state_dict(), str(made / "wide.pdparams"))
    paddle.save({"fc.weight": paddle.zeros([2, 2])}, str(made / "narrow.pdparams"))


@pytest.fixture
def sandbox(made, weights, tmp_path):
    """A copy of it."""
    return Path(shutil.copytree(made, tmp_path / "sandbox"))


def state(root: Path) -> dict[str, tuple[int, bytes]]:
    """Everything in a folder by name: of a file the time of its last change and its bytes."""
    return {
        str(path.relative_to(root)): (path.lstat().st_mtime_ns, path.read_bytes()) if path.is_file() else (0, b"")
        for path in sorted(root.rglob("*"))
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_a_refused_command_changes_nothing(sandbox, monkeypatch, capsys, command):
    monkeypatch.chdir(sandbox)
    before = state(sandbox)
    try:
        code = main(command.split())
    except SystemExit as end:  # of argparse
        code = end.code
    said = capsys.readouterr().err
    after = state(sandbox)
    assert {name: after.get(name) for name in {*before, *after} if before.get(name) != after.get(name)} == {}
    assert code == 2, said
    assert said.strip() and "Traceback" not in said


WRITING = {
    f"{PREDICT}=pictures -o Global.output=out/a.csv": "out/a.csv",
    "infer -c own.yaml -o Infer.infer_imgs=pictures -o Global.pretrained_model=wide.pdparams --output out/a.json": (
        "out/a.json"
    ),
    "npz make bundle --data list.txt --output out": "out/npz_inputs.json",
    "pack pictures out": "out/",
    "prepare-imagenet imagenet out --labels labels.txt --copy": "out/val",
    "convert wide.pdparams out/a.safetensors": "out/a.safetensors",
    "benchmark backends bundle --reset": "bundle/inference.yml",
}


@contextlib.contextmanager
def full_disk():
    """Refuses every byte that is written to a file."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("again", [False, True], ids=["new", "again"])
@pytest.mark.parametrize("command", WRITING)
def test_a_full_disk_is_one_sentence_and_leaves_what_was_there(sandbox, monkeypatch, capsys, command, again):
    monkeypatch.chdir(sandbox)
    if again:
        assert main(command.split()) == 0
    before = state(sandbox)
    capsys.readouterr()
    with full_disk():
        code = main(command.split())
    said = capsys.readouterr().err
    assert state(sandbox) == before
    assert code == 2
    assert re.fullmatch(rf"(/\S*/)?{re.escape(WRITING[command])}\S*: .*; make room or choose another \w+.*\n", said), (
        said
    )
