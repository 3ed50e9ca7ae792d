"""Files of weights of 1 MB that ask for hours or for gigabytes are read or refused within the bounds."""

import pytest

from helpers import hostile_zoo as zoo
from helpers.bounds import MEGABYTES, assert_bounded, part_of
from helpers.weight_bombs import GROUPS, complex_of_one_hash, pairs_of_one_hash
from ppcls.arch import build_model
from ppcls.arch.weights.files import read_weights
from ppcls.arch.weights.load import load_weights

pytestmark = pytest.mark.fuzz


@pytest.mark.parametrize("group", GROUPS)
def test_a_bomb_of_1_mb_is_read_within_the_bounds(tmp_path, group):
    file, bombs = GROUPS[group]
    path, beyond = tmp_path / file, {}
    for name, content in bombs():
        assert len(content) <= 1_000_000, name
        path.write_bytes(content)
        try:
            message = assert_bounded(lambda: read_weights(path), part_of(MEGABYTES))
        except AssertionError as error:
            beyond[name] = str(error)
        else:
            assert message is None or message.startswith(f"{path}: "), name
    assert beyond == {}


def test_the_keys_of_the_bombs_have_one_hash():
    pairs = list(pairs_of_one_hash(1_000))
    assert len(set(pairs)) == 1_000 and len(set(map(hash, pairs))) == 1
    numbers = [complex_of_one_hash(number) for number in range(1_000)]
    assert len(set(numbers)) == 1_000 and len(set(map(hash, numbers))) == 1


@pytest.mark.parametrize("pattern", ["level%d.project.weight", "level2.tree%d.project.0.weight", "w%d"])
def test_9000_unknown_names_are_refused_within_the_bounds(tmp_path, pattern):
    model, path = build_model("DLA34", class_num=3), tmp_path / "w.safetensors"
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    path.write_bytes(zoo.safetensors({pattern % number: entry for number in range(9_000)}))
    message = assert_bounded(lambda: load_weights(model, path))
    assert message.startswith(f"{path}: not the weights of DLA34: 187 missing (first ")
