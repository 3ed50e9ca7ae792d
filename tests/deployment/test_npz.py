"""The .npz flow: inputs are the runtime's own, files are whole or absent, and any runner's results are read."""

import io
import os
import shutil
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.messages import refusal, says
from helpers.pictures import noise, save_picture
from ppcls.cli import main
from ppcls.data.picture_list import PictureList, read_picture_list
from ppcls.deployment.npz.files import Progress, npz_name, number_order, read_datalist
from ppcls.deployment.npz.inputs import make_inputs
from ppcls.deployment.npz.results import run_inputs
from ppcls.deployment.npz.score import Score, score, scores_of
from ppcls.deployment.verify.forms import REFERENCE
from ppcls.inference import Bundle
from ppcls.untrusted.npz import read_arrays
from ppcls.utils.errors import UserError

NAMES = ["cat/one.png", "cat/two.jpg", "dog/one.png"]
LABELS = [4, 0, 2]
FILES = ["cat__one.npz", "cat__two.npz", "dog__one.npz"]


@pytest.fixture
def bundle(exported):
    return Bundle.load(exported)


@pytest.fixture
def listed(tmp_path):
    """A list of three pictures of different sizes."""
    root = tmp_path / "pictures"
    for index, name in enumerate(NAMES):
        save_picture(root / name, noise(60 + index, 50, index))
    lines = "".join(f"{name} {label}\n" for name, label in zip(NAMES, LABELS))
    (root / "list.txt").write_text(lines)
    return root / "list.txt"


@pytest.fixture
def inputs(bundle, listed, tmp_path):
    made = make_inputs(bundle.pipeline, read_picture_list(listed, 5), tmp_path / "inputs")
    assert made == Progress(3, 0)
    return tmp_path / "inputs"


class Means:
    """A score for each channel's mean, and two more."""

    def __init__(self):
        self.batches = []

    def run(self, batch):
        self.batches.append(len(batch))
        return np.concatenate([batch.mean(axis=(2, 3)), np.full((len(batch), 2), -9)], axis=1).astype(np.float32)


def save(path, **arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)


def test_inputs_are_what_the_runtime_gives_its_program(bundle, listed, inputs):
    assert sorted(path.name for path in inputs.iterdir()) == [
        *FILES, "npz_datalist.txt", "npz_inputs.json", "npz_labels.txt",
    ]  # fmt: skip
    for name, file in zip(NAMES, FILES):
        ((key, array),) = read_arrays(inputs / file).items()
        assert (key, array.dtype, array.shape) == ("image", np.float32, (1, 3, 32, 32))
        assert np.array_equal(array[0], bundle.pipeline.from_file(listed.parent / name))
    assert (inputs / "npz_datalist.txt").read_text() == "".join(f"{inputs / file}\n" for file in FILES)
    assert (inputs / "npz_labels.txt").read_text() == "cat__one.npz 4\ncat__two.npz 0\ndog__one.npz 2\n"


def test_making_goes_on_where_it_was_interrupted(bundle, listed, inputs):
    whole = {name: (inputs / name).read_bytes() for name in FILES}
    (inputs / FILES[0]).unlink()
    (inputs / FILES[1]).write_bytes(whole[FILES[1]][:-30])
    kept = (inputs / FILES[2]).stat().st_mtime_ns
    assert str(make_inputs(bundle.pipeline, read_picture_list(listed, 5), inputs)) == "2 written, 1 existed already"
    assert {name: (inputs / name).read_bytes() for name in FILES} == whole
    assert (inputs / FILES[2]).stat().st_mtime_ns == kept


def test_a_folder_of_other_inputs_is_left_as_it_is(bundle, listed, inputs):
    pictures = read_picture_list(listed, 5)
    assert refusal(make_inputs, bundle.pipeline, pictures.take([0, 1]), inputs) == says(
        f"{inputs} holds inputs of another list ...; give another folder, or remove it"
    )
    assert len((inputs / "npz_datalist.txt").read_text().splitlines()) == 3


