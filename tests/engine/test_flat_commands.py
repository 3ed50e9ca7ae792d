"""The commands of PaddleClas 2.0's time: an old file trains, and old overrides evaluate by a file of today."""

import pytest

from helpers.checkout import ROOT
from helpers.in_process import run_script
from helpers.pictures import save_list
from ppcls.cli import main

READER = """
    batch_size: 4
    num_workers: 0
    file_list: list.txt
    data_dir: .
    shuffle_seed: 0
    transforms:
        - DecodeImage: {to_rgb: True, to_np: False, channel_first: False}
        - ResizeImage: {size: 32, interpolation: 2}
        - NormalizeImage: {scale: 1./255., mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], order: ''}
        - ToCHWImage:
"""
OLD = f"""
mode: train
ARCHITECTURE: {{name: DLA46_c}}
pretrained_model: ""
model_save_dir: ./output/
classes_num: 2
epochs: 1
topk: 5
image_shape: [3, 32, 32]
use_gpu: False
use_mix: True
ls_epsilon: 0.1
LEARNING_RATE: {{function: CosineWarmup, params: {{lr: 0.04}}}}
OPTIMIZER: {{function: Momentum, params: {{momentum: 0.9}}, regularizer: {{function: L2, factor: 0.0001}}}}
TRAIN:{READER}    mix: [MixupOperator: {{alpha: 0.2}}]
VALID:{READER}"""


def run(folder, script, *arguments):
    ran = run_script(ROOT / script, *arguments, folder=folder)
    assert ran.code == 0, f"{ran.out}\n{ran.err}"
    return ran.out, ran.err


@pytest.mark.slow
def test_an_old_file_trains_and_old_overrides_evaluate(tmp_path, monkeypatch, capsys):
    save_list(tmp_path, [0, 1, 0, 1])
    (tmp_path / "old.yaml").write_text(OLD)
    out, err = run(tmp_path, "tools/train.py", "-c", "old.yaml")
    assert "old.yaml: LEARNING_RATE, OPTIMIZER: read as Optimizer\n" in err
    assert "epoch 1/1  eval   top1 " in out
    assert (tmp_path / "output/DLA46_c/best_model/ppcls.pdparams").is_file()

    monkeypatch.chdir(tmp_path)
    assert main(["config", "--migrate", "old.yaml"]) == 0
    (tmp_path / "new.yaml").write_text(capsys.readouterr().out)
    weights = "pretrained_model='output/DLA46_c/best_model/ppcls'"
    again, err = run(
        tmp_path, "tools/eval.py", "-c", "new.yaml", "-o", weights, "-o", "load_static_weights=False", "-o", "topk=1"
    )
    assert err == (
        f"-o {weights}: read as Global.pretrained_model\n"
        "-o load_static_weights=False: nothing to do here\n"
        "-o topk=1: read as Metric.Eval.TopkAcc.topk\n"
    )
    accuracy = out.rpartition("eval   top1 ")[2].split()[0]
    assert f"eval   top1 {accuracy}" in again
