"""`ppcls finetune`: what it chooses, what it writes, and the whole way to a named answer."""

import math
import shlex
from pathlib import Path

import numpy as np
import paddle
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from helpers import tiny_run
from helpers.messages import says
from helpers.pictures import noisy, save_picture
from ppcls.arch import build_model
from ppcls.cli import main
from ppcls.config import load_config
from ppcls.data.image_list import read_list_file
from ppcls.engine import finetune
from ppcls.engine.finetune import name_of, plan
from ppcls.engine.schema import registries
from ppcls.untrusted.unpickle import load_pickle

COLOURS = {"leaf": (30, 220, 30), "rose": (220, 30, 30), "sky": (30, 30, 220)}
# DLA46_c for small pictures, so that a test may train.
SMALL = [
    "Global.device=cpu", "Global.image_shape=[3, 32, 32]", "Global.print_batch_step=1",
    "DataLoader.Train.dataset.transform_ops.RandCropImage.size=32",
    "DataLoader.Eval.dataset.transform_ops.ResizeImage.resize_short=32",
    "DataLoader.Eval.dataset.transform_ops.CropImage.size=32",
    "DataLoader.Train.loader.num_workers=0", "DataLoader.Eval.loader.num_workers=0",
]  # fmt: skip


def paint(folder, counts):
    """Noisy pictures of one colour a class."""
    for name, count in counts.items():
        for index in range(count):
            save_picture(folder / name / f"{index:02}.png", noisy(COLOURS[name], 40, 36, index))


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def flowers(here):
    paint(here / "flowers", {"rose": 12, "leaf": 10, "sky": 4})
    return here / "flowers"


def options(overrides):
    return [word for override in overrides for word in ("-o", override)]


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def write(tuning):
    """Writes what the training would when it begins; the configuration's path."""
    for name, content in tuning.files().items():
        (tuning.output / name).parent.mkdir(parents=True, exist_ok=True)
        (tuning.output / name).write_bytes(content)
    return tuning.output / "finetune.yaml"


def test_what_is_chosen_and_said(flowers):
    tuning = plan("flowers", "DLA34")
    config = tuning.config
    assert (config.Arch.class_num, config.Arch.pretrained) == (3, True)
    assert (config.DataLoader.Train.sampler.batch_size, config.Global.epochs, config.Global.global_batch) == (8, 40, 8)
    assert config.Optimizer.lr.learning_rate == 0.0018
    assert tuning.choices == [
        says("flowers: 3 classes (leaf, rose, sky), 22 pictures ..., 4 to validate"),
        "every 5th picture of each class is held out for validation",
        "sky has 4 pictures, too few to hold one out",
        "begins with the published weights (--pretrained)",
        "batch size 8, 40 epochs of 3 steps",
        says("learning rate 0.0018 for a batch of 8: ... recipe's 0.1, ... its batch of 256"),
        says("...: ppcls train -c output/flowers/DLA34/finetune.yaml; -o KEY=VALUE changes ..."),
    ]


@pytest.mark.parametrize(
    ("pictures", "batch", "epochs"),
    [(2, 2, 40), (7, 7, 40), (9, 8, 40), (255, 8, 25), (256, 16, 40), (1000, 32, 25), (1024, 64, 40), (3000, 64, 17),
     (100_000, 64, 10)],
)  # fmt: skip
def test_batch_and_epochs_by_pictures(pictures, batch, epochs):
    assert finetune.batch_size(pictures) == batch
    assert finetune.epochs(pictures, batch) == epochs


@given(st.integers(2, 10_000_000))
def test_a_batch_is_never_larger_than_the_folder(pictures):
    batch = finetune.batch_size(pictures)
    assert 1 <= batch <= min(pictures, 64)
    assert 10 <= finetune.epochs(pictures, batch) <= 40


def test_the_rate_is_a_tenth_by_the_root_of_the_batches():
    assert finetune.learning_rate(0.1, 256, 256) == 0.01
    assert finetune.learning_rate(0.1, 256, 64) == 0.005
    assert finetune.learning_rate(0.02, 512, 8) == 0.00025