def test_a_name_that_a_datalist_cannot_hold_is_said_before_anything_is_written(bundle, tmp_path):
    pictures = PictureList(tmp_path, ["a.png", os.fsdecode(b"caf\xe9.png")])
    assert refusal(make_inputs, bundle.pipeline, pictures, tmp_path / "inputs") == says(
        "caf\udce9.npz: the name is not UTF-8, ...; rename it"
    )
    with pytest.raises(UserError, match="the name is not UTF-8, which a datalist is; rename it"):
        make_inputs(bundle.pipeline, pictures.take([0]), tmp_path / os.fsdecode(b"\xe9"))
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_cannot_be_read_ends_it_without_a_datalist(bundle, listed, tmp_path):
    (listed.parent / NAMES[1]).write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"cannot read the picture .*two\.jpg"):
        make_inputs(bundle.pipeline, read_picture_list(listed, 5), tmp_path / "inputs")
    assert not (tmp_path / "inputs" / "npz_datalist.txt").exists()


def test_names_stay_apart(bundle, listed, tmp_path):
    assert npz_name("a/b/c.d.jpg") == "a__b__c.d.npz"
    assert npz_name("/x/../y.png") == "x__y.npz"
    listed.write_text("cat/one.png 0\ncat/one.png 0\n")
    with pytest.raises(UserError, match=r"cat/one.png and cat/one.png would both be cat__one.npz; rename one"):
        make_inputs(bundle.pipeline, read_picture_list(listed, 5), tmp_path / "inputs")


def test_results_bear_the_names_of_their_inputs(bundle, inputs, tmp_path):
    backend, results = Means(), tmp_path / "results"
    assert run_inputs(bundle, backend, REFERENCE, inputs / "npz_datalist.txt", results, batch_size=2) == Progress(3, 0)
    assert backend.batches == [2, 1]
    for file in FILES:
        ((key, array),) = read_arrays(results / file).items()
        assert (key, array.shape) == ("scores", (1, 5))
        expected = read_arrays(inputs / file)["image"].mean(axis=(2, 3))
        np.testing.assert_allclose(array[:, :3], expected, atol=1e-6)
    (results / FILES[1]).unlink()
    assert run_inputs(bundle, backend, REFERENCE, inputs / "npz_datalist.txt", results) == Progress(1, 2)
    assert backend.batches == [2, 1, 1]


def test_results_of_another_program_are_not_mixed(bundle, inputs, tmp_path, edit):
    run_inputs(bundle, Means(), REFERENCE, inputs / "npz_datalist.txt", tmp_path / "results")
    other = Bundle.load(edit({"parameters": {"file": "inference.pdiparams", "sha256": "0" * 64}}))
    with pytest.raises(UserError, match=MIXED):
        run_inputs(other, Means(), REFERENCE, inputs / "npz_datalist.txt", tmp_path / "results")


MIXED = "results of other inputs, .*; give another folder, or remove it"


def test_results_of_other_inputs_are_not_mixed(bundle, tmp_path):
    for folder in ("one", "other"):
        save(tmp_path / folder / "x.npz", image=np.zeros((1, 3, 32, 32)))
        (tmp_path / folder / "list.txt").write_text("x.npz\n")
    assert run_inputs(bundle, Means(), REFERENCE, tmp_path / "one" / "list.txt", tmp_path / "results") == Progress(1, 0)
    with pytest.raises(UserError, match=MIXED):
        run_inputs(bundle, Means(), REFERENCE, tmp_path / "other" / "list.txt", tmp_path / "results")


def test_a_folder_that_got_no_results_takes_others(bundle, inputs, tmp_path):
    (tmp_path / "damaged.npz").write_bytes(b"")
    (tmp_path / "list.txt").write_text("damaged.npz\n")
    with pytest.raises(UserError, match=r"damaged\.npz: not a valid \.npz file"):
        run_inputs(bundle, Means(), REFERENCE, tmp_path / "list.txt", tmp_path / "results")
    assert run_inputs(bundle, Means(), REFERENCE, inputs / "npz_datalist.txt", tmp_path / "results") == Progress(3, 0)


