import io
from dataclasses import replace

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.messages import refusal, says
from ppcls.inference import Bundle, Classifier, Golden, GoldenMismatch
from ppcls.inference.golden import GOLDEN_PICTURE, classes_compared, input_difference, score_difference
from ppcls.utils.errors import UserError


def scores_of(*logits):
    exp = np.exp(np.array(logits, np.float64))
    return (exp / exp.sum(axis=1, keepdims=True)).astype(np.float32)


def test_the_score_measure_is_relative_to_the_spread_of_the_logits():
    # Centred logits of the golden row: -1, 0, 1 of norm sqrt(2); the other row is 1 % longer.
    ours, golden = scores_of([-1.01, 0, 1.01]), scores_of([-1, 0, 1])
    assert score_difference(ours, golden) == pytest.approx(0.01, rel=1e-4)


def test_what_softmax_cannot_see_does_not_count():
    assert score_difference(scores_of([4, 5, 6.5]), scores_of([-6, -5, -3.5])) < 1e-6
    # Paddle's softmax gives nothing below exp(-64), oneDNN's does.
    assert score_difference(np.float32([[1, 1.6e-28, 0]]), np.float32([[1, 1e-37, 1e-30]])) == 0


def test_scores_that_are_too_small_to_compare_are_counted():
    rows = np.float32([[1, 0, 1e-26], [0.5, 0.5, 1e-24]])
    assert classes_compared(rows[:1]) == 1
    assert classes_compared(rows[1:]) == 3
    assert classes_compared(rows) == 1


def test_equal_scores_are_compared_absolutely():
    even = np.full((1, 4), 0.25, np.float32)
    assert score_difference(even, even) == 0
    tilted = scores_of([2e-4, 0, 0, 0])  # centred: 1.5e-4 and three of -0.5e-4, of norm 1.732e-4
    assert score_difference(tilted, even) == pytest.approx(1.732e-2, rel=1e-2)


def test_another_shape_is_infinitely_different():
    assert score_difference(np.ones((1, 3)), np.ones((1, 4))) == float("inf")
    assert input_difference(np.ones((1, 3, 2, 2)), np.ones((1, 3, 2, 3))) == float("inf")


def test_the_input_measure_is_the_largest_difference():
    golden = np.zeros((1, 3, 2, 2), np.float32)
    ours = golden.copy()
    ours[0, 1, 0, 1], ours[0, 2, 1, 1] = 0.25, -0.5
    assert input_difference(ours, golden) == 0.5


@given(st.binary(max_size=40), st.integers(1, 3), st.integers(1, 4))
def test_a_golden_file_holds_what_was_saved(tmp_path_factory, picture, side, classes):
    path = tmp_path_factory.mktemp("golden") / "golden.npz"
    tensor = np.arange(3 * side * side, dtype=np.float32).reshape(1, 3, side, side)
    scores = np.linspace(0, 1, classes, dtype=np.float32)[np.newaxis]
    Golden(picture, tensor, scores).save(path)
    loaded = Golden.load(path)
    assert loaded.picture == picture
    assert loaded.input.dtype == loaded.scores.dtype == np.float32
    assert np.array_equal(loaded.input, tensor) and np.array_equal(loaded.scores, scores)
    with np.load(path) as arrays:
        assert arrays["picture"].dtype == np.uint8


def test_a_pickle_in_a_golden_file_is_refused(tmp_path):
    path = tmp_path / "golden.npz"
    np.savez(path, picture=np.array([{"a": 1}], object), input=np.zeros(1), scores=np.zeros(1))
    with pytest.raises(UserError, match=r"golden.npz: not a valid golden file \(it holds an array of object"):
        Golden.load(path)


def npy():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no more", b"\x93NUMPY"])
def test_a_damaged_golden_file_is_the_users_matter(tmp_path, content):
    path = tmp_path / "golden.npz"
    path.write_bytes(content)
    with pytest.raises(
        UserError, match=r"golden\.npz: not a valid golden file \(.*\); copy the bundle again, or export"
    ):
        Golden.load(path)
    path.unlink()
    with pytest.raises(UserError, match=r"golden\.npz is missing; copy the bundle again, or export again$"):
        Golden.load(path)


@pytest.mark.parametrize(
    ("name", "array", "text"),
    [
        ("picture", np.zeros(3), "uint8 with 1 axes"),
        ("input", np.zeros((3, 2, 2), np.float32), "float32 with 4 axes"),
        ("scores", np.array([[1]]), "float32 with 2 axes"),
        ("scores", None, "float32 with 2 axes"),
    ],
)
def test_other_arrays_are_no_golden_file(tmp_path, name, array, text):
    path = tmp_path / "golden.npz"
    arrays = {"picture": np.zeros(1, np.uint8), "input": np.zeros((1, 3, 1, 1), "f4"), "scores": np.zeros((1, 2), "f4")}
    np.savez(path, **{key: value for key, value in {**arrays, name: array}.items() if value is not None})
    with pytest.raises(UserError, match=f"no golden file, for {name} is no array of {text}; copy the bundle again"):
        Golden.load(path)
    path.write_bytes(npy())
    with pytest.raises(UserError, match="no golden file, for picture is no array"):
        Golden.load(path)


