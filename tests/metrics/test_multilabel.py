"""The metric of multi-label classification against scikit-learn, by hand, and its invariants."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from sklearn import metrics as peer

from dlcli.metrics.multilabel import MultilabelMetric
from dlcli.metrics.threshold_curves import FEWEST_FOR_OWN

CLASSES = ("cat", "dog", "bird", "boat")


def samples(seed: int, count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Return logits and targets; logits have one decimal, so that many are equal."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((count, 4)) < [0.5, 0.2, 0.1, 0.03]).astype(np.float32)
    logits = (rng.normal(-1, 1.5, (count, 4)) + 2 * targets).round(1).astype(np.float32)
    return logits, targets


def metric_of(logits: np.ndarray, targets: np.ndarray, thresholds: list[float] | None = None) -> MultilabelMetric:
    metric = MultilabelMetric(CLASSES, thresholds)
    metric.update({"targets": targets}, {"logits": logits})
    return metric


@pytest.mark.parametrize("seed", range(3))
def test_figures_equal_scikit_learn(seed: int) -> None:
    logits, targets = samples(seed)
    thresholds = [0.5, 0.3, 0.7, 0.2]
    probabilities = 1 / (1 + np.exp(-logits.astype(np.float64)))
    predicted = probabilities >= thresholds
    report = metric_of(logits, targets, thresholds).report()
    values = report["metrics"]
    assert values["map"] == pytest.approx(peer.average_precision_score(targets, logits, average="macro"), abs=1e-12)
    assert values["micro_f1"] == pytest.approx(peer.f1_score(targets, predicted, average="micro"))
    assert values["macro_f1"] == pytest.approx(peer.f1_score(targets, predicted, average="macro"))
    assert values["accuracy"] == pytest.approx(1 - peer.hamming_loss(targets, predicted))
    assert values["exact_match"] == pytest.approx(peer.accuracy_score(targets, predicted))
    assert values["loss"] == pytest.approx(
        np.mean([peer.log_loss(targets[:, label], probabilities[:, label]) for label in range(4)])
    )
    for label, row in enumerate(report["per_class"]):
        expected = peer.average_precision_score(targets[:, label], logits[:, label])
        assert row["average_precision"] == pytest.approx(expected, abs=1e-12)
        expected = peer.precision_recall_fscore_support(targets[:, label], predicted[:, label], average="binary")[:3]
        assert [row["precision"], row["recall"], row["f1"]] == pytest.approx(expected)
        assert (row["support"], row["predicted"]) == (targets[:, label].sum(), predicted[:, label].sum())


@pytest.mark.parametrize("seed", range(3))
def test_no_threshold_has_a_better_f1(seed: int) -> None:
    logits, targets = samples(seed)
    metric = metric_of(logits, targets)
    best = metric.thresholds()
    rows = metric.report()["per_class"]
    for label in range(4):
        probabilities = 1 / (1 + np.exp(-logits[:, label].astype(np.float64)))
        predicted = probabilities >= np.unique(probabilities)[:, None]
        hits = (predicted & (targets[:, label] == 1)).sum(axis=1)
        every = 2 * hits / (predicted.sum(axis=1) + targets[:, label].sum())
        assert rows[label]["best_f1"] == pytest.approx(max(every))
        assert np.abs(probabilities - best[label]).min() > 1e-3  # no probability is at the threshold
        assert rows[label]["best_threshold"] == best[label]
    again = metric_of(logits, targets, best).report()["per_class"]
    assert [row["f1"] for row in again] == [row["best_f1"] for row in rows]  # and it can be used as it is


def test_a_threshold_lies_between_two_probabilities() -> None:
    logits = np.log([[0.8 / 0.2, 1, 1, 1], [0.6 / 0.4, 1, 1, 1], [0.3 / 0.7, 1, 1, 1]])
    targets = np.array([[1, 1, 0, 1], [1, 1, 0, 0], [0, 1, 0, 0]])
    # cat: between 0.6 and 0.3; dog: all are positive, so between the lowest, 0.5, and 0; bird: no sample has it.
    many = metric_of(np.repeat(logits, FEWEST_FOR_OWN, axis=0), np.repeat(targets, FEWEST_FOR_OWN, axis=0))
    assert many.thresholds() == pytest.approx([0.45, 0.25, 0.5, 0.25])


def test_classes_of_few_samples_share_the_threshold_that_is_best_for_them_together() -> None:
    probabilities = np.full((6, 4), 0.1)
    targets = np.zeros((6, 4), int)
    targets[:, 0], probabilities[:, 0] = [1, 1, 1, 1, 1, 0], [0.9, 0.9, 0.9, 0.9, 0.9, 0.1]  # common: between .9 and .1
    targets[0, 1], probabilities[0, 1], probabilities[1, 1] = 1, 0.8, 0.7  # by itself: between 0.8 and 0.7
    targets[0, 2], probabilities[0, 2] = 1, 0.6  # by itself: between 0.6 and 0.1
    metric = metric_of(np.log(probabilities / (1 - probabilities)), targets)
    # Together, from the top: hit 0.8, false 0.7, hit 0.6: F1 of 2/3, 1/2, and 4/5, so between 0.6 and 0.1.
    assert metric.thresholds() == pytest.approx([0.5, 0.35, 0.35, 0.35])
    rows = metric.report()["per_class"]
    assert [row["best_threshold"] for row in rows] == pytest.approx([0.5, 0.75, 0.35, 0.5])  # each by itself


def test_predicting_nothing_is_right_for_most_labels() -> None:
    targets = np.array([[1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]])
    values = metric_of(np.full((3, 4), -9.0), targets).compute()
    assert values["accuracy"] == values["accuracy_of_nothing"] == pytest.approx(9 / 12)
    assert values["exact_match"] == pytest.approx(1 / 3)
    assert values["micro_f1"] == 0
    assert values["macro_f1"] == 0  # of the two classes that are there; the others are neither there nor predicted


def test_a_class_that_no_sample_has_is_left_out_of_map() -> None:
    logits = np.array([[2.0, 0, 1, -5], [1.0, 3, 2, -5]])
    report = metric_of(logits, np.array([[1, 0, 0, 0], [0, 1, 0, 0]])).report()
    assert report["metrics"]["map"] == 1
    assert [row["average_precision"] for row in report["per_class"]] == [1, 1, None, None]
    assert report["per_class"][3]["best_threshold"] == 0.5


def test_batches_and_processes_do_not_matter() -> None:
    logits, targets = samples(5)
    whole, first, second = (
        metric_of(logits[part], targets[part]) for part in (slice(0, 200), slice(0, 70), slice(70, 200))
    )
    first.merge(second)
    assert first.report() == whole.report()
    with pytest.raises(ValueError, match="cannot merge"):
        first.merge(MultilabelMetric(("other",)))


def test_thresholds_of_several_networks_become_their_mean_over_samples() -> None:
    logits, targets = samples(5)
    first, second = MultilabelMetric(CLASSES, [0.1] * 4), MultilabelMetric(CLASSES, [0.5] * 4)
    first.update({"targets": targets[:150]}, {"logits": logits[:150]})
    second.update({"targets": targets[150:]}, {"logits": logits[150:]})
    first.merge(second)
    assert [row["threshold"] for row in first.report()["per_class"]] == pytest.approx([0.2] * 4)
    whole = MultilabelMetric(CLASSES, [0.2] * 4)
    whole.update({"targets": targets}, {"logits": logits})
    assert first.compute() == pytest.approx(whole.compute())


def test_without_samples_or_numbers_figures_are_undefined() -> None:
    assert all(math.isnan(value) for value in MultilabelMetric(CLASSES).compute().values())
    assert MultilabelMetric(CLASSES).thresholds() == [0.5] * 4
    logits, targets = samples(1)
    logits[3] = np.nan
    report = json.loads(json.dumps(metric_of(logits, targets).report(), allow_nan=False))
    assert (report["metrics"]["loss"], report["num_invalid"]) == (None, 1)
    assert all(0 <= row["best_threshold"] <= 1 for row in report["per_class"])
    valid = np.where(np.isnan(logits), -100, logits)
    assert report["metrics"]["map"] == metric_of(valid, targets).compute()["map"]


def test_extreme_logits_have_a_loss() -> None:
    targets = np.array([[1, 0, 1, 0]])
    assert metric_of(np.array([[900.0, -900, -900, 900]]), targets).compute()["loss"] == pytest.approx(450)


@pytest.mark.parametrize(
    ("logits", "targets", "message"),
    [
        (np.zeros((2, 3)), np.zeros((2, 3)), "for 4 classes"),
        (np.zeros((2, 4)), np.zeros((1, 4)), r"logits \(2, 4\) and targets \(1, 4\)"),
        (np.zeros((1, 4)), np.full((1, 4), 2), "neither 0 nor 1"),
        (np.zeros((1, 4)), np.full((1, 4), 0.5), "neither 0 nor 1"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(logits: np.ndarray, targets: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metric_of(logits, targets)


def test_thresholds_are_one_for_each_class() -> None:
    with pytest.raises(ValueError, match="3 thresholds for 4 classes"):
        MultilabelMetric(CLASSES, [0.5] * 3)
