"""How `ppcls predict` reads its words: a model and pictures, with options anywhere, and PaddleClas's spellings."""

import pytest
import yaml

from helpers.messages import says
from ppcls.cli import main


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def printed(line, capsys):
    """The keys of the sections Global and Topk."""
    assert main(["predict", "--print-config", *line.split()]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    config = yaml.safe_load(out)
    return {**config["Global"], **config["PostProcess"]["Topk"]}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("inference a.jpg", {"inference_model_dir": "inference", "infer_imgs": ["a.jpg"]}),
        ("DLA34 --topk 3 a.jpg b/", {"inference_model_dir": "DLA34", "infer_imgs": ["a.jpg", "b/"], "topk": 3}),
        ("--topk 3 DLA34/timm http://a/b.jpg", {"inference_model_dir": "DLA34/timm", "infer_imgs": ["http://a/b.jpg"]}),
        ("--model DLA34 a.jpg b.jpg", {"inference_model_dir": "DLA34", "infer_imgs": ["a.jpg", "b.jpg"]}),
        ("a/ --model=runs/x", {"inference_model_dir": "runs/x", "infer_imgs": ["a/"]}),
        ("-o Global.inference_model_dir=x a/", {"inference_model_dir": "x", "infer_imgs": ["a/"]}),
        ("DLA34 -o Global.infer_imgs=a/", {"inference_model_dir": "DLA34", "infer_imgs": "a/"}),
        ("DLA34 -- a.jpg", {"inference_model_dir": "DLA34", "infer_imgs": ["a.jpg"]}),
        ("-o Global.infer_imgs=a/", {"inference_model_dir": "./inference", "infer_imgs": "a/"}),
        ("DLA34 a/ --device gpu", {"use_gpu": True}),
        ("DLA34 a/ --device gpu --device cpu", {"use_gpu": False}),
        ("DLA34 a/ --output x.csv --backend openvino --precision int8 --batch-size 8", {
            "output": "x.csv", "backend": "openvino", "precision": "int8", "batch_size": 8, "save_dir": None,
        }),
        ("DLA34 a/ --labels names.txt --save-dir sorted", {"class_id_map_file": "names.txt", "save_dir": "sorted"}),
        # PaddleClas's wheel
        ("--model_name=DLA34 --infer_imgs=a/", {
            "inference_model_dir": "DLA34", "infer_imgs": "a/", "model_name": None,
        }),
        ("--model_name DLA34 --inference_model_dir x.tar --infer_imgs a/", {
            "inference_model_dir": "x.tar", "infer_imgs": "a/", "model_name": "DLA34",
        }),
        ("--model_name DLA34 --infer_imgs a/ --topk 2 --batch_size 4 --use_gpu False --save_dir out", {
            "topk": 2, "batch_size": 4, "use_gpu": False, "save_dir": "out",
        }),
        ("--model_name DLA34 --infer_imgs a/ --use_gpu=True --class_id_map_file n.txt", {
            "use_gpu": True, "class_id_map_file": "n.txt",
        }),
    ],
)  # fmt: skip
def test_words_and_options_become_keys(line, expected, capsys):
    config = printed(line, capsys)
    assert {key: config[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("cat.jpg", "cat.jpg is a picture, but the first argument is the model: ... `ppcls predict DLA34 cat.jpg`"),
        ("a.png b.png", "a.png is a picture, but ... as in `ppcls predict DLA34 a.png b.png`"),
        ("DLA34 a.jpg --infer_imgs b.jpg", 'pictures are given twice, as a.jpg and as Global.infer_imgs="b.jpg"; ...'),
        ("DLX34 photos/", "... 'DLX34' is neither a path nor the name of a published model (did you mean DLA34?); "
         "write the path of a bundle, or a name that `ppcls models` lists with weights"),
        ("DLA34", "... Global.infer_imgs: is missing; ..."),
        ("DLA34 photos/ --device tpu", "ppcls predict: argument --device: 'tpu' is not cpu or gpu; see ..."),
        ("DLA34 none.jpg", "... Global.infer_imgs...: there is no file or folder 'none.jpg'; ..."),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(line, sentence, tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    (tmp_path / "a.jpg").touch()
    try:
        code = main(["predict", *line.split()])
    except SystemExit as end:
        code = end.code
    assert (code, capsys.readouterr().err) == (2, says(sentence + "\n"))
