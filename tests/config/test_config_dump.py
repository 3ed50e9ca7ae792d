import dataclasses
from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ppcls.untrusted.yaml_nodes import Origin, Problems
from ppcls.untrusted.yaml_reader import read_yaml

RESOLVED = Path(__file__).with_name("resolved.yaml")


def test_the_text_has_every_key(small):
    text = small.VALID.replace("root: .", "root: .\n      batch_transform_ops: [BlendOperator: {alpha: 1e-5}]", 1)
    text = text.replace("size: 8}", "size: [8, 9]}", 1)
    config = small.load(text, "Global.output_dir='1e-4'", "Global.seed=1")
    assert config.to_yaml() == RESOLVED.read_text(encoding="utf-8")


def test_it_loads_again_to_the_equal_configuration(small):
    first = small.load(
        small.VALID,
        "Infer.batch_size=3",
        "Global.keep=null",
        "Arch.name=Net50",
        "DataLoader.Eval.sampler.groups=[3, 4]",
    )
    assert (first.Arch.name, first.DataLoader.Eval.sampler.groups) == ("Net50", [3, 4])
    second = small.load(first.to_yaml())
    assert second == first
    assert second.to_yaml() == first.to_yaml()
    assert small.load(first.to_yaml(), "Global.seed=5") != first


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    seed=st.integers(0, 10**9),
    folder=st.text(st.characters(exclude_characters="\0$", exclude_categories=["Cs"])),  # $ begins a variable
    rate=st.floats(1e-300, 1e300),
    keep=st.none() | st.integers(0, 9),
    size=st.integers(1, 99) | st.tuples(st.integers(1, 99), st.integers(1, 99)),
    weights=st.dictionaries(st.integers(-5, 5), st.floats(-10, 10)),
)
def test_whatever_is_in_it(small, seed, folder, rate, keep, size, weights):
    first = small.load()
    changed = dataclasses.replace(
        first,
        Global=dataclasses.replace(first.Global, seed=seed, output_dir=folder, keep=keep),
        Optimizer=dataclasses.replace(first.Optimizer, lr=dataclasses.replace(first.Optimizer.lr, rate=rate)),
        Loss=dataclasses.replace(first.Loss, Train=(dataclasses.replace(first.Loss.Train[0], class_weights=weights),)),
    )
    dataset = changed.DataLoader.Eval.dataset
    operations = (dataclasses.replace(dataset.transform_ops[1], size=size),)
    reader = dataclasses.replace(
        changed.DataLoader.Eval, dataset=dataclasses.replace(dataset, transform_ops=operations)
    )
    changed = dataclasses.replace(changed, DataLoader=dataclasses.replace(changed.DataLoader, Eval=reader))
    assert small.load(changed.to_yaml()) == changed


def test_other_readers_of_yaml_understand_it_too(small):
    config = small.load(small.VALID, "Global.output_dir=yes", "Optimizer.lr.rate=1e-7")
    plain = yaml.safe_load(config.to_yaml())
    assert plain["Global"]["output_dir"] == "yes"
    assert plain["Optimizer"]["lr"]["rate"] == 1e-7
    assert plain == read_yaml(config.to_yaml(), lambda line: Origin("f", line), Problems()).plain()


def test_texts_that_yaml_would_read_as_something_else_are_quoted(small):
    for text in ("yes", "1e-4", "010", "0o7", "null", "12:30", "1_000", "<<", "", " x", "a: b", "#x"):
        config = small.load()
        changed = dataclasses.replace(config, Global=dataclasses.replace(config.Global, output_dir=text))
        assert small.load(changed.to_yaml()).Global.output_dir == text
        assert yaml.safe_load(changed.to_yaml())["Global"]["output_dir"] == text
