"""Classifiers in processes that fork, and in those of a process pool."""

import io
import multiprocessing
import os
import pickle

import numpy as np
import pytest
from test_classifier import Means

from helpers.forking import LONG, in_fork
from helpers.pictures import save_picture, solid
from ppcls.inference import Classifier
from ppcls.inference import classifier as classifier_module
from ppcls.inference.golden import GOLDEN_PICTURE


@pytest.fixture(scope="module")
def used(exported):
    """A classifier that has classified, so that its threads, and its engine's, run."""
    classifier = Classifier(exported, batch_size=2, topk=5)
    assert len(list(classifier.predict([GOLDEN_PICTURE] * 3))) == 3
    return classifier


def test_a_used_classifier_works_after_a_fork_in_both_processes(used, exported):
    pictures = [GOLDEN_PICTURE, solid((200, 100, 10)), GOLDEN_PICTURE]

    def scores(classifier):
        return [result.scores for result in classifier.predict(pictures, color="RGB")]

    before = scores(used)
    going_on = iter(used.predict([GOLDEN_PICTURE] * 12))
    first = next(going_on)

    def work():
        engine = used._prediction.backend.engine.get()
        rest = list(going_on)
        return type(engine).__name__, scores(used), used.verify().score_difference, rest, scores(Classifier(exported))

    engine, after, difference, rest, of_another = in_fork(work)
    assert engine == "PooledBackend"  # of engine processes; Paddle in this process is a PaddleBackend
    np.testing.assert_allclose(after, before, rtol=1e-5)
    np.testing.assert_allclose(of_another, before, rtol=1e-5)
    assert difference < 1e-5
    assert [result.class_ids for result in rest] == [first.class_ids] * 11
    assert list(going_on) == [first] * 11
    assert scores(used) == before


def test_a_backend_of_ones_own_is_used_as_it_is(exported):
    classifier = Classifier(exported, backend=Means())
    picture = solid((200, 100, 10))
    (before,) = classifier.predict(picture, color="RGB")
    assert in_fork(lambda: list(classifier.predict(picture, color="RGB"))) == [before]


def test_a_model_of_paddleclas_is_opened_in_a_forked_process(exported, tmp_path, forked_engines):
    for name in ("inference.json", "inference.pdiparams"):
        (tmp_path / name).write_bytes((exported / name).read_bytes())
    how = {"preprocess": {"size": 32, "resize_short": 40}}
    (here,) = Classifier(tmp_path, **how).predict(GOLDEN_PICTURE)
    (there,) = in_fork(lambda: list(Classifier(tmp_path, **how).predict(GOLDEN_PICTURE)))
    assert there.class_ids == here.class_ids
    np.testing.assert_allclose(there.scores, here.scores, rtol=1e-5)


def test_a_forked_pool_has_a_classifier_that_it_was_not_made_with(used, forked_engines):
    expected = used.predict(GOLDEN_PICTURE)[0]
    with multiprocessing.get_context("fork").Pool(1) as pool:
        found = pool.map_async(used.predict, [GOLDEN_PICTURE] * 2).get(LONG)
    assert [answers[0].class_ids for answers in found] == [expected.class_ids] * 2
    assert [len(answers) for answers in found] == [1, 1]


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """Unpickles as another process does, which has opened nothing and works in another folder."""

    def unpickle(content):
        with monkeypatch.context() as patch:
            patch.setattr(classifier_module, "_opened", {})
            patch.chdir(tmp_path)
            first, second = pickle.loads(content), pickle.loads(content)
            assert first is second  # opened once
            return first

    yield unpickle
    classifier_module._latest.clear()


def test_it_is_pickled_by_its_path_and_settings(exported, elsewhere, monkeypatch, tmp_path):
    names = save_picture(tmp_path / "x" / "y.png", solid((1, 2, 3))).with_name("names.txt")
    names.write_text("a\nb\nc\nd\ne\n")
    monkeypatch.chdir(exported.parent)
    classifier = Classifier(
        exported.name, batch_size=3, topk=2, threads=1, onednn=False, class_names=os.path.relpath(names)
    )
    content = pickle.dumps(classifier)
    assert len(content) < 2000
    other = elsewhere(content)
    assert other is not classifier
    assert (other.bundle.folder, other.settings) == (exported, classifier.settings)
    (one,), (two,) = (each.predict(GOLDEN_PICTURE) for each in (classifier, other))
    assert one == two and len(two.names) == 2 and set(two.names) < set("abcde")
    assert other._prediction.batch_size == 3


def test_a_loaded_bundle_travels_too(exported, elsewhere, monkeypatch):
    monkeypatch.chdir(exported.parent)
    from ppcls.inference import Bundle

    other = elsewhere(pickle.dumps(Classifier(Bundle.load(exported.name), backend=Means())))
    (result,) = other.predict(solid((200, 100, 10)), color="RGB")
    assert result.class_ids[:3] == [0, 1, 2]


def test_a_backend_that_cannot_travel_is_said(exported):
    class Local(Means):
        pass

    with pytest.raises((pickle.PicklingError, AttributeError), match="Local"):
        pickle.dump(Classifier(exported, backend=Local()), io.BytesIO())