def test_an_input_that_is_missing_is_named_before_anything_is_written(bundle, tmp_path):
    (tmp_path / "list.txt").write_text("gone.npz\n")
    with pytest.raises(UserError, match=r"list\.txt: .*gone\.npz is missing; correct the list"):
        run_inputs(bundle, Means(), REFERENCE, tmp_path / "list.txt", tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_pipe_in_the_place_of_a_result_is_not_waited_for(bundle, inputs, tmp_path):
    (tmp_path / "list.txt").write_text(f"{inputs / FILES[0]}\n")
    arguments = (bundle, Means(), REFERENCE, tmp_path / "list.txt", tmp_path / "results")
    assert run_inputs(*arguments) == Progress(1, 0)
    (tmp_path / "results" / FILES[0]).unlink()
    os.mkfifo(tmp_path / "results" / FILES[0])
    assert run_inputs(*arguments) == Progress(1, 0)
    assert (tmp_path / "results" / FILES[0]).is_file()


def test_results_of_inputs_that_were_made_anew_are_not_kept(bundle, listed, inputs, tmp_path):
    run_inputs(bundle, Means(), REFERENCE, inputs / "npz_datalist.txt", tmp_path / "results")
    shutil.rmtree(inputs)
    listed.write_text("".join(f"{name} 0\n" for name in NAMES))
    make_inputs(bundle.pipeline, read_picture_list(listed, 5), inputs)  # the same paths
    with pytest.raises(UserError, match=MIXED):
        run_inputs(bundle, Means(), REFERENCE, inputs / "npz_datalist.txt", tmp_path / "results")


def test_files_that_no_record_tells_of_are_left_alone(bundle, listed, inputs, tmp_path):
    foreign = tmp_path / "foreign"
    save(foreign / FILES[0], o=LOGITS)
    said = f"foreign has {FILES[0]}, but no {{}} .*; give another folder, or remove it$"
    with pytest.raises(UserError, match=said.format("npz_results.json")):
        run_inputs(bundle, Means(), REFERENCE, inputs / "npz_datalist.txt", foreign)
    with pytest.raises(UserError, match=said.format("npz_inputs.json")):
        make_inputs(bundle.pipeline, read_picture_list(listed, 5), foreign)
    with pytest.raises(UserError, match=r"inputs has .*npz, but no npz_results.json"):  # it would write over them
        run_inputs(bundle, Means(), REFERENCE, inputs / "npz_datalist.txt", inputs)
    assert [file.name for file in foreign.iterdir()] == [FILES[0]]


def test_the_result_of_an_npy_file_is_an_npz_file(bundle, tmp_path):
    np.save(tmp_path / "y.npy", np.ones((3, 32, 32), np.float32))
    (tmp_path / "list.txt").write_text("y.npy\n")
    (tmp_path / "labels.txt").write_text("y 1\n")
    for done in (Progress(1, 0), Progress(0, 1)):
        assert run_inputs(bundle, Means(), REFERENCE, tmp_path / "list.txt", tmp_path / "results") == done
    assert score(tmp_path / "results", tmp_path / "list.txt", tmp_path / "labels.txt") == Score(1, 0.0, 1.0)
    (tmp_path / "results" / "y.npz").rename(tmp_path / "results" / "val__y.npz")
    (tmp_path / "list.txt").write_text("val__y.npy\n")
    (tmp_path / "labels.txt").write_text("val/y.png 1\n")
    assert score(tmp_path / "results", tmp_path / "list.txt", tmp_path / "labels.txt") == Score(1, 0.0, 1.0)


def test_inputs_that_moved_are_found_beside_their_list(inputs, tmp_path):
    moved = inputs.rename(tmp_path / "elsewhere")
    assert read_datalist(moved / "npz_datalist.txt") == [moved / file for file in FILES]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"a": np.zeros((1, 3, 32, 31))}, r"holds \[1, 3, 32, 31\]; .* takes one array \[1, 3, 32, 32\]"),
        ({"a": np.zeros((3, 32, 32)), "b": np.zeros(1)}, r"holds \[3, 32, 32\], \[1\]; "),
        ({}, "holds nothing; "),
    ],
)
def test_an_input_of_another_shape_is_named(bundle, tmp_path, arrays, said):
    save(tmp_path / "x.npz", **arrays)
    (tmp_path / "list.txt").write_text("x.npz\n")
    with pytest.raises(UserError, match=said):
        run_inputs(bundle, Means(), REFERENCE, tmp_path / "list.txt", tmp_path / "results")


