"""The gate by backends whose scores are arithmetic: each bound holds on one side and is passed on the other."""

import numpy as np
import pytest

from helpers.messages import refusal, says
from helpers.pictures import save_picture, solid
from ppcls.data.picture_list import PictureList
from ppcls.deployment.verify import run as module
from ppcls.deployment.verify.forms import FORMS, REFERENCE, Form, form_digest, parse_forms
from ppcls.deployment.verify.run import verify
from ppcls.inference import Bundle, Golden, GoldenMismatch
from ppcls.inference.backends import open_backend
from ppcls.utils.errors import Unavailable, UserError

INT8, BF16 = Form("openvino", "int8"), Form("openvino", "bfloat16")
ONNX = Form("onnxruntime", "float32")


class Scores:
    """Gives the rows of an array in turn, whatever it is asked about; the golden scores for the golden input."""

    def __init__(self, rows, golden=None):
        self.rows, self.golden, self.start = np.asarray(rows, np.float32), golden, 0

    def run(self, batch):
        if self.golden is not None and np.array_equal(batch, self.golden.input):
            return self.golden.scores
        self.start += len(batch)
        return self.rows[self.start - len(batch) : self.start]


def picks(classes, class_num=5):
    return np.eye(class_num, dtype=np.float32)[classes] * 0.8 + 0.04


@pytest.fixture
def bundle(exported):
    return Bundle.load(exported)


@pytest.fixture
def golden(bundle):
    return Golden.load(bundle.path_of(bundle.golden))


@pytest.fixture
def pictures(tmp_path):
    """Makes a list of `count` pictures, which are all the same file."""
    save_picture(tmp_path / "x.png", solid(99))

    def make(count, labels=None):
        return PictureList(tmp_path, ["x.png"] * count, None if labels is None else np.asarray(labels))

    return make


def failure(bundle, form, scores, data, reference, batch_size=64):
    report = verify(bundle, {form: scores}, data, reference=reference, batch_size=batch_size)
    return report.rows[0].failure


def test_the_float32_program_agrees_with_the_golden_scores(bundle):
    report = verify(bundle, "paddle:float32")
    (row,) = report.rows
    assert row.form == REFERENCE and row.failure is None
    assert row.seen.max_difference < 1e-6 and row.seen.agreement == 1
    assert row.golden.input_difference == 0 and row.golden.classes_compared == 5
    report.require()
    assert report.table().splitlines()[-1] == "compared with the model's scores of the golden picture"


def test_scores_of_float32_are_within_a_ten_thousandth(bundle, golden, pictures):
    expected = picks([0, 1, 2])
    for shift, said in ((9e-5, None), (1.1e-4, "scores differ by up to 1.1e-04 (at most 0.0001)")):
        ours = expected.copy()
        ours[1, 4] += shift
        assert failure(bundle, ONNX, Scores(ours, golden), pictures(3), Scores(expected)) == said


def test_first_classes_of_float32_are_all_equal(bundle, golden, pictures):
    expected = np.full((4, 5), 0.1, np.float32)
    expected[:, 2] = 0.10001
    ours = expected.copy()
    ours[3, 1] = 0.10002
    assert failure(bundle, ONNX, Scores(ours, golden), pictures(4), Scores(expected)) == (
        "1 of 4 first classes differ (none may)"
    )


def test_float32_is_held_to_the_golden_scores_even_where_pictures_agree(bundle, golden, pictures):
    other = Golden(golden.picture, golden.input, golden.scores[:, ::-1])
    expected = picks([0, 1])
    said = failure(bundle, ONNX, Scores(expected, other), pictures(2), Scores(expected))
    assert "the golden input's scores are off by" in said


