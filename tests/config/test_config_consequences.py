"""What follows from an override, as in PaddleClas: rates, keys of another schedule, mixed precision, topk."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.messages import says
from ppcls.config import load_config
from ppcls.config.paddleclas.consequences import settle
from ppcls.engine.schema import registries
from ppcls.untrusted.yaml_nodes import Origin, as_node
from ppcls.utils.errors import ConfigError

FILE = Path(__file__).parent / "paddleclas" / "DLA34_v2.1.yaml"


def load(*overrides, file=FILE, lines=None):
    say = (lambda line: None) if lines is None else lines.append
    return load_config(file, overrides, registries(), "train", check_paths=False, say=say)


def rates(config, *epochs, steps=10):
    """The rate of the first step of each epoch, counted from 0."""
    return [config.Optimizer.lr.lr_at(epoch * steps, steps, config.Global.epochs) for epoch in epochs]


# Rates of PaddleClas 2.6 for its DLA34.yaml at the first step of epochs 0, 29, 30, 60, 90, 119, 120, 150, 180, 199
OF_PADDLECLAS = {
    (): [0.1, 0.1, 0.01, 0.001, 1e-4, 1e-4],
    ("Optimizer.lr.learning_rate=0.01",): [0.01, 0.01, 0.001, 1e-4, 1e-5, 1e-5],
    ("Global.epochs=200",): [0.1, 0.1, 0.01, 0.001, 1e-4, 1e-4, 1e-5, 1e-6, 1e-7, 1e-7],
    ("Global.epochs=200", "Optimizer.lr.learning_rate=0.01"): [
        0.01, 0.01, 0.001, 1e-4, 1e-5, 1e-5, 1e-6, 1e-7, 1e-8, 1e-8,
    ],
    ("Global.epochs=60",): [0.1, 0.1, 0.01],
    ("Global.epochs=20", "Optimizer.lr.learning_rate=0.05"): [0.05],
}  # fmt: skip
EPOCHS = [0, 29, 30, 60, 90, 119, 120, 150, 180, 199]


@pytest.mark.parametrize("overrides", OF_PADDLECLAS)
def test_the_rates_are_those_of_paddleclas(overrides):
    wanted = OF_PADDLECLAS[overrides]
    assert rates(load(*overrides), *EPOCHS[: len(wanted)]) == pytest.approx(wanted, rel=1e-9)


def test_a_line_says_that_the_written_rates_are_not_used():
    lines = []
    load("Optimizer.lr.learning_rate=0.01", lines=lines)
    assert lines == [
        says(
            "-o Optimizer.lr.learning_rate=0.01: Optimizer.lr.learning_rate 0.01 of Piecewise falls to a tenth every "
            "30 epochs, ...; leave it out to use decay_epochs and values as written"
        )
    ]
    lines = []
    load(lines=lines)
    assert lines == []


def test_the_remedy_of_that_line_works():
    lines = []
    config = load("Global.epochs=200", "Optimizer.lr.learning_rate=None", lines=lines)
    assert rates(config, 90, 199) == [1e-4, 1e-4]
    assert lines == []


def test_rates_of_an_own_recipe_stay():
    text = FILE.read_text(encoding="utf-8").replace("[30, 60, 90]", "[50, 80, 100]")
    Path("own.yaml").write_text(text, encoding="utf-8")
    assert rates(load(file="own.yaml"), 49, 50, 80, 100) == [0.1, 0.01, 0.001, 1e-4]


def test_rates_that_are_asked_for_stay():
    asked = ["Optimizer.lr.decay_epochs=[3]", "Optimizer.lr.values=[0.1, 0.05]"]
    assert rates(load(*asked), 2, 3) == [0.1, 0.05]


def test_rates_that_fall_by_a_factor_are_not_touched(small):
    config = load("Optimizer.lr.learning_rate=0.01", file="DLA34")
    assert rates(config, 0, 30, 90) == pytest.approx([0.01, 0.001, 1e-5])


def test_another_schedule_leaves_the_keys_of_the_first_one_out():
    lines = []
    config = load("Optimizer.lr.name=Cosine", lines=lines)
    assert rates(config, 0, 60, 120) == pytest.approx([0.1, 0.05, 0.0], abs=1e-12)
    assert lines == [
        says("-o Optimizer.lr.name=Cosine: Optimizer.lr.decay_epochs and Optimizer.lr.values left out, ...")
    ]


def test_a_key_that_is_asked_for_is_not_left_out():
    with pytest.raises(ConfigError) as caught:
        load("Optimizer.lr.name=Cosine", "Optimizer.lr.decay_epochs=[3]")
    assert caught.value.problems == [says("-o Optimizer.lr.decay_epochs=[3]: is a key of Piecewise; ...")]


@pytest.mark.parametrize("override", ["AMP.level=O2", "AMP.scale_loss=128"])
def test_how_mixed_precision_would_run_does_not_switch_it_on(override):
    lines = []
    assert load(override, lines=lines).AMP.use_amp is False
    assert lines == [says(f"-o {override}: ... stays off; -o AMP.use_amp=True switches it on")]


@pytest.mark.parametrize("overrides", [["AMP.level=O2", "AMP.use_amp=True"], ["AMP={level: O2}"]])
def test_mixed_precision_is_switched_on_by_its_key_or_section(overrides):
    assert (load(*overrides).AMP.use_amp, load(*overrides).AMP.level) == (True, "O2")


def test_a_section_in_the_file_switches_mixed_precision_on():
    Path("amp.yaml").write_text(FILE.read_text(encoding="utf-8") + "\nAMP:\n  scale_loss: 128.0\n", encoding="utf-8")
    config = load("AMP.level=O2", file="amp.yaml")
    assert (config.AMP.use_amp, config.AMP.level, config.AMP.scale_loss) == (True, "O2", 128.0)


def test_topk_follows_the_number_of_classes():
    lines = []
    config = load("Arch.class_num=3", lines=lines)
    assert [config.Metric.Train[0].ks, config.Metric.Eval[0].ks, config.Infer.PostProcess.topk] == [(1, 3), (1, 3), 3]
    assert lines == [
        says(f"...DLA34_v2.1.yaml:... {key}.topk: is now {new} instead of {old}, because Arch.class_num is 3")
        for key, new, old in (
            ("Infer.PostProcess", 3, 5),
            ("Metric.Train.TopkAcc", [1, 3], [1, 5]),
            ("Metric.Eval.TopkAcc", [1, 3], [1, 5]),
        )
    ]


def test_one_class_leaves_one_accuracy():
    assert load("Arch.class_num=1").Metric.Eval[0].ks == (1,)


def test_a_default_topk_follows_too(small):
    text = small.VALID.replace("- Accuracy: {topk: [1, 5]}", "- Accuracy:")
    assert small.load(text, "Arch.class_num=3").Metric.Eval[0].topk == (1, 3)


def test_a_topk_that_is_asked_for_does_not_follow(small):
    assert small.problems(small.VALID, "Arch.class_num=3", "Metric.Eval.Accuracy.topk=4") == [
        says("-o Metric.Eval.Accuracy.topk=4 ... is 4, but Arch.class_num is 3; write at most 3")
    ]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["topk", "TopkAcc", "x"]), inner),
    max_leaves=4,
)
SCHEDULE = st.fixed_dictionaries(dict.fromkeys(["name", "learning_rate", "decay_epochs", "values", "other"], ANYTHING))


@given(st.fixed_dictionaries({}, optional={
    "Global": ANYTHING | st.fixed_dictionaries({"epochs": ANYTHING}),
    "Arch": ANYTHING | st.fixed_dictionaries({"class_num": ANYTHING}),
    "Optimizer": ANYTHING | st.fixed_dictionaries({"lr": ANYTHING | SCHEDULE}),
    "Metric": ANYTHING | st.fixed_dictionaries({"Eval": ANYTHING}),
    "Infer": ANYTHING | st.fixed_dictionaries({"PostProcess": ANYTHING}),
    "AMP": ANYTHING,
}), st.sampled_from(["Piecewise", "Cosine", "no"]))  # fmt: skip
def test_nothing_that_a_file_may_say_breaks_it(tree, name):
    node = as_node(tree, Origin("-o Arch.class_num=3"))
    lr = tree.get("Optimizer")
    if isinstance(lr, dict) and isinstance(lr.get("lr"), dict):
        node.value["Optimizer"].value["lr"].value["name"] = as_node(name, Origin("-o Optimizer.lr.name"))
    lines = settle(node, registries())
    assert all(line.startswith("-o ") for line in lines)
