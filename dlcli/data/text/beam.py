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

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
class _Unfinished:
    """The unfinished hypotheses of A sentences, k of each.

    Attributes:
        tokens: (A, k, t) what they hold.
        totals: (A, k) their log-probabilities; -inf where a place of the beam is not in use.
        origins: (A, k) the places they came from in the step before.
    """

    tokens: np.ndarray
    totals: np.ndarray
    origins: np.ndarray

    def of_rows(self, rows: list[int]) -> _Unfinished:
        """Return those of some sentences."""
        return _Unfinished(self.tokens[rows], self.totals[rows], self.origins[rows])


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
    longest = np.broadcast_to(np.asarray(limits.max_length), (num_sentences,)).tolist()
    complete: list[list[Hypothesis]] = [[] for _ in range(num_sentences)]
    first = np.where(np.arange(beam) == 0, 0.0, -np.inf)  # equal rows: only one of them counts
    shape = (num_sentences, beam)
    unfinished = _Unfinished(
        np.empty((*shape, 0), np.int64), np.tile(first, (num_sentences, 1)), np.zeros(shape, np.int64)
    )
    active = list(range(num_sentences))
    state = reorder(state, np.repeat(np.arange(num_sentences), beam))
    last = np.full(num_sentences * beam, limits.start, np.int64)
    while active:
        scores, ids, state = step(last, state)
        if np.isnan(scores).any():
            raise RunError("the network's scores are NaN", hint="its weights are damaged: train it again")
        unfinished, ended = _advance(unfinished, np.asarray(scores, np.float64), np.asarray(ids, np.int64), limits)
        for row, hypothesis in ended:
            complete[active[row]].append(hypothesis)
        best_totals = unfinished.totals.max(axis=1).tolist()
        rows = []
        for row, number in enumerate(active):
            if not _is_done(complete[number], best_totals[row], unfinished.tokens.shape[2], longest[number], limits):
                rows.append(row)
            elif len(complete[number]) < beam:
                complete[number] += _cut_off(unfinished, row, longest[number], limits)
        active = [active[row] for row in rows]
        unfinished = unfinished.of_rows(rows)
        if active:
            state = reorder(state, (np.array(rows)[:, None] * beam + unfinished.origins).ravel())
            last = unfinished.tokens[:, :, -1].ravel()
    return [_best(found, limits) for found in complete]


def _advance(
    before: _Unfinished, scores: np.ndarray, ids: np.ndarray, limits: Limits
) -> tuple[_Unfinished, list[tuple[int, Hypothesis]]]:
    """Return the hypotheses that are one token longer, and those that end with it, each with the row of its sentence.

    Args:
        before: of A sentences.
        scores: (A * k, C) log-probabilities of the candidates of each row.
        ids: (A * k, C) int64, their tokens.
        limits: beam, end token, length penalty.
    """
    beam, num_candidates = limits.beam, scores.shape[1]
    num = len(before.totals)
    totals = before.totals.repeat(num_candidates, axis=1) + scores.reshape(num, -1)
    tokens = ids.reshape(num, -1)
    origins = np.broadcast_to(np.arange(beam).repeat(num_candidates), totals.shape)
    order = np.lexsort((tokens, origins, -totals))
    totals, tokens, origins = (np.take_along_axis(values, order, axis=1) for values in (totals, tokens, origins))
    is_possible, is_end = np.isfinite(totals), tokens == limits.end
    ended = []
    penalty = length_penalty(before.tokens.shape[2] + 1, limits.length_penalty)
    for row, place in np.argwhere((is_possible & is_end)[:, :beam]).tolist():
        said = tuple(before.tokens[row, origins[row, place]].tolist())
        ended.append((row, Hypothesis(said, float(totals[row, place] / penalty), is_complete=True)))
    goes_on = is_possible & ~is_end
    chosen = np.argsort(~goes_on, axis=1, kind="stable")[:, :beam]
    totals, tokens, origins, is_used = (
        np.take_along_axis(values, chosen, axis=1) for values in (totals, tokens, origins, goes_on)
    )
    totals, tokens, origins = (
        np.where(is_used, values, filler) for values, filler in ((totals, -np.inf), (tokens, 0), (origins, 0))
    )
    held = np.take_along_axis(before.tokens, origins[:, :, None], axis=1)
    return _Unfinished(np.concatenate([held, tokens[:, :, None]], axis=2), totals, origins), ended


def _is_done(complete: list[Hypothesis], best_total: float, length: int, longest: int, limits: Limits) -> bool:
    """Return whether a sentence is searched to its end, its unfinished hypotheses being of this length."""
    if len(complete) >= limits.beam or best_total == -math.inf or length >= longest:
        return True
    if len(complete) < limits.num_best:
        return False
    # Log-probabilities only fall and the penalty only grows: no score can become better than this one.
    bound = best_total / length_penalty(longest, limits.length_penalty)
    return _best(complete, limits)[-1].score >= bound


def _cut_off(unfinished: _Unfinished, row: int, longest: int, limits: Limits) -> list[Hypothesis]:
    """Return the unfinished hypotheses of a sentence that has reached its largest length; none of a shorter one."""
    length = unfinished.tokens.shape[2]
    if length < longest:
        return []
    penalty = length_penalty(length, limits.length_penalty)
    return [
        Hypothesis(tuple(tokens), total / penalty, is_complete=False)
        for tokens, total in zip(unfinished.tokens[row].tolist(), unfinished.totals[row].tolist(), strict=True)
        if math.isfinite(total)
    ]


def _best(complete: list[Hypothesis], limits: Limits) -> list[Hypothesis]:
    return sorted(complete, key=lambda hypothesis: -hypothesis.score)[: limits.num_best]