@pytest.mark.parametrize(
    ("form", "wrong", "said"),
    [
        (BF16, 1, None),
        (BF16, 2, "top-1 is 1.00 points lower (at most 0.5)"),
        (Form("paddle", "float16"), 2, "top-1 is 1.00 points lower (at most 0.5)"),
        (INT8, 2, None),
        (INT8, 3, "top-1 is 1.50 points lower (at most 1)"),
    ],
)
def test_accuracy_may_drop_by_a_bound_of_its_precision(bundle, pictures, form, wrong, said):
    """One of 200 pictures is half a point; the reference itself has the last ten wrong."""
    labels = np.arange(200) % 5
    answers = np.where(np.arange(200) < 190, labels, (labels + 1) % 5)
    ours = answers.copy()
    ours[:wrong] = (labels[:wrong] + 2) % 5
    report = verify(bundle, {form: Scores(picks(ours))}, pictures(200, labels), reference=Scores(picks(answers)))
    (row,) = report.rows
    assert row.failure == said
    assert row.seen.accuracy["top1"] == pytest.approx((190 - wrong) / 200)
    assert report.base.accuracy == {"top1": 0.95, "top5": 1.0}
    assert row.seen.agreement == pytest.approx(1 - wrong / 200)


def test_a_list_in_which_one_picture_is_more_than_the_bound_says_so(bundle, pictures):
    labels, ours = [0] * 150, picks([0] * 149 + [1])
    reference = Scores(np.concatenate([picks(labels)] * 2))
    assert failure(bundle, BF16, Scores(ours), pictures(150, labels), reference) == says(
        "top-1 is 0.67 points lower (at most 0.5); ... give at least 200"
    )
    assert failure(bundle, INT8, Scores(ours), pictures(150, labels), reference) is None


@pytest.mark.parametrize(("right", "judged_by_labels"), [(50, False), (51, True)])
def test_labels_count_where_the_reference_beats_chance(bundle, pictures, right, judged_by_labels):
    """With 200 pictures and 5 classes, 40 are right by chance; labels count where 51 are right."""
    labels = np.zeros(200, int)
    theirs = np.where(np.arange(200) < right, 0, 1)
    ours = np.where(np.arange(200) < right, 0, 2)
    said = failure(bundle, INT8, Scores(picks(ours)), pictures(200, labels), Scores(picks(theirs)))
    by_answers = says(
        "150 of 200 first classes differ (at most 3%); ... labels do not match ...: float32 is right on 25.00%"
    )
    assert said == (None if judged_by_labels else by_answers)


def test_with_labels_other_answers_that_are_as_right_pass(bundle, pictures):
    labels = [0] * 10
    ours, theirs = picks([0] * 5 + [1] * 5), picks([1] * 5 + [0] * 5)
    assert failure(bundle, INT8, Scores(ours), pictures(10, labels), Scores(theirs)) is None


def test_without_labels_97_in_100_answers_agree(bundle, pictures):
    expected = np.zeros(100, int)
    for wrong, said in ((3, None), (4, "4 of 100 first classes differ (at most 3%)")):
        ours = expected.copy()
        ours[:wrong] = 1
        assert failure(bundle, INT8, Scores(picks(ours)), pictures(100), Scores(picks(expected))) == said


@pytest.mark.parametrize("form", [ONNX, INT8])
def test_scores_that_are_no_numbers_fail_wherever_they_stand(bundle, golden, pictures, form):
    expected = picks([0] * 100)
    for place in (0, 99):
        ours = expected.copy()
        ours[place, 3] = np.nan
        said = failure(bundle, form, Scores(ours, golden), pictures(100), Scores(expected), batch_size=7)
        assert said == "some scores are NaN"


def test_one_picture_proves_little_of_a_lower_precision(bundle, golden):
    report = verify(bundle, {INT8: Scores(golden.scores + 0.001)})
    assert report.failures == ()
    assert report.table().endswith("; one picture proves little for a lower precision, give --data")
    other = verify(bundle, {INT8: Scores(golden.scores[:, ::-1])})
    assert [row.failure for row in other.failures] == ["1 of 1 first classes differ (at most 3%)"]
    with pytest.raises(GoldenMismatch, match=r"openvino:int8: 1 of 1 first classes differ"):
        other.require()


