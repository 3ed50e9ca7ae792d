"""What would end a training at its first evaluation is found before the first step, and changes nothing."""

import re
import shutil

import numpy as np
import paddle
import pytest

from helpers import tiny_run
from helpers.pictures import save_picture, solid
from ppcls.cli import main
from ppcls.data.labels import ImageList
from ppcls.data.loader import ImageLoader
from ppcls.data.transforms import DecodeImage, Pipeline, ResizeImage
from ppcls.engine import build, processes
from ppcls.engine.callbacks import EvaluateEpochs
from ppcls.untrusted.unpickle import load_pickle
from ppcls.utils.errors import UserError

EVAL = "DataLoader.Eval.dataset"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Twenty pictures of 24x20 in four classes, and a run of one epoch."""
    tiny_run.enter(tmp_path, monkeypatch)
    return tmp_path


def train(capsys, *overrides):
    words = [word for override in ("Global.epochs=1", *overrides) for word in ("-o", override)]
    code = main(["train", "-c", "config_0.yaml", *words])
    return code, *capsys.readouterr()


def transforms(*ops):
    return f"{EVAL}.transform_ops=[DecodeImage: {{}}, {', '.join(ops)}]"


def held_out(folder, sizes):
    """Pictures of these (width, height), the first of them of the class a; returns the override."""
    for index, size in enumerate(sizes):
        save_picture(folder / "held_out" / "abcd"[index % 4] / f"{index:03}.png", solid((index, 60, 90), *size))
    return f"{EVAL}.image_root=held_out"


def refused(capsys, here, *overrides):
    code, out, err = train(capsys, *overrides)
    assert code == 2
    assert err.count("\n") == 1
    assert "train step" not in out
    assert not list(here.rglob("SqueezeNet1_1*"))
    return err


def test_a_crop_larger_than_the_resize_is_a_mistake_of_the_configuration(here, capsys):
    err = refused(capsys, here, transforms("ResizeImage: {resize_short: 16}", "CropImage: {size: 17}"))
    assert f"{EVAL}.transform_ops.CropImage.size" in err
    assert "out of pictures whose shorter side is 16" in err
    ops = transforms("ResizeImage: {resize_short: 16}", "CropImage: {size: 16}")
    size = f"{EVAL}.transform_ops.CropImage.size=20"
    assert refused(capsys, here, ops, size).startswith(f"-o {size}: CropImage cannot cut 20x20")
    err = refused(capsys, here, transforms("ResizeImage: {size: [16, 12]}", "CenterCrop: {size: 14}"))
    assert "CenterCrop cannot cut 14x14 pixels (width x height)" in err


def test_mixed_sizes_without_a_crop(here, capsys):
    root = held_out(here, [(20, 16)] * 30 + [(24, 16)] + [(20, 16)] * 10)
    sizes = transforms("NormalizeImage: {}")
    err = refused(capsys, here, root, sizes)
    assert "DataLoader.Eval" in err and "different sizes" in err
    assert "held_out/c/030.png is 24x16" in err
    code, _, _ = train(capsys, root, sizes, "DataLoader.Eval.sampler.batch_size=1")
    assert code == 0


def test_a_picture_smaller_than_the_crop(here, capsys):
    root = held_out(here, [(20, 20)] * 9 + [(20, 12)])
    err = refused(capsys, here, root, transforms("CropImage: {size: 16}", "NormalizeImage: {}"))
    assert "held_out/b/009.png: CropImage cannot cut 16x16 pixels" in err


def test_a_size_that_the_model_does_not_admit(here, capsys, monkeypatch):
    monkeypatch.setattr(tiny_run.Tiny, "forward", checked_forward)
    monkeypatch.setattr(tiny_run.Tiny, "admits", lambda self, side: side >= 15)
    err = refused(capsys, here, transforms("ResizeImage: {size: 14}", "NormalizeImage: {}"))
    assert "DataLoader.Eval" in err and "14 x 14 pixels" in err


def checked_forward(self, x):
    self.check_input(x)
    return self.forward_head(self.forward_features(x))


@pytest.mark.parametrize("place", [0, 7, 19])
def test_an_unreadable_picture(here, capsys, place):
    root = held_out(here, [(20, 20)] * 20)
    path = next((here / "held_out").rglob(f"{place:03}.png"))
    path.write_bytes(path.read_bytes()[:40])
    name = path.relative_to(here)
    err = refused(capsys, here, root)
    assert f"cannot read the picture {name}: " in err and "on_error: skip" in err
    code, out, _ = train(capsys, root, f"{EVAL}.on_error=skip")
    assert code == 0
    assert re.search(rf"1 picture for the evaluation could not be read and was left out:\n  {name}: ", out)


def test_an_unreadable_picture_that_the_trial_does_not_meet_costs_no_epoch(here, capsys):
    root = held_out(here, [(20, 20)] * 66)
    path = here / "held_out/a/064.png"  # the 17th of 66 by path, which a spread of 64 leaves out
    path.write_bytes(path.read_bytes()[:40])
    code, out, _ = train(capsys, root)
    assert code == 0
    assert "1 picture for the evaluation could not be read and was left out:\n  held_out/a/064.png: " in out
    evaluate = ["eval", "-c", "config_0.yaml", "-o", root, "-o", "Global.pretrained_model=SqueezeNet1_1/latest"]
    assert main(evaluate) == 2
    assert "held_out/a/064.png" in capsys.readouterr().err
    code, _, err = train(capsys, root, f"{EVAL}.on_error=raise", "Global.output_dir=strict")
    assert code == 2 and "held_out/a/064.png" in err


def test_no_readable_picture_at_all(here, capsys):
    root = held_out(here, [(20, 20)] * 4)
    for path in (here / "held_out").rglob("*.png"):
        path.write_bytes(b"nothing")
    err = refused(capsys, here, root, f"{EVAL}.on_error=skip")
    assert "not one of 4 pictures can be read (held_out/a/000.png: " in err


def test_a_resumed_run_tries_too(here, capsys):
    assert train(capsys)[0] == 0
    root = held_out(here, [(20, 12)] * 4)
    overrides = ("Global.epochs=2", "Global.checkpoints=SqueezeNet1_1", root, f"Global.output_dir={here}")
    code, out, err = train(capsys, *overrides, transforms("CropImage: {size: 16}", "NormalizeImage: {}"))
    assert code == 2 and "CropImage cannot cut" in err and "train step" not in out


def test_the_trial_changes_no_bit_of_the_training(here, capsys, monkeypatch):
    assert train(capsys, "Global.output_dir=tried")[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr(EvaluateEpochs, "trial", lambda self, trainer: None)
        assert train(capsys, "Global.output_dir=untried")[0] == 0
    tried, untried = (load_pickle(here / run / "SqueezeNet1_1/latest/ppcls.pdparams") for run in ("tried", "untried"))
    assert set(tried) == set(untried)
    for name in set(tried) - {"StructuredToParameterName@@"}:
        assert np.asarray(tried[name]).tobytes() == np.asarray(untried[name]).tobytes(), name


def test_only_the_first_process_tries_and_all_raise(here, capsys, monkeypatch):
    monkeypatch.setattr(processes, "is_first", lambda: False)
    monkeypatch.setattr(processes, "gather", lambda value: ["held_out is wrong", value])
    evaluator = build.Evaluator(None, None, [], 1)  # whose loader nobody may touch
    with pytest.raises(UserError, match="failed: held_out is wrong"):
        evaluator.trial(paddle.nn.Linear(2, 2))


def list_of(folder, count):
    held_out(folder, [(8, 8)] * count)
    paths = sorted(map(str, (folder / "held_out").rglob("*.png")))
    return ImageList(paths, np.arange(count) % 4)


def test_a_trial_reads_a_spread_of_the_list_and_keeps_a_few(tmp_path, monkeypatch):
    pictures, opened = list_of(tmp_path, 100), []
    original = Pipeline.from_file
    monkeypatch.setattr(
        Pipeline, "from_file", lambda self, path, *rest: opened.append(path) or original(self, path, *rest)
    )
    loader = ImageLoader(pictures, Pipeline([DecodeImage(), ResizeImage(size=8)]), batch_size=16, class_num=4)
    batch = loader.trial(pictures=5, kept=2)
    assert [pictures.paths.index(path) for path in opened] == [0, 25, 50, 74, 99, 0, 25]
    assert batch.image.shape == [2, 3, 8, 8]
    assert loader.failures == {}


@pytest.mark.parametrize("output", [".", "data", "data/output", "data/output/deep"])
def test_output_in_the_picture_folder_is_not_a_class(here, capsys, output):
    for _ in range(2):
        code, out, err = train(
            capsys, f"Global.output_dir={output}", f"DataLoader.Train.dataset.image_root={here}/data"
        )
        assert (code, err) == (0, "")
        assert "1 epoch of 20 pictures" in out


def test_a_validation_folder_is_numbered_by_the_training_and_by_the_checkpoint(here, capsys):
    """A red d alone is learnt to be d, not the first class of a folder that lacks a to c."""
    for name in "abc":
        (here / "fewer" / name).mkdir(parents=True)
    shutil.copytree(here / "data" / "d", here / "fewer" / "d")
    fewer = f"{EVAL}.image_root=fewer"
    code, out, _ = train(capsys, fewer)
    assert code == 0 and "fewer has no pictures of a, b, c (3 of 4 classes)" in out
    (top1,) = re.findall(r"best (top1: \d\.\d+) in epoch:0", out)
    (here / "fewer" / "a").rmdir()
    evaluate = ["eval", "-c", "config_0.yaml", "-o", "Global.pretrained_model=SqueezeNet1_1/latest", "-o", fewer]
    assert main(evaluate) == 0
    assert top1 in capsys.readouterr().out
    (here / "fewer" / "fox").mkdir()
    for command in (["train", "-c", "config_0.yaml", "-o", fewer], evaluate):
        assert main(command) == 2
        err = capsys.readouterr().err
        assert re.match(r"fewer/fox is not a class of the training .*; rename or remove the folder\n$", err)


def test_a_wrong_validation_folder_is_said_before_weights_are_looked_for(here, capsys, monkeypatch):
    monkeypatch.setattr(build, "model", lambda *arguments, **keywords: pytest.fail("looks for weights"))
    (here / "held_out" / "fox").mkdir(parents=True)
    assert "held_out/fox is not a class of the training" in refused(capsys, here, f"{EVAL}.image_root=held_out")
