"""The mean of words, pairs and triples against a loop over one text."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dlcli.models.text.bag import PRIMES, FastText


def by_hand(network: FastText, words: list[int]) -> Tensor:
    """Return the logits of one text: every word, pair and triple is looked up by itself."""
    vectors = [network.embedding.weight[word] for word in words]
    for size, table in ((2, network.pairs), (3, network.triples)):
        for start in range(len(words) - size + 1):
            group = words[start : start + size]
            place = sum(word * prime for word, prime in zip(group, PRIMES, strict=False)) % network.buckets + 1
            vectors.append(table.weight[place])
    logits: Tensor = network.head(torch.stack(vectors).mean(0))
    return logits


@pytest.mark.parametrize("buckets", [1, 7, 1000])
def test_logits_equal_a_loop_over_words_pairs_and_triples(buckets: int) -> None:
    network = FastText(num_classes=3, vocab_size=50, embedding_dim=6, buckets=buckets).eval()
    texts = [[4], [9, 4], [4, 9, 4, 30], [49, 1, 1, 1, 1, 7]]
    lengths = torch.tensor([len(text) for text in texts])
    tokens = torch.nn.utils.rnn.pad_sequence([torch.tensor(text) for text in texts], batch_first=True)
    expected = torch.stack([by_hand(network, text) for text in texts])
    torch.testing.assert_close(network(tokens, lengths), expected)


def test_the_order_of_words_counts_through_pairs_alone() -> None:
    network = FastText(num_classes=3, vocab_size=50, embedding_dim=6).eval()
    forwards, backwards, lengths = torch.tensor([[5, 9]]), torch.tensor([[9, 5]]), torch.tensor([2])
    assert not torch.allclose(network(forwards, lengths), network(backwards, lengths))
    with torch.no_grad():
        network.pairs.weight.zero_()
    torch.testing.assert_close(network(forwards, lengths), network(backwards, lengths))


def test_the_largest_token_number_stays_exact_in_the_hash() -> None:
    largest = 2**23 - 1
    assert largest * sum(PRIMES) < 2**50
    assert len(set(PRIMES)) == 3
    assert all(all(prime % divisor for divisor in range(2, 6000)) for prime in PRIMES)
