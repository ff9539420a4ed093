"""Beam search in numpy over a network that it knows nothing of. Torch-free: a run and its export search alike.

The network is a function `step(tokens, state) -> (scores, ids, state)`. One row is one unfinished hypothesis; what it
has read and said so far is in its state, which the search only hands on and reorders. The step gives the best
candidates of each row (the top 2k, found inside the graph) instead of scores over the whole vocabulary: a beam of k
needs at most 2k of them, because at most k end a sentence.

Sources: Sutskever et al. 2014 (arXiv:1409.3215): a hypothesis leaves the beam with its end token and joins the
complete ones. Wu et al. 2016 (arXiv:1609.08144, eq. 14): the length penalty. Which candidates may end follows fairseq:
those among the first k.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from dlcli.core.errors import RunError

State = TypeVar("State")
Step = Callable[[np.ndarray, State], tuple[np.ndarray, np.ndarray, State]]


@dataclass(frozen=True)
class Hypothesis:
    """A sentence that was found.

    Attributes:
        tokens: without the start and the end token.
        score: its log-probability over the length penalty; larger is better.
        is_complete: False where the longest allowed length cut it off before its end token.
    """

    tokens: tuple[int, ...]
    score: float
    is_complete: bool


@dataclass(frozen=True)
class Limits:
    """How a beam search goes on and when it ends.

    Attributes:
        start, end: the token that every sentence begins with, and the one that ends it.
        max_length: the largest number of tokens, the end token included; for all sentences, or (B,) for each.
        beam: hypotheses that are followed at a time; 1 is greedy search.
        num_best: hypotheses that are returned for each sentence, at most `beam`.
        length_penalty: alpha of Wu et al.; 0 compares plain log-probabilities, which favours short sentences.

    Raises:
        ValueError: a number is out of range.
    """

    start: int
    end: int
    max_length: int | np.ndarray
    beam: int = 4
    num_best: int = 1
    length_penalty: float = 0.6

    def __post_init__(self) -> None:
        if not 1 <= self.num_best <= self.beam:
            raise ValueError(f"{self.num_best} best of a beam of {self.beam}")
        if np.min(self.max_length) < 1:
            raise ValueError(f"sentences of at most {np.min(self.max_length)} tokens")
        if not self.length_penalty >= 0:
            raise ValueError(f"a length penalty of {self.length_penalty}")


def length_penalty(length: int, alpha: float) -> float:
    """Return ((5 + length) / 6) ** alpha, by which log-probabilities are divided (Wu et al. 2016, eq. 14)."""
    return float(((5 + length) / 6) ** alpha)


def reorder_arrays(state: Mapping[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return the state of these rows, in this order.

    Args:
        state: name -> (R, ...).
        rows: (Q,) int64 numbers of rows; some may repeat, some be missing.
    """
    return {name: array[rows] for name, array in state.items()}


def repeating_tokens(said: np.ndarray, size: int, filler: int) -> np.ndarray:
    """Return the tokens that would repeat an n-gram of each hypothesis, (R, max(t - size + 1, 0)) int64.

    A step that gives these a log-probability of -inf searches exactly among the sentences without a repeated n-gram;
    removing them from its best candidates afterwards would not.

    Args:
        said: (R, t) int64 what each hypothesis holds so far.
        size: n, at least 1.
        filler: the token in places where nothing is repeated.
    """
    num_rows, length = said.shape
    if length < size:
        return np.empty((num_rows, 0), np.int64)
    grams = np.lib.stride_tricks.sliding_window_view(said, size, axis=1)  # (R, t - size + 1, size)
    newest = said[:, length - size + 1 :]
    return np.where((grams[:, :, :-1] == newest[:, None]).all(axis=2), grams[:, :, -1], filler)


@dataclass
class _Sentence:
    """The search of one sentence.

    Attributes:
        tokens: (k, t) what the unfinished hypotheses hold.
        totals: (k,) their log-probabilities; -inf where a place of the beam is not in use.
        complete: the hypotheses that have left the beam.
    """

    max_length: int
    tokens: np.ndarray
    totals: np.ndarray
    complete: list[Hypothesis] = field(default_factory=list)


