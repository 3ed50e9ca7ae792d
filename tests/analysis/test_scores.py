"""Figures of evaluations against scikit-learn's, and against values that can be computed by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from ppcls.analysis.calibration import brier_score, fit_temperature, reliability, tempered
from ppcls.analysis.class_figures import ClassFigures, topk_accuracies
from ppcls.analysis.comparison import mcnemar
from ppcls.analysis.evaluation import likely_label_errors
from ppcls.analysis.scores import Scored, log_softmax


def scored_of(labels, probabilities, names=None):
    labels = np.array(labels, np.int64)
    paths = [f"{index}.png" for index in range(len(labels))]
    return Scored.of_probabilities(paths, labels, np.array(probabilities, np.float32), names)


def random_scores(seed, pictures, classes, sharpness=2.0):
    """Scores of which the true class's are higher as a rule."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, pictures)
    logits = rng.normal(size=(pictures, classes))
    logits[np.arange(pictures), labels] += 1
    paths = [f"{index}.png" for index in range(pictures)]
    return Scored.of_logits(paths, labels, (sharpness * logits).astype(np.float32))


class TestAgainstScikitLearn:
    @settings(max_examples=30, deadline=None)
    @given(seed=st.integers(0, 1000), pictures=st.integers(1, 60), classes=st.integers(2, 12))
    def test_figures_by_class_and_their_averages(self, seed, pictures, classes):
        scored = random_scores(seed, pictures, classes)
        ours = ClassFigures.of(scored)
        every = {"labels": range(classes), "zero_division": 0}
        theirs = metrics.precision_recall_fscore_support(scored.labels, scored.predicted, **every)
        for mine, other in zip((ours.precision, ours.recall, ours.f1, ours.support), theirs):
            assert np.allclose(mine, other, rtol=1e-12, atol=0)
        assert ours.accuracy == pytest.approx(metrics.accuracy_score(scored.labels, scored.predicted))
        assert np.array_equal(
            ours.matrix, metrics.confusion_matrix(scored.labels, scored.predicted, labels=range(classes))
        )
        for name, averages in (("macro", ours.macro), ("weighted", ours.weighted)):
            expected = metrics.precision_recall_fscore_support(
                scored.labels, scored.predicted, average=name, zero_division=0
            )
            assert (averages.precision, averages.recall, averages.f1) == pytest.approx(expected[:3])

    @settings(max_examples=10, deadline=None)
    @given(seed=st.integers(0, 1000))
    def test_scores_of_probabilities(self, seed):
        scored = random_scores(seed, 80, 8)
        probabilities = np.exp(scored.log_probabilities.astype(np.float64))
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        every = range(8)
        expected = metrics.log_loss(scored.labels, probabilities, labels=every)
        assert scored.loss.mean() == pytest.approx(expected, rel=1e-6)
        for k in (1, 5):
            share = metrics.top_k_accuracy_score(scored.labels, probabilities, k=k, labels=every)
            assert topk_accuracies(scored)[f"top{k}"] == pytest.approx(share)
        assert ClassFigures.of(scored).balanced_accuracy == pytest.approx(
            metrics.balanced_accuracy_score(scored.labels, scored.predicted)
        )
        by_class = [
            metrics.brier_score_loss(scored.labels == label, probabilities[:, label], pos_label=True) for label in every
        ]
        assert brier_score(scored) == pytest.approx(sum(by_class), rel=1e-5)


class TestClassFigures:
    def test_a_class_without_pictures_counts_for_nothing(self):
        figures = ClassFigures(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), 4)
        assert figures.support.tolist() == [2, 2, 0, 0]
        assert figures.recall.tolist() == [0.5, 1, 0, 0]
        assert figures.balanced_accuracy == 0.75
        assert figures.macro.recall == 0.75

    def test_a_class_that_is_only_predicted_counts_for_the_macro_average(self):
        figures = ClassFigures(np.array([0, 0]), np.array([0, 2]), 3)
        assert figures.macro.recall == 0.25
        assert figures.balanced_accuracy == 0.5

    def test_confusions_come_in_the_order_of_their_pictures(self):
        figures = ClassFigures(np.array([0, 0, 0, 1, 2, 2]), np.array([1, 1, 0, 0, 2, 1]), 3)
        found = [(pair.label, pair.predicted, pair.count, pair.share) for pair in figures.confusions()]
        assert found == [(0, 1, 2, 2 / 3), (1, 0, 1, 1.0), (2, 1, 1, 0.5)]


class TestScored:
    def test_of_equal_scores_the_lower_class_wins(self):
        scored = scored_of([1, 0], [[0.4, 0.4, 0.2], [0.5, 0.25, 0.25]])
        assert scored.predicted.tolist() == [0, 0]
        assert scored.rank.tolist() == [1, 0]
        assert scored.margin == pytest.approx([0, 0.25], abs=1e-6)

    def test_large_logits_do_not_overflow(self):
        assert log_softmax(np.array([[1e4, 0.0]], np.float32)).tolist() == [[0.0, -1e4]]

    def test_a_probability_of_0_has_a_finite_loss(self):
        assert np.isfinite(scored_of([0], [[0.0, 1.0]]).loss).all()

    def test_names(self):
        assert scored_of([0], [[0.5, 0.5]], ["ant", "bee"]).name_of(1) == "bee"
        assert scored_of([0], [[0.5, 0.5]]).name_of(1) == "1"


