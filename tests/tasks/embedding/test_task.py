"""Word vectors learned from texts of two topics, and what is counted of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tasks.embedding.conftest import TOPICS, WORDS

from dlcli.core.errors import DataError, UsageError
from dlcli.data.text.contexts import keep_probabilities
from dlcli.engine.compute.device import Device
from dlcli.engine.evaluate import evaluate, validate
from dlcli.metrics.word_pairs import WordPairMetric
from dlcli.models.text.word_vectors import pair_losses
from dlcli.tasks.embedding.baseline import co_occurrences, ppmi_vectors
from dlcli.tasks.embedding.task import EmbeddingTask

CPU = Device(torch.device("cpu"))


def learn(task: EmbeddingTask, epochs: int) -> None:
    """Train by plain steps, without the loop."""
    [optimizer] = task.optimizers().values()
    for group in optimizer.param_groups:
        group["lr"] = 0.05
    for epoch in range(epochs):
        for batch in task.loader("train", training=True).batches(epoch):
            [update] = task.training_step(batch)
            optimizer.zero_grad()
            sum(update.losses.values()).backward()
            optimizer.step()


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_words_of_two_topics_separate(open_topics, model):
    task = open_topics(model=model)
    learn(task, 12)
    task.model.eval()
    weight = task.network.embedding.weight.detach().numpy()
    units = weight / np.maximum(np.linalg.norm(weight, axis=1, keepdims=True), 1e-9)
    rows = [[WORDS.index(word) + 2 for word in topic] for topic in TOPICS]
    inside = [units[topic] @ units[topic].T for topic in rows]
    across = units[rows[0]] @ units[rows[1]].T
    lowest = min(float((cosines + np.eye(5)).min()) for cosines in inside)
    assert lowest > across.max() + 0.2
    figures = evaluate(task, task.loader("test"), CPU).report()
    assert figures["metrics"]["auc"] > 0.65
    by_word = {entry["word"]: [near["word"] for near in entry["nearest"]] for entry in figures["neighbours"]}
    assert set(by_word["北京"][:4]) == set(TOPICS[0]) - {"北京"}


def test_the_floor_is_measured_on_the_same_pairs_and_finds_the_topics(open_topics):
    task = open_topics()
    found = task.baseline("test")
    assert found["positive PMI + truncated SVD"]["auc"] > 0.6
    assert abs(found["frequency alone"]["auc"] - 0.5) < 0.06  # all words are about equally frequent


def test_the_metric_has_the_loss_of_the_training_step(open_topics):
    task = open_topics()
    torch.nn.init.normal_(task.network.contexts.weight[1:])
    [*batches] = task.loader("test").batches()
    losses = [
        pair_losses(*task.network.pair_scores(*(each[n] for n in ("bags", "targets", "noise")))) for each in batches
    ]
    found = validate(task, task.loader("test"), CPU).compute()["loss"]
    assert found == pytest.approx(torch.cat(losses).mean().item(), rel=1e-5)


def test_words_are_counted_in_the_training_part_alone(open_topics):
    task = open_topics(train={"val_fraction": 0.25})
    shown = [batch["tokens"] for batch in task.loader("train").batches()]
    expected = sum(np.bincount(tokens.ravel(), minlength=len(task.counts)) for tokens in map(np.asarray, shown))
    assert task.counts[2:].tolist() == expected[2:].tolist()
    assert task.counts[-1] == 0
    assert not task.network.embedding.weight[-1].any()  # "never" has no vector


def test_a_text_of_one_word_has_no_pairs_and_a_loss_of_zero(open_topics):
    task = open_topics()
    empty = {"bags": torch.zeros(0, 1), "targets": torch.zeros(0), "noise": torch.zeros(0, 5)}
    [update] = task.training_step({name: value.long() for name, value in empty.items()})
    assert (update.losses["negative_sampling"].item(), update.count) == (0.0, 1)


def test_words_that_are_all_too_rare_are_refused(open_topics):
    with pytest.raises(DataError, match="fewer than two words occur 5000 times"):
        open_topics(min_count=5000)
    with pytest.raises(UsageError, match="no network 'glove'"):
        open_topics(model="glove")


def test_co_occurrences_are_the_expected_ones_of_a_drawn_window():
    words, owners = np.array([2, 3, 4, 2, 3]), np.array([0, 0, 0, 1, 1])
    keep = np.array([0, 0, 1, 0.5, 1])
    found = co_occurrences(words, owners, 2, keep).toarray()
    assert found[2, 3] == found[3, 2] == 0.5 + 0.5
    assert found[3, 4] == 0.5
    assert found[2, 4] == 0.5  # a window of two reaches a distance of two in half of the draws
    assert found.sum() == 2 * (1.0 + 0.5 + 0.5)


def test_vectors_of_full_size_give_back_the_positive_pmi():
    random = np.random.default_rng(0)
    words, owners = random.integers(2, 8, 500), np.repeat(np.arange(50), 10)
    counts = co_occurrences(words, owners, 2, np.ones(9))
    vectors, contexts = ppmi_vectors(counts, 100)
    dense = counts.toarray()
    smoothed = dense.sum(0) ** 0.75
    with np.errstate(divide="ignore", invalid="ignore"):
        pmi = np.log(dense / (dense.sum(1)[:, None] * (smoothed / smoothed.sum())))
    expected = np.where(dense > 0, np.maximum(pmi, 0), 0)
    assert vectors @ contexts.T == pytest.approx(expected, abs=1e-6)


def test_of_few_frequent_words_all_stay_and_of_many_the_frequent_ones_go(open_topics):
    task = open_topics(subsample=1e-3)  # of twelve words the mean frequency is 0.083
    keep = task._source.keep(task.counts)
    assert keep[2:14].min() > 0.7  # by the paper alone at most 0.11
    shares = np.array([0, 0, *np.arange(1, 3001)])
    expected = keep_probabilities(shares, 1e-3)
    assert task._source.keep(shares) == pytest.approx(expected)


def test_evaluation_draws_the_same_pairs_for_every_seed(open_topics):
    first, second = (open_topics(train={"seed": seed, "val_fraction": 0.0}) for seed in (0, 7))
    pairs = [next(iter(task.loader("test").batches()))["noise"] for task in (first, second)]
    assert torch.equal(*pairs)
    assert keep_probabilities(first.counts, 0)[2] == 1
    assert isinstance(first.metric(), WordPairMetric)
