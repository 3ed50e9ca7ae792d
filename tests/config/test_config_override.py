from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.messages import says
from ppcls.config.override import apply_overrides
from ppcls.untrusted.yaml_nodes import Origin, Problems
from ppcls.untrusted.yaml_reader import read_yaml

TEXT = """\
Global: {epochs: 2, name: x}
Arch: {name: Net18, class_num: 10}
Train:
  ops:
    - Decode: {to_rgb: true}
    - Crop: {size: 8}
    - Flip:
    - Crop: {size: 4}
Infer:
"""


def override(*overrides):
    problems = Problems()
    root = read_yaml(TEXT, partial(Origin, "f"), problems)
    apply_overrides(root, overrides, problems)
    return root, [str(problem) for problem in problems]


def value(override_text, *keys):
    node, problems = override(override_text)
    assert problems == []
    for key in keys:
        node = node.value[key]
    return node.plain()


@pytest.mark.parametrize(
    ("text", "keys", "expected"),
    [
        ("Global.epochs=5", ("Global", "epochs"), 5),
        ("Global.epochs=", ("Global", "epochs"), None),
        ("Global.epochs=1e-4", ("Global", "epochs"), 1e-4),
        ("Global.epochs=yes", ("Global", "epochs"), "yes"),
        ("Global.name=a=b=c", ("Global", "name"), "a=b=c"),
        ("Global.name='5'", ("Global", "name"), "5"),
        ("Global.name=copy", ("Global", "name"), "copy"),
        ("Global.name=[1, {a: b}]", ("Global", "name"), [1, {"a": "b"}]),
        ("Arch.name=Net50", ("Arch",), {"name": "Net50", "class_num": 10}),
        ("Arch={name: Net50}", ("Arch",), {"name": "Net50"}),
        ("Infer.images=x", ("Infer",), {"images": "x"}),
        ("New.a.b=1", ("New",), {"a": {"b": 1}}),
        ("Train.ops.Decode.to_rgb=false", ("Train", "ops", 0), {"Decode": {"to_rgb": False}}),
        ("Train.ops.1.Crop.size=6", ("Train", "ops", 1), {"Crop": {"size": 6}}),
        ("Train.ops.3.Crop.size=6", ("Train", "ops", 3), {"Crop": {"size": 6}}),
        ("Train.ops.Flip.code=1", ("Train", "ops", 2), {"Flip": {"code": 1}}),
        ("Train.ops.Flip={code: 1}", ("Train", "ops", 2), {"Flip": {"code": 1}}),
        ("Train.ops.2={Turn: null}", ("Train", "ops", 2), {"Turn": None}),
        ("Train.ops.1.Crop={x: 1}", ("Train", "ops", 1), {"Crop": {"x": 1}}),
        ("Train.ops=[]", ("Train", "ops"), []),
    ],
)
def test_overrides(text, keys, expected):
    assert value(text, *keys) == expected


def test_the_last_one_counts_and_all_act():
    root, problems = override("Global.epochs=3", "Global.name=y", "Global.epochs=4")
    assert (root.value["Global"].plain(), problems) == ({"epochs": 4, "name": "y"}, [])


def test_the_origin_is_the_override():
    root, _ = override("Train.ops.Decode.to_rgb=0", "Train.ops.2=x")
    ops = root.value["Train"].value["ops"].value
    assert str(ops[0].value["Decode"].value["to_rgb"].origin) == "-o Train.ops.Decode.to_rgb=0"
    assert str(ops[0].origin) == "f:5"
    assert str(ops[2].origin) == "-o Train.ops.2=x"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Global.epochs", "is not an override; write -o Section.key=value"),
        ("=5", "is not an override; write -o Section.key=value"),
        ("Global..epochs=5", "is not an override; write -o Section.key=value"),
        ("Global.epochs.x=5", "Global.epochs is a value ...; set Global.epochs itself"),
        ("Global.epochs.x.y=5", "Global.epochs is a value ...; set Global.epochs itself"),
        ("Train.ops.Crop.size=5", "Crop occurs 2 times ...; write Train.ops.1 or Train.ops.3"),
        ("Train.ops.Crop={}", "Crop occurs 2 times ...; write Train.ops.1 or Train.ops.3"),
        (
            "Train.ops.Decod.x=5",
            "there is no Decod in Train.ops (... Decode?); it holds Decode, Crop, Flip",
        ),
        ("Train.ops.Zoom.x=5", "there is no Zoom in Train.ops; it holds Decode, Crop, Flip"),
        ("Train.ops.4.x=5", "Train.ops has 4 items; count from 0"),
        ("Train.ops.4=5", "Train.ops has 4 items; count from 0"),
        (
            "Train.ops.1.size=32",
            "Train.ops.1 is Crop; write Train.ops.1.Crop.size, or set Train.ops.1 ...",
        ),
        (
            "Train.ops.1.Crp.size=32",
            "Train.ops.1 is Crop; write Train.ops.1.Crop.size, or set Train.ops.1 ...",
        ),
    ],
)
def test_what_cannot_be_set(text, problem):
    assert override(text)[1] == [says(f"-o {text}: {problem}")]


def test_a_value_that_is_no_yaml():
    (problem,) = override("Global.name=[1")[1]
    assert problem.startswith("-o Global.name=[1: is not YAML (")


@pytest.mark.parametrize("pattern", ["*.jpg", "**/*.jpg", "*"])
def test_a_pattern_is_a_text_and_no_reference_of_yaml(pattern):
    root, problems = override(f"Global.name={pattern}")
    assert (root.plain()["Global"]["name"], problems) == (pattern, [])


@pytest.mark.parametrize(
    "name",
    ["a #1.jpg", "a: b.jpg", "[1] x.jpg", '"q".jpg', "!x.jpg", "@x", "x ", "- x", "a\nb.jpg", "\udcff.jpg", "{x}"],
)
def test_the_name_of_a_file_is_a_text_whatever_yaml_takes_it_for(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    root, problems = override(f"Global.name={name}")
    assert (root.plain()["Global"]["name"], problems) == (name, [])


@pytest.mark.parametrize(
    ("text", "expected"), [("1", 1), ("1e-3", 0.001), ("null", None), ("true", True), ("word", "word")]
)
def test_a_number_is_none_the_less_one_where_a_file_is_called_so(text, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / text).touch()
    assert value(f"Global.name={text}", "Global", "name") == expected


def test_a_list_of_plain_values_has_no_names():
    _, problems = override("Train.ops=[1, 2]", "Train.ops.Crop.size=1")
    assert problems == [says("-o Train.ops.Crop.size=1: there is no Crop in Train.ops; it holds nothing ...")]


@given(st.text(), st.text())
def test_any_key_and_value_is_set_or_a_problem(key, text):
    root, problems = override(f"{key}={text}")
    assert problems or root.plain() is not None


@given(st.text(alphabet=st.characters(codec="utf-8", categories=["L", "N", "P", "S"])))
def test_text_in_quotes_arrives_as_it_is(text):
    quoted = "'" + text.replace("'", "''") + "'"
    assert value(f"Global.name={quoted}", "Global", "name") == text