@pytest.fixture
def runner(tmp_path):
    """Results of three inputs, right, second best and worst, and what names them."""
    (tmp_path / "list.txt").write_text("/gone/a.npz\n/gone/b.npz\n/gone/c.npz\n")
    (tmp_path / "labels.txt").write_text("val/a.JPEG 1\nval/b.JPEG 0\nval/c.JPEG 5\n")

    def write(*results, names=("a", "b", "c")):
        for name, arrays in zip(names, results):
            save(tmp_path / "results" / f"{name}.npz", **arrays)
        return score(tmp_path / "results", tmp_path / "list.txt", tmp_path / "labels.txt")

    return write


LOGITS = np.array([3.0, 9.0, 1.0, 0.0, -1.0, -7.0, -8.0], np.float32)


def test_any_name_shape_and_kind_of_score(runner):
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum()
    found = runner(
        {"output_0": LOGITS.astype(np.float16)[None]},
        {"anything": probabilities},
        {"logits": (10 * LOGITS).astype(np.int8).reshape(1, 7, 1, 1), "features": np.zeros((2, 8))},
    )
    assert found == Score(3, 1 / 3, 2 / 3)
    assert str(found) == "top-1 33.33 %, top-5 66.67 % of 3 pictures"


def test_numbered_results_are_taken_in_their_order(runner):
    rows = [{"o": LOGITS}, {"o": LOGITS}, {"o": LOGITS[::-1].copy()}]
    found = runner(*rows, names=("output_000000", "output_000001", "output_000002"))
    assert found == Score(3, 2 / 3, 1.0)


def test_numbers_without_leading_zeros_are_in_order(tmp_path):
    (tmp_path / "list.txt").write_text("".join(f"picture{letter}.npz\n" for letter in "abcdefghijkl"))
    (tmp_path / "labels.txt").write_text("".join(f"picture{letter} {at}\n" for at, letter in enumerate("abcdefghijkl")))
    for number in range(12):
        save(tmp_path / "results" / f"{number}.npz", o=np.eye(12)[number])
    assert score(tmp_path / "results", tmp_path / "list.txt", tmp_path / "labels.txt") == Score(12, 1.0, 1.0)


words = st.text(st.characters(min_codepoint=33, exclude_categories=["Nd", "Cs"]), max_size=4)


@given(
    before=words,
    after=words,
    wide=st.sampled_from([0, 1, 4]),
    numbers=st.sets(st.tuples(st.integers(0, 999), st.integers(0, 99)), min_size=2),
    data=st.data(),
)
def test_numbered_names_are_in_the_order_of_their_numbers(before, after, wide, numbers, data):
    expected = [f"{before}{one:0{wide}}-{two}{after}.npz" for one, two in sorted(numbers)]
    assert sorted(data.draw(st.permutations(expected)), key=number_order) == expected


def test_numbers_that_are_equal_are_in_order_too():
    for names in (["1.npz", "01.npz"], ["01.npz", "1.npz"]):
        assert sorted(names, key=number_order) == ["01.npz", "1.npz"]


def test_missing_results_are_no_score(runner, tmp_path):
    assert refusal(runner, {"o": LOGITS}) == says(
        f"{tmp_path / 'results'}: 2 of 3 results are missing (b.npz, c.npz); run the rest, or ..."
    )