@pytest.mark.parametrize("arch", ["DLA34", "DPN68", "AlexNet", "SqueezeNet1_1", "DarkNet53", "SENet154_vd"])
def test_every_family_keeps_its_recipes_pictures(flowers, arch):
    recipe, tuned = load_config(arch, [], registries(), check_paths=False), plan("flowers", arch).config
    for part in ("Train", "Eval"):
        ours, theirs = getattr(tuned.DataLoader, part).dataset, getattr(recipe.DataLoader, part).dataset
        assert ours.transform_ops == theirs.transform_ops
        assert ours.batch_transform_ops == theirs.batch_transform_ops
        assert ours.class_names == str(flowers.parent / f"output/flowers/{arch}/class_names.txt")
        assert ours.on_error == "skip"
    assert tuned.Loss == recipe.Loss
    assert len(tuned.Metric.Train) == len(recipe.Metric.Train)
    rate = 0.1 * recipe.Optimizer.lr.learning_rate * math.sqrt(8 / recipe.Global.global_batch)
    assert tuned.Optimizer.lr.learning_rate == pytest.approx(rate, rel=0.05)


def test_named_weights_bring_their_normalisation(flowers):
    """MXNet's DPN: mean (124, 117, 104), values times 0.0167."""
    tuning = plan("flowers", "DPN68", "timm")
    for section in (tuning.config.DataLoader.Train, tuning.config.DataLoader.Eval):
        (normalise,) = [op for op in section.dataset.transform_ops if type(op).__name__ == "NormalizeImage"]
        np.testing.assert_allclose(255 * np.array(normalise.mean), [124, 117, 104])
        np.testing.assert_allclose(255 * np.array(normalise.std), [1 / 0.0167] * 3)
    assert tuning.choices[3] == says("... weights of timm (--pretrained), ... as they have it")
    assert plan("flowers", "DPN68").choices[3] == "begins with the published weights (--pretrained)"
    own = plan(
        "flowers", "DPN68", "timm", ["DataLoader.Eval.dataset.transform_ops.NormalizeImage.mean=[0.5, 0.5, 0.5]"]
    )
    assert list(own.config.DataLoader.Eval.dataset.transform_ops[3].mean) == [0.5, 0.5, 0.5]


def test_without_weights_the_recipe_is_kept(flowers):
    recipe = load_config("DLA34", [], registries(), check_paths=False)
    config = plan("flowers", "DLA34", False).config
    assert (config.Global.epochs, config.Global.global_batch) == (120, 256)
    assert config.Optimizer.lr.decay_epochs == recipe.Optimizer.lr.decay_epochs
    assert config.Optimizer.lr.scale == "linear"
    assert says("begins with no weights: ... (--pretrained)") in plan("flowers", "DLA34", False).choices


def test_overrides_prevail_and_the_file_says_the_same_run(flowers, here):
    overrides = ["Global.output_dir=mine", "Global.epochs=3", "Optimizer.lr.learning_rate=0.5",
                 "DataLoader.Train.dataset.transform_ops.RandCropImage.size=192"]  # fmt: skip
    before = files(flowers)
    tuning = plan("flowers", "DLA34", False, overrides)
    assert files(here) == [f"flowers/{name}" for name in before]  # nothing is written yet
    tuning.check()
    assert files(here) == [f"flowers/{name}" for name in before]
    config = load_config(write(tuning), ["Global.output_dir=mine"], registries())
    assert config == tuning.config
    assert config.to_yaml() == tuning.config.to_yaml()
    assert (config.Global.epochs, config.Optimizer.lr.learning_rate) == (3, 0.5)
    assert config.DataLoader.Train.dataset.transform_ops[1].size == 192
    assert files(flowers) == before
    assert files(here / "mine" / "DLA34") == ["class_names.txt", "finetune.yaml", "train_list.txt", "val_list.txt"]
    held_out = [("leaf/04.png", 0), ("leaf/09.png", 0), ("rose/04.png", 1), ("rose/09.png", 1)]
    lines = "".join(f"{flowers}/{path} {label}\n" for path, label in held_out)
    assert (here / "mine/DLA34/val_list.txt").read_text() == lines
    assert (here / "mine/DLA34/class_names.txt").read_text() == "0 leaf\n1 rose\n2 sky\n"


def printed(words, capsys):
    assert main(["finetune", "flowers", *words, "--print-config"]) == 0
    return yaml.safe_load(capsys.readouterr().out)


