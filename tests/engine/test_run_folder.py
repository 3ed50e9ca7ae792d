"""What happens to what is in a run's folder when a training begins there."""

import errno
import json
import os
import re
import shutil
from pathlib import Path

import pytest
import yaml

from helpers.tiny_run import enter_own
from ppcls.cli import main
from ppcls.config import Config
from ppcls.engine import checkpoint, run_folder
from ppcls.engine.trainer import Trainer
from ppcls.utils.errors import UserError
from ppcls.utils.lock import locked

RUN = Path("output/SqueezeNet1_1")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with pictures and `own.yaml`, where a tiny network trains for one epoch."""
    enter_own(tmp_path, monkeypatch)
    return tmp_path


def train(*words, file="own.yaml", **changes):
    """`ppcls train` into `output`; its exit code."""
    overrides = [word for key, value in changes.items() for word in ("-o", f"{key.replace('__', '.')}={value}")]
    return main(["train", "-c", str(file), *overrides, *words])


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def seed_of(run):
    return yaml.safe_load((Path(run) / "config.yaml").read_text())["Global"]["seed"]


def trained_seed(run):
    return checkpoint.read(Path(run)).states["seed"]


def tree(folder):
    """Every path in a folder, with the bytes of the files."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(Path(folder).rglob("*"))}


def test_each_run_moves_the_one_before_aside_whole(here, capsys):
    assert train(Global__seed=1) == 0
    (RUN / "notes.txt").write_text("mine")
    (RUN / "latest" / "notes.txt").write_text("mine, too")
    first = {path.removeprefix(str(RUN)): content for path, content in tree(RUN).items()}
    assert train(Global__seed=2) == 0
    assert f"{RUN} held another run, which is now {RUN}.1" in capsys.readouterr().out
    assert {path.removeprefix(f"{RUN}.1"): content for path, content in tree(f"{RUN}.1").items()} == first
    assert train(Global__seed=3) == 0
    assert names("output") == ["SqueezeNet1_1", "SqueezeNet1_1.1", "SqueezeNet1_1.2"]
    for number, run in ((1, f"{RUN}.1"), (2, f"{RUN}.2"), (3, RUN)):
        assert (seed_of(run), trained_seed(run)) == (number, number)
        assert "peak learning rate" in (Path(run) / "train.log").read_text()
    assert "notes.txt" not in names(RUN)
    log = (RUN / "train.log").read_text()
    assert log.count("device cpu") == 1  # from its first line, though the file was not known yet
    assert "held another run" in log


def test_a_number_is_not_given_twice(here):
    assert train() == 0
    Path(f"{RUN}.7").mkdir()
    assert train() == 0
    assert names("output") == ["SqueezeNet1_1", "SqueezeNet1_1.7", "SqueezeNet1_1.8"]


def test_a_run_that_must_not_be_there_is_refused_and_stays(here, capsys):
    assert train() == 0
    before = tree("output")
    assert train(Global__existing_run="refuse") == 2
    assert f"{RUN} holds a run already, and Global.existing_run is refuse" in capsys.readouterr().err
    assert tree("output") == before
    assert train(Global__existing_run="refuse", Global__output_dir="other") == 0


def test_overwriting_deletes_what_a_training_wrote_and_nothing_else(here):
    assert train(Global__seed=1, Global__epochs=2) == 0
    for place in (RUN / "notes.txt", RUN / "epoch_2" / "notes.txt", RUN / "vdl" / "notes.txt"):
        place.parent.mkdir(exist_ok=True)
        place.write_text("mine")
    (RUN / "vdl" / "vdlrecords.1.log").write_bytes(b"")
    assert train(Global__seed=2, Global__existing_run="overwrite") == 0
    assert names("output") == ["SqueezeNet1_1"]
    assert (seed_of(RUN), trained_seed(RUN)) == (2, 2)
    assert names(RUN) == [
        "best_model", "class_names.txt", "config.yaml", "epoch_1", "epoch_2", "latest", "notes.txt", "train.log", "vdl",
    ]  # fmt: skip
    assert (names(RUN / "epoch_2"), names(RUN / "vdl")) == (["notes.txt"], ["notes.txt"])
    assert (RUN / "train.log").read_text().count("device cpu") == 1


