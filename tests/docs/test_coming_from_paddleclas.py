"""The page for users of PaddleClas, and the script that writes its table."""

import sys
from pathlib import Path

import pytest

from helpers.checkout import ROOT
from ppcls.config.paddleclas.dialect import Ignored
from ppcls.config.paddleclas.rewritten import RENAMED, RENAMED_OF_DEPLOYMENT
from ppcls.config.paddleclas.unsupported import PADDLECLAS, PADDLECLAS_DEPLOY

PAGE = (ROOT / "docs" / "coming_from_paddleclas.md").read_text(encoding="utf-8")
# In the manner of its test_tipc lists
LIST = """\
model_name:DLA34
-o Global.device:gpu
-o DataLoader.Train.sampler.batch_size:8
train_model_name:latest
trainer:norm_train
norm_train:tools/train.py -c a/DLA34.yaml -o Global.seed=1
pact_train:null
eval:tools/eval.py -c a/DLA34.yaml
norm_export:tools/export_model.py -c a/DLA34.yaml
inference:python/predict_cls.py -c configs/inference_cls.yaml
-o Global.enable_mkldnn:True|False
-o Global.cpu_num_threads:1
-o Global.batch_size:1
-o Global.use_tensorrt:False|True
-o Global.use_fp16:False|True
-o Global.infer_imgs:../val
-o Global.benchmark:True
"""


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import try_paddleclas

    yield try_paddleclas
    del sys.modules["try_paddleclas"]


def test_the_page_names_every_key_that_is_accepted_or_read_as_another():
    renamed = {**RENAMED, **RENAMED_OF_DEPLOYMENT}
    ignored = [
        key
        for legacy in (PADDLECLAS, PADDLECLAS_DEPLOY)
        for key, entry in legacy.keys.items()
        if isinstance(entry, Ignored) and not key.startswith("Arch.models")
    ]
    for key in [*renamed, *ignored]:
        assert key.rpartition(".")[2] in PAGE, key
    for new in renamed.values():
        assert f"`{new.key}" in PAGE, new


def test_the_commands_of_a_list_are_those_of_its_shell_script(script, tmp_path):
    file = tmp_path / "DLA34.txt"
    file.write_text(LIST, encoding="utf-8")
    train, evaluate, export, *predictions = script.commands_of(file, Path("out"))
    assert " ".join(train.words) == (
        "tools/train.py -c a/DLA34.yaml -o Global.seed=1 -o Global.device=gpu -o Global.output_dir=out/norm_train "
        "-o Global.epochs=2 -o AMP.use_amp=False -o DataLoader.Train.sampler.batch_size=8 "
        "-o Global.print_mem_info=True -o Global.log_ranks=0,1,2,3,4,5,6,7"
    )
    weights = "-o Global.pretrained_model=out/norm_train/DLA34/latest"
    assert " ".join(evaluate.words) == f"tools/eval.py -c a/DLA34.yaml {weights} -o Global.device=gpu"
    assert " ".join(export.words) == (
        f"tools/export_model.py -c a/DLA34.yaml {weights} -o Global.save_inference_dir=out/norm_train"
    )
    assert {command.folder for command in predictions} == {"deploy"}
    rest = "-o Global.inference_model_dir=out/norm_train -o Global.batch_size=1 -o Global.infer_imgs=../val"
    assert [" ".join(command.words) for command in predictions] == [
        f"python/predict_cls.py -c configs/inference_cls.yaml {settings} {rest} -o Global.benchmark=True"
        for settings in (
            "-o Global.use_gpu=False -o Global.enable_mkldnn=True -o Global.cpu_num_threads=1",
            "-o Global.use_gpu=False -o Global.enable_mkldnn=False -o Global.cpu_num_threads=1",
            "-o Global.use_gpu=True -o Global.use_tensorrt=False -o Global.use_fp16=False",
            "-o Global.use_gpu=True -o Global.use_tensorrt=True -o Global.use_fp16=False",
            "-o Global.use_gpu=True -o Global.use_tensorrt=True -o Global.use_fp16=True",
        )
    ]


def test_what_became_of_a_small_checkout(script, tmp_path, monkeypatch, capsys):
    configs = tmp_path / "ppcls" / "configs"
    (configs / "ImageNet" / "X").mkdir(parents=True)
    whole = (ROOT / "tests" / "config" / "paddleclas" / "DLA34_v2.1.yaml").read_text(encoding="utf-8")
    for name, text in {
        "DLA34": whole,
        "Mapped": whole.replace("epochs: 120", "epochs: 120\n  to_static: True"),
        "Strange": whole.replace("epochs: 120", "epochs: 120\n  epohs: 3"),
    }.items():
        (configs / "ImageNet" / "X" / f"{name}.yaml").write_text(text, encoding="utf-8")
    deployment = tmp_path / "deploy" / "configs"
    deployment.mkdir(parents=True)
    text = "Global:\n  inference_model_dir: x\n  infer_imgs: x\n  gpu_mem: 8000\n"
    (deployment / "inference_cls.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PADDLECLAS", str(tmp_path))
    page = tmp_path / "page.md"
    page.write_text(f"before\n{script.BEGIN}\nold\n{script.END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(script, "PAGE", page)
    assert script.main(["--write"]) == 0
    rows = [line.split(" | ")[1:] for line in capsys.readouterr().out.splitlines() if line.startswith("| its")]
    assert [row[:4] for row in rows] == [["4", "4", "0", "0"], ["3", "1", "1", "1"], ["1", "0", "1", "0"]]
    written = page.read_text(encoding="utf-8")
    assert written.startswith(f"before\n{script.BEGIN}\n\n| Tried") and written.endswith(f"{script.END}\nafter\n")
    assert "- `Global: unknown key 'epohs'. Did you mean 'epochs'?`: ImageNet/X/Strange.yaml" in written


def test_an_error_that_is_no_message_counts_as_a_crash(script):
    row = script.Row("x")
    script.try_to_load(row, "one", lambda say: {}["key"])
    assert (row.counts["crashed"], row.crashed) == (1, {"one": "KeyError: 'key'"})


def test_a_checkout_has_to_be_named(script, monkeypatch, capsys):
    monkeypatch.setenv("PADDLECLAS", "nowhere")
    with pytest.raises(SystemExit):
        script.main([])
    assert "PADDLECLAS is not a checkout of PaddleClas; set it to the folder of one" in capsys.readouterr().err
