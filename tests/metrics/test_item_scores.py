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


def test_the_scores_of_a_translation_give_its_bleu_again_in_any_order():
    from dlcli.metrics.translation import TranslationMetric

    texts = {2: "the cat sat on the mat", 3: "a dog barks at the moon today", 4: "we eat fish and rice at home"}
    answers = {2: "the cat sat on a mat", 3: "the dog barks at a moon today", 4: "we eat fish at home"}

    def metric(order):
        found = TranslationMetric(lambda tokens: answers[tokens[0]], "en")
        for row in order:
            batch = {"source_texts": [f"s{row}"], "target_texts": [texts[row]], "source_lengths": np.array([6])}
            found.update(batch, {"sentences": np.array([[[row]]])})
        return found

    scores = metric((2, 3, 4)).item_scores()
    figure = scores.figures["bleu_13a"]
    assert figure.value() == pytest.approx(metric((2, 3, 4)).compute()["bleu_13a"])
    assert scores.truth == metric((4, 2, 3)).item_scores().truth
    assert scores.truth != metric((2, 3)).item_scores().truth
    assert scores.names_items
    assert "tok:13a" in figure.signature


def test_the_scores_of_segmented_images_give_the_mean_iou():
    from dlcli.metrics.segmentation import SegmentationMetric

    random = np.random.default_rng(0)
    metric, other = SegmentationMetric(("background", "cat", "dog")), SegmentationMetric(("background", "cat", "dog"))
    for each in (metric, other):
        for side in (4, 7):
            truth, answer = (random.integers(0, 2, (side, side)).astype(np.uint8) for _ in range(2))
            each.update({"label_maps": [truth]}, {"label_map": [answer]})
    metric.merge(other)
    figure = metric.item_figure()
    assert figure.statistics.shape == (4, 9)
    assert figure.value() == pytest.approx(metric.compute()["miou"])


def test_the_scores_of_several_labels_give_the_f1_and_need_rows():
    from dlcli.metrics.multilabel import MultilabelMetric

    random = np.random.default_rng(0)
    batch = {"targets": random.integers(0, 2, (30, 4)), "rows": random.permutation(30)}
    logits = {"logits": random.normal(size=(30, 4))}
    metric = MultilabelMetric(tuple("abcd"))
    metric.update(batch, logits)
    found = metric.item_scores()
    for name in ("micro_f1", "exact_match"):
        assert found.figures[name].value() == pytest.approx(metric.compute()[name])
    metric.update({"targets": batch["targets"]}, logits)
    assert metric.item_scores() is None


def test_the_scores_of_detections_give_the_f1_of_the_report():
    from tests.metrics.detections import metric_of, random_case

    metric = metric_of(*random_case(0), tuple("abcd"))
    assert metric.item_scores().figures["f1"].value() == pytest.approx(metric.report()["metrics"]["f1"])
