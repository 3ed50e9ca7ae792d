"""The scripts as a user runs them, over pictures whose class is their colour."""

import csv
import json
import os
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from helpers.checkout import ROOT
from helpers.forks import Fork, run_python, wait_for
from helpers.in_process import run_script
from helpers.messages import says
from helpers.new_process import new_python, output_of
from helpers.pictures import noisy, save_picture
from helpers.small_families import shrink_dla
from ppcls.engine import checkpoint
from ppcls.untrusted.unpickle import load_pickle

COLOURS = [(220, 30, 30), (30, 220, 30), (30, 30, 220), (220, 220, 30)]
CONFIG = """
Global: {{epochs: 4, output_dir: {out}, console: paddleclas, print_batch_step: 1, image_shape: [3, 32, 32],
  save_inference_dir: {bundle}}}
Arch: {{name: DLA46_c, class_num: 4}}
Loss: {{Train: [CELoss: {{}}], Eval: [CELoss: {{}}]}}
Optimizer: {{name: Momentum, lr: {{name: Constant, learning_rate: 0.05}}}}
DataLoader:
  Train:
    dataset: &data
      name: ImageFolder
      image_root: {data}
      transform_ops: [DecodeImage: {{}}, ResizeImage: {{size: 32}}, NormalizeImage: {{scale: 1.0/255.0}}]
    sampler: {{name: DistributedBatchSampler, batch_size: 4, shuffle: true}}
    loader: {{num_workers: 0}}
  Eval:
    dataset: *data
    sampler: {{name: DistributedBatchSampler, batch_size: 3}}
    loader: {{num_workers: 0}}
Infer: {{infer_imgs: {data}, batch_size: 5, PostProcess: {{name: Topk, topk: 2}}}}
Metric: {{Train: [TopkAcc: {{topk: 1}}], Eval: [TopkAcc: {{topk: [1, 2]}}]}}
"""


