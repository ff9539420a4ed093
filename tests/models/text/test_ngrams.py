"""TF-IDF inside the graph equals scikit-learn's, for characters and words; n-grams are told apart by their order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from dlcli.data.text.characters import character_reader, pack_characters
from dlcli.data.text.loader import character_arrays
from dlcli.data.text.tokenizing.tokenizer import make_spec
from dlcli.models.fitting import CountsTexts, FitsToLabels
from dlcli.models.text.ngrams import BUCKETS, MOST_COUNTED, TfIdf, TfIdfLinear, buckets_for, hashed_ngrams

TEXTS = [
    "a fine place, a fine view",
    "the place was not fine",
    "好好好学习 天天向上",
    "今天 天气 很好 很好",
    "fine",
    "view view view view view",
]
WORDS = sorted({word for text in TEXTS for word in text.split()})


def inputs(texts):
    """Return the tokens, their numbers, the characters and theirs, of texts cut at blanks."""
    lengths = torch.tensor([len(text.split()) for text in texts])
    tokens = torch.zeros((len(texts), int(lengths.max())), dtype=torch.int64)
    for row, text in enumerate(texts):
        numbers = [WORDS.index(word) + 2 if word in WORDS else 1 for word in text.split()]
        tokens[row, : len(numbers)] = torch.tensor(numbers)
    arrays = character_arrays(pack_characters(texts, character_reader(make_spec("char"), 1000)), np.arange(len(texts)))
    return tokens, lengths, *(torch.from_numpy(array) for array in arrays.values())


def summed(rows, weights):
    """Return the TF-IDF of each text's n-grams, by row, without those that weigh nothing."""
    found = []
    for own, values in zip(rows.numpy(), weights.numpy(), strict=True):
        names, place = np.unique(own, return_inverse=True)
        totals = np.bincount(place, values, len(names))
        found.append({name: total for name, total in zip(names, totals, strict=True) if total})
    return found


@pytest.mark.parametrize(
    ("sizes", "options"),
    [
        ({"characters": (1, 2), "words": ()}, {"analyzer": "char", "ngram_range": (1, 2)}),
        ({"characters": (3,), "words": ()}, {"analyzer": "char", "ngram_range": (3, 3)}),
        ({"characters": (), "words": (1, 2)}, {"token_pattern": r"\S+", "ngram_range": (1, 2)}),
    ],
)
def test_the_weights_are_those_of_scikit_learn(sizes, options):
    features = TfIdf(**sizes, buckets=524_287)
    features.count_texts([inputs(TEXTS[:4]), inputs(TEXTS[4:])])
    expected = TfidfVectorizer(min_df=2, sublinear_tf=True, **options).fit(TEXTS)
    others = [*TEXTS, "a fine new view of 天", "好" * MOST_COUNTED]
    found = summed(*features(*inputs(others)))
    for own, row in zip(found, expected.transform(others).toarray(), strict=True):
        np.testing.assert_allclose(sorted(own.values()), sorted(row[row > 0]), rtol=1e-5)
    assert len({name for own in found for name in own}) == len(expected.vocabulary_)


def test_an_ngram_that_is_repeated_without_end_counts_as_often_as_the_limit():
    features = TfIdf(characters=(1,), words=(), buckets=1009)
    few, many = (summed(*features(*inputs([f"{'x' * count} y"]))) for count in (MOST_COUNTED, 900))
    assert few[0] == pytest.approx(many[0])


def test_order_size_and_kind_tell_ngrams_apart():
    def rows(items, sizes=(1, 2, 3, 4), kind=0):
        return hashed_ngrams(torch.tensor([items]), torch.tensor([len(items)]), sizes, 524_287, kind)[0].tolist()

    forward, backward = rows([7, 300, 9, 20_000]), rows([20_000, 9, 300, 7])
    assert set(forward) & set(backward) == {0, *rows([7, 300, 9, 20_000], (1,))}
    assert len(set(forward)) == 4 + 3 + 2 + 1 + 1
    assert not set(forward) & set(rows([7, 300, 9, 20_000], kind=1)) - {0}
    assert min(set(forward) - {0}) >= 1 and max(forward) <= 524_287


def test_the_table_is_smaller_where_there_are_many_classes():
    assert [buckets_for(count) for count in (2, 3, 16, 17)] == [*(rows for _, rows in BUCKETS), 65_521]
    assert TfIdfLinear(num_classes=3, vocab_size=9, buckets=50).table.weight.shape == (51, 3)
    assert isinstance(TfIdf(characters=(1,), words=(), buckets=50), CountsTexts)


