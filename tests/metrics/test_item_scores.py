"""Scores of items give the metrics of a report again, whatever the order of the items."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.metrics.item_scores import REDUCTIONS, ItemFigure, scores_of
from dlcli.metrics.regression import RegressionMetric
from dlcli.tasks.classes.metric import LogitsMetric


def logits_metric(rows, seed=0):
    random = np.random.default_rng(seed)
    logits, labels = random.normal(size=(40, 7)).astype(np.float32), random.integers(0, 7, 40)
    metric = LogitsMetric(tuple("abcdefg"))
    metric.update({"rows": np.array(rows), "labels": labels[rows]}, {"logits": logits[rows]})
    return metric


def test_the_figures_of_a_classifier_are_its_metrics():
    metric = logits_metric(range(40))
    scores = metric.item_scores()
    values = {name: figure.value() for name, figure in scores.figures.items()}
    assert values == pytest.approx(metric.compute())
    assert next(iter(values)) == "accuracy"


def test_the_order_of_items_changes_nothing():
    whole, shuffled = (
        logits_metric(rows).item_scores() for rows in (range(40), np.random.default_rng(1).permutation(40))
    )
    assert whole.truth == shuffled.truth
    assert shuffled.rows.tolist() == list(range(40))
    np.testing.assert_allclose(whole.figures["loss"].statistics, shuffled.figures["loss"].statistics, rtol=1e-6)


def test_other_items_have_another_truth():
    assert logits_metric(range(40)).item_scores().truth != logits_metric(range(39)).item_scores().truth
    assert logits_metric(range(40)).item_scores().truth != logits_metric(range(40), seed=2).item_scores().truth


def test_an_item_that_is_not_finite_has_no_loss_but_is_wrong():
    metric = LogitsMetric(("a", "b"))
    metric.update({"rows": np.arange(2), "labels": np.array([0, 0])}, {"logits": np.array([[np.nan, 0], [1, 0]])})
    assert list(metric.item_scores().figures) == ["accuracy"]
    assert metric.item_scores().figures["accuracy"].statistics.ravel().tolist() == [0, 1]


def test_the_figures_of_a_regression_are_its_metrics():
    metric, random = RegressionMetric(), np.random.default_rng(0)
    metric.update(random.normal(size=30), random.normal(size=30))
    found = metric.compute()
    for name, figure in metric.item_figures().items():
        assert figure.value() == pytest.approx(found[name])


def test_an_item_of_several_folds_counts_once_with_its_mean():
    figure = ItemFigure(np.array([1.0, 0.0, 1.0]))
    scores = scores_of(np.array([5, 5, 2]), np.array([1, 1, 0]), {"accuracy": figure}, names_items=False)
    assert scores.rows.tolist() == [2, 5]
    assert scores.figures["accuracy"].statistics.ravel().tolist() == [1.0, 0.5]


def test_reductions_of_sums_worked_by_hand():
    assert REDUCTIONS["root_mean"](np.array([18.0]), 2) == 3
    assert REDUCTIONS["f1"](np.array([2.0, 3.0, 3.0]), 9) == pytest.approx(2 / 3)
    # Two classes seen: IoU 3/5 and 1/2; the third has no pixel anywhere.
    assert REDUCTIONS["mean_iou"](np.array([3.0, 1, 0, 4, 1, 0, 4, 2, 0]), 1) == pytest.approx((3 / 5 + 1 / 2) / 2)


def test_bleu_of_summed_statistics_is_sacrebleus():
    from sacrebleu.metrics.bleu import BLEU

    answers = ["the cat sat on the mat today", "a dog barks at the moon"]
    references = ["the cat sat on a mat today", "the dog barks at the full moon"]
    parts = [BLEU().corpus_score([answer], [[text]]) for answer, text in zip(answers, references, strict=True)]
    sums = np.array([[*p.counts, *p.totals, p.sys_len, p.ref_len] for p in parts], float)
    expected = BLEU().corpus_score(answers, [references]).score
    assert ItemFigure(sums, "bleu").value() == pytest.approx(expected)