@pytest.fixture(scope="module", autouse=True)
def _small_models():
    with pytest.MonkeyPatch.context() as patch:
        shrink_dla(patch)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sixteen pictures in four class folders, and the configuration."""
    place = tmp_path_factory.mktemp("commands")
    for label, colour in enumerate(COLOURS):
        for index in range(4):
            path = place / "data" / f"class_{'dcba'[label]}" / f"{index}.png"
            save_picture(path, noisy(colour, 36, 40, 4 * label + index))
    text = CONFIG.format(out=place / "output", bundle=place / "bundle", data=place / "data")
    (place / "config.yaml").write_text(text)
    return place


def with_config(folder, arguments):
    return arguments if "-c" in arguments else (*arguments, "-c", str(folder / "config.yaml"))


def start(folder, script, *arguments):
    """A process of its own, and the file that gets its output."""
    words = [str(ROOT / script), *with_config(folder, arguments)]
    log = folder / "output.txt"
    with log.open("w") as file:
        return Fork(lambda: run_python(words, os.environ.copy()), file, prepare=lambda: os.chdir(folder)), log


def run(folder, script, *arguments, code=0):
    """What the script prints, to standard output and to standard error."""
    ran = run_script(ROOT / script, *with_config(folder, arguments), folder=folder)
    assert ran.code == code, f"{script} {arguments}: {ran.code}\n{ran.out}\n{ran.err}"
    return ran.out, ran.err


def overrides(**values):
    return [word for key, value in values.items() for word in ("-o", f"{key.replace('__', '.')}={value}")]


def train(folder, name, **values):
    return ["tools/train.py", *overrides(Global__output_dir=folder / name, **values)]


@pytest.fixture(scope="module")
def trained(folder):
    """The run that nobody disturbs."""
    run(folder, *train(folder, "whole"))
    return folder / "whole" / "DLA46_c"


def rows(path):
    with path.open(newline="") as file:
        return {Path(row["picture"]).name + Path(row["picture"]).parent.name: row for row in csv.DictReader(file)}


@pytest.mark.slow
def test_a_run_leaves_what_the_documents_list(trained):
    names = sorted(path.name for path in trained.iterdir())
    assert names == [
        "best_model", "class_names.txt", "config.yaml", "epoch_2", "epoch_3", "epoch_4", "latest", "train.log",
    ]  # fmt: skip
    assert (trained / "class_names.txt").read_text() == "0 class_a\n1 class_b\n2 class_c\n3 class_d\n"
    states = json.loads((trained / "latest" / "ppcls.pdstates").read_text())
    assert (states["epoch"], states["step"], states["steps_per_epoch"]) == (4, 0, 4)
    log = (trained / "train.log").read_text()
    assert len(re.findall(r"epoch:\d  , train step:\d   , top1: ", log)) == 16
    assert len(re.findall(r"END epoch:\d   valid top1: ", log)) == 4


@pytest.mark.slow
def test_the_report_has_the_figures_and_rows_of_the_evaluation(folder, trained):
    weights = overrides(Global__pretrained_model=trained / "best_model")
    report = folder / "report"
    out, _ = run(folder, "tools/eval.py", *weights, "--output", str(folder / "beside.csv"), "--report", str(report))
    assert f"report: {report / 'report.html'}" in out
    metrics = json.loads((report / "metrics.json").read_text())
    # Paddle cuts differences of logits at 64, so its loss is another one for a model as bad as this
    assert metrics["top1"] == pytest.approx(float(re.search(r"valid top1: ([\d.]+)", out)[1]), abs=1e-5)
    reported, written = rows(report / "pictures.csv"), rows(folder / "beside.csv")
    assert len(reported) == 16
    for picture, row in reported.items():
        assert picture.endswith(row["label_name"])
        assert row["predicted"] == written[picture]["class_id_1"]
        assert float(row["score"]) == pytest.approx(float(written[picture]["score_1"]), rel=1e-5)
    page = (report / "report.html").read_text()
    assert page.count("<img src=") >= 16 and "class_c" in page

    (folder / "taken").mkdir()
    (folder / "taken" / "report.html").write_text("mine")
    _, err = run(folder, "tools/eval.py", *weights, "--report", str(folder / "taken"), code=2)
    assert f"{folder / 'taken'} has a report.html" in err


@pytest.mark.slow
def test_eval_infer_and_predict_agree_on_every_picture(folder, trained):
    weights = overrides(Global__pretrained_model=trained / "best_model")
    run(folder, "tools/eval.py", *weights, "--output", str(folder / "eval.csv"))
    run(folder, "tools/infer.py", *weights, "--output", str(folder / "infer.csv"))
    out, _ = run(folder, "tools/export_model.py", *weights)
    assert re.search(r"exported to .*; through Paddle Inference its input differs by 0\.0e\+00, its scores by ", out)
    deploy = overrides(
        Global__inference_model_dir=folder / "bundle",
        Global__infer_imgs=folder / "data",
        Global__output=folder / "predict.csv",
        Global__batch_size=7,
        PostProcess__Topk__topk=2,
    )
    config = ["-c", str(ROOT / "deploy" / "configs" / "inference_cls.yaml")]
    run(folder, "deploy/python/predict_cls.py", *config, *deploy)
    answers = [rows(folder / f"{name}.csv") for name in ("eval", "infer", "predict")]
    assert [len(answer) for answer in answers] == [16, 16, 16]
    for picture, row in answers[0].items():
        for other in answers[1:]:
            assert other[picture]["class_id_1"] == row["class_id_1"]
            assert other[picture]["name_1"] == row["name_1"] == f"class_{'abcd'[int(row['class_id_1'])]}"
            assert float(other[picture]["score_1"]) == pytest.approx(float(row["score_1"]), abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_stopped_run_resumes_to_the_same_bits(folder, trained, signum, code):
    name = f"stopped_{signum.name}"
    process, log = start(folder, *train(folder, name, Global__save_interval_steps=1))
    wait_for(log, "epoch:1  , train step:1 ", process)
    process.send_signal(signum)
    assert process.wait() == code
    output = folder / name / "DLA46_c"
    states = checkpoint.read(output / "latest").states  # a kill may have come before the newest got its name
    assert states["epoch"] == 1
    resumed = train(folder, name, Global__checkpoints=output / "latest")
    out, _ = run(folder, *resumed)
    # After a kill the newest one may still have the name that it was written under.
    assert re.search(rf"resumed {output}/(\.latest\.new|latest) at epoch 1, step {states['step']}\b", out)
    whole, again = (load_pickle(path / "latest" / "ppcls.pdparams") for path in (trained, output))
    for key, value in whole.items():
        if key != "StructuredToParameterName@@":
            np.testing.assert_array_equal(value, again[key])
    best = [json.loads((path / "best_model" / "ppcls.pdstates").read_text())["best"] for path in (trained, output)]
    assert best[0] == best[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"Arch__name": "DLA46x_c"},
            "saved of DLA46_c, but Arch.name is DLA46x_c; write -o Arch.name=DLA46_c, or ... -o Arch.pretrained=true",
        ),
        ({"DataLoader__Train__sampler__batch_size": 8}, "pictures a step was 4 and is 8; resume with what it was"),
        ({"Metric__Train": "[TopkAcc: {topk: 2}]"}, "Metric.Train differs: saved for topk [1], asked for [2]"),
    ],
)
def test_what_does_not_fit_a_checkpoint_is_not_resumed(folder, trained, changed, message):
    states = trained.parent / "middle" / "ppcls.pdstates"
    if not states.exists():
        shutil.copytree(trained / "latest", states.parent)
        states.write_text(json.dumps({**json.loads(states.read_text()), "epoch": 1, "step": 2}))
    _, err = run(folder, *train(folder, "refused", Global__checkpoints=states.parent, **changed), code=2)
    assert err == says(f"... {message} ...\n")
    assert "Traceback" not in err


@pytest.mark.slow
def test_workers_do_not_change_the_result(folder, trained):
    run(folder, *train(folder, "workers", DataLoader__Train__loader__num_workers=2))
    ours, theirs = (load_pickle(path / "latest" / "ppcls.pdparams") for path in (trained, folder / "workers/DLA46_c"))
    np.testing.assert_array_equal(ours["fc.weight"], theirs["fc.weight"])


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("tools/train.py", ["-o", "Global.epoch=3"],
         "-o Global.epoch=3: unknown key 'epoch'. Did you mean 'epochs'?"),
        ("tools/export_model.py", [], "no weights are configured, ...; write -o Global.pretrained_model=PATH"),
        ("tools/train.py", ["-o", "Global.device=gpu"],
         "Global.device is gpu, ... no CUDA; write -o Global.device=cpu, or install paddlepaddle-gpu ..."),
    ],
)  # fmt: skip
def test_a_users_mistake_is_a_sentence_and_exit_code_2(folder, script, arguments, message):
    out, err = run(folder, script, *arguments, code=2)
    assert err == says(f"... {message} ...\n")
    assert "Traceback" not in out + err


@pytest.mark.slow
def test_pictures_that_cannot_be_read(folder, trained):
    """Evaluation stops at one; skipping counts and names it; prediction reports it in its row and by the exit code."""
    broken = folder / "broken"
    for path in sorted((folder / "data").rglob("0.png")):
        (broken / path.parent.name).mkdir(parents=True, exist_ok=True)
        (broken / path.parent.name / path.name).write_bytes(path.read_bytes())
    bad = broken / "class_b" / "bad.png"
    bad.write_bytes(b"no picture")
    data = overrides(DataLoader__Eval__dataset__image_root=broken, Global__pretrained_model=trained / "best_model")
    _, err = run(folder, "tools/eval.py", *data, code=2)
    assert str(bad) in err
    assert "Traceback" not in err
    out, _ = run(folder, "tools/eval.py", *data, *overrides(DataLoader__Eval__dataset__on_error="skip"), code=1)
    assert f"1 picture could not be read and was left out:\n  {bad}: " in out
    infer = overrides(Infer__infer_imgs=broken, Global__pretrained_model=trained / "best_model")
    out, err = run(folder, "tools/infer.py", *infer, code=1)
    assert "class_b/bad.png:\terror: " in out
    assert "1 of 5 pictures could not be read" in err


def test_a_configuration_error_comes_before_paddle(folder):
    code = "import sys; from ppcls.cli import main; code = main(sys.argv[1:]); print(code, 'paddle' in sys.modules)"
    ran = new_python("-c", code, "train", "-c", folder / "config.yaml", "-o", "Global.epochs=-1")
    assert (ran.code, ran.out) == (0, "2 False\n")
    assert ran.err.startswith("-o Global.epochs=-1: is -1; write a whole number of at least 1")


def test_printing_a_configuration_needs_no_data(tmp_path):
    printed = output_of("-m", "ppcls", "train", "-c", "DLA60", "--print-config", folder=tmp_path)
    assert "Arch:\n  name: DLA60\n  class_num: 1000\n" in printed
    assert list(tmp_path.iterdir()) == []