def test_a_new_classifier_knows_nothing_and_a_text_of_unseen_characters_gets_its_bias():
    network = TfIdfLinear(num_classes=2, vocab_size=99).eval()
    network.features.count_texts([inputs(TEXTS)])
    torch.nn.init.normal_(network.table.weight)
    with torch.no_grad():
        network.bias.copy_(torch.tensor([1.0, -2.0]))
        unseen = network(*inputs(["\u9f98\u9f98\u9f96"]))
        torch.testing.assert_close(unseen[0], network.bias)
        assert not torch.allclose(network(*inputs(["fine"]))[0], network.bias)


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 0, 1], [0, 1, 2, 2, 1, 0]])
def test_the_minimum_is_that_of_scikit_learns_logistic_regression(labels):
    vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit_transform(TEXTS)
    expected = LogisticRegression(C=2.0, max_iter=5_000, tol=1e-9).fit(vectors, labels).predict_proba(vectors)
    network = TfIdfLinear(
        num_classes=max(labels) + 1, vocab_size=9, characters=(1, 2), words=(), inverse_penalty=2.0, buckets=4093
    ).double()
    network.features.count_texts([inputs(TEXTS)])
    optimizer = torch.optim.LBFGS(network.parameters(), max_iter=1, lr=0.5)
    for parts in [[slice(0, 6)]] * 150:  # the gradient, not the value, has the penalty: no line search

        def closure(parts=parts):
            optimizer.zero_grad()
            loss = torch.zeros((), dtype=torch.float64)
            for part in parts:
                given = tuple(each[part] for each in inputs(TEXTS))
                loss = loss + torch.nn.functional.cross_entropy(network(*given), torch.tensor(labels[part]))
            loss.backward()
            return loss

        optimizer.step(closure)
    with torch.no_grad():
        found = network.eval()(*inputs(TEXTS)).softmax(1).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_each_weight_bears_its_penalty_once_an_epoch_whatever_the_batches():
    network = TfIdfLinear(num_classes=2, vocab_size=9, buckets=4093)
    network.features.count_texts([inputs(TEXTS)])
    every = inputs(TEXTS)
    shares = torch.zeros(4094)
    for part in (slice(0, 1), slice(1, 4), slice(4, 6)):
        rows = network.features.rows(*(each[part] for each in every))
        shares.index_add_(0, rows.flatten(), network.features.shares_of(rows).flatten())
    torch.testing.assert_close(shares, (network.features.inverse_frequencies > 0).float())


def test_each_kind_of_ngram_has_length_1_so_that_words_are_not_outweighed():
    features = TfIdf(characters=(1, 2), words=(1,), buckets=100_003)
    alone = [TfIdf(characters=(1, 2), words=(), buckets=100_003), TfIdf(characters=(), words=(1,), buckets=100_003)]
    for each in (features, *alone):
        each.count_texts([inputs(TEXTS)])
    together = summed(*features(*inputs(TEXTS)))
    apart = [summed(*kind(*inputs(TEXTS))) for kind in alone]
    for text, characters, words in zip(together, *apart, strict=True):
        assert text == pytest.approx({**characters, **words})
        for part in (characters, words):
            assert not part or sum(value**2 for value in part.values()) == pytest.approx(1)


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 0, 1], [0, 1, 2, 2, 1, 0]])
def test_fitted_to_labels_it_answers_as_scikit_learn_does(labels):
    vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit_transform(TEXTS)
    expected = LogisticRegression(C=4.0, max_iter=5_000, tol=1e-9).fit(vectors, labels).predict_proba(vectors)
    network = TfIdfLinear(num_classes=max(labels) + 1, vocab_size=9, characters=(1, 2), words=(), buckets=4093).eval()
    network.features.count_texts([inputs(TEXTS)])
    assert isinstance(network, FitsToLabels)
    wanted = torch.tensor(labels)
    batches = [(tuple(each[part] for each in inputs(TEXTS)), wanted[part]) for part in (slice(0, 2), slice(2, 6))]
    network.fit_to_labels(batches, [], None)
    assert network.fitted == {"inverse_penalty": torch.tensor(4.0)}
    with torch.no_grad():
        found = network(*inputs(TEXTS)).softmax(1).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-3)  # scikit-learn stops where the gradient is small
