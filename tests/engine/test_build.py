"""What configuration becomes: names, rates, weights."""

import json
from types import SimpleNamespace

import pytest

from helpers.messages import says
from ppcls.config import load_config
from ppcls.data.labels import Classes
from ppcls.data.shards import ShardList
from ppcls.engine import build, classes
from ppcls.engine.schema import registries
from ppcls.utils.errors import UserError
from ppcls.utils.files import sha256_of


def config(tmp_path, *overrides):
    (tmp_path / "mine.yaml").write_text("base: DLA34\n")
    return load_config(tmp_path / "mine.yaml", overrides, registries(), "export")


def folder_of(names):
    return SimpleNamespace(class_names=names)


def test_names_come_from_the_label_file_the_weights_or_the_folder(tmp_path):
    label_file = tmp_path / "names.txt"
    label_file.write_text("".join(f"{name}\n" for name in "PQRST"))
    null, five = "Infer.PostProcess.class_id_map_file=null", "Arch.class_num=5"
    assert classes.class_names(config(tmp_path))[:2] == ["tench, Tinca tinca", "goldfish, Carassius auratus"]
    named = config(tmp_path, five, f"Infer.PostProcess.class_id_map_file={label_file}")
    assert classes.class_names(named, folder_of(list("pqrst"))) == list("PQRST")
    unnamed = config(tmp_path, five, null)
    assert classes.class_names(unnamed) is None
    assert classes.class_names(unnamed, folder_of(list("pqrst"))) == list("pqrst")
    with pytest.raises(UserError, match=r"imagenet1k_labels.txt: 1000 class names for 5 classes; give the label file"):
        classes.class_names(config(tmp_path, five))


def rates(tmp_path, caplog, *overrides):
    import logging

    (tmp_path / "mine.yaml").write_text("base: DLA34\n")
    data = tmp_path / "list.txt"
    data.touch()
    paths = [f"DataLoader.{part}.dataset.image_root={tmp_path}" for part in ("Train", "Eval")]
    paths += [f"DataLoader.{part}.dataset.cls_label_path={data}" for part in ("Train", "Eval")]
    loaded = load_config(tmp_path / "mine.yaml", [*paths, *overrides], registries(), "train")
    with caplog.at_level(logging.INFO, logger="ppcls"):
        lr_at = build.learning_rate(loaded, steps_per_epoch=10)
    return [lr_at(step) for step in (0, 299, 300, 900)]


def test_another_global_batch_is_said_and_changes_nothing_unless_scaled(tmp_path, caplog):
    assert rates(tmp_path, caplog) == pytest.approx([0.1, 0.1, 0.01, 0.0001])
    said = "the recipe's global batch is 256, this run's is 64; the learning rate "
    assert [record.getMessage() for record in caplog.records] == [
        said + "stays; Optimizer.lr.scale: linear would adapt it"
    ]
    caplog.clear()
    assert rates(tmp_path, caplog, "Optimizer.lr.scale=linear") == pytest.approx([0.025, 0.025, 0.0025, 0.000025])
    assert [record.getMessage() for record in caplog.records] == [said + "is multiplied by 0.25"]
    caplog.clear()
    rates(tmp_path, caplog, "DataLoader.Train.sampler.batch_size=256")
    assert caplog.records == []


def test_learned_names_come_from_a_checkpoint_of_ours(tmp_path):
    folder = tmp_path / "best_model"
    folder.mkdir()
    weights = folder / "ppcls.pdparams"
    weights.write_bytes(b"weights")
    here = config(tmp_path, f"Global.pretrained_model={folder}")
    assert classes.learned_class_names(here) is None
    files = {"ppcls.pdparams": sha256_of(weights)}
    (folder / "ppcls.pdstates").write_text(json.dumps({"schema": 1, "files": files, "class_names": ["x", "y"]}))
    assert classes.learned_class_names(here) == ["x", "y"]
    assert classes.learned_classes(here) == Classes(["x", "y"], f"the training of {folder}")
    assert classes.learned_class_names(config(tmp_path)) is None
    assert classes.learned_classes(config(tmp_path, "Arch.pretrained=true")) is None  # and nothing is downloaded


def read_by(workers):
    return SimpleNamespace(loader=SimpleNamespace(num_workers=workers))


def test_workers_suit_the_machine_unless_they_are_configured_or_decide_the_order(monkeypatch):
    monkeypatch.setattr("ppcls.utils.cpu.usable_cores", lambda: 12)
    assert build._workers(read_by(None), folder_of(None)) == 3
    monkeypatch.setattr("ppcls.engine.device.is_gpu", lambda: True)
    assert build._workers(read_by(None), folder_of(None)) == 11
    assert [build._workers(read_by(number), folder_of(None)) for number in (0, 40)] == [0, 40]
    assert build._workers(read_by(None), object.__new__(ShardList)) == 4


def test_more_workers_than_cores_are_one_line(monkeypatch, caplog):
    monkeypatch.setattr("ppcls.utils.cpu.usable_cores", lambda: 2)
    for train, evaluation in ((2, None), (0, 2)):
        build.warn_about_workers({"DataLoader.Train": read_by(train), "DataLoader.Eval": read_by(evaluation)})
    assert not caplog.records
    build.warn_about_workers({"DataLoader.Train": read_by(4), "DataLoader.Eval": read_by(3)})
    build.warn_about_workers({"DataLoader.Train": read_by(1), "DataLoader.Eval": read_by(3)})
    both, one = (record.getMessage() for record in caplog.records)
    keys = "DataLoader.Train.loader.num_workers: 4 and DataLoader.Eval.loader.num_workers: 3"
    assert says(f"{keys} ... 2 cores ... remove the key ...") == both
    assert says("DataLoader.Eval.loader.num_workers: 3 ... 2 cores ...") == one