class TestReliability:
    def test_the_gap_of_each_bin_weighs_as_its_pictures(self):
        # Three pictures at 0.9 of which two are right, one at 0.3 that is wrong
        found = reliability(np.array([0.9, 0.9, 0.9, 0.3]), np.array([True, True, False, False]), bins=2)
        assert found.counts.tolist() == [1, 3]
        assert found.expected_error == pytest.approx((3 * abs(2 / 3 - 0.9) + 0.3) / 4)
        assert found.largest_error == pytest.approx(0.3)

    def test_a_bin_holds_its_upper_bound(self):
        found = reliability(np.array([0.0, 0.5, 0.5001, 1.0]), np.ones(4, bool), bins=2)
        assert found.counts.tolist() == [2, 2]

    def test_answers_drawn_by_their_own_probabilities_are_calibrated(self):
        rng = np.random.default_rng(1)
        confidence = rng.uniform(0.2, 1, 200_000)
        is_right = rng.uniform(size=200_000) < confidence
        assert reliability(confidence, is_right).expected_error < 0.01


class TestTemperature:
    @pytest.mark.parametrize("true", [0.25, 1.0, 3.0])
    def test_the_temperature_that_the_scores_were_made_with(self, true):
        rng = np.random.default_rng(0)
        logits = 2 * rng.normal(size=(20_000, 5))
        probabilities = np.exp(log_softmax(logits))
        drawn = rng.uniform(size=(20_000, 1)) < np.cumsum(probabilities, axis=1)
        labels = np.argmax(drawn, axis=1)
        assert fit_temperature(true * logits, labels) == pytest.approx(true, rel=0.05)

    def test_it_has_the_least_loss(self):
        scored = random_scores(3, 300, 6, sharpness=5.0)
        best = fit_temperature(scored.log_probabilities, scored.labels)

        def loss_at(temperature):
            return -log_softmax(scored.log_probabilities / temperature)[np.arange(300), scored.labels].mean()

        assert loss_at(best) < min(loss_at(0.98 * best), loss_at(1.02 * best))

    def test_with_no_wrong_answer_it_ends_at_the_bound(self):
        assert fit_temperature(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 1])) == pytest.approx(0.02, rel=1e-3)

    def test_with_random_answers_it_ends_at_the_other_bound(self):
        scores = np.array([[4.0, 0.0], [4.0, 0.0], [0.0, 4.0], [0.0, 4.0]])
        assert fit_temperature(scores, np.array([0, 1, 0, 1])) == pytest.approx(50, rel=1e-3)

    def test_a_model_too_sure_of_itself_is_better_with_it(self):
        scored = random_scores(3, 2000, 6, sharpness=5.0)
        found = tempered(scored)
        assert found.temperature > 2
        assert found.expected_error < 0.5 * reliability(scored.confidence, scored.is_right).expected_error
        assert found.loss < scored.loss.mean()

    def test_one_picture(self):
        assert math.isfinite(tempered(scored_of([1], [[0.7, 0.3]])).expected_error)


class TestLabelErrors:
    def test_swapped_labels_are_found(self):
        rng = np.random.default_rng(5)
        truth = rng.integers(0, 4, 400)
        logits = rng.normal(size=(400, 4))
        logits[np.arange(400), truth] += 5
        labels = truth.copy()
        swapped = rng.choice(400, 20, replace=False)
        labels[swapped] = (truth[swapped] + 1) % 4
        paths = [str(index) for index in range(400)]
        found = likely_label_errors(Scored.of_logits(paths, labels, logits))
        indices = {suspect.index for suspect in found}
        assert len(indices & set(swapped.tolist())) >= 15
        assert len(indices - set(swapped.tolist())) <= 4
        assert all(suspect.suggested == truth[suspect.index] for suspect in found if suspect.index in swapped)
        margins = [suspect.margin for suspect in found]
        assert margins == sorted(margins)

    def test_an_unsure_mistake_is_no_suspect(self):
        # Class 1 gets 0.9 on its own picture, so 0.55 for the first picture is not confident
        assert likely_label_errors(scored_of([0, 0, 1], [[0.45, 0.55], [0.9, 0.1], [0.1, 0.9]])) == []

    def test_a_sure_mistake_is_one(self):
        (suspect,) = likely_label_errors(scored_of([0, 0, 1], [[0.05, 0.95], [0.9, 0.1], [0.1, 0.9]]))
        assert (suspect.index, suspect.suggested) == (0, 1)
        assert suspect.margin == pytest.approx(-0.9)


class TestMcNemar:
    @pytest.mark.parametrize(
        ("first", "second", "p_value"),
        [(0, 0, 1.0), (1, 1, 1.0), (0, 5, 2 / 32), (1, 5, 2 * 7 / 64), (5, 1, 2 * 7 / 64)],
    )
    def test_it_counts_coins(self, first, second, p_value):
        assert mcnemar(first, second).p_value == pytest.approx(p_value)

    def test_of_many_pictures(self):
        # The normal approximation: 200 of sqrt(20,000) = 1.41 standard deviations
        assert mcnemar(9900, 10100).p_value == pytest.approx(0.159, abs=0.002)
