from functools import partial

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.messages import says
from ppcls.config.dump import _ConfigDumper
from ppcls.untrusted.yaml_nodes import Node, Origin, Problems
from ppcls.untrusted.yaml_reader import MAX_DEPTH, MAX_NODES, read_yaml

LOADERS = [loader for loader in (getattr(yaml, "CSafeLoader", None), yaml.SafeLoader) if loader]


def read(text, loader=None):
    problems = Problems()
    node = read_yaml(text, partial(Origin, "f"), problems, loader)
    return node, [str(problem) for problem in problems]


def plain(text):
    node, problems = read(text)
    assert problems == []
    return node.plain()


def lines(node: Node):
    if isinstance(node.value, dict):
        return {key: (child.origin.line, lines(child)) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [(child.origin.line, lines(child)) for child in node.value]
    return None


def test_values():
    text = "a: 1e-4\nb: 'yes'\nc: yes\nd: [1, two, ~]\ne: {f: true, g: '1'}\nh:\ni: \"\\ttab\"\nj: |\n  x\n  y\n"
    assert plain(text) == {
        "a": 1e-4, "b": "yes", "c": "yes", "d": [1, "two", None], "e": {"f": True, "g": "1"}, "h": None, "i": "\ttab",
        "j": "x\ny\n",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_document_is_null(text):
    assert plain(text) is None


def test_a_value_has_the_line_of_its_key_and_an_item_its_own():
    node, _ = read("a:\n  b:\n    - 1\n    - c: 2\n      d:\n        3\ne: 4\n")
    assert lines(node) == {
        "a": (1, {"b": (2, [(3, None), (4, {"c": (4, None), "d": (5, None)})])}),
        "e": (7, None),
    }


def test_keys_are_text_as_written():
    assert plain("1: a\nnull: b\ntrue: c\n") == {"1": "a", "null": "b", "true": "c"}


def test_anchors_and_merges():
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: *a, y: 3}\nd: {<<: [*b, *a], w: 0}\ne: *a\nf: {'<<': 1}\n"
    value = plain(text)
    assert value["c"] == {"y": 3, "x": 1}
    assert value["d"] == {"w": 0, "y": 2, "z": 2, "x": 1}
    assert value["e"] == {"x": 1, "y": 1}
    assert value["f"] == {"<<": 1}


def test_an_alias_is_a_tree_of_its_own():
    node, _ = read("a: &a {x: [1]}\nb: *a\n")
    node.value["a"].value["x"].value[0].value = 2
    assert node.plain() == {"a": {"x": [2]}, "b": {"x": [1]}}


def test_tags_that_say_what_is_there_anyway():
    assert plain("a: !!str 1\nb: !!float 1\nc: !!int '1'\nd: !!map {}\ne: !!seq []\nf: !!bool true\n") == {
        "a": "1", "b": 1.0, "c": 1, "d": {}, "e": [], "f": True,
    }  # fmt: skip


PROBLEMS = {
    "a: 1\nb: 2\na: 3": "f:3 a: is written twice, first in line 1; remove one",
    "a:\n  b: 1\n  b: 2": "f:3 a.b: is written twice, first in line 2; remove one",
    "a: {<<: {}, <<: {}}": "f:1 a.<<: is written twice, first in line 1; remove one",
    "a: {<<: 5}": "f:1 a.<<: merges a value ... not a mapping; write `<<: *anchor`",
    "a: !!python/object:os.system x": "f:1 a: the tag !!python/object:os.system ...; remove it",
    "a: !!python/object/apply:os.system [x]": "f:1 a: the tag !!python/object/apply:os.system ...; remove it",
    "a:\n  - !thing {}": "f:2 a.0: the tag !thing is not supported; remove it",
    "a: !!int x": "f:1 a: the tag !!int does not fit 'x'; remove it",
    "a: 1\n\tb: 2": "f:2: ... indented with a tab; ... spaces",
    "a:\n  b: 1\n \tc: 2": "f:3: ... indented with a tab; ... spaces",
    "a: *b": "f:1 a: there is no anchor &b ... *b; put it in quotes ...",
    "a: &a [*a]": "f:1 a.0: there is no anchor &a ... *a; put it in quotes ...",
    "a: 1\n---\nb: 2": "f:2: a second document ...; ... remove the `---`",
    "? [x]\n: 1": "f:1: a list, mapping or alias cannot be a key; write a name",
    "\nb: \x07": "f:2: YAML does not allow the character '\\x07'; remove it",
    "a: 1\nb: \x07": "f:2: YAML does not allow the character '\\x07'; remove it",
    "[" * 200: f"f:1 {'.'.join('0' * (MAX_DEPTH + 1))}: is nested more than {MAX_DEPTH} deep; write it flatter",
}


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("text", PROBLEMS)
def test_problems(text, loader):
    assert read(text, loader)[1] == [says(PROBLEMS[text])]


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(("text", "line"), [("a: 1\n b: 2", 2), ("a: b: c", 1), ("a: 1\nb: 'x", 2), ("a: @b", 1)])
def test_broken_syntax_is_one_sentence_with_its_line(text, line, loader):
    node, (problem,) = read(text, loader)
    assert node is None
    assert problem.startswith(f"f:{line}: is not YAML (")
    assert problem.endswith("); correct this line or the one before it, or put the text in quotes")
    assert "\n" not in problem


def test_hundreds_of_thousands_of_brackets_are_one_problem():
    # PyYAML 6.0.4 and later notice the depth themselves, in their own words.
    node, (problem,) = read("[" * 300_000)
    assert node is None
    assert problem.startswith("f:1") and "\n" not in problem and len(problem) < 1000


def test_aliases_of_aliases_stay_small():
    text = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n"
    text += "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
    node, (problem,) = read(text)
    assert node is None
    assert problem.endswith(f": aliases expand this file to over {MAX_NODES} values or {MAX_DEPTH} levels; write fewer")


def test_aliases_of_aliases_stay_flat():
    half = MAX_DEPTH // 2 + 1
    deep = "[" * half + "{}" + "]" * half
    assert read(f"a: &a {deep.format('1')}\nb: *a\n")[1] == []
    (problem,) = read(f"a: &a {deep.format('1')}\nb: {deep.format('*a')}\n")[1]
    assert problem.endswith(" levels; write fewer")


def test_the_parser_can_be_chosen():
    class Chosen(yaml.SafeLoader):
        made = 0

        def __init__(self, text):
            super().__init__(text)
            Chosen.made += 1

    assert read("a: 1", Chosen)[0].plain() == {"a": 1}
    assert Chosen.made == 1


def test_what_can_be_read_is_read_beside_a_problem():
    node, problems = read("a: 1\na: 2\nb: !x 3")
    assert node.plain() == {"a": 1, "b": "3"}
    assert len(problems) == 2


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=50), children, max_size=4),
    max_leaves=12,
)


# On a crowded machine drawing a tree can take long.
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES)
def test_whatever_is_written_reads_back(tree):
    text = yaml.dump(tree, Dumper=_ConfigDumper, sort_keys=False, allow_unicode=True, width=1000)
    for loader in LOADERS:
        node, problems = read(text, loader)
        assert problems == []
        assert repr(node.plain()) == repr(tree)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab:-[]{}&*!|>'\"#,?%@ \n\t01.<", max_size=40))
def test_any_text_is_a_tree_or_problems_with_lines(text):
    for loader in LOADERS:
        node, problems = read(text, loader)
        assert node is not None or problems
        assert all(problem.startswith("f:") for problem in problems)


@settings(max_examples=100, deadline=None)
@given(TREES)
def test_both_of_pyyamls_parsers_give_the_same_lines(tree):
    if len(LOADERS) == 2:
        text = yaml.dump({"top": tree}, Dumper=_ConfigDumper, default_flow_style=False)
        assert read(text, LOADERS[0]) == read(text, LOADERS[1])
