"""`~` and `$HOME` mean the home folder wherever a path is written."""

from pathlib import Path

import pytest

from helpers.messages import refusal, says
from helpers.pictures import save_picture, solid
from ppcls.arch.weights.load import locate_weights
from ppcls.cli import main
from ppcls.config import load_config, load_deploy_config
from ppcls.config.tensorrt import TensorRT
from ppcls.data.labels import load_class_names
from ppcls.data.picture_sources import pictures_of
from ppcls.data.transforms import TRANSFORMS
from ppcls.engine.schema import registries
from ppcls.inference.bundle import Bundle
from ppcls.utils.errors import ConfigError
from ppcls.utils.files import expanded


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The home folder; the working directory is another one."""
    for name in ("home", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SCRATCH", "/scratch/me")
    monkeypatch.delenv("MISSING", raising=False)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("~", "{home}"), ("~/a b/", "{home}/a b/"), ("$HOME/x", "{home}/x"), ("${SCRATCH}/x", "/scratch/me/x"),
        ("/data/$SCRATCH", "/data//scratch/me"), ("a/~/b", "a/~/b"), ("~no_such_user/x", "~no_such_user/x"),
        ("cost$", "cost$"), ("5$.jpg", "5$.jpg"), ("pipe:cat ~/$MISSING", "pipe:cat ~/$MISSING"),
        ("http://host/~me/$MISSING", "http://host/~me/$MISSING"), ("", ""),
    ],
)  # fmt: skip
def test_what_is_expanded(home, path, expected):
    assert expanded(path) == expected.format(home=home)
    assert expanded(Path("~/x")) == f"{home}/x"


def test_a_variable_that_is_not_set_is_said(home):
    assert refusal(expanded, "$MISSING/x") == says(
        "$MISSING/x: ... variable MISSING is not set; set it, or write the path itself"
    )
    Path("a$MISSING.jpg").touch()
    assert expanded("a$MISSING.jpg") == "a$MISSING.jpg"  # the name of a file


OPS = "transform_ops: [DecodeImage: {}]"
LIST = f"{{name: ImageNetDataset, image_root: ~/d, cls_label_path: $HOME/l, class_names: ~/n, {OPS}}}"


def test_every_path_of_a_configuration(home):
    (home / "mine.yaml").write_text("base: ~/base.yaml\n")
    (home / "base.yaml").write_text("base: SqueezeNet1_1\n")
    paths = {
        "Global.output_dir": "~/out", "Global.save_inference_dir": "${HOME}/bundle", "Global.checkpoints": "~/run",
        "Global.pretrained_model": "~/w", "Arch.pretrained": "~/w2", "Infer.infer_imgs": "~/pictures",
        "Infer.PostProcess.class_id_map_file": "~/names.txt",
    }  # fmt: skip
    overrides = [f"{key}={value}" for key, value in paths.items()]
    datasets = {
        "Train": LIST,
        "Eval": "{name: ImageFolder, image_root: ~/val, class_to_index: ~/i, transform_ops: [DecodeImage: {}]}",
    }
    overrides += [f"DataLoader.{part}.dataset={value}" for part, value in datasets.items()]
    config = load_config("~/mine.yaml", overrides, registries(), check_paths=False)
    for key, value in paths.items():
        found = config
        for part in key.split("."):
            found = getattr(found, part)
        assert found == value.replace("~", str(home)).replace("${HOME}", str(home)), key
    train, held_out = config.DataLoader.Train.dataset, config.DataLoader.Eval.dataset
    assert [train.image_root, train.cls_label_path, train.class_names] == [f"{home}/{name}" for name in "dln"]
    assert [held_out.image_root, held_out.class_to_index] == [f"{home}/val", f"{home}/i"]
    assert "~" not in config.to_yaml()


@pytest.mark.parametrize(
    ("shards", "expected"),
    [("~/a.tar", "{home}/a.tar"), ("[~/a.tar, 'pipe:cat ~/b.tar']", ("{home}/a.tar", "pipe:cat ~/b.tar"))],
)
def test_shards(home, shards, expected):
    data = f"{{name: WebDatasetDataset, shards: {shards}, transform_ops: [DecodeImage: {{}}]}}"
    config = load_config("DLA34", [f"DataLoader.Train.dataset={data}"], registries(), check_paths=False)
    found = config.DataLoader.Train.dataset.shards
    wanted = [expected] if isinstance(expected, str) else expected
    assert list([found] if isinstance(found, str) else found) == [text.format(home=home) for text in wanted]


def test_every_path_of_a_deployment_configuration(home):
    overrides = [
        "Global.inference_model_dir=~/bundle", "Global.infer_imgs=~/p", "Global.output=~/rows.csv",
        "PostProcess.Topk.class_id_map_file=~/names", "Global.use_tensorrt=true", "Global.tensorrt.cache_dir=~/cache",
    ]  # fmt: skip
    config = load_deploy_config("inference_cls", overrides, {"transform": TRANSFORMS}, check_paths=False)
    settings = config.Global
    found = [settings.inference_model_dir, settings.infer_imgs, settings.output, settings.tensorrt.cache_dir]
    assert found == [f"{home}/{name}" for name in ("bundle", "p", "rows.csv", "cache")]
    assert config.PostProcess.Topk.class_id_map_file == f"{home}/names"


def test_a_missing_variable_is_named_with_its_key(home):
    with pytest.raises(ConfigError) as caught:
        load_config("DLA34", ["Global.output_dir=$MISSING/x"], registries(), check_paths=False)
    (problem,) = caught.value.problems
    assert problem.startswith("-o Global.output_dir=$MISSING/x: $MISSING/x: the environment variable MISSING is not")


def test_arguments_of_commands(home, capsys):
    for name in ("a", "b"):
        for index in range(5):
            save_picture(home / "flowers" / name / f"{index}.png", solid(0, 8, 8))
    command = ["finetune", "~/flowers", "--arch", "DLA34", "--pretrained=~/w", "-o", "Global.output_dir=~/out"]
    assert main([*command, "--print-config"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"# {home}/flowers: 2 classes (a, b), 8 pictures to learn from")
    assert (f"output_dir: {home}/out\n" in text, f"pretrained: {home}/w\n" in text) == (True, True)
    assert main(["train", "-c", "$MISSING/x.yaml"]) == 2
    assert "the environment variable MISSING is not set" in capsys.readouterr().err
    assert list(Path().iterdir()) == []


def test_public_functions(home):
    (home / "names.txt").write_text("cat\ndog\n")
    (home / "w.pdparams").touch()
    (home / "a.jpg").touch()
    assert load_class_names("~/names.txt") == ["cat", "dog"]
    assert str(locate_weights("DLA34", "~/w").path) == f"{home}/w.pdparams"
    assert pictures_of("~/a.jpg")[0].source == f"{home}/a.jpg"
    assert pictures_of(["$HOME/a.jpg"])[0].source == f"{home}/a.jpg"
    options = TensorRT(cache_dir="~/cache", calibration="$HOME/pictures")
    assert (options.cache_dir, options.calibration) == (f"{home}/cache", f"{home}/pictures")
    assert refusal(Bundle.load, "~/bundle").startswith(f"{home}/bundle: no inference.yml there")
