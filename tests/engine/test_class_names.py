"""The names of the classes that an exported model carries."""

from pathlib import Path

import pytest

from ppcls.arch.weights.load import Found
from ppcls.arch.weights.sources import weights_of
from ppcls.config import load_config
from ppcls.engine import classes
from ppcls.engine.schema import registries

WITHOUT_FILE = "Infer.PostProcess.class_id_map_file=None"


def names(monkeypatch, found, *overrides):
    monkeypatch.setattr(classes.build, "find_weights", lambda config: found)
    monkeypatch.setattr(classes.checkpoint, "states_of", lambda path: None)
    config = load_config("DLA34", [WITHOUT_FILE, *overrides], registries(), "export", check_paths=False)
    return classes.class_names(config)


def test_published_weights_have_imagenets_names(monkeypatch):
    found = names(monkeypatch, Found(Path("x"), weights_of("DLA34")[0]))
    assert (len(found), found[0], found[999]) == (
        1000,
        "tench, Tinca tinca",
        "toilet tissue, toilet paper, bathroom tissue",
    )


@pytest.mark.parametrize(
    ("found", "overrides"),
    [
        (None, []),
        (Found(Path("mine.pdparams")), []),
        (Found(Path("x"), weights_of("DLA34")[0]), ["Arch.class_num=7"]),
    ],
)
def test_other_weights_have_none(monkeypatch, found, overrides):
    assert names(monkeypatch, found, *overrides) is None
