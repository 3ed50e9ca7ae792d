"""What is asked for, which pictures are chosen, which layers are the outer ones: all that needs no engine."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.messages import refusal, says
from helpers.pictures import save_picture, solid
from ppcls.data.picture_list import PictureList, read_picture_list
from ppcls.deployment.npz.inputs import make_inputs
from ppcls.deployment.quantize.layers import outer_layers
from ppcls.deployment.quantize.options import QuantizeOptions
from ppcls.deployment.quantize.samples import Samples, choose, evenly_spaced, split
from ppcls.inference import Bundle
from ppcls.utils.errors import UserError


@pytest.fixture
def bundle(exported):
    return Bundle.load(exported)


@pytest.fixture
def folder(tmp_path):
    """Twelve pictures, `list.txt` with three classes of six, four and two of them, `names.txt` without labels."""
    names = [f"{index:02}.png" for index in range(12)]
    for index, name in enumerate(names):
        save_picture(tmp_path / name, solid(20 * index))
    labels = [0] * 6 + [1] * 4 + [2] * 2
    (tmp_path / "list.txt").write_text("".join(f"{name} {label}\n" for name, label in zip(names, labels)))
    (tmp_path / "names.txt").write_text("".join(f"{name}\n" for name in names))
    return tmp_path


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"backend": "tensorrt"}, "backend is 'tensorrt'; write openvino or onnxruntime"),
        (
            {"ranges": "entropy"},
            "ranges for openvino is 'entropy'; write minmax, mean, ...",
        ),
        (
            {"backend": "onnxruntime", "ranges": "histogram"},
            "ranges for onnxruntime is 'histogram'; write minmax, ...",
        ),
        ({"float32_layers": "all"}, "float32 layers is 'all'; write none, first, last or both"),
        (
            {"percentile": 99.9},
            "percentile 99.9 ... ranges percentile; leave it out, or ...",
        ),
        ({"bins": 4096}, "bins 4096 ... ranges entropy; leave it out, or ..."),
        (
            {"ranges": "percentile", "percentile": 100.0},
            "percentile is 100; write ... above 50 and below 100, such as 99.99",
        ),
        (
            {"backend": "onnxruntime", "ranges": "entropy", "bins": 128},
            "bins is 128; write 2048 or more, ...",
        ),
        ({"bias_correction": "slow"}, "bias correction is 'slow'; write fast, full or none"),
        (
            {"backend": "onnxruntime", "bias_correction": "fast"},
            "bias correction ... openvino only; leave it out, or choose openvino",
        ),
    ],
)
def test_what_is_not_possible_or_would_not_be_read_is_said(values, sentence):
    with pytest.raises(ValueError) as caught:
        QuantizeOptions(**values)
    assert str(caught.value) == says(sentence)


def test_the_method_in_words():
    assert QuantizeOptions().words == "ranges by the smallest and the largest value"
    assert QuantizeOptions(ranges="percentile", float32_layers="both").words == (
        "ranges by the middle 99.99 % of the values; first and last layers float32"
    )
    assert QuantizeOptions("onnxruntime", "entropy", float32_layers="last").words == (
        "ranges by the smallest Kullback-Leibler divergence over 2048 bins; last layers float32"
    )


def test_a_percentile_cuts_the_same_share_at_either_end():
    assert QuantizeOptions(ranges="percentile", percentile=98.0).outliers == 0.01
    assert QuantizeOptions(ranges="percentile").outliers == pytest.approx(5e-5)


# A stem and two heads beside a pooling; `c2` stands between others on each of its ways.
GRAPH = {"in": ["relu"], "relu": ["c1", "c1b"], "c1": ["add"], "c1b": ["add"], "add": ["c2"], "c2": ["pool", "fc"]}
GRAPH.update({"pool": ["reshape"], "reshape": ["fc2"], "fc": ["sum"], "fc2": ["sum"], "sum": ["out"], "w": ["c2"]})
LAYERS = {"c1", "c1b", "c2", "fc", "fc2"}


@pytest.mark.parametrize(
    ("which", "names"),
    [("none", []), ("first", ["c1", "c1b"]), ("last", ["fc", "fc2"]), ("both", ["c1", "c1b", "fc", "fc2"])],
)
def test_outer_layers_are_those_with_none_between_them_and_the_end(which, names):
    assert outer_layers(GRAPH, LAYERS, ["in"], ["out"], which) == names


def test_a_network_of_one_layer_has_one_first_and_last():
    assert outer_layers({"in": ["fc"], "fc": ["out"]}, {"fc"}, ["in"], ["out"], "both") == ["fc"]
    assert outer_layers({"a": ["b"], "b": ["a"]}, set(), ["a"], ["b"], "both") == []  # no layer, and no end


@given(st.integers(1, 300), st.integers(1, 300))
def test_evenly_spaced(length, count):
    found = evenly_spaced(length, count)
    assert len(found) == min(length, count)
    assert found[0] >= 0 and found[-1] < length
    steps = set(np.diff(found).tolist())
    assert not steps or (min(steps) >= 1 and max(steps) - min(steps) <= 1)
    assert abs(found[0] - (length - 1 - found[-1])) <= 1  # as much is left out before as behind


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60), st.integers(1, 70))
def test_classes_are_balanced_and_the_choice_is_always_the_same(labels, count):
    pictures = PictureList(Path("x"), [str(index) for index in range(len(labels))], np.array(labels))
    found = choose(pictures, count)
    assert found == sorted(set(found)) == choose(pictures, count)
    assert len(found) == min(count, len(labels))
    chosen, whole = np.bincount(pictures.labels[found], minlength=7), np.bincount(labels, minlength=7)
    most = chosen.max()
    assert all(chosen[label] >= min(whole[label], most - 1) for label in set(labels))


@given(st.integers(2, 60), st.none() | st.integers(1, 59), st.integers(1, 60), st.booleans())
def test_no_picture_is_calibrated_and_compared_on(length, count, compared, labelled):
    class Listed:
        source = Path("list.txt")
        list = PictureList(Path("x"), [f"{i}.jpg" for i in range(length)], np.arange(length) % 3 if labelled else None)

        def __len__(self):
            return length

    if count is not None and count >= length:
        with pytest.raises(UserError):
            split(Listed(), None, count, compared)
        return
    chosen = split(Listed(), None, count, compared)
    assert not set(chosen.calibrated) & set(chosen.compared)
    assert len(chosen.calibrated) == (length // 2 if count is None else count)
    assert len(chosen.compared) == min(compared, length - len(chosen.calibrated))


def test_pictures_of_data_that_were_calibrated_on_are_left_out(bundle, folder, tmp_path):
    (tmp_path / "other").mkdir()
    for name in ("02.png", "03.png"):
        (tmp_path / "other" / name).symlink_to(folder / name)
    save_picture(tmp_path / "other" / "new.png", solid(0))
    (tmp_path / "first.txt").write_text("02.png\n03.png\n")
    calibration = Samples(bundle, tmp_path / "first.txt")
    chosen = split(calibration, Samples(bundle, tmp_path / "other"))
    assert (chosen.calibrated, chosen.compared) == ([0, 1], [2])
    assert refusal(split, calibration, Samples(bundle, tmp_path / "first.txt")) == says(
        f"{tmp_path / 'first.txt'}: ... every picture there ...; give others with --data"
    )
    assert refusal(split, calibration, None, 2).endswith("; calibrate on fewer than 2, or give --data")


def test_inputs_are_those_of_the_pipeline(bundle, folder):
    samples = Samples(bundle, folder / "list.txt")
    inputs = samples.inputs([0, 7])
    assert inputs.dtype == np.float32
    np.testing.assert_array_equal(inputs[1], bundle.pipeline.from_file(folder / "07.png"))
    batches = list(samples.batches([5, 6, 10], 2))
    assert [(len(inputs), labels.tolist()) for inputs, labels in batches] == [(2, [0, 1]), (1, [2])]
    assert [labels for _, labels in Samples(bundle, folder / "names.txt").batches([0], 2)] == [None]


def test_a_picture_that_cannot_be_read_is_named_and_not_replaced(bundle, folder):
    (folder / "03.png").write_bytes(b"no picture")
    samples = Samples(bundle, folder / "list.txt")
    assert len(samples.inputs([2, 3, 4])) == 2
    assert list(samples.unreadable) == ["03.png"] and samples.unreadable["03.png"]
    assert refusal(samples.inputs, [3]).startswith(f"{folder / 'list.txt'}: none of 1 pictures can be read (03.png: ")


def test_the_digest_is_that_of_the_list_file_or_of_the_names(bundle, folder):
    text = (folder / "names.txt").read_bytes()
    assert Samples(bundle, folder / "names.txt").digest == hashlib.sha256(text).hexdigest()
    assert Samples(bundle, folder).digest == hashlib.sha256(text).hexdigest()  # the same names
    assert Samples(bundle, folder / "list.txt").digest != hashlib.sha256(text).hexdigest()


def test_the_digest_of_a_name_that_is_no_utf8_is_of_its_bytes(bundle, tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.png")).touch()
    assert Samples(bundle, tmp_path).digest == hashlib.sha256(b"caf\xe9.png\n").hexdigest()


@pytest.mark.parametrize("name", ["list.txt", "names.txt"])
def test_inputs_that_are_stored_are_the_same(bundle, folder, tmp_path, name):
    pictures = Samples(bundle, folder / name)
    make_inputs(bundle.pipeline, read_picture_list(folder / name, 5), tmp_path / "npz")
    stored = Samples(bundle, tmp_path / "npz")
    assert len(stored) == 12
    assert choose(stored.list, 5) == choose(pictures.list, 5)
    np.testing.assert_array_equal(stored.inputs([3, 9]), pictures.inputs([3, 9]))
    (tmp_path / "npz" / "03.npz").write_bytes(b"PK")
    assert len(stored.inputs([3, 9])) == 1
    assert "03.npz" in stored.unreadable