@pytest.fixture(scope="module")
def golden_bytes(tmp_path_factory):
    path = tmp_path_factory.mktemp("golden") / "golden.npz"
    Golden(b"abc", np.zeros((1, 3, 2, 2)), np.ones((1, 5)) / 5).save(path)
    return path.read_bytes()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_byte_in_a_golden_file_is_survived_or_one_sentence(tmp_path, golden_bytes, data):
    path, content = tmp_path / "golden.npz", bytearray(golden_bytes)
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        loaded = Golden.load(path)
        assert loaded.picture == b"abc" and loaded.input.shape == (1, 3, 2, 2) and loaded.scores.shape == (1, 5)
    except UserError as error:
        assert str(error).startswith(f"{path}: ")
        assert "\n" not in str(error)


def test_verify_gives_its_figures(exported):
    agreement = Classifier(exported).verify()
    assert agreement.input_difference == 0
    assert 0 <= agreement.score_difference < 1e-5
    assert agreement.classes_compared == 5


@pytest.mark.parametrize(
    ("operation", "key", "value"),
    [
        ("DecodeImage", "to_rgb", False),
        ("ResizeImage", "interpolation", "bicubic"),
        ("ResizeImage", "interpolation", "area"),
        ("ResizeImage", "backend", "pil"),
        ("ResizeImage", "resize_short", 41),
        ("NormalizeImage", "mean", [0.485, 0.456, 0.405]),
    ],
)
def test_verify_notices_other_preprocessing(copy, operation, key, value):
    manifest = copy / "inference.yml"
    content = yaml.safe_load(manifest.read_text(encoding="utf-8"))
    next(entry for entry in content["transforms"] if operation in entry)[operation][key] = value
    content["input"]["color"] = "BGR" if key == "to_rgb" else "RGB"
    manifest.write_text(yaml.safe_dump(content))
    with pytest.raises(GoldenMismatch, match=r"the golden picture's input tensor is off by .* \(at most 0.0001\)"):
        Classifier(copy).verify()


def test_verify_notices_another_epsilon(tmp_path, exported, export_again, tiny_network, write_golden):
    export_again(tmp_path, tiny_network(epsilon=1e-3))
    write_golden(tmp_path, Golden.load(exported / "golden.npz"))
    with pytest.raises(GoldenMismatch) as caught:
        Classifier(tmp_path).verify()
    assert str(caught.value).startswith(f"{tmp_path}: the golden input's scores are off by 0.00")
    assert "(relative, at most 0.0002): the program is not the model that was exported" in str(caught.value)


def test_another_golden_file_is_not_the_bundles(copy):
    golden = Golden.load(copy / "golden.npz")
    replace(golden, scores=golden.scores[:, ::-1]).save(copy / "golden.npz")
    with pytest.raises(UserError, match=r"golden\.npz is not the file that inference\.yml describes"):
        Classifier(copy, backend=Scores()).verify()


def test_the_golden_file_of_an_old_manifest_has_no_digest(edit, copy):
    golden = Golden.load(copy / "golden.npz")
    edit({"schema": 2, "golden": {"file": "golden.npz", "source": "mine"}})
    replace(golden, scores=golden.scores[:, ::-1]).save(copy / "golden.npz")
    assert Golden.of(Bundle.load(copy)).scores.tolist() == golden.scores[:, ::-1].tolist()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"input": np.zeros((0, 3, 32, 32))},
            "input ... [0, 3, 32, 32], but the program's is [1, 3, 32, 32]",
        ),
        (
            {"input": np.zeros((1, 2, 32, 32))},
            "input ... [1, 2, 32, 32], but the program's is [1, 3, 32, 32]",
        ),
        ({"scores": np.zeros((0, 5))}, "scores has the shape [0, 5], but the program's is [1, 5]"),
        ({"scores": np.zeros((1, 4))}, "scores has the shape [1, 4], but the program's is [1, 5]"),
    ],
)
def test_golden_arrays_that_do_not_fit_the_program_are_named(copy, write_golden, changes, text):
    write_golden(copy, replace(Golden.load(copy / "golden.npz"), **changes))
    assert refusal(Classifier(copy, backend=Scores()).verify) == says(
        f"{copy / 'golden.npz'}: {text}; copy the bundle again, or export again"
    )


def test_a_golden_picture_that_cannot_be_read_is_a_sentence(copy, write_golden):
    write_golden(copy, replace(Golden.load(copy / "golden.npz"), picture=b"GIF89a"))
    with pytest.raises(UserError) as caught:
        Classifier(copy, backend=Scores()).verify()
    assert str(caught.value) == says(f"{copy}: the golden picture cannot be read (...); copy the bundle again ...")


class Scores:
    """A backend that is never asked, or gives one row of equal scores."""

    def run(self, batch):
        return np.full((len(batch), 5), 0.2, np.float32)


def test_verify_notices_scores_that_are_no_numbers(exported):
    class Broken:
        def run(self, batch):
            return np.full((len(batch), 5), np.nan, np.float32)

    with pytest.raises(GoldenMismatch, match="scores are off by nan"):
        Classifier(exported, backend=Broken()).verify()


def test_the_tolerances_are_the_callers(exported):
    classifier = Classifier(exported)
    with pytest.raises(GoldenMismatch):
        classifier.verify(score_tolerance=-1)
    with pytest.raises(GoldenMismatch):
        classifier.verify(input_tolerance=-1)


def test_the_golden_picture_travels_as_its_bytes(exported):
    assert Golden.load(exported / "golden.npz").picture == GOLDEN_PICTURE.read_bytes()
