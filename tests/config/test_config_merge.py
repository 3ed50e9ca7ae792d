from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.messages import says
from ppcls.config.merge import merge, read_tree
from ppcls.untrusted.yaml_nodes import Node, Origin, Problems
from ppcls.untrusted.yaml_reader import read_yaml


def write(**files):
    for name, text in files.items():
        path = Path(name.replace("_in_", "/") + ".yaml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def tree(name):
    problems = Problems()
    node = read_tree(Path(name), problems)
    assert [str(problem) for problem in problems] == []
    return node


def problems_of(name):
    problems = Problems()
    read_tree(Path(name), problems)
    return [str(problem) for problem in problems]


def node_of(text):
    return read_yaml(text, partial(Origin, "f"), Problems())


def merged(under, over):
    return merge(node_of(under), node_of(over)).plain()


def test_mappings_merge_and_all_else_is_replaced():
    under = "{a: {x: 1, y: {p: 1, q: 2}}, l: [1, 2, 3], n: 5, m: {k: 1}}"
    over = "{a: {y: {q: 3}}, l: [4], n: {s: 1}, m: null}"
    assert merged(under, over) == {"a": {"x": 1, "y": {"p": 1, "q": 3}}, "l": [4], "n": {"s": 1}, "m": None}


def test_a_component_of_another_name_is_replaced_whole():
    under = "{lr: {name: Step, rate: 1, gamma: 2}}"
    assert merged(under, "{lr: {name: Cosine, rate: 3}}") == {"lr": {"name": "Cosine", "rate": 3}}
    assert merged(under, "{lr: {name: Step, rate: 3}}") == {"lr": {"name": "Step", "rate": 3, "gamma": 2}}
    assert merged(under, "{lr: {rate: 3}}") == {"lr": {"name": "Step", "rate": 3, "gamma": 2}}
    assert merged("{lr: {rate: 1}}", "{lr: {name: Cosine}}") == {"lr": {"rate": 1, "name": "Cosine"}}


TREES = st.recursive(
    st.integers(0, 9), lambda c: st.lists(c, max_size=3) | st.dictionaries(st.sampled_from("abc"), c, max_size=3)
)


def as_node(value):
    if isinstance(value, dict):
        return Node({key: as_node(child) for key, child in value.items()}, Origin("f", 1))
    return Node([as_node(child) for child in value] if isinstance(value, list) else value, Origin("f", 1))


@given(TREES)
def test_merging_with_itself_or_nothing_changes_nothing(value):
    assert merge(as_node(value), as_node(value)).plain() == value
    assert merge(as_node({}), as_node(value)).plain() == value


@given(TREES, TREES, TREES)
def test_of_mappings_it_does_not_matter_which_two_merge_first(a, b, c):
    # Where a value is no mapping at one of the levels it hides what is under it, so only mappings associate.
    nodes = [{"k": value} if not isinstance(value, dict) else value for value in (a, b, c)]
    flat = [{key: value for key, value in node.items() if not isinstance(value, dict)} for node in nodes]
    left = merge(merge(as_node(flat[0]), as_node(flat[1])), as_node(flat[2]))
    right = merge(as_node(flat[0]), merge(as_node(flat[1]), as_node(flat[2])))
    assert left.plain() == right.plain() == {**flat[0], **flat[1], **flat[2]}


def test_base_is_relative_to_its_file_and_lines_stay_with_their_files():
    write(
        base_in_data="a: {x: 1, y: 2}\nb: 1\n",
        base_in_recipe="base: data.yaml\nb: 2\n",
        net_in_leaf="base: ../base/recipe.yaml\n\na: {y: 3}\n",
    )
    node = tree("net/leaf.yaml")
    assert node.plain() == {"a": {"x": 1, "y": 3}, "b": 2}
    origins = {key: str(child.origin) for key, child in node.value.items()}
    assert origins == {"a": "net/leaf.yaml:3", "b": "base/recipe.yaml:2"}
    assert str(node.value["a"].value["x"].origin) == "base/data.yaml:1"


def test_of_several_bases_the_later_one_lies_above():
    write(one="a: 1\nb: 1\nc: 1\n", two="b: 2\nc: 2\n", leaf="base: [one.yaml, two.yaml]\nc: 3\n")
    assert tree("leaf.yaml").plain() == {"a": 1, "b": 2, "c": 3}


def test_two_ways_to_one_base_are_no_circle():
    write(root="a: 1", one="base: root.yaml\nb: 1", two="base: root.yaml\nc: 1", leaf="base: [one.yaml, two.yaml]")
    assert tree("leaf.yaml").plain() == {"a": 1, "b": 1, "c": 1}


def test_a_byte_order_mark_is_no_text():
    Path("c.yaml").write_bytes(b"\xef\xbb\xbfa: 1")
    assert tree("c.yaml").plain() == {"a": 1}


def test_circles():
    write(one="a: 1\nbase: two.yaml", two="base: ./three.yaml", three="base: [one.yaml]", self="base: self.yaml")
    assert problems_of("one.yaml") == [
        says("three.yaml:1 base: ... (one.yaml -> two.yaml -> three.yaml -> one.yaml); remove one ...")
    ]
    assert problems_of("self.yaml") == [says("self.yaml:1 base: ... (self.yaml -> self.yaml); remove one ...")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "a: 1\nbase: no.yaml",
            "c.yaml:2 base: cannot read no.yaml (No such file or directory); ... a YAML file",
        ),
        ("base: .", "c.yaml:1 base: cannot read . (Is a directory); ... a YAML file"),
        (
            "base: 5",
            "c.yaml:1 base: is not a path; ... relative to this file, a shipped name, or a list ...",
        ),
        (
            "base: [x.yaml, {}]",
            "c.yaml:1 base: is not a path; ... relative to this file, a shipped name, or a list ...",
        ),
        ("- 1", "c.yaml:1: is not a mapping of sections; write `Global:` ..."),
        ("", "c.yaml:1: is not a mapping of sections; write `Global:` ..."),
    ],
)
def test_what_cannot_be_inherited(text, problem):
    write(c=text)
    assert problems_of("c.yaml") == [says(problem)]