def test_short_forms_of_keys(flowers, capsys):
    """A rate is taken as it is given, with weights to begin with or without."""
    words = ["--epochs", "5", "--lr", "0.001", "--batch-size", "16", "--output", "runs/a"]
    for pretrained in ([], ["--pretrained", "false"]):
        config = printed([*words, *pretrained], capsys)
        assert (config["Arch"]["name"], config["Global"]["epochs"]) == ("DLA34", 5)
        assert (config["Global"]["output_dir"], config["Global"]["global_batch"]) == (str(Path("runs/a").resolve()), 16)
        assert config["DataLoader"]["Train"]["sampler"]["batch_size"] == 16
        assert config["Optimizer"]["lr"]["learning_rate"] == 0.001
        assert config["DataLoader"]["Train"]["dataset"]["cls_label_path"].endswith("/runs/a/DLA34/train_list.txt")


def test_the_rate_and_the_epochs_follow_a_batch_that_is_given(flowers, capsys):
    """A tenth of 0.1, times the root of 2 over 256; 800 steps would be 73 epochs of 11, of which 40 are allowed."""
    config = printed(["--batch-size", "2"], capsys)
    assert config["Optimizer"]["lr"]["learning_rate"] == 0.00088
    assert (config["Global"]["epochs"], config["Global"]["global_batch"]) == (40, 2)
    choices = plan("flowers", "DLA34", True, ["DataLoader.Train.sampler.batch_size=2"]).choices
    assert choices[4:6] == [
        "batch size 2, 40 epochs of 11 steps",
        says("learning rate 0.00088 for a batch of 2: ... recipe's 0.1, ... its batch of 256"),
    ]


def test_rates_that_an_override_lists(flowers):
    overrides = ["Optimizer.lr={name: Piecewise, values: [0.1, 0.01], decay_epochs: [3]}"]
    assert "learning rate as overridden" in plan("flowers", "DLA34", True, overrides).choices


@pytest.mark.parametrize(
    ("source", "name"),
    [("flowers", "flowers"), ("flowers/", "flowers"), ("pets/train", "pets"), ("pets/Training_Set/", "pets"),
     (".", "here"), ("pets.v2", "pets.v2"), ("birds.csv", "birds"), ("pets/train.csv", "pets"), ("train.csv", "here"),
     ("../here/pets", "pets"), ("/", "pictures")],
)  # fmt: skip
def test_the_output_has_the_name_of_the_pictures(here, source, name):
    for file in ("birds.csv", "train.csv", "pets/train.csv"):
        (here / file).parent.mkdir(exist_ok=True)
        (here / file).touch()
    assert name_of(source) == name


def test_printing_writes_nothing(flowers, here, capsys):
    before = files(here)
    assert main(["finetune", "flowers", "--arch", "DLA34", "--print-config"]) == 0
    text = capsys.readouterr().out
    assert text == plan("flowers", "DLA34").to_yaml()
    assert text.startswith("# flowers: 3 classes (leaf, rose, sky), 22 pictures to learn from, 4 to validate\n# every")
    assert files(here) == before