@pytest.mark.parametrize("place", ["", "/latest", "/epoch_1"])
def test_a_resumed_run_stays_where_it_is(here, place):
    assert train() == 0
    assert train(Global__epochs=2, Global__checkpoints=f"{RUN}{place}") == 0
    assert names("output") == ["SqueezeNet1_1"]
    assert checkpoint.read(RUN).states["epoch"] == 2
    texts = [yaml.safe_load((RUN / name).read_text()) for name in ("config.1.yaml", "config.yaml")]
    assert [text["Global"]["epochs"] for text in texts] == [1, 2]


def test_a_run_that_is_resumed_alike_again_and_again_keeps_one_earlier_record(here):
    assert train(Global__epochs=2) == 0
    for _ in range(2):
        assert train(Global__epochs=3, Global__checkpoints=RUN) == 0
    assert [name for name in names(RUN) if name.startswith("config")] == ["config.1.yaml", "config.yaml"]


def test_going_back_to_an_older_checkpoint_keeps_the_run_that_went_further(here):
    assert train(Global__epochs=2) == 0
    assert train(Global__epochs=2, Global__checkpoints=RUN / "epoch_1") == 0
    assert names("output") == ["SqueezeNet1_1", "SqueezeNet1_1.1"]
    assert [names(run) for run in (RUN, f"{RUN}.1")] == [
        ["best_model", "class_names.txt", "config.yaml", "epoch_2", "latest", "train.log"],
        ["best_model", "class_names.txt", "config.yaml", "epoch_1", "epoch_2", "latest", "train.log"],
    ]


def best_of(run):
    """The epoch of the best evaluation by the newest checkpoint, and the epochs that `best_model` has trained."""
    best = Path(run, "best_model")
    return checkpoint.read(Path(run)).states["best"].get("epoch"), checkpoint.read(best).states["epoch"]


@pytest.fixture
def past_its_best(here):
    """A run of three epochs whose first evaluation is the best: the others learn nothing."""
    assert train(Global__epochs=3, Optimizer__lr__learning_rate=1e-9) == 0
    assert best_of(RUN) == (0, 1)
    return ["-o", "Optimizer.lr.learning_rate=1e-9", "-o", f"Global.checkpoints={RUN}"]


@pytest.mark.parametrize("epochs", [3, 4])
def test_a_run_that_is_resumed_elsewhere_has_its_best_model(past_its_best, capsys, epochs):
    assert train(*past_its_best, Global__epochs=epochs, Global__output_dir="elsewhere") == 0
    out = capsys.readouterr().out
    assert f"elsewhere/SqueezeNet1_1/best_model is a copy of {RUN}/best_model" in out
    best = Path("elsewhere/SqueezeNet1_1/best_model")
    for name in ("ppcls.pdparams", "ppcls.pdopt", "ppcls.pdstates"):
        assert (best / name).read_bytes() == (RUN / "best_model" / name).read_bytes()
    if epochs == 4:
        assert best_of("elsewhere/SqueezeNet1_1") == (0, 1)


def test_the_best_comes_from_another_checkpoint_of_its_epoch(past_its_best, capsys):
    shutil.rmtree(RUN / "best_model")
    assert train(*past_its_best, Global__epochs=4, Global__output_dir="elsewhere") == 0
    assert f"best_model is a copy of {RUN}/epoch_1" in capsys.readouterr().out
    assert best_of("elsewhere/SqueezeNet1_1") == (0, 1)


@pytest.mark.parametrize("output", ["output", "elsewhere"])
def test_a_best_that_is_nowhere_counts_anew(past_its_best, capsys, output):
    for name in ("best_model", "epoch_1"):
        shutil.rmtree(RUN / name)
    assert train(*past_its_best, Global__epochs=4, Global__output_dir=output) == 0
    assert f"in epoch:0) are not in {RUN} any more; the best is counted from here on" in capsys.readouterr().out
    assert best_of(Path(output, "SqueezeNet1_1")) == (3, 4)


def test_a_best_model_that_a_killed_process_left_aside_is_found(past_its_best):
    (RUN / "best_model").rename(RUN / ".best_model.new")
    assert train(*past_its_best, Global__epochs=4) == 0
    assert best_of(RUN) == (0, 1)
    assert ".best_model.new" not in names(RUN)


