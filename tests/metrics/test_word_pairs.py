"""Loss and AUC of pairs, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlcli.metrics.word_pairs import WordPairMetric

NONE = float("-inf")
FIRST = {"targets": np.array([1.0, 0.0]), "noise": np.array([[0.0, 2.0], [0.0, NONE]])}
SECOND = {"targets": np.array([3.0]), "noise": np.array([[1.0, 2.0]])}


def test_the_auc_is_the_share_of_noise_below_its_target_and_equal_ones_count_half():
    metric = WordPairMetric()
    metric.update({}, FIRST)
    assert metric.compute()["auc"] == pytest.approx((1 + 0 + 0.5) / 3)
    metric.update({}, SECOND)
    assert metric.compute()["auc"] == pytest.approx((1.5 + 2) / 5)


def test_the_loss_is_a_mean_over_pairs():
    metric = WordPairMetric()
    metric.update({}, FIRST)
    terms = [-1.0, 0.0, 2.0, 0.0, 0.0]  # the negated logits of targets, and those of noise
    assert metric.compute()["loss"] == pytest.approx(sum(math.log1p(math.exp(term)) for term in terms) / 2)


def test_parts_add_up_to_the_whole():
    first, second, whole = (WordPairMetric() for _ in range(3))
    first.update({}, FIRST)
    second.update({}, SECOND)
    for part in (FIRST, SECOND):
        whole.update({}, part)
    first.merge(second)
    assert first.compute() == whole.compute()
    assert first.report()["num_pairs"] == 3


def test_neighbours_are_named_once_and_other_outputs_pass():
    metric = WordPairMetric(["<pad>", "<unk>", "a", "b", "c"])
    found = {"frequent": np.array([2]), "nearest": np.array([[4, 3]]), "nearness": np.array([[0.75, 0.5]])}
    for outputs in ({"cosines": np.zeros((1, 5))}, found, found):
        metric.update({}, outputs)
    nearest = [{"word": "c", "cosine": 0.75}, {"word": "b", "cosine": 0.5}]
    assert metric.report()["neighbours"] == [{"word": "a", "nearest": nearest}]
    assert math.isnan(metric.compute()["auc"])
