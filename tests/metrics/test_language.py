"""Perplexity: by token and by character, worked by hand, and independent of batches."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlcli.metrics.language import LanguageMetric

# "ab c" is two tokens and an end: probabilities 1/2, 1/4, 1/8. "我" is one token, unknown, and an end: 1/4, 1/2.
BATCH = {
    "tokens": np.array([[5, 6], [1, 0]]),
    "lengths": np.array([2, 1]),
    "ends": np.array([True, True]),
    "characters": np.array([4, 1]),
    "texts": ["ab c", "我"],
}
OUTPUTS = {"log_probs": np.log(np.array([[1 / 2, 1 / 4, 1 / 8], [1 / 4, 1 / 2, 1.0]], np.float32))}


def test_figures_by_hand():
    metric = LanguageMetric(1)
    metric.update(BATCH, OUTPUTS)
    # 1 + 2 + 3 and 2 + 1 bits over 5 predictions, and over 4 + 1 and 1 + 1 characters with their ends.
    assert metric.compute() == pytest.approx(
        {
            "loss": 9 * math.log(2) / 5,
            "perplexity": 2 ** (9 / 5),
            "perplexity_per_character": 2 ** (9 / 7),
            "bits_per_character": 9 / 7,
            "unknown_share": 1 / 3,
        }
    )
    report = metric.report()
    assert [entry["text"] for entry in report["best"]] == ["我", "ab c"]
    assert report["worst"][0]["perplexity"] == pytest.approx(4)
    assert report["worst"][0]["log_prob"] == pytest.approx(-6 * math.log(2))
    assert (report["num_tokens"], report["num_unknown"], report["num_cut"]) == (5, 1, 0)


def test_a_text_that_was_cut_counts_by_token_alone_and_without_an_end():
    metric = LanguageMetric(1)
    metric.update({**BATCH, "ends": np.array([True, False])}, OUTPUTS)
    found = metric.compute()
    assert found["perplexity"] == pytest.approx(2 ** (8 / 4))
    assert found["bits_per_character"] == pytest.approx(6 / 5)
    assert metric.report()["num_cut"] == 1


def test_batches_and_processes_change_nothing():
    whole, first, second = (LanguageMetric(1) for _ in range(3))
    whole.update(BATCH, OUTPUTS)
    for metric, row in ((first, 1), (second, 0)):
        one = {name: value[row : row + 1] for name, value in BATCH.items()}
        metric.update(one, {"log_probs": OUTPUTS["log_probs"][row : row + 1]})
    first.merge(second)
    assert first.compute() == pytest.approx(whole.compute())
    assert first.report()["worst"] == whole.report()["worst"]


def test_nothing_has_no_figures_and_an_impossible_text_an_enormous_one():
    assert LanguageMetric(1).compute() == {}
    metric = LanguageMetric(1)
    metric.update(BATCH, {"log_probs": np.full((2, 3), -1e6, np.float32)})
    assert metric.compute()["perplexity"] == pytest.approx(math.exp(700))