def test_a_class_with_a_line_break_of_unicode_stays_in_the_comment(here):
    paint(here / "flowers", {"rose": 5, "leaf": 5})
    (here / "flowers" / "rose").rename(here / "flowers" / "ro\u2028se")
    write(plan("flowers", "DLA34"))
    assert (here / "output/flowers/DLA34/class_names.txt").read_text() == "0 leaf\n1 ro\u2028se\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["flowers", "--arch", "DLA43"], "... 'DLA43' (did you mean DLA34?); ... --import FILE"),
        (["flower", "--arch", "DLA34"],
         "there is no folder flower; ... one folder of pictures per class"),
        (["flowers", "--arch", "DLA34", "--pretrained", "torchvision"],
         "DLA34 ... weights named 'torchvision'; it has paddleclas, timm, ucbdrive"),
        (["flowers", "--arch", "DLA34", "-o", "Global.epoch=3"],
         "-o Global.epoch=3: unknown key 'epoch'. ... 'epochs'?"),
        (["flowers", "--arch", "DLA34", "--pretrained", "tim"],
         "--pretrained: tim: no weights there; give a file of weights, ... (did you mean timm?)"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(flowers, capsys, arguments, message):
    assert main(["finetune", *arguments]) == 2
    assert capsys.readouterr().err == says(f"{message}\n")
    assert not Path("output").exists()


@pytest.mark.parametrize(
    "words",
    [["--pretrained", "gone.pdparams"], ["--pretrained", "broken.pdparams"], ["-o", "Global.pretrained_model=gone"],
     ["-o", "Global.checkpoints=gone"], ["-o", "Global.device=gpu"], ["-o", "AMP.use_amp=true"],
     ["-o", "Global.output_dir=broken.pdparams"]],
)  # fmt: skip
def test_a_refused_run_leaves_an_earlier_one_as_it_was(flowers, here, monkeypatch, words):
    monkeypatch.setattr(paddle, "is_compiled_with_cuda", lambda: False)
    write(plan("flowers", "SqueezeNet1_1"))
    (flowers / "sky").rename(here / "sky")  # the lists would be others now
    (here / "broken.pdparams").write_bytes(b"not weights")
    before = {name: (here / name).read_bytes() for name in files(here)}
    start = ["finetune", "flowers", "--arch", "SqueezeNet1_1", "--pretrained", "false", *options(SMALL)]
    assert main([*start, *words]) == 2
    assert {name: (here / name).read_bytes() for name in files(here)} == before


def test_no_network_is_the_downloads_sentence(flowers, here, capsys, monkeypatch):
    monkeypatch.setenv("PPCLS_OFFLINE", "1")
    monkeypatch.setenv("PPCLS_HOME", str(here / "home"))
    assert main(["finetune", "flowers", "--arch", "DLA34"]) == 2
    assert not Path("output").exists()
    error = capsys.readouterr().err
    assert "PPCLS_OFFLINE=1 forbids downloading the paddleclas weights" in error
    assert error.count("\n") == 1


@pytest.mark.slow
def test_from_a_folder_to_a_named_answer(here, capsys, monkeypatch):
    """Weights of other classes, two epochs, the same run by the written file, then eval, infer, export and predict."""
    paint(here / "flowers", {"rose": 10, "leaf": 10})
    paddle.save(build_model("DLA46_c", class_num=7).state_dict(), "start.pdparams")
    tune = ["finetune", "flowers", "--arch", "DLA46_c", "--pretrained", "start.pdparams"]
    assert main([*tune, *options([*SMALL, "Global.epochs=2", "Optimizer.lr.learning_rate=0.02"])]) == 0
    said = capsys.readouterr().out
    assert said.startswith("flowers: 2 classes (leaf, rose), 16 pictures to learn from, 4 to validate\n")
    assert "of 7 classes and the model one of 2 classes, so" in said
    assert said.count("  eval   top1 ") == 2
    file = "output/flowers/DLA46_c/finetune.yaml"
    evaluate, export = (shlex.split(line.partition("ppcls ")[2]) for line in said.splitlines()[-2:])
    assert (evaluate, export) == (["eval", "-c", file], ["export", "-c", file])
    (here / "else").mkdir()
    monkeypatch.chdir(here / "else")
    assert main(["train", "-c", f"{here}/{file}"]) == 0
    assert not list((here / "else").iterdir())
    monkeypatch.chdir(here)
    runs = ("output/flowers/DLA46_c.1", "output/flowers/DLA46_c")
    learnt, again = (load_pickle(here / run / "latest/ppcls.pdparams") for run in runs)
    for name in set(learnt) - {"StructuredToParameterName@@"}:
        np.testing.assert_array_equal(learnt[name], again[name])
    assert main(evaluate) == 0
    said = capsys.readouterr()
    assert said.err.startswith("weights: output/flowers/DLA46_c/best_model, the best of the run (epoch ")
    assert "weights: output/flowers/DLA46_c/best_model/ppcls.pdparams" in said.out
    assert main(["infer", "-c", file, *options(["Infer.infer_imgs=flowers/rose"])]) == 0
    named(capsys.readouterr().out)
    assert main(export) == 0
    capsys.readouterr()
    assert main(["predict", *options(["Global.inference_model_dir=inference", "Global.infer_imgs=flowers/rose"])]) == 0
    named(capsys.readouterr().out)
    assert files(here / "flowers") == [f"{name}/{index:02}.png" for name in ("leaf", "rose") for index in range(10)]


def named(text):
    """Ten answers, each with the names of both classes."""
    rows = [line for line in text.splitlines() if ".png:" in line]
    assert [row.split(":")[0] for row in rows] == [f"{index:02}.png" for index in range(10)]
    assert all("leaf" in row and "rose" in row for row in rows)


def test_what_is_written_holds_in_any_folder(flowers, here, monkeypatch):
    paddle.save({"x": paddle.ones([1])}, "start.pdparams")
    written = write(plan("flowers", "DLA34", "start.pdparams", ["Global.pretrained_model=start"]))
    config = load_config(written, [], registries())
    elsewhere = here / "else" / "where"
    elsewhere.mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    assert load_config(here / written, [], registries()) == config
    assert config.Arch.pretrained == str(here / "start.pdparams")
    assert config.Global.pretrained_model == str(here / "start")
    assert len(config.DataLoader.Train.dataset.open(3)) == 22
    listed = read_list_file(str(here / "output/flowers/DLA34/val_list.txt"), "", 3)
    assert listed.paths[0] == str(flowers / "leaf/04.png")
    assert config.Global.output_dir == str(here / "output/flowers")


def test_named_weights_and_links_keep_their_names(flowers, here):
    (here / "link").symlink_to("flowers")
    config = plan("link", "DLA34", "timm").config
    assert config.Arch.pretrained == "timm"
    assert config.DataLoader.Eval.dataset.image_root == str(here / "link")


def test_damaged_pictures_of_both_parts_are_left_out_and_counted(here, capsys, monkeypatch):
    tiny_run.use_tiny(monkeypatch.setattr)
    paint(here / "flowers", {"rose": 10, "leaf": 10})
    for name in ("rose/01.png", "leaf/04.png"):
        path = here / "flowers" / name
        path.write_bytes(path.read_bytes()[:300])
    tune = ["finetune", "flowers", "--arch", "SqueezeNet1_1", "--pretrained", "false"]
    assert main([*tune, *options([*SMALL, "Global.epochs=1"])]) == 0
    said = capsys.readouterr().out
    assert f"1 picture could not be read and was left out:\n  {here}/flowers/rose/01.png: " in said
    assert f"1 picture for the evaluation could not be read and was left out:\n  {here}/flowers/leaf/04.png: " in said


def test_output_among_the_pictures(here, capsys, monkeypatch):
    """A run in the folder of its pictures, and the next one."""
    tiny_run.use_tiny(monkeypatch.setattr)
    paint(here, {"rose": 5, "leaf": 5})
    tune = ["finetune", ".", "--arch", "SqueezeNet1_1", "--pretrained", "false"]
    for _ in range(2):
        assert main([*tune, *options([*SMALL, "Global.epochs=1"])]) == 0
        assert "2 classes (leaf, rose), 8 pictures to learn from, 2 to validate" in capsys.readouterr().out


def test_a_list_becomes_the_same_run_as_its_folder(flowers, here):
    """The pictures of a folder, named by a table with their classes: the same lists."""
    pictures = sorted(path.relative_to(flowers) for path in flowers.rglob("*.png"))
    rows = "".join(f"{path.with_suffix('')},{path.parent}\n" for path in pictures)
    (here / "train.csv").write_text("id,flower\n" + rows)
    tuning = plan("train.csv", "DLA34")
    assert tuning.choices[0] == "train.csv: 3 classes (leaf, rose, sky), 22 pictures to learn from, 4 to validate"
    assert tuning.choices[1].startswith("train.csv: pictures are in the column 'id', labels in 'flower'; names are")
    assert tuning.folder.root == "flowers"
    folder = plan("flowers", "DLA34").folder
    assert (tuning.folder.train, tuning.folder.val) == (folder.train, folder.val)
    assert str(tuning.output) == "output/here/DLA34"
    opened = load_config(write(tuning), [], registries()).DataLoader.Train.dataset.open(3)
    assert opened.paths == [f"{flowers}/{path}" for path, _ in folder.train]
    assert opened.class_names == ["leaf", "rose", "sky"]