def test_going_back_takes_the_best_of_then_along(here):
    assert train(Global__epochs=3, Optimizer__lr__learning_rate=1e-9) == 0
    words = ["-o", "Optimizer.lr.learning_rate=1e-9", "-o", f"Global.checkpoints={RUN}/epoch_2"]
    assert train(*words, Global__epochs=3) == 0
    assert (best_of(RUN), best_of(f"{RUN}.1")) == ((0, 1), (0, 1))


def test_a_damaged_newer_checkpoint_does_not_make_it_another_run(here):
    assert train(Global__epochs=2) == 0
    for name in ("latest", "epoch_2"):
        (RUN / name / "ppcls.pdopt").write_bytes(b"")
    assert train(Global__epochs=2, Global__checkpoints=RUN) == 0
    assert names("output") == ["SqueezeNet1_1"]


def test_files_that_are_no_run_stay_where_they_are(here, capsys):
    RUN.mkdir(parents=True)
    (RUN / "thesis.txt").write_text("mine")
    (RUN / "config.yaml").write_text("mine: 1\n")
    (RUN / "latest").mkdir()
    (RUN / "latest" / "thesis.txt").write_text("mine, too")
    assert train() == 0
    assert f"{RUN} holds files that are not a training run's (latest, thesis.txt); they stay" in capsys.readouterr().out
    assert names("output") == ["SqueezeNet1_1"]
    assert (RUN / "thesis.txt").read_text() == "mine"
    assert (RUN / "config.1.yaml").read_text() == "mine: 1\n"
    assert (RUN / "latest" / "thesis.txt").read_text() == "mine, too"


def test_what_a_training_reads_from_the_folder_is_in_the_new_one_too(here):
    """A configuration and lists beside the checkpoints, as `finetune` leaves them, and weights to begin with."""
    assert train() == 0
    pictures = sorted((here / "data").rglob("*.png"))
    lines = [f"{path.relative_to(here / 'data')} {'abcd'.index(path.parent.name)}\n" for path in pictures]
    (RUN / "list.txt").write_text("".join(lines))
    (RUN / "names.txt").write_text("a\nb\nc\nd\n")
    config = yaml.safe_load((RUN / "config.yaml").read_text())
    config["DataLoader"]["Train"]["dataset"] = {
        **{key: config["DataLoader"]["Train"]["dataset"][key] for key in ("image_root", "transform_ops")},
        "name": "ImageNetDataset", "cls_label_path": f"{RUN}/list.txt", "class_names": f"{RUN}/names.txt",
    }  # fmt: skip
    config["Global"]["pretrained_model"] = f"{RUN}/best_model"
    (RUN / "again.yaml").write_text(yaml.safe_dump(config))
    begun = (RUN / "again.yaml").read_bytes()
    weights = (RUN / "best_model" / "ppcls.pdparams").read_bytes()
    assert train(file=RUN / "again.yaml") == 0
    assert (RUN / "again.yaml").read_bytes() == begun
    assert (RUN / "list.txt").read_text() == "".join(lines)
    assert (RUN / "names.txt").read_text() == "a\nb\nc\nd\n"
    assert "notes.txt" not in names(RUN)
    moved = yaml.safe_load((RUN / "config.yaml").read_text())["Global"]["pretrained_model"]
    assert moved == f"{RUN}.1/best_model"
    assert Path(moved, "ppcls.pdparams").read_bytes() == weights
    assert train(file=RUN / "config.yaml", Global__output_dir="other") == 0


def test_pictures_in_the_folder_are_not_moved(here, capsys):
    assert train() == 0
    (here / "data").rename(RUN / "data")
    before = tree("output")
    place = here / RUN / "data"
    assert train(DataLoader__Train__dataset__image_root=place, DataLoader__Eval__dataset__image_root=place) == 2
    assert f"DataLoader.Train.dataset.image_root: {place} is in {RUN}" in capsys.readouterr().err
    assert tree("output") == before


@pytest.mark.parametrize("key", ["Global.pretrained_model", "Global.checkpoints"])
def test_what_the_training_begins_with_is_not_overwritten(here, capsys, key):
    assert train(Global__epochs=2) == 0
    before = tree("output")
    words = ["-o", f"{key}={RUN}/epoch_1"]
    assert train(*words, Global__existing_run="overwrite", Global__epochs=2) == 2
    assert f"{RUN}/epoch_1 is in the run that Global.existing_run=overwrite would delete" in capsys.readouterr().err
    assert tree("output") == before


