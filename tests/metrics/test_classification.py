"""The metric against scikit-learn, and its invariants."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from dlcli.metrics.classification import NUM_BINS, ClassificationMetric


def samples(num_samples: int, num_classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, num_classes, num_samples)
    logits = rng.normal(size=(num_samples, num_classes)).astype(np.float32)
    logits[np.arange(num_samples), labels] += 1.2
    return logits, labels


def metric_of(logits: np.ndarray, labels: np.ndarray) -> ClassificationMetric:
    metric = ClassificationMetric(logits.shape[1])
    metric.update(logits, labels)
    return metric


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def names(count: int) -> list[str]:
    return [f"类 {index}" for index in range(count)]


@pytest.mark.parametrize("num_classes", [2, 3, 10, 30])
def test_figures_equal_scikit_learn(num_classes: int) -> None:
    logits, labels = samples(400, num_classes)
    probabilities, predicted = softmax(logits), logits.argmax(axis=1)
    every = np.arange(num_classes)
    report = metric_of(logits, labels).report(names(num_classes))
    figures = report["metrics"]
    assert figures["accuracy"] == pytest.approx(peer.accuracy_score(labels, predicted), abs=0)
    assert figures["loss"] == pytest.approx(peer.log_loss(labels, probabilities, labels=every), rel=1e-9)
    assert figures["balanced_accuracy"] == pytest.approx(peer.balanced_accuracy_score(labels, predicted))
    if num_classes > 5:
        top5 = peer.top_k_accuracy_score(labels, logits, k=5, labels=every)
        assert figures["top5"] == pytest.approx(top5, abs=0)
    else:
        assert "top5" not in figures
    assert report["confusion"] == peer.confusion_matrix(labels, predicted, labels=every).tolist()
    per_class = peer.precision_recall_fscore_support(labels, predicted, labels=every, zero_division=0)
    for name, expected in zip(("precision", "recall", "f1", "support"), per_class, strict=True):
        assert [row[name] for row in report["per_class"]] == pytest.approx(expected.tolist()), name
    for average in ("macro", "weighted"):
        expected = peer.precision_recall_fscore_support(labels, predicted, average=average, zero_division=0)[:3]
        assert [figures[f"{average}_{name}"] for name in ("precision", "recall", "f1")] == pytest.approx(expected)


@pytest.mark.parametrize("num_classes", [2, 4])
def test_areas_equal_scikit_learn(num_classes: int) -> None:
    logits, labels = samples(300, num_classes)
    probabilities = softmax(logits)
    report = metric_of(logits, labels).report(names(num_classes))
    for index, row in enumerate(report["per_class"]):
        truth, scored = labels == index, probabilities[:, index]
        assert row["average_precision"] == pytest.approx(peer.average_precision_score(truth, scored))
        assert row["roc_auc"] == pytest.approx(peer.roc_auc_score(truth, scored))
    mean = np.mean([row["roc_auc"] for row in report["per_class"]])
    assert report["metrics"]["macro_roc_auc"] == pytest.approx(mean)


def test_thinned_curves_keep_their_ends_and_their_area() -> None:
    logits, labels = samples(5000, 3)
    report = metric_of(logits, labels).report(names(3))
    for curve, row in zip(report["curves"]["roc"], report["per_class"], strict=True):
        assert len(curve["fpr"]) <= 200
        assert (curve["fpr"][0], curve["tpr"][0], curve["fpr"][-1], curve["tpr"][-1]) == (0, 0, 1, 1)
        assert peer.auc(curve["fpr"], curve["tpr"]) == pytest.approx(row["roc_auc"], abs=2e-3)
    for curve in report["curves"]["pr"]:
        assert len(curve["recall"]) <= 200
        assert (curve["recall"][0], curve["recall"][-1], curve["precision"][-1]) == (1, 0, 1)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_split_into_batches_and_metrics_gives_the_same(data: st.DataObject) -> None:
    num_samples = data.draw(st.integers(2, 40))
    num_classes = data.draw(st.integers(2, 8))
    logits, labels = samples(num_samples, num_classes, seed=data.draw(st.integers(0, 99)))
    cuts = sorted(data.draw(st.lists(st.integers(0, num_samples), max_size=5)))
    merged = ClassificationMetric(num_classes)
    for part_logits, part_labels in zip(np.split(logits, cuts), np.split(labels, cuts), strict=True):
        if data.draw(st.booleans()):
            merged.merge(metric_of(part_logits, part_labels))
        else:
            merged.update(part_logits, part_labels)
    whole = metric_of(logits, labels)
    assert merged.compute() == whole.compute()
    assert merged.report(names(num_classes)) == whole.report(names(num_classes))
    assert merged.worst(5) == whole.worst(5)


def test_mean_of_batch_means_would_differ() -> None:
    logits = np.array([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0]])
    metric = ClassificationMetric(2)
    metric.update(logits[:2], np.array([0, 0]))
    metric.update(logits[2:], np.array([1]))
    assert metric.compute()["accuracy"] == pytest.approx(2 / 3)


def test_class_without_samples_is_null_and_leaves_the_macro_average() -> None:
    logits, labels = samples(200, 4)
    labels[labels == 2] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = metric_of(logits, labels).report(names(4))
    empty = report["per_class"][2]
    assert (empty["recall"], empty["f1"], empty["average_precision"], empty["roc_auc"]) == (None,) * 4
    assert empty["support"] == 0
    assert empty["predicted"] > 0
    assert report["curves"]["pr"][2] is None
    expected = peer.precision_recall_fscore_support(
        labels, logits.argmax(axis=1), labels=[0, 1, 3], average="macro", zero_division=0
    )
    figures = report["metrics"]
    assert [figures[f"macro_{name}"] for name in ("precision", "recall", "f1")] == pytest.approx(expected[:3])
    assert figures["balanced_accuracy"] == figures["macro_recall"]


def test_class_that_is_never_predicted_has_precision_zero() -> None:
    report = metric_of(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1])).report(names(2))
    assert report["per_class"][1] == report["per_class"][1] | {"precision": 0.0, "recall": 0.0, "f1": 0.0}


def test_invalid_logits_count_as_wrong_and_make_the_loss_nan() -> None:
    logits = np.array([[3.0, 0.0], [np.nan, 0.0], [np.inf, 0.0], [0.0, 3.0]])
    metric = metric_of(logits, np.array([0, 0, 0, 1]))
    figures = metric.compute()
    assert math.isnan(figures["loss"])
    assert figures["accuracy"] == 0.5
    report = metric.report(names(2))
    assert report["metrics"]["loss"] is None
    assert report["num_invalid"] == 2
    assert np.sum(report["confusion"]) == 2
    assert report["per_class"][0]["recall"] == pytest.approx(1 / 3)
    assert metric.worst(4) == []


def test_minus_infinity_is_a_probability_of_zero() -> None:
    metric = metric_of(np.array([[-np.inf, 0.0, 0.0]]), np.array([1]))
    assert metric.compute()["loss"] == pytest.approx(math.log(2))


def test_report_is_json_without_nan() -> None:
    for count in (0, 1, 20):
        report = metric_of(*samples(count, 7)).report(names(7))
        assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_tied_logits_prefer_the_first_class_in_every_figure() -> None:
    metric = metric_of(np.zeros((2, 8)), np.array([0, 6]))
    assert metric.compute() == {"loss": pytest.approx(math.log(8)), "accuracy": 0.5, "top5": 0.5}
    assert metric.report(names(8))["confusion"][6][0] == 1


def test_large_logits_do_not_overflow() -> None:
    assert metric_of(np.array([[1e30, 0.0]]), np.array([0])).compute()["loss"] == 0


def test_worst_mistakes_are_sorted_by_loss_and_point_to_their_sample() -> None:
    logits, labels = samples(100, 5)
    mistakes = metric_of(logits, labels).worst(10)
    probabilities = softmax(logits)
    losses = -np.log(probabilities[np.arange(100), labels])
    wrong = [index for index in np.argsort(-losses) if logits[index].argmax() != labels[index]]
    assert [mistake.index for mistake in mistakes] == wrong[:10]
    for mistake in mistakes:
        assert mistake.label == labels[mistake.index]
        assert mistake.predicted == logits[mistake.index].argmax()
        assert mistake.confidence == pytest.approx(probabilities[mistake.index].max())
        assert mistake.loss == pytest.approx(losses[mistake.index])
    assert json.dumps([mistake._asdict() for mistake in mistakes])


def test_calibration_error_of_an_example_by_hand() -> None:
    # Two samples with confidence 0.8, one right: |0.5 - 0.8| = 0.3; two with 0.6, both right: 0.4; mean 0.35.
    logits = np.log(np.array([[0.8, 0.2], [0.8, 0.2], [0.6, 0.4], [0.6, 0.4]]))
    report = metric_of(logits, np.array([0, 1, 0, 0])).report(names(2))
    assert report["metrics"]["calibration_error"] == pytest.approx(0.35)
    assert len(report["calibration"]["bins"]) == NUM_BINS
    assert sum(row["count"] for row in report["calibration"]["bins"]) == 4


def test_misuse_is_an_error() -> None:
    metric = ClassificationMetric(3)
    for logits, labels in [
        (np.zeros((2, 4)), np.zeros(2, int)),
        (np.zeros((2, 3)), np.zeros(3, int)),
        (np.zeros((1, 3)), np.array([3])),
        (np.zeros((1, 3)), np.array([-1])),
    ]:
        with pytest.raises(ValueError, match="classes"):
            metric.update(logits, labels)
    with pytest.raises(ValueError, match="cannot merge"):
        metric.merge(ClassificationMetric(4))
    with pytest.raises(ValueError, match="names"):
        metric.report(["a"])


def test_importing_brings_neither_torch_nor_scikit_learn() -> None:
    code = "import sys, dlcli.metrics.classification; sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_figures_do_not_depend_on_the_order_of_samples_or_classes() -> None:
    logits, labels = samples(80, 6)
    order, classes = np.random.default_rng(1).permutation(80), np.random.default_rng(2).permutation(6)
    plain = metric_of(logits, labels).report(names(6))
    shuffled = metric_of(logits[order], labels[order]).report(names(6))
    renamed = metric_of(logits[:, classes], np.argsort(classes)[labels]).report(names(6))
    for other in (shuffled, renamed):
        assert other["metrics"] == pytest.approx(plain["metrics"])
    assert np.array_equal(renamed["confusion"], np.array(plain["confusion"])[classes][:, classes])


def test_adding_a_number_to_all_logits_of_a_sample_changes_nothing() -> None:
    logits, labels = samples(50, 4)
    shifted = logits + np.random.default_rng(0).integers(-8, 8, (50, 1)).astype(np.float32)
    assert metric_of(shifted, labels).compute() == pytest.approx(metric_of(logits, labels).compute(), rel=1e-5)


def test_the_order_of_logits_alone_decides_all_but_loss_and_calibration() -> None:
    logits, labels = samples(60, 8)
    plain, sharper = (metric_of(values, labels).report(names(8))["metrics"] for values in (logits, logits * 9))
    for name in ("accuracy", "top5", "macro_f1", "balanced_accuracy"):
        assert plain[name] == sharper[name]
    assert plain["loss"] != sharper["loss"]
    assert plain["calibration_error"] != sharper["calibration_error"]


@pytest.mark.parametrize("num_classes", [5, 6])
def test_the_top_five_stand_only_where_there_are_more_classes(num_classes: int) -> None:
    assert ("top5" in ClassificationMetric(num_classes).compute()) is (num_classes > 5)


def test_without_samples_every_figure_is_nan_and_the_report_none() -> None:
    metric = ClassificationMetric(7)
    assert all(math.isnan(value) for value in metric.compute().values())
    report = metric.report(names(7))
    assert (report["num_samples"], report["num_invalid"], report["calibration"]["error"]) == (0, 0, None)
    assert set(report["metrics"].values()) == {None}
    assert report["curves"]["pr"] == report["curves"]["roc"] == [None] * 7
    assert metric.worst(3) == []


def test_a_batch_of_none_is_taken_in() -> None:
    metric = metric_of(*samples(9, 3))
    before = metric.compute()
    metric.update(np.empty((0, 3)), np.empty(0, int))
    assert metric.compute() == before


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return equation 3 of Guo et al. 2017, bin by bin."""
    confidence, is_right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    total = 0.0
    for index in range(NUM_BINS):
        inside = (confidence > index / NUM_BINS) & (confidence <= (index + 1) / NUM_BINS)
        if inside.any():
            total += inside.mean() * abs(is_right[inside].mean() - confidence[inside].mean())
    return total