def beam_search(
    step: Step[State],
    reorder: Callable[[State, np.ndarray], State],
    state: State,
    *,
    num_sentences: int,
    limits: Limits,
) -> list[list[Hypothesis]]:
    """Return the best hypotheses of each sentence, best first, each at most once.

    Each sentence of a batch is searched as if it were alone, and leaves the batch when it is done: with `beam` complete
    hypotheses, when no unfinished one can still enter the best, or at the largest length, where what is unfinished
    counts as it is. Of equal scores the hypothesis comes first whose row does, then the candidate of the smaller id.

    Args:
        step: ((R,) int64 tokens, state of R rows) -> ((R, C) log-probabilities, (R, C) int ids of the tokens, state);
            C is 2 * beam, or the size of a smaller vocabulary, and no id repeats within a row.
        reorder: (state, (Q,) int64 rows) -> the state of these rows; `reorder_arrays` for a mapping of arrays.
        state: of B rows, one for each sentence.
        num_sentences: B.
        limits: see `Limits`.

    Returns:
        B lists of up to `num_best` hypotheses; fewer where there are no more.

    Raises:
        RunError: the step gives NaN.
    """
    beam = limits.beam
    longest = np.broadcast_to(np.asarray(limits.max_length), (num_sentences,))
    first = np.where(np.arange(beam) == 0, 0.0, -np.inf)  # equal rows: only one of them counts
    sentences = [_Sentence(int(most), np.empty((beam, 0), np.int64), first) for most in longest]
    active = list(range(num_sentences))
    state = reorder(state, np.repeat(np.arange(num_sentences), beam))
    last = np.full(num_sentences * beam, limits.start, np.int64)
    while active:
        scores, ids, state = step(last, state)
        if np.isnan(scores).any():
            raise RunError("the network's scores are NaN", hint="its weights are damaged: train it again")
        going_on, rows = [], []
        for place, number in enumerate(active):
            block = slice(place * beam, (place + 1) * beam)
            origins = _advance(sentences[number], np.asarray(scores[block], np.float64), ids[block], limits)
            if not _is_done(sentences[number], limits):
                going_on.append(number)
                rows.append(place * beam + origins)
        active = going_on
        if active:
            state = reorder(state, np.concatenate(rows))
            last = np.concatenate([sentences[number].tokens[:, -1] for number in active])
    return [_best(sentence, limits) for sentence in sentences]


def _advance(sentence: _Sentence, scores: np.ndarray, ids: np.ndarray, limits: Limits) -> np.ndarray:
    """Extend the hypotheses of a sentence by one token and return the rows (k,) that the new ones came from.

    Args:
        sentence: is changed.
        scores: (k, C) log-probabilities of the candidates of each row.
        ids: (k, C) their tokens.
        limits: beam, end token, length penalty.
    """
    beam = limits.beam
    totals = (sentence.totals[:, None] + scores).ravel()
    tokens = np.asarray(ids, np.int64).ravel()
    origins = np.repeat(np.arange(beam), scores.shape[1])
    order = np.lexsort((tokens, origins, -totals))
    order = order[np.isfinite(totals[order])]
    is_end = tokens[order] == limits.end
    for candidate in order[:beam][is_end[:beam]]:
        said = tuple(sentence.tokens[origins[candidate]].tolist())
        score = totals[candidate] / length_penalty(len(said) + 1, limits.length_penalty)
        sentence.complete.append(Hypothesis(said, float(score), is_complete=True))
    chosen = order[~is_end][:beam]
    new_tokens = np.concatenate([sentence.tokens[origins[chosen]], tokens[chosen, None]], axis=1)
    num_free = beam - len(chosen)
    sentence.tokens = np.pad(new_tokens, ((0, num_free), (0, 0)))
    sentence.totals = np.pad(totals[chosen], (0, num_free), constant_values=-np.inf)
    return np.pad(origins[chosen], (0, num_free))


def _is_done(sentence: _Sentence, limits: Limits) -> bool:
    """Return whether a sentence is searched to its end; at the largest length its unfinished ones are taken in."""
    if len(sentence.complete) >= limits.beam or not np.isfinite(sentence.totals).any():
        return True
    if sentence.tokens.shape[1] >= sentence.max_length:
        penalty = length_penalty(sentence.tokens.shape[1], limits.length_penalty)
        for tokens, total in zip(sentence.tokens, sentence.totals, strict=True):
            if np.isfinite(total):
                sentence.complete.append(Hypothesis(tuple(tokens.tolist()), float(total / penalty), is_complete=False))
        return True
    if len(sentence.complete) < limits.num_best:
        return False
    # Log-probabilities only fall and the penalty only grows: no score can become better than this one.
    bound = sentence.totals.max() / length_penalty(sentence.max_length, limits.length_penalty)
    return bool(_best(sentence, limits)[-1].score >= bound)


def _best(sentence: _Sentence, limits: Limits) -> list[Hypothesis]:
    return sorted(sentence.complete, key=lambda hypothesis: -hypothesis.score)[: limits.num_best]
