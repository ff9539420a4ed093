from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from dlcli.core.errors import RunError
from dlcli.data.text.beam import Limits, beam_search, length_penalty, reorder_arrays, repeating_tokens

START, END = 0, 1


class TableNet:
    """A network of tables: the scores of the next token depend on the sentence and on all tokens so far.

    The state is the sentence's number and a hash of its tokens, so a state that is not reordered with its hypothesis
    shows at once.
    """

    def __init__(self, vocab_size: int = 4, num_candidates: int | None = None, seed: int = 0) -> None:
        self.vocab_size, self.seed = vocab_size, seed
        self.num_candidates = num_candidates or vocab_size
        self.num_rows: list[int] = []
        self.log_probs = functools.cache(self._log_probs)

    def start(self, sentences: list[int]) -> dict[str, np.ndarray]:
        return {"sentence": np.array(sentences), "hash": np.zeros(len(sentences), np.int64)}

    def _log_probs(self, sentence: int, mark: int) -> np.ndarray:
        logits = np.random.default_rng((self.seed, sentence, mark)).normal(0, 1.5, self.vocab_size)
        return logits - np.log(np.exp(logits).sum())

    def step(self, tokens: np.ndarray, state: dict[str, np.ndarray]):
        assert len(tokens) == len(state["hash"])
        assert END not in tokens  # a finished hypothesis is never extended
        self.num_rows.append(len(tokens))
        marks = (state["hash"] * 31 + tokens + 1) % 1_000_003
        scores = np.stack(
            [self.log_probs(*pair) for pair in zip(state["sentence"].tolist(), marks.tolist(), strict=True)]
        )
        ids = np.argsort(-scores, axis=1, kind="stable")[:, : self.num_candidates]
        return np.take_along_axis(scores, ids, 1), ids, {**state, "hash": marks}

    def search(self, sentences: list[int], limits: Limits):
        return beam_search(
            self.step, reorder_arrays, self.start(sentences), num_sentences=len(sentences), limits=limits
        )

    def score(self, sentence: int, tokens: tuple[int, ...], alpha: float) -> float:
        """Return the score of tokens by definition."""
        mark, total = 0, 0.0
        for before, token in zip((START, *tokens), tokens, strict=False):
            mark = (mark * 31 + before + 1) % 1_000_003
            total += self.log_probs(sentence, mark)[token]
        return total / length_penalty(len(tokens), alpha)

    def exhaustive(self, sentence: int, max_length: int, alpha: float) -> list[tuple[tuple[int, ...], float]]:
        """Return every sentence there is, without its end token, with its score, best first."""
        words = [token for token in range(self.vocab_size) if token != END]
        found = []
        for length in range(max_length):
            for said in itertools.product(words, repeat=length):
                found.append((said, self.score(sentence, (*said, END), alpha)))
        for said in itertools.product(words, repeat=max_length):
            found.append((said, self.score(sentence, said, alpha)))
        return sorted(found, key=lambda entry: -entry[1])


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_finds_what_an_exhaustive_search_finds(alpha, seed):
    net = TableNet(seed=seed)
    expected = net.exhaustive(5, 4, alpha)
    limits = Limits(START, END, 4, beam=len(expected), num_best=12, length_penalty=alpha)
    [found] = net.search([5], limits)
    assert [entry.tokens for entry in found] == [said for said, _ in expected[:12]]
    np.testing.assert_allclose([entry.score for entry in found], [score for _, score in expected[:12]], rtol=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_a_beam_of_one_is_greedy(seed):
    net = TableNet(vocab_size=6, num_candidates=2, seed=seed)
    said, mark, before = [], 0, START
    while len(said) < 9:
        mark = (mark * 31 + before + 1) % 1_000_003
        before = int(net.log_probs(3, mark).argmax())
        if before == END:
            break
        said.append(before)
    [[found]] = net.search([3], Limits(START, END, 9, beam=1))
    assert found.tokens == tuple(said)
    assert found.is_complete == (len(said) < 9)


def test_scores_are_those_of_the_definition_and_the_best_come_first_and_once():
    net = TableNet(vocab_size=9, num_candidates=10)
    for found in net.search([0, 1, 2], Limits(START, END, 6, beam=5, num_best=5)):
        assert len(found) == 5
        assert len({entry.tokens for entry in found}) == 5
        scores = [entry.score for entry in found]
        assert scores == sorted(scores, reverse=True)
    for sentence, [best] in enumerate(net.search([0, 1, 2], Limits(START, END, 6, beam=5))):
        tokens = (*best.tokens, END) if best.is_complete else best.tokens
        assert best.score == pytest.approx(net.score(sentence, tokens, 0.6))


def test_a_batch_of_sentences_equals_each_alone():
    net = TableNet(vocab_size=12, num_candidates=8)
    longest = np.array([1, 8, 3, 8, 5])
    together = net.search([4, 7, 1, 7, 2], Limits(START, END, longest, beam=4, num_best=3))
    alone = [
        net.search([sentence], Limits(START, END, int(most), beam=4, num_best=3))[0]
        for sentence, most in zip([4, 7, 1, 7, 2], longest, strict=True)
    ]
    assert together == alone
    assert together[1] == together[3]


def test_a_finished_sentence_leaves_the_batch():
    net = TableNet(vocab_size=12, num_candidates=4)
    net.search([0, 1], Limits(START, END, np.array([1, 5]), beam=2))
    assert net.num_rows[0] == 4
    assert set(net.num_rows[1:]) == {2}


def test_no_sentence_is_longer_than_allowed():
    net = TableNet(vocab_size=30, num_candidates=8)
    for found in net.search(list(range(6)), Limits(START, END, 4, beam=4, num_best=4)):
        assert all(len(entry.tokens) < 4 or not entry.is_complete for entry in found)
        assert all(len(entry.tokens) == 4 for entry in found if not entry.is_complete)


def test_a_larger_length_penalty_favours_longer_sentences():
    def mean_length(alpha):
        net = TableNet()
        return np.mean([len(net.exhaustive(sentence, 5, alpha)[0][0]) for sentence in range(5)])

    def searched_length(alpha):
        net = TableNet()
        found = net.search(list(range(5)), Limits(START, END, 5, beam=400, length_penalty=alpha))
        return np.mean([len(entry.tokens) for [entry] in found])

    assert searched_length(0.0) == mean_length(0.0) < searched_length(2.0) == mean_length(2.0)


def test_ties_go_to_the_earlier_row_then_to_the_smaller_id():
    def even(tokens, state):
        ids = np.tile(np.array([5, 3, 4, 2]), (len(tokens), 1))  # in no order
        return np.full(ids.shape, -1.0), ids, state

    limits = Limits(START, END, 2, beam=3, num_best=3)
    [found] = beam_search(even, lambda state, rows: state, None, num_sentences=1, limits=limits)
    assert [entry.tokens for entry in found] == [(2, 2), (2, 3), (2, 4)]


def test_a_place_of_the_beam_without_a_hypothesis_gives_none():
    def only_end(tokens, state):
        return np.full((len(tokens), 1), -0.5), np.full((len(tokens), 1), END), state

    limits = Limits(START, END, 9, beam=4, num_best=4)
    [found] = beam_search(only_end, lambda state, rows: state, None, num_sentences=1, limits=limits)
    assert [(entry.tokens, entry.is_complete) for entry in found] == [((), True)]


def test_scores_that_are_nan_are_refused():
    def broken(tokens, state):
        return np.full((len(tokens), 2), np.nan), np.zeros((len(tokens), 2), np.int64), state

    with pytest.raises(RunError, match="NaN"):
        beam_search(broken, lambda state, rows: state, None, num_sentences=1, limits=Limits(START, END, 3, beam=1))


@pytest.mark.parametrize("more", [{"beam": 0}, {"beam": 2, "num_best": 3}, {"length_penalty": -1.0}])
def test_limits_out_of_range_are_refused(more):
    with pytest.raises(ValueError, match=r"of"):
        Limits(START, END, 5, **more)
    with pytest.raises(ValueError, match="at most 0"):
        Limits(START, END, np.array([3, 0]))


def test_tokens_that_would_repeat_an_n_gram_are_those_of_the_definition():
    random = np.random.default_rng(0)
    for length in range(9):
        said = random.integers(3, 6, (5, length))
        for size in (1, 2, 3):
            found = repeating_tokens(said, size, filler=0)
            for row, tokens in zip(found, said.tolist(), strict=True):
                grams = {tuple(tokens[start : start + size]) for start in range(length - size + 1)}
                newest = tuple(tokens[length - size + 1 :]) if size > 1 else ()
                expected = {token for token in range(3, 6) if (*newest, token) in grams}
                assert set(row.tolist()) - {0} == (expected if length >= size else set())
