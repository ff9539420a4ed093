"""N-gram models: values worked by hand, an independent count of every n-gram, sums of 1, and damaged files."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict

import numpy as np
import pytest
import torch

from dlcli.models.fitting import FitsToTexts
from dlcli.models.language.model import HasLogits
from dlcli.models.language.ngram import NGram

VOCABULARY = 6


def made_texts(count=60, seed=0):
    random = np.random.default_rng(seed)
    return [random.choice([2, 2, 2, 3, 3, 4], random.integers(0, 6)).astype(np.int64) for _ in range(count)]


def fitted(order, texts, **options):
    network = NGram(vocab_size=VOCABULARY, order=order, **options)
    network.fit_to(texts, [True] * len(texts))
    return network


def following(network, context):
    """Return the probabilities of what follows a context of order - 1 tokens."""
    state = torch.tensor([[0, *context[:-1]]]) if context else network.start(torch.zeros(1, 1))
    found, _ = network.step(torch.tensor([context[-1] if context else 0]), state)
    return found[0].double().exp().numpy()


def by_counting(order, texts, discounts_of):
    """Return a function (context, token) -> interpolated Kneser-Ney, by dictionaries of tuples and recursion."""
    grams = Counter()
    for text in texts:
        padded = [*[0] * (order - 1), *text.tolist(), 0]
        grams.update(tuple(padded[at : at + order]) for at in range(len(padded) - order + 1))
    tables = {order: grams}
    for size in range(order - 1, 0, -1):
        tables[size] = Counter(gram[1:] for gram in tables[size + 1])
    discounts = {size: discounts_of(Counter(table.values())) for size, table in tables.items()}
    after = {size: defaultdict(dict) for size in tables}
    for size, table in tables.items():
        for gram, count in table.items():
            after[size][gram[:-1]][gram[-1]] = count

    def probability(context, token):
        size = len(context) + 1
        lower = probability(context[1:], token) if context else 1 / VOCABULARY
        own = after[size].get(context)
        if own is None:
            return lower
        taken = {word: min(discounts[size](count), count) for word, count in own.items()}
        total = sum(own.values())
        return (own.get(token, 0) - taken.get(token, 0)) / total + sum(taken.values()) / total * lower

    return probability


def modified(counts):
    """Chen & Goodman 1998, eq. 26, where it can be estimated; else one discount; else a half."""
    if not counts[1] or not counts[2]:
        return lambda count: 0.5
    share = counts[1] / (counts[1] + 2 * counts[2])
    if not counts[3] or not counts[4]:
        return lambda count: share
    three = [1 - 2 * share * counts[2] / counts[1], 2 - 3 * share * counts[3] / counts[2]]
    three.append(3 - 4 * share * counts[4] / counts[3])
    if not all(0 < value <= most for value, most in zip(three, (1, 2, 3), strict=True)):
        return lambda count: share
    return lambda count: three[min(count, 3) - 1]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [2, 7, 60, 400])
def test_kneser_ney_equals_an_independent_count_for_every_context(order, count):
    texts = made_texts(count)
    network, expected = fitted(order, texts), by_counting(order, texts, modified)
    for context in itertools.product(range(VOCABULARY), repeat=order - 1):
        found = following(network, context)
        assert found.sum() == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(found, [expected(context, token) for token in range(VOCABULARY)], rtol=1e-5)
        assert (found > 0).all()


def test_kneser_ney_by_hand():
    # "a b", "a c": bigrams (after the boundary) #a twice, ab, ac, b#, c# once: D = 4 / (4 + 2 * 1) = 2/3.
    # Before a stands only #; before # stand b and c; so of 5 kinds of bigrams a, b, c end one each, # two:
    # D of these is 3 / (3 + 2 * 1) = 3/5, and 4 * 3/5 of 5 goes to six equal tokens.
    network = fitted(2, [np.array([2, 3]), np.array([2, 4])])
    single = {token: (count - 3 / 5) / 5 + 4 * (3 / 5) / 5 / 6 for token, count in {0: 2, 2: 1, 3: 1, 4: 1}.items()}
    unseen = 4 * (3 / 5) / 5 / 6
    after_a = following(network, (2,))
    assert after_a[3] == pytest.approx((1 - 2 / 3) / 2 + 2 * (2 / 3) / 2 * single[3])
    assert after_a[2] == pytest.approx(2 * (2 / 3) / 2 * single[2])
    assert following(network, (0,))[2] == pytest.approx((2 - 2 / 3) / 2 + (2 / 3) / 2 * single[2])
    np.testing.assert_allclose(following(network, (5,)), [single.get(token, unseen) for token in range(6)], rtol=1e-6)


def test_add_k_by_hand():
    network = fitted(2, [np.array([2, 3]), np.array([2, 4])], smoothing="add-k", add_k=0.5)
    np.testing.assert_allclose(following(network, (2,)), np.array([0.5, 0.5, 0.5, 1.5, 1.5, 0.5]) / 5, rtol=1e-6)
    np.testing.assert_allclose(following(network, (5,)), np.full(6, 1 / 6), rtol=1e-6)
    alone = fitted(1, [np.array([2, 3]), np.array([2, 4])], smoothing="add-k", add_k=1.0)
    np.testing.assert_allclose(following(alone, ()), np.array([3, 1, 3, 2, 2, 1]) / 12, rtol=1e-6)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_texts_are_scored_as_their_steps_and_padding_changes_nothing(order):
    network = fitted(order, made_texts())
    tokens, lengths = torch.tensor([[2, 5, 3, 1], [4, 2, 5, 5], [3, 0, 0, 0]]), torch.tensor([4, 2, 1])
    whole = network(tokens, lengths)
    state, last = network.start(tokens), torch.zeros(3, dtype=torch.int64)
    for place in range(5):
        found, state = network.step(last, state)
        last = torch.where(place < lengths, tokens[:, min(place, 3)], 0)
        expected = torch.where(place <= lengths, found.gather(1, last[:, None])[:, 0], 0.0)
        torch.testing.assert_close(whole[:, place], expected)


def test_a_text_that_was_cut_has_no_end_to_count():
    network = NGram(vocab_size=VOCABULARY, order=1, smoothing="add-k", add_k=1.0)
    network.fit_to([np.array([2, 3]), np.array([2])], [False, True])
    np.testing.assert_allclose(following(network, ()), np.array([2, 1, 3, 2, 1, 1]) / 10, rtol=1e-6)


def test_before_it_is_fitted_and_after_nothing_every_token_is_equally_probable():
    network = NGram(vocab_size=VOCABULARY)
    for _ in range(2):
        assert network(torch.tensor([[2]]), torch.tensor([1])).tolist() == [[pytest.approx(-math.log(6))] * 2]
        network.fit_to([], [])
    assert isinstance(network, FitsToTexts)
    assert not isinstance(network, HasLogits)


def test_weights_are_restored_into_a_network_that_has_seen_no_text():
    network, other = fitted(3, made_texts()), NGram(vocab_size=VOCABULARY)
    other.load_state_dict(network.state_dict())
    np.testing.assert_array_equal(following(other, (2, 3)), following(network, (2, 3)))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("contexts1", lambda values: values.flip(0)),
        ("grams2", lambda values: values + 10**6),
        ("grams2", lambda values: values.float()),
        ("values0", lambda values: values * torch.nan),
        ("rest1", lambda values: values + 2),
        ("rest1", lambda values: values[1:]),
        ("values2", lambda values: values[None]),
    ],
)
def test_damaged_counts_are_refused(name, change):
    weights = fitted(3, made_texts()).state_dict()
    weights[name] = change(weights[name])
    with pytest.raises(RuntimeError, match=f"level {name[-1]} are damaged"):
        NGram(vocab_size=VOCABULARY).load_state_dict(weights)