def test_a_file_that_cannot_be_read():
    assert problems_of("no.yaml") == [says("no.yaml: cannot read no.yaml (No such file or directory); ... a YAML file")]


def test_a_base_with_broken_syntax_is_named_itself():
    write(c="base: b.yaml", b="a: 1\n\tb: 2")
    assert problems_of("c.yaml") == [says("b.yaml:2: ... indented with a tab; ... spaces")]


def test_text_of_another_encoding():
    Path("c.yaml").write_bytes("a: 1\nb: \xe9".encode("latin-1"))
    assert problems_of("c.yaml") == ["c.yaml:2: is not UTF-8 text; save the file as UTF-8"]


@pytest.mark.parametrize("base", ["DLA34", "DLA/DLA34.yaml", "configs/DLA/DLA34.yaml"])
def test_a_base_may_be_a_shipped_configuration(tmp_path, base):
    file = tmp_path / "mine.yaml"
    file.write_text(f"base: [{base}, _base_/image_folder.yaml]\nArch: {{class_num: 5}}\n")
    problems = Problems()
    root = read_tree(file, problems)
    problems.raise_if_any()
    assert root.value["Arch"].value["name"].value == "DLA34"
    dataset = root.value["DataLoader"].value["Train"].value["dataset"].value
    assert dataset["name"].value == "ImageFolder"
    assert "cls_label_path" not in dataset
    assert [next(iter(op.value)) for op in dataset["transform_ops"].value][:2] == ["DecodeImage", "RandCropImage"]


def test_a_file_beside_comes_before_a_shipped_one_of_its_name(tmp_path):
    (tmp_path / "DLA34").write_text("Arch: {name: Mine}\n")
    file = tmp_path / "mine.yaml"
    file.write_text("base: DLA34\n")
    assert read_tree(file, Problems()).value["Arch"].value["name"].value == "Mine"