def test_a_link_goes_on_to_mean_the_newest_run(here):
    (here / "big_disk" / "runs").mkdir(parents=True)
    RUN.parent.mkdir()
    RUN.symlink_to(here / "big_disk" / "runs")
    assert train(Global__seed=1) == 0
    assert train(Global__seed=2) == 0
    assert names("big_disk") == ["runs", "runs.1"]
    assert (seed_of(RUN), seed_of("big_disk/runs.1")) == (2, 1)


def test_a_file_in_the_place_of_the_folder(here, capsys):
    RUN.parent.mkdir()
    RUN.write_text("mine")
    assert train() == 2
    assert capsys.readouterr().err == f"{RUN} is a file; give another Global.output_dir\n"


def test_the_second_of_two_trainings_at_once_is_refused(here, capsys):
    assert train() == 0
    before = tree("output")
    with locked(Path("output/.SqueezeNet1_1.lock"), f"training into {RUN}"):
        assert train() == 2
    error = capsys.readouterr().err
    assert re.match(
        rf"process {os.getpid()} is training into {RUN} \(.*, since .*\); wait until it ends, stop it, or ", error
    )
    assert tree("output") == before


def test_a_training_holds_the_lock_while_it_runs_and_leaves_no_file(here, monkeypatch, capsys):
    fit, seen = Trainer.fit, []

    def second(self):
        seen.append(json.loads(Path("output/.SqueezeNet1_1.lock").read_bytes())["doing"])
        monkeypatch.setattr(Trainer, "fit", fit)
        assert train() == 2
        fit(self)

    monkeypatch.setattr(Trainer, "fit", second)
    assert train() == 0
    assert seen == [f"training into {RUN}"]
    assert f"process {os.getpid()} is training into {RUN}" in capsys.readouterr().err
    assert names("output") == ["SqueezeNet1_1"]


REFUSED = {
    "Arch.pretrained": "there.pdparams",
    "Global.pretrained_model": "there.pdparams",
    "Global.checkpoints": "nowhere",
    "Global.sync_batch_norm": "true",
    "AMP.use_amp": "true",
    "Global.device": "gpu",
    "DataLoader.Train.dataset.image_root": "nowhere",
    "Arch.class_num": 7,
    "DataLoader.Eval.dataset.class_to_index": "names.txt",
}


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("key", REFUSED)
def test_a_refused_training_changes_nothing(here, monkeypatch, key, earlier):
    monkeypatch.setattr("paddle.is_compiled_with_cuda", lambda: False)
    Path("names.txt").write_text("b\na\nc\nd\n")
    Path("there.pdparams").write_bytes(b"not weights")
    if earlier:
        assert train() == 0
    before = tree(here)
    assert train("-o", f"{key}={REFUSED[key]}") == 2
    assert tree(here) == before


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("file", ["class_names.txt", "config.yaml"])
def test_a_training_that_cannot_begin_leaves_the_run_before_in_its_place(here, monkeypatch, capsys, file, earlier):
    def write(path, content):
        if path.name == file:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        original(path, content)

    if earlier:
        assert train() == 0
    before = tree(here)
    original = run_folder.write_beside_others
    monkeypatch.setattr(run_folder, "write_beside_others", write)
    assert train() == 2
    assert f"{RUN}/{file}: {os.strerror(errno.ENOSPC)}; make room" in capsys.readouterr().err
    assert tree(here) == before


def test_the_first_process_decides_for_all(monkeypatch):
    """What it refuses, the others refuse too; they do nothing else."""
    monkeypatch.setattr(run_folder.processes, "is_first", lambda: False)
    monkeypatch.setattr(run_folder.processes, "gather", lambda value: ["output/DLA34 holds a run already", value])
    called = []
    with pytest.raises(UserError, match=r"^output/DLA34 holds a run already$"):
        run_folder._first_decides(lambda: called.append(True))
    assert called == []


def test_another_process_than_the_first_writes_nothing(here, monkeypatch):
    config = Config  # any; only its folder counts
    monkeypatch.setattr(run_folder.processes, "is_first", lambda: False)
    monkeypatch.setattr(run_folder.processes, "gather", lambda value: [None, value])
    run_folder.RunFolder(RUN).begin(config)
    assert not RUN.parent.exists()
