"""A step of negative sampling by hand, and sums of words."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcli.models.text.word_vectors import WordVectors, pair_losses

VOCABULARY, SIZE = 12, 5


@pytest.fixture
def network() -> WordVectors:
    torch.manual_seed(0)
    made = WordVectors(vocab_size=VOCABULARY, embedding_dim=SIZE)
    with torch.no_grad():
        made.embedding.weight[1:].normal_()
        made.contexts.weight[1:].normal_()
    return made


def sigmoid(value: float) -> float:
    return 1 / (1 + np.exp(-value))


BAGS = {"skipgram": [[2], [3], [2]], "cbow": [[2, 3, 0, 4], [0, 0, 5, 5], [6, 0, 0, 0]]}


@pytest.mark.parametrize("kind", list(BAGS))
def test_a_step_equals_one_of_negative_sampling_by_hand(network, kind):
    bags, targets, noise = BAGS[kind], [4, 7, 8], [[5, 6], [0, 9], [9, 9]]
    rate = 0.3
    vectors, contexts = (table.weight.detach().double().numpy() for table in (network.embedding, network.contexts))
    new_vectors, new_contexts = vectors.copy(), contexts.copy()
    for bag, target, drawn in zip(bags, targets, noise, strict=True):
        words = [word for word in bag if word]
        mean = np.mean([vectors[word] for word in words], axis=0)
        pull = np.zeros(SIZE)
        for word, is_real in [(target, 1.0), *((word, 0.0) for word in drawn if word)]:
            error = sigmoid(mean @ contexts[word]) - is_real  # the gradient of the logistic loss by its logit
            pull += error * contexts[word]
            new_contexts[word] -= rate * error * mean / len(targets)
        for word in words:
            new_vectors[word] -= rate * pull / len(words) / len(targets)

    optimizer = torch.optim.SGD(network.parameters(), lr=rate)
    pair_losses(*network.pair_scores(torch.tensor(bags), torch.tensor(targets), torch.tensor(noise))).mean().backward()
    optimizer.step()
    assert network.embedding.weight.detach().numpy() == pytest.approx(new_vectors, abs=1e-6)
    assert network.contexts.weight.detach().numpy() == pytest.approx(new_contexts, abs=1e-6)


def test_the_loss_is_that_of_the_paper_and_noise_that_is_none_adds_nothing():
    targets, noise = torch.tensor([0.5, -2.0]), torch.tensor([[1.0, float("-inf")], [float("-inf")] * 2])
    expected = [-np.log(sigmoid(0.5)) - np.log(sigmoid(-1.0)), -np.log(sigmoid(-2.0))]
    assert pair_losses(targets, noise).tolist() == pytest.approx(expected)


def test_sparse_gradients_name_only_rows_of_the_batch_and_equal_dense_ones(network):
    sparse = WordVectors(vocab_size=VOCABULARY, embedding_dim=SIZE, sparse=True)
    sparse.load_state_dict(network.state_dict())
    pairs = torch.tensor([[2, 0], [3, 4]]), torch.tensor([5, 6]), torch.tensor([[7, 0], [7, 8]])
    for made in (network, sparse):
        pair_losses(*made.pair_scores(*pairs)).sum().backward()
    for table, other in ((network.embedding, sparse.embedding), (network.contexts, sparse.contexts)):
        torch.testing.assert_close(table.weight.grad, other.weight.grad.to_dense())
    assert set(sparse.embedding.weight.grad.coalesce().indices()[0].tolist()) == {2, 3, 4}


def test_a_sum_of_words_has_the_cosines_of_the_sum_of_unit_vectors(network):
    table = network.embedding.weight.detach().numpy().astype(np.float64)
    units = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
    total = units[2] - units[3] + units[4]
    vectors, cosines = network(torch.tensor([[2, 3, 4], [5, 0, 0]]), torch.tensor([[1.0, -1, 1], [1, 0, 0]]))
    assert vectors[0].tolist() == pytest.approx(total / np.linalg.norm(total), abs=1e-5)
    assert cosines[0].tolist() == pytest.approx(units @ total / np.linalg.norm(total), abs=1e-5)
    assert cosines[1].tolist() == pytest.approx(units @ units[5], abs=1e-5)
    assert cosines[1, 0] == 0


def test_new_vectors_start_as_in_word2vec():
    made = WordVectors(vocab_size=100, embedding_dim=10)
    assert made.embedding.weight.abs().max() <= 0.05
    assert not made.embedding.weight[0].any()
    assert not made.contexts.weight.any()
