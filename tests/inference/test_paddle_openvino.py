"""OpenVINO inside Paddle: when it is the default, what it computes, and that none of its failures is silent."""

import gc
import tempfile
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from helpers.messages import refusal, says
from ppcls.arch import build_model
from ppcls.data.transforms import CropImage, DecodeImage, NormalizeImage, Pipeline, ResizeImage
from ppcls.deployment.verify.run import verify
from ppcls.engine import exporter
from ppcls.engine.exporter import export_bundle, fastest_program_file
from ppcls.inference import Bundle, Classifier
from ppcls.inference.backends import default, open_backend, paddle_openvino
from ppcls.inference.backends.default import default_settings, paddle_has_openvino
from ppcls.inference.entries import ModelOrigin
from ppcls.inference.settings import Settings, resolve
from ppcls.untrusted.paddle_programs import declared_inputs, for_one_picture
from ppcls.utils.errors import Unavailable

PIPELINE = Pipeline([DecodeImage(), ResizeImage(resize_short=72), CropImage(size=64), NormalizeImage()])
INSIDE = Settings("paddle-openvino")
pytestmark = pytest.mark.skipif(not paddle_has_openvino(), reason="this build of Paddle carries no OpenVINO")


def network():
    paddle.seed(1)
    model = build_model("DLA46_c", class_num=7)
    model.eval()
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("legacy") / "bundle"
    facts = {"architecture": "DLA46_c", "class_num": 7, "image_shape": (3, 64, 64)}
    export_bundle(network(), PIPELINE, place, program_file="inference.pdmodel", **facts)
    return place


@pytest.fixture(scope="module")
def bundle(folder):
    return Bundle.load(folder)


@pytest.fixture(autouse=True)
def nothing_put_aside(monkeypatch):
    """Each test opens programs, and takes none over from another."""
    monkeypatch.setattr(paddle_openvino, "_unused", {})


@pytest.fixture(scope="module")
def batch():
    return np.random.default_rng(0).normal(size=(5, 3, 64, 64)).astype("float32")


def test_it_computes_what_the_model_does_and_the_same_bits_in_batches_of_any_size(bundle, batch):
    expected = paddle.nn.functional.softmax(network()(paddle.to_tensor(batch)), axis=-1).numpy()
    backend = open_backend(bundle, INSIDE)
    scores = backend.run(batch)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)
    single = [backend.run(batch[index : index + 1]) for index in range(5)]
    np.testing.assert_array_equal(np.concatenate(single), scores)
    np.testing.assert_array_equal(backend.run(batch[1:4]), scores[1:4])


def test_a_small_network_computes_few_pictures_at_a_time(bundle, batch, monkeypatch):
    seen, run = [], paddle_openvino.LoadedPredictor.run

    def counting(predictor, part):
        seen.append(len(part))
        return run(predictor, part)

    monkeypatch.setattr(paddle_openvino.LoadedPredictor, "run", counting)
    scores = open_backend(bundle, replace(INSIDE, threads=4)).run(batch)
    assert seen == [2, 2, 1]
    seen.clear()
    np.testing.assert_array_equal(open_backend(bundle, replace(INSIDE, threads=1)).run(batch), scores)
    assert seen == [1] * 5


def test_a_program_for_one_picture_differs_in_the_first_axis_of_its_input(bundle, tmp_path):
    program, fixed = bundle.path_of(bundle.program), tmp_path / "fixed.pdmodel"
    assert declared_inputs(program) == {bundle.input.name: (-1, 3, 64, 64)}
    fixed.write_bytes(for_one_picture(program))
    assert declared_inputs(fixed) == {bundle.input.name: (1, 3, 64, 64)}
    pairs = zip(program.read_bytes(), fixed.read_bytes(), strict=True)
    assert [pair for pair in pairs if pair[0] != pair[1]] == [(255, 129), *[(255, 128)] * 8, (1, 0)]
    assert for_one_picture(fixed) == fixed.read_bytes()
    fixed.write_bytes(program.read_bytes()[:-1])
    assert refusal(for_one_picture, fixed) == says(f"{fixed}: not a valid program of Paddle ...")


@pytest.mark.parametrize("threads", [1, 4])
def test_a_program_for_one_picture_is_run_where_that_many_are_computed(threads, bundle, batch, monkeypatch):
    made = []
    monkeypatch.setattr(paddle_openvino, "for_one_picture", lambda file: made.append(file) or for_one_picture(file))
    open_backend(bundle, replace(INSIDE, threads=threads)).run(batch)
    assert made == [bundle.path_of(bundle.program)] * (threads == 1)