def test_every_picture_is_read_once_and_the_reference_runs_once(bundle, golden, pictures):
    """The float32 program among the forms is the reference; its difference from itself is 0."""
    answers = picks([0, 1, 2])
    program, other = Scores(answers, golden), Scores(answers + np.float32(1e-5), golden)
    report = verify(bundle, {REFERENCE: program, ONNX: other}, pictures(3, [0, 1, 1]), batch_size=2)
    assert (program.start, other.start) == (3, 3)
    assert [row.seen.max_difference for row in report.rows] == [0, pytest.approx(1e-5, rel=0.01)]
    assert [row.seen.mean_difference for row in report.rows] == [0, pytest.approx(1e-5, rel=0.01)]
    assert report.table().splitlines() == [
        "Backend      Precision  Max difference  Mean difference  Top-1 equal (%)  Top-1 (%)  Top-5 (%)  Verdict",
        "reference    float32                 -                -                -      66.67     100.00  -",
        "paddle       float32           0.0e+00          0.0e+00           100.00      66.67     100.00  passed",
        "onnxruntime  float32           1.0e-05          1.0e-05           100.00      66.67     100.00  passed",
        "compared with Paddle's float32 program, which gives the model's golden scores, on 3 pictures",
    ]


def test_a_reference_program_that_is_not_the_model_proves_nothing(bundle, golden, pictures):
    wrong = Scores(picks([0]), Golden(golden.picture, golden.input, golden.scores[:, ::-1]))
    with pytest.raises(GoldenMismatch, match="scores are off by"):
        verify(bundle, {REFERENCE: wrong}, pictures(1))


@pytest.fixture
def half_installed(monkeypatch):
    """Paddle alone runs."""

    def opened(bundle, settings):
        if settings.backend != "paddle":
            raise Unavailable(f"{settings.backend} is not installed; run this")
        return open_backend(bundle, settings)

    monkeypatch.setattr(module, "open_backend", opened)


def test_what_is_not_installed_is_named(bundle, half_installed):
    report = verify(bundle, "all:float32")
    assert [str(row.form) for row in report.rows] == ["paddle:float32"]
    assert report.table().splitlines()[2:5] == [
        "left out: paddle-openvino:float32: paddle-openvino is not installed; run this",
        "left out: onnxruntime:float32: onnxruntime is not installed; run this",
        "left out: openvino:float32: openvino is not installed; run this",
    ]
    assert "openvino:int8" in verify(bundle).table()


@pytest.mark.parametrize("asked", ["openvino", "openvino:int8", "paddle,onnxruntime:float32"])
def test_what_is_asked_for_by_name_has_to_be_there(bundle, half_installed, asked):
    with pytest.raises(Unavailable, match="is not installed; run this"):
        verify(bundle, asked)


def test_a_damaged_bundle_is_not_left_out(copy):
    (copy / "inference.pdiparams").write_bytes(b"x")
    with pytest.raises(UserError, match=r"inference\.pdiparams is not the file"):
        verify(Bundle.load(copy))


def test_forms_are_asked_for_in_words():
    on_cpu = FORMS["cpu"]
    assert parse_forms("all") == dict.fromkeys(on_cpu, False)
    assert parse_forms("openvino:int8,paddle:float32") == {REFERENCE: True, INT8: True}
    assert parse_forms("openvino, all:int8") == {
        Form("onnxruntime", "int8"): False,
        Form("openvino", "float32"): True,
        BF16: False,
        INT8: False,
    }
    assert parse_forms("all", "gpu")[Form("paddle", "float16")] is False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "openvio",
            "unknown backend 'openvio' (did you mean openvino?); ... all, paddle,",
        ),
        ("paddle:int4", "unknown precision 'int4' (did you mean int8?); ... float32, float16"),
        ("paddle:int8", "nothing runs paddle:int8 on a CPU; write all, or some of paddle:float32,"),
        ("", "unknown backend ''; write one of"),
    ],
)
def test_unknown_forms_are_refused(text, said):
    assert refusal(parse_forms, text) == says(f"{said} ...")


def test_the_digest_of_a_form_is_that_of_what_it_runs(bundle, edit):
    same, without_bytes = form_digest(bundle, REFERENCE), form_digest(bundle, ONNX)
    assert form_digest(bundle, REFERENCE) == same != without_bytes
    settings = {"backend": "openvino", "precision": "float32", "device": "cpu"}
    assert form_digest(Bundle.load(edit({"settings": settings})), REFERENCE) == same
    other = Bundle.load(edit({"program": {"file": "inference.json", "sha256": "0" * 64}}))
    assert form_digest(other, REFERENCE) != same
    assert form_digest(other, ONNX) == without_bytes