@pytest.mark.parametrize("num_classes", [2, 5])
def test_calibration_error_equals_the_papers_formula(num_classes: int) -> None:
    logits, labels = samples(300, num_classes)
    report = metric_of(logits, labels).report(names(num_classes))
    assert report["calibration"]["error"] == pytest.approx(expected_calibration_error(softmax(logits), labels))
    for index, row in enumerate(report["calibration"]["bins"]):
        assert (row["from"], row["to"]) == (index / NUM_BINS, (index + 1) / NUM_BINS)
        assert (row["accuracy"] is None) == (row["count"] == 0)
        if row["count"]:
            assert row["from"] < row["confidence"] <= row["to"]


def test_certainty_is_in_the_last_bin() -> None:
    report = metric_of(np.array([[1000.0, 0.0], [0.0, 1000.0]]), np.array([0, 0])).report(names(2))
    assert report["calibration"]["bins"][-1] == {
        "from": 14 / 15, "to": 1.0, "count": 2, "confidence": 1.0, "accuracy": 0.5,
    }  # fmt: skip


@pytest.mark.parametrize(("num_classes", "most"), [(40, 200), (160, 50), (320, 25)])
def test_many_classes_keep_fewer_points_a_curve(num_classes: int, most: int) -> None:
    logits = np.random.default_rng(0).normal(size=(900, num_classes))
    curves = metric_of(logits, np.arange(900) % 2).report(names(num_classes))["curves"]
    for curve in (*curves["pr"][:2], *curves["roc"][:2]):
        assert 0.6 * most < len(curve.get("recall", curve.get("fpr"))) <= most


@pytest.mark.parametrize("k", [0, 1, 10_000])
def test_no_more_mistakes_are_named_than_there_are_or_are_wanted(k: int) -> None:
    logits, labels = samples(60, 3)
    count = int((logits.argmax(axis=1) != labels).sum())
    assert len(metric_of(logits, labels).worst(k)) == min(k, count)


def test_equal_mistakes_come_in_the_order_of_arrival() -> None:
    metric = metric_of(np.tile([[2.0, 0.0]], (5, 1)), np.array([1, 0, 1, 1, 0]))
    assert [mistake.index for mistake in metric.worst(5)] == [0, 2, 3]