def test_damaged_results_are_named_together(runner, tmp_path):
    runner({"o": LOGITS}, {"o": LOGITS}, {"o": LOGITS})
    (tmp_path / "results" / "a.npz").write_bytes(b"PK\3\4 no archive")
    save(tmp_path / "results" / "b.npz", o=np.array([{"pickled": 1}], object))
    with pytest.raises(UserError) as error:
        runner()
    first, second = str(error.value).splitlines()
    assert first.startswith(f"{tmp_path / 'results' / 'a.npz'}: not a valid .npz file (BadZipFile: ")
    assert second.startswith(f"{tmp_path / 'results' / 'b.npz'}: not a valid .npz file (it holds an array of object)")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("a.npz 1\nb.npz 0\n", "labels.txt has no label for c.npz"),
        ("a 1\nb 0\nx/c.jpg 1\ny/c.jpg 2\n", r"labels.txt has several labels for c.npz \(1, 2\); leave one$"),
        ("a 5\nb 0\nc 5\na 2\n", r"labels.txt has several labels for a.npz \(2, 5\); leave one$"),
        ("b 0\na.npz 5\nc 5\na.jpg 2\n", r"labels.txt has several labels for a.npz \(2, 5\); leave one$"),
        ("a 1\nb nil\n", r"labels.txt:2: 'b nil' is not a name with a label"),
        ("a 1\nb " + "7" * 5000, r"labels.txt:2: 'b 7{1,200}\.\.\.' is not a name with a label"),
        ("a 1\nb 0\n/ 1\n", "labels.txt has no label for c.npz"),
        ("a 1\nb 0\nc 9\n", "c.npz: its label is 9, but there are 7 classes"),
    ],
)
def test_wrong_labels_are_named(runner, tmp_path, labels, said):
    (tmp_path / "labels.txt").write_text(labels)
    with pytest.raises(UserError, match=said):
        runner({"o": LOGITS}, {"o": LOGITS}, {"o": LOGITS})


sides = st.lists(st.just(1), max_size=2)


@given(
    scores=st.lists(st.floats(-1e4, 1e4, width=16), min_size=2, max_size=9, unique=True),
    before=sides,
    after=sides,
    kind=st.sampled_from(["f2", "f4", "f8"]),
    data=st.data(),
)
def test_scores_are_found_among_other_arrays(scores, before, after, kind, data):
    row = np.array(scores, kind)
    label = data.draw(st.integers(0, len(scores) - 1))
    others = {"features": np.zeros((2, 3)), "name": np.array("x"), "one": np.zeros(1), "none": np.zeros((0, 4))}
    arrays = {**others, "found": row.reshape([*before, len(row), *after])}
    assert scores_of(arrays, label).tolist() == row.tolist()
    assert scores_of(arrays, label, len(row)).dtype == np.float32
    with pytest.raises(ValueError, match=f"of {len(row) + 1} scores per picture"):
        scores_of(arrays, label, len(row) + 1)
    with pytest.raises(ValueError, match="one array"):
        scores_of({**arrays, "twice": row}, label)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.array([0.5, np.nan]), "a score is NaN"),
        (np.zeros((2, 5)), r"\[2, 5\]; write one array \[1, C\] or \[C\]"),
        (np.zeros(5, bool), "one array"),
        (np.zeros(5, complex), "one array"),
    ],
)
def test_what_is_no_score_is_said(array, said):
    with pytest.raises(ValueError, match=said):
        scores_of({"o": array}, 1)


def archived(header, method=zipfile.ZIP_STORED):
    """An .npz file of one array with this header and 20 bytes."""
    buffer, text = io.BytesIO(), header.encode().ljust(117) + b"\n"
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("o.npy", b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text + bytes(20))
    return bytearray(buffer.getvalue())


HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }"


@pytest.mark.parametrize(
    ("content", "place", "text"),
    [
        (archived(HEADER[:-1]), None, ""),  # TokenError, or SyntaxError since Python 3.12
        (archived(HEADER, zipfile.ZIP_LZMA), 44, "o is compressed in another way than by deflate"),
        (archived(HEADER, zipfile.ZIP_BZIP2), 37, "o is compressed in another way than by deflate"),
        (archived(HEADER), archived(HEADER).index(b"PK\1\2") + 8, "NotImplementedError: "),  # the flags
        (archived(HEADER.replace("5", "99999999999999")), None, "an array has another size than its header states"),
    ],
    ids=["header", "lzma", "bzip2", "flags", "size"],
)
def test_whatever_a_damaged_file_raises_is_one_sentence(tmp_path, content, place, text):
    if place is not None:
        content[place] ^= 255
    (tmp_path / "o.npz").write_bytes(content)
    with pytest.raises(UserError) as error:
        read_arrays(tmp_path / "o.npz")
    assert str(error.value).startswith(f"{tmp_path / 'o.npz'}: not a valid .npz file ({text}")
    assert str(error.value).endswith("); write it again")


