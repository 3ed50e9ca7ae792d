"""What proves that a key is read, and how it would fail if it were not.

A probe sets a key to two values and observes what the library then does: numbers, texts, files, processes; never the
attribute that holds the value. `prove` writes the second value both times: once it is read as it stands, once the
checker is made to see the first value in its place. So a probe cannot pass by chance, by another way around the key, or
by writing a key that the checker never meets.
"""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from ppcls.config.check import Checker
from ppcls.config.paddleclas.unsupported import PADDLECLAS
from ppcls.engine.schema import registries
from ppcls.untrusted.yaml_nodes import Origin, Problems
from ppcls.untrusted.yaml_reader import read_yaml
from ppcls.utils.fields import Component, Operation

OPERATIONS = ("transform", "batch transform", "loss", "metric")  # written as a list of `Name: {keys}`
PROBES: dict[str, "Probe"] = {}


@dataclass(frozen=True)
class Probe:
    """Two values of a key, each with what is to be observed: `unittest.mock.ANY` where only the difference is known."""

    key: str
    path: str  # the dotted key at which the checker meets it
    cases: tuple[tuple[Any, Any], tuple[Any, Any]]
    observe: Callable[[Any, Any], Any]  # (lab, value)
    relation: Callable[[Any, Any], bool] | None  # of the two observations


class Saying:
    """Equal to every text, or tuple with such a text, that holds the sentence."""

    def __init__(self, sentence):
        self.sentence = sentence

    def __eq__(self, other):
        return isinstance(other, str) and self.sentence in other

    def __repr__(self):
        return f"Saying({self.sentence!r})"

    __hash__ = None


def probe(key, first, second, path=None, relation=None):
    """Decorator: registers `observe(lab, value)` for a key and two (value, expected)."""

    def add(observe):
        assert key not in PROBES, f"{key} has a probe already"
        PROBES[key] = Probe(key, path or _path(key), (first, second), observe, relation)
        return observe

    return add


def probe_each(names, key, first, second, path=None):
    """The same for components that share a field: `{}` in `key` is the name, which `observe(lab, name, value)` gets."""

    def add(observe):
        for name in names:
            probe(key.format(name), first, second, path)(lambda lab, value, name=name: observe(lab, name, value))
        return observe

    return add


def _path(key):
    kind, _, rest = key.rpartition(" ")
    if kind in ("", "deploy"):
        return rest
    return f"{kind}.{rest}" if kind in OPERATIONS else f"{kind}.{rest.rpartition('.')[2]}"


def component(kind, name, **keys):
    """A component as a configuration makes it: from YAML, through the checker, which refuses illegal values."""
    problems = Problems()
    text = json.dumps({name: keys} if kind in OPERATIONS else {"name": name, **keys}, default=str)
    node = read_yaml(text, lambda line: Origin("probe", line), problems)
    mark = Operation(kind) if kind in OPERATIONS else Component(kind)
    made = Checker(registries(), problems, PADDLECLAS).check(Annotated[Any, mark], node, kind)
    problems.raise_if_any()
    return made


@contextlib.contextmanager
def watched(path, met):
    """Has `met` called with each node that the checker meets at a dotted key, before it is checked."""
    check = Checker.check

    def watch(self, annotation, node, key, wanted=None):
        if key == path:
            met(node)
        return check(self, annotation, node, key, wanted)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checker, "check", watch)
        yield


class _Met(BaseException):
    """Ends an observation when the checker meets the key; nothing in the library catches it."""


def written(probe, value, new_lab):
    """What the checker is given at the probe's key for a value. The observation ends there."""

    def stop(node):
        raise _Met(node.copy())

    with watched(probe.path, stop), new_lab() as lab:
        try:
            probe.observe(lab, value)
        except _Met as met:
            return met.args[0]
    raise AssertionError(f"the checker never met {probe.path}")


def prove(probe, new_lab):
    """Raises an AssertionError unless the key, and the key alone, changes what is observed, in the way expected."""
    (first, expected), (second, other_expected) = probe.cases
    instead, replaced = written(probe, first, new_lab), []

    def replace(node):
        node.value = instead.copy().value  # in its place, for checks that look at the tree
        replaced.append(node)

    with watched(probe.path, replace), new_lab() as lab:
        seen = probe.observe(lab, second)
    with new_lab() as lab:
        other = probe.observe(lab, second)
    assert replaced
    assert seen == expected, f"{probe.key} is not all that the probe changes, or has another effect"
    assert other == other_expected
    assert seen != other
    assert probe.relation is None or probe.relation(seen, other)