def test_it_writes_nothing_where_it_runs(bundle, batch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    open_backend(bundle, INSIDE).run(batch)
    assert list(temporary.iterdir()) == []
    assert list(tmp_path.iterdir()) == [temporary]


def test_it_is_the_default_for_checked_programs_of_paddle_2(bundle, monkeypatch):
    assert default_settings(bundle) == INSIDE
    assert default_settings(replace(bundle, origin=ModelOrigin.PADDLECLAS)) == Settings()
    assert default_settings(replace(bundle, golden=None)) == Settings()
    program = replace(bundle.program, file="inference.json")
    assert default_settings(replace(bundle, program=program)) == Settings()
    assert fastest_program_file("DLA34") == "inference.pdmodel"
    assert fastest_program_file("AlexNet") == "inference.json"
    for module in (default, exporter):
        monkeypatch.setattr(module, "paddle_has_openvino", lambda: False)
    assert default_settings(bundle) == Settings()
    assert fastest_program_file("DLA34") == "inference.json"


def test_what_a_user_names_prevails_over_the_default(folder):
    assert resolve(INSIDE, precision="bfloat16") == Settings("paddle-openvino", "bfloat16")
    assert resolve(INSIDE, backend="paddle") == Settings()
    assert resolve(INSIDE, onednn=False) == Settings(onednn=False)
    assert resolve(INSIDE, onednn=True) == INSIDE
    classifiers = [Classifier(folder), Classifier(folder, onednn=False), Classifier(folder, backend="paddle")]
    assert [each.settings.backend for each in classifiers] == ["paddle-openvino", "paddle", "paddle"]
    scores = [each._prediction.backend.run(np.ones((1, 3, 64, 64), np.float32)) for each in classifiers]
    np.testing.assert_allclose(scores[1:], [scores[0]] * 2, rtol=0, atol=1e-5)


def test_it_is_verified_like_every_other_form(bundle):
    report = verify(bundle, "paddle-openvino")
    assert str(report.rows[0].form) == "paddle-openvino:float32"
    assert report.rows[0].failure is None and report.rows[0].golden.score_difference < 1e-4


def test_programs_of_paddle_3_and_builds_without_it_are_refused(bundle, exported, monkeypatch):
    assert refusal(open_backend, Bundle.load(exported), INSIDE) == says(
        f"{exported / 'inference.json'} is not a program of Paddle 2 ... export again with --format pdmodel, or ..."
    )
    monkeypatch.setattr(paddle_openvino, "paddle_has_openvino", lambda: False)
    assert refusal(open_backend, bundle, INSIDE) == says("this build of Paddle ... has no OpenVINO inside; ...")


def test_a_build_that_ignores_the_request_is_refused(bundle, monkeypatch):
    import paddle.inference

    class Ignoring(paddle.inference.Config):
        def openvino_engine_enabled(self):
            return False

    monkeypatch.setattr(paddle.inference, "Config", Ignoring)
    assert refusal(open_backend, bundle, INSIDE) == says("Paddle ... does not switch its OpenVINO on; ...")


def test_scores_of_an_earlier_batch_are_not_taken_for_new_ones(batch):
    """Paddle logs an exception of OpenVINO and copies what its output held before."""
    stale = SimpleNamespace(run=lambda batch: np.zeros((2, 7), np.float32))
    put_aside = []
    checked = paddle_openvino._CheckedPredictor(stale, None, lambda: put_aside.append("stale"))
    assert checked.run(batch[:2]).shape == (2, 7)
    with pytest.raises(MemoryError, match="no scores for a batch of 5"):
        checked.run(batch)
    del checked
    assert put_aside == []


def test_another_default_of_threads_is_another_predictor(bundle, batch, monkeypatch):
    """A program for one picture would be given four."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    scores = open_backend(bundle, INSIDE).run(batch)
    gc.collect()
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    np.testing.assert_allclose(open_backend(bundle, INSIDE).run(batch), scores, rtol=0, atol=1e-6)
    gc.collect()
    assert list(map(len, paddle_openvino._unused.values())) == [1, 1]


def test_files_that_are_opened_again_are_not_compiled_again(bundle, batch, monkeypatch):
    """Paddle would hold every one of them."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    made = []

    def counted(*arguments):
        made.append(open_predictor(*arguments))
        return made[-1]

    open_predictor = paddle_openvino.open_predictor
    monkeypatch.setattr(paddle_openvino, "open_predictor", counted)
    scores = []
    for _ in range(3):
        scores.append(open_backend(bundle, INSIDE).run(batch))
        gc.collect()
    assert len(made) == 1
    np.testing.assert_array_equal(scores[1:], [scores[0]] * 2)
    together = [open_backend(bundle, INSIDE) for _ in range(2)]
    assert len(made) == 2
    other = open_backend(bundle, replace(INSIDE, threads=1))
    parameters = replace(bundle.parameters, sha256=bundle.program.sha256)
    assert refusal(open_backend, replace(bundle, parameters=parameters), INSIDE) == says(
        "... (its SHA-256 differs); ..."
    )
    assert len(made) == 3
    del together, other
    gc.collect()
    assert sorted(map(len, paddle_openvino._unused.values())) == [1, 2]


def test_without_room_for_its_files_the_default_is_onednn_and_the_request_an_error(folder, monkeypatch, caplog):
    def full(**options):
        raise OSError("no space left")

    monkeypatch.setattr(paddle_openvino.tempfile, "TemporaryDirectory", full)
    classifier = Classifier(folder)
    assert classifier.settings == Settings()
    assert caplog.messages == [
        says("OpenVINO inside Paddle needs ... (no space left); ... oneDNN runs the model instead")
    ]
    with pytest.raises(Unavailable, match="TMPDIR"):
        Classifier(folder, backend="paddle-openvino")


def test_several_requests_are_as_many_processes(bundle, batch):
    alone = open_backend(bundle, replace(INSIDE, threads=1)).run(batch)
    np.testing.assert_array_equal(open_backend(bundle, replace(INSIDE, threads=2, requests=2)).run(batch), alone)


def test_what_openvino_cannot_load_is_named(bundle, monkeypatch):
    import paddle.inference

    def failing(config):
        raise RuntimeError("C++ traceback\nno space left in the folder")

    monkeypatch.setattr(paddle.inference, "create_predictor", failing)
    assert refusal(open_backend, bundle, INSIDE) == says(
        f"OpenVINO inside Paddle cannot load {bundle.folder / 'inference.pdmodel'} (no space left in the folder); ..."
    )
