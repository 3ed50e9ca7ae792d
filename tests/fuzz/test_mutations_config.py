"""Damaged configurations of every dialect: each is read, or refused by one report without a traceback."""

import json
import random
from functools import partial

import pytest

from helpers.checkout import ROOT
from helpers.fuzzing import FUZZING, mutant, seeds
from ppcls.config import load_config, load_deploy_config, migrate_config
from ppcls.engine.schema import registries
from ppcls.untrusted.yaml_nodes import Origin, Problems
from ppcls.untrusted.yaml_reader import read_yaml
from ppcls.utils.errors import UserError

TESTS = ROOT / "tests" / "config"
REGISTRIES = registries()
FILES = {
    "today, with every default": ROOT / "configs" / "DPN" / "DPN68.yaml",
    "today, with bases": ROOT / "configs" / "DLA" / "DLA60_best.yaml",
    "today, distillation": ROOT / "configs" / "DLA" / "DLA34_distill_DLA102.yaml",
    "PaddleClas 2.1": TESTS / "paddleclas" / "DLA34_v2.1.yaml",
    "PaddleClas 2.3": TESTS / "paddleclas" / "SqueezeNet1_1_v2.3.yaml",
    "PaddleClas 2.5": TESTS / "paddleclas" / "DLA60x_v2.5.yaml",
    "flat": TESTS / "flat" / "DLA60.yaml",
    "flat, mixed": TESTS / "flat" / "DLA60_best.yaml",
    "deployment": ROOT / "deploy" / "configs" / "inference_cls.yaml",
}
COUNT = 60
VALUES = (
    *(None, True, False, 0, -1, 1, 2, 3.5, -0.0, 1e300, 10**18, 10**400, "", "None", "a", "0", "1/0", "1.0/255.0", "*"),
    *("~", "$X", "~nobody/x", "a\0b", "x" * 300, "é\u2028", "DLA34", "Momentum", "/dev/zero", ".", "1e400", ".nan"),
    *([], {}, [[]], [None], [1, 2], [1, 2, 3], [{}], [{"a": None}], {"name": None}, {"name": "DLA34"}, {"": 1}),
    *({"CELoss": None}, [{"ResizeImage": {"size": 0}}], {"a": {"b": {"c": []}}}),
)


def load(path):
    """Loads as the commands do, and writes out what was read."""
    if path.parent.name == "deployment":
        return load_deploy_config(path, ["Global.infer_imgs=x"], REGISTRIES, check_paths=False)
    config = None
    for command in ("train", "infer"):
        config = load_config(path, [], REGISTRIES, command, check_paths=False, say=str)
    return config


def assert_read_or_refused(read, seed):
    try:
        read()
        return True
    except UserError as error:
        reported = str(error).split("\n")
        assert len(reported) <= 101 and max(map(len, reported)) <= 1000, (seed, str(error)[:2000])
        return False
    except Exception as error:
        pytest.fail(f"seed {seed}: {type(error).__name__}: {error}")


def changed(plain, seed):
    """A copy of a tree with one to four changes: values replaced, taken out, doubled, moved, or put in."""
    chosen = random.Random(seed)
    tree = json.loads(json.dumps(plain))
    for _ in range(chosen.choice((1, 1, 2, 4))):
        places = list(containers(tree))
        there = chosen.choice(places)
        keys = list(there) if isinstance(there, dict) else list(range(len(there)))
        kind = chosen.randrange(5)
        value = chosen.choice(VALUES)
        if kind == 1:
            value = chosen.choice(places)
        if kind == 2 and isinstance(there, dict):
            there[chosen.choice(("", "name", "base", "Arch", "topk", "transform_ops", "0"))] = value
        elif not keys:
            continue
        elif kind == 3:
            del there[chosen.choice(keys)]
        elif kind == 4 and isinstance(there, list):
            there.insert(chosen.choice(keys), there[chosen.choice(keys)])
        else:
            there[chosen.choice(keys)] = json.loads(json.dumps(value))
    return tree


def containers(tree):
    yield tree
    for child in tree.values() if isinstance(tree, dict) else tree:
        if isinstance(child, (dict, list)):
            yield from containers(child)


def placed(tmp_path, name):
    """Where a mutant is written, so that the bases of the file are found."""
    folder = tmp_path / ("deployment" if name == "deployment" else "training")
    folder.mkdir()
    return folder / "c.yaml"


def content_of(name):
    if name.endswith("every default"):
        return load_config(FILES[name], [], REGISTRIES, check_paths=False).to_yaml().encode()
    text = FILES[name].read_text(encoding="utf-8")
    return text.replace("../_base_/", f"{ROOT}/configs/_base_/").encode()


@pytest.mark.parametrize("name", FILES)
def test_damaged_bytes(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file, whole = placed(tmp_path, name), content_of(name)
    file.write_bytes(whole)
    assert assert_read_or_refused(lambda: load(file), "whole")
    read = 0
    for seed in seeds(COUNT):
        file.write_bytes(mutant(whole, seed))
        read += assert_read_or_refused(lambda: load(file), seed)
    assert FUZZING or read < COUNT  # of a file without comments hardly one is read


@pytest.mark.parametrize("name", FILES)
def test_changed_values(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = placed(tmp_path, name)
    root = read_yaml(content_of(name).decode(), lambda line: Origin("f", line), Problems())
    plain = root.plain()
    read = 0
    for seed in seeds(COUNT):
        file.write_text(json.dumps(changed(plain, seed)))
        read += assert_read_or_refused(lambda: load(file), seed)
    assert FUZZING or 0 < read < COUNT


@pytest.mark.parametrize("name", ["flat", "flat, mixed"])
def test_damaged_flat_files_that_are_migrated(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file, whole = placed(tmp_path, name), content_of(name)
    for seed in seeds(COUNT):
        file.write_bytes(mutant(whole, seed))
        assert_read_or_refused(lambda: migrate_config(file, [], REGISTRIES), seed)


def test_damaged_overrides(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = b"DataLoader.Train.dataset.transform_ops.1.RandCropImage.scale=[0.08, 1.0]"
    for seed in seeds(COUNT):
        override = mutant(whole, seed).decode(errors="surrogateescape")
        read = partial(load_config, "DLA34", [override], REGISTRIES, check_paths=False)
        assert_read_or_refused(read, seed)
