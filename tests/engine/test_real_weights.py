"""Real ImageNet weights of another library, on real pictures: converted, evaluated, exported, and run as a bundle.

Runs where PPCLS_TEST_DATA names a folder that holds `imagenet_200` (`images/` and `val_list.txt`, 200 pictures) and
`squeezenet1_1_torchvision.pth`. torchvision itself scores 64.0 % and 90.5 % with them.
"""

import csv
import os
import re
from pathlib import Path

import pytest

from helpers.checkout import ROOT
from helpers.in_process import run_script

DATA = os.environ.get("PPCLS_TEST_DATA")
CONFIG = ["-c", "configs/SqueezeNet/SqueezeNet1_1.yaml"]
WEIGHTS = ["-o", "Global.pretrained_model=squeezenet.pdparams"]
ONE_PICTURE = 0.5  # percent points


def run(folder, script, *arguments):
    ran = run_script(folder / script, *arguments, folder=folder)
    assert ran.code == 0, ran.out + ran.err
    return ran.out


def answers(path):
    with path.open(newline="") as file:
        return {Path(row["picture"]).name: int(row["class_id_1"]) for row in csv.DictReader(file)}


@pytest.mark.slow
@pytest.mark.skipif(DATA is None, reason="PPCLS_TEST_DATA names no folder with imagenet_200 and weights")
def test_torchvisions_squeezenet_scores_what_it_does_there(tmp_path, monkeypatch):
    monkeypatch.setenv("PPCLS_OFFLINE", "1")
    for name in ("tools", "configs", "deploy"):
        (tmp_path / name).symlink_to(ROOT / name)
    published, pictures = Path(DATA, "squeezenet1_1_torchvision.pth"), Path(DATA, "imagenet_200")
    said = run(tmp_path, "tools/convert_weights.py", "--arch", "SqueezeNet1_1", str(published), "squeezenet.pdparams")
    assert said.splitlines() == [
        f"{published}: torchvision's weights of SqueezeNet1_1",
        "52 keys used, 0 dropped; squeezenet.pdparams.keys.txt lists how each was mapped",
        "arguments that belong to them: stem_padding=0, ceil_pooling=True",
        "preprocessing that belongs to them: short side 256 (bilinear, pil), crop 224, mean [0.485, 0.456, 0.406], "
        "std [0.229, 0.224, 0.225]",
        "written and verified: squeezenet.pdparams",
    ]
    data = {"image_root": pictures, "cls_label_path": pictures / "val_list.txt"}
    overrides = [word for key, value in data.items() for word in ("-o", f"DataLoader.Eval.dataset.{key}={value}")]
    # Eight at a time: their activations fit into memory that is used again.
    overrides += ["-o", "DataLoader.Eval.loader.num_workers=0", "-o", "DataLoader.Eval.sampler.batch_size=8"]
    said = run(tmp_path, "tools/eval.py", *CONFIG, *WEIGHTS, *overrides, "--output", "eval.csv")
    assert "made with stem_padding=0, ceil_pooling=True, as these weights need it" in said
    assert "preprocessing is that of torchvision's weights: short side 256 (bilinear, pil), crop 224" in said
    top1, top5 = (float(found) for found in re.findall(r"eval   top1 (\S+)  top5 (\S+)  ", said)[0])
    assert 100 * top1 == pytest.approx(64.0, abs=ONE_PICTURE + 1e-3)
    assert 100 * top5 == pytest.approx(90.5, abs=ONE_PICTURE + 1e-3)
    run(tmp_path, "tools/export_model.py", *CONFIG, *WEIGHTS)
    deploy = ["-o", f"Global.infer_imgs={pictures / 'images'}", "-o", "Global.output=predict.csv"]
    run(
        tmp_path, "deploy/python/predict_cls.py", "-c", "deploy/configs/inference_cls.yaml", "-o",
        "Global.inference_model_dir=inference", *deploy,
    )  # fmt: skip
    evaluated, predicted = (answers(tmp_path / name) for name in ("eval.csv", "predict.csv"))
    assert len(evaluated) == 200
    assert predicted == evaluated
    lines = (pictures / "val_list.txt").read_text().splitlines()
    labels = {Path(name).name: int(label) for name, label in map(str.split, lines)}
    assert sum(predicted[name] == label for name, label in labels.items()) == round(200 * top1)