@given(data=st.data())
def test_a_changed_byte_is_read_as_it_is_or_named(tmp_path_factory, data):
    """Whatever a damaged file holds, it is another array, or a sentence with its name."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, o=np.arange(5, dtype=np.float32))
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "changed.npz"
    path.write_bytes(content)
    try:
        arrays = read_arrays(path)
    except UserError as error:
        assert str(error).startswith(f"{path}: not a valid .npz file (")
    else:
        assert all(isinstance(array, np.ndarray) for array in arrays.values())


def command(*words):
    return main(["npz", *map(str, words)])


def test_the_commands_agree_with_the_runtime(exported, bundle, listed, tmp_path, capsys):
    inputs, results = tmp_path / "in", tmp_path / "out"
    assert command("make", exported, "--data", listed, "--output", inputs) == 0
    assert capsys.readouterr().out == f"{inputs}/npz_datalist.txt: 3 written\n"
    datalist = inputs / "npz_datalist.txt"
    assert command("run", exported, "--datalist", datalist, "--output", results) == 0
    assert capsys.readouterr().out == f"{results}: paddle:float32, 3 written\n"
    from ppcls.inference import Classifier

    predicted = Classifier(exported, topk=1).predict([listed.parent / name for name in NAMES])
    right = sum(result.class_ids == [label] for result, label in zip(predicted, LABELS))
    for labels in (inputs / "npz_labels.txt", listed):
        assert command("score", "--results", results, "--datalist", datalist, "--labels", labels) == 0
        assert capsys.readouterr().out == f"top-1 {100 * right / 3:.2f} %, top-5 100.00 % of 3 pictures\n"
    (results / FILES[0]).unlink()
    assert command("score", "--results", results, "--datalist", datalist, "--labels", listed) == 2
    assert "1 of 3 results are missing (cat__one.npz)" in capsys.readouterr().err


def test_an_engine_or_precision_that_there_is_not_is_refused(exported, inputs, tmp_path, capsys):
    words = ("run", exported, "--datalist", inputs / "npz_datalist.txt", "--output", tmp_path / "out")
    assert command(*words, "--backend", "openvivo") == 2
    assert capsys.readouterr().err == says("backend is 'openvivo'; write paddle or ... onnxruntime ...\n")
    assert command(*words, "--precision", "int8") == 2
    assert "does not compute in int8; write precision float32" in capsys.readouterr().err


def test_a_calibration_set_shows_every_class_or_says_so(exported, listed, tmp_path, capsys):
    assert command("make", exported, "--data", listed, "--output", tmp_path / "a", "--count", 3) == 0
    assert len((tmp_path / "a" / "npz_datalist.txt").read_text().splitlines()) == 3
    assert capsys.readouterr().err == ""
    assert command("make", exported, "--data", listed, "--output", tmp_path / "b", "--count", 2) == 0
    assert len((tmp_path / "b" / "npz_datalist.txt").read_text().splitlines()) == 2
    assert capsys.readouterr().err == "2 pictures cannot show all 3 classes; --count 3 would\n"
    unlabelled = tmp_path / "pictures" / "names.txt"
    unlabelled.write_text("cat/one.png\n")
    assert command("make", exported, "--data", unlabelled, "--output", tmp_path / "c", "--count", 1) == 2
    assert "(its lines are paths alone), so --count cannot choose" in capsys.readouterr().err
    assert command("make", exported, "--data", listed, "--output", tmp_path / "c", "--seed", 1) == 2
    assert capsys.readouterr().err == "--seed belongs to --count; write --count N as well\n"


def test_a_configuration_gives_the_preprocessing_too(listed, tmp_path, capsys):
    assert command("make", "--data", listed, "--output", tmp_path / "in", "-c", "DarkNet53") == 0
    assert read_arrays(tmp_path / "in" / FILES[0])["image"].shape == (1, 3, 256, 256)
    assert command("make", "--data", listed, "--output", tmp_path / "in") == 2
    assert "give exactly one of BUNDLE and -c" in capsys.readouterr().err
    assert command("make", "--data", listed, "--output", tmp_path / "in", "-o", "Global.seed=1") == 2
    assert "-o Global.seed=1 needs a configuration to change; give one with -c" in capsys.readouterr().err
