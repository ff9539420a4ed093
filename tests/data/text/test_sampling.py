"""Drawing tokens: frequencies, top-k and top-p by hand, and continuations that no batch changes."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.core.errors import RunError
from dlcli.data.text.sampling import Sampling, continue_texts, draw_token

PROBABILITIES = np.array([0.1, 0.0, 0.4, 0.3, 0.2])
with np.errstate(divide="ignore"):
    LOG_PROBS = np.log(PROBABILITIES)


def drawn(sampling: Sampling, **more: object) -> list[int]:
    random = np.random.default_rng(0)
    return [draw_token(LOG_PROBS, sampling, random, **more) for _ in range(4000)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, PROBABILITIES),
        ({"temperature": 0.5}, PROBABILITIES**2 / (PROBABILITIES**2).sum()),
        ({"top_k": 2}, [0, 0, 4 / 7, 3 / 7, 0]),
        ({"top_p": 0.7}, [0, 0, 4 / 7, 3 / 7, 0]),
        ({"top_p": 0.71}, [0, 0, 4 / 9, 3 / 9, 2 / 9]),
        ({"top_p": 1e-6}, [0, 0, 1, 0, 0]),
        ({"top_k": 3, "top_p": 0.5}, [0, 0, 4 / 7, 3 / 7, 0]),
        ({"temperature": 0.0}, [0, 0, 1, 0, 0]),
    ],
)
def test_tokens_are_drawn_as_often_as_they_are_probable(options, expected):
    shares = np.bincount(drawn(Sampling(0, **options)), minlength=5) / 4000
    np.testing.assert_allclose(shares, expected, atol=0.03)
    assert not shares[np.array(expected) == 0].any()


def test_what_is_never_said_is_not_drawn_and_of_equal_ones_the_first_is_taken():
    assert set(drawn(Sampling(0), never=(2, 3))) == {0, 4}
    assert draw_token(np.log(np.full(3, 1 / 3)), Sampling(0, temperature=0.0), np.random.default_rng(0)) == 0
    with pytest.raises(RunError, match="probability 0"):
        draw_token(LOG_PROBS, Sampling(0), np.random.default_rng(0), never=(0, 2, 3, 4))


@pytest.mark.parametrize("options", [{"temperature": -1}, {"top_p": 0.0}, {"top_p": 1.5}, {"top_k": 0}, {"most": -1}])
def test_impossible_draws_are_refused(options):
    with pytest.raises(ValueError, match="not drawn so"):
        Sampling(0, **options)


def counting(last: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A network whose state is the sum of what it read; it prefers the next token by number, and ends after 4."""
    state = state + last
    found = np.full((len(last), 6), 0.02)
    found[np.arange(len(last)), np.where(last >= 4, 0, last + 1)] = 0.9
    return np.log(found / found.sum(1, keepdims=True)), state


def test_texts_are_read_continued_and_ended():
    texts = [np.array([2]), np.array([1, 2, 3]), np.array([], int), np.array([4])]
    found = continue_texts(counting, np.zeros(4), texts, [1, 2, 3, 4], Sampling(0, most=2, temperature=0.0))
    assert found.tokens == [[3, 4], [4], [1, 2], []]
    assert found.following.argmax(1).tolist() == [3, 4, 1, 0]
    none = continue_texts(counting, np.zeros(2), texts[:2], [1, 2], Sampling(0))
    assert none.tokens == [[], []]
    np.testing.assert_array_equal(none.following, found.following[:2])


def test_an_empty_text_gets_a_token_before_its_end():
    def ends(last: np.ndarray, state: int) -> tuple[np.ndarray, int]:
        return np.log(np.tile([0.98, 0.01, 0.01], (len(last), 1))), state

    found = continue_texts(ends, 0, [np.array([], int)] * 20, range(20), Sampling(0, most=5, never=(1,)))
    assert {tokens[0] for tokens in found.tokens} == {2}


def test_a_continuation_depends_on_text_and_seed_alone():
    texts = [np.array([row % 5]) for row in range(12)]
    sampling = Sampling(0, most=6, temperature=3.0)
    together = continue_texts(counting, np.zeros(12), texts, range(12), sampling).tokens
    alone = [continue_texts(counting, np.zeros(1), [text], [row], sampling).tokens[0] for row, text in enumerate(texts)]
    assert together == alone
    assert len({*map(tuple, together)}) > 6


def test_a_network_of_nan_is_named():
    with pytest.raises(RunError, match="NaN"):
        continue_texts(lambda last, state: (np.full((1, 3), np.nan), state), 0, [np.array([1])], [0], Sampling(0))
