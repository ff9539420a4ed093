"""Continuing texts by drawing one token after another, over a network that it knows nothing of. Torch-free.

The network is a function `step(tokens, state) -> (log_probs, state)`, as in beam search (`beam.py`); a run and its
export draw alike. What a text is continued with is a function of the text, its seed and the step's answers, never of
the batch.

Sources: Fan et al. 2018, arXiv:1805.04833 (top-k); Holtzman et al. 2020, arXiv:1904.09751 (top-p).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from dlcli.core.errors import RunError

State = TypeVar("State")
Step = Callable[[np.ndarray, State], tuple[np.ndarray, State]]


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Attributes:
        boundary: the token that every text begins and ends with.
        never: tokens that are not drawn.
        most: the largest number of tokens to add; 0 only reads the texts.
        temperature: divides the log-probabilities; 0 takes the most probable token.
        top_k: draw among so many most probable tokens; None for all.
        top_p: draw among the fewest most probable tokens that together have this probability.

    Raises:
        ValueError: a number is out of range.
    """

    boundary: int
    never: tuple[int, ...] = ()
    most: int = 0
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

    def __post_init__(self) -> None:
        is_narrow = self.top_k is not None and self.top_k < 1
        if self.most < 0 or self.temperature < 0 or not 0 < self.top_p <= 1 or is_narrow:
            raise ValueError(f"tokens are not drawn so: {self}")


@dataclass(frozen=True, eq=False)
class Continued:
    """What follows N texts.

    Attributes:
        tokens: of each text, what was added, without the boundary.
        following: (N, V) log-probabilities of what comes directly after each text.
    """

    tokens: list[list[int]]
    following: np.ndarray


def continue_texts(
    step: Step[State], state: State, texts: Sequence[np.ndarray], seeds: Sequence[int], sampling: Sampling
) -> Continued:
    """Return what comes after texts, and a continuation of each that ends with its end or after `most` tokens.

    Args:
        step: ((N,) int64 tokens, state) -> ((N, V) log-probabilities of what is next, state).
        state: before the boundary is read.
        texts: the ids of the tokens of each text, (T,); none for an empty one, which gets at least one token.
        seeds: of each text.
        sampling: how to draw.

    Raises:
        RunError: the step gives NaN.
    """
    randoms = [np.random.default_rng(seed) for seed in seeds]
    said: list[list[int]] = [[] for _ in texts]
    following: list[np.ndarray] = [np.empty(0)] * len(texts)
    is_done = [False] * len(texts)
    last = np.full(len(texts), sampling.boundary, np.int64)
    place = 0
    while not all(is_done):
        log_probs, state = step(last, state)
        if np.isnan(log_probs).any():
            raise RunError("the network's probabilities are NaN", hint="its weights are damaged: train it again")
        last = np.full(len(texts), sampling.boundary, np.int64)
        for row, text in enumerate(texts):
            if place < len(text):
                last[row] = text[place]
                continue
            if place == len(text):
                following[row] = np.asarray(log_probs[row], np.float64)
            if is_done[row] or len(said[row]) == sampling.most:
                is_done[row] = True
                continue
            ends = () if len(text) or said[row] else (sampling.boundary,)  # no text is empty
            last[row] = draw_token(log_probs[row], sampling, randoms[row], never=(*sampling.never, *ends))
            if last[row] == sampling.boundary:
                is_done[row] = True
            else:
                said[row].append(int(last[row]))
                is_done[row] = len(said[row]) == sampling.most
        place += 1
    return Continued(said, np.stack(following) if following else np.empty((0, 0)))


def draw_token(
    log_probs: np.ndarray, sampling: Sampling, random: np.random.Generator, never: Sequence[int] = ()
) -> int:
    """Return one drawn token; of equally probable ones the smaller id is the more probable.

    Args:
        log_probs: (V,) log-probabilities; -inf is never drawn.
        sampling: temperature, top-k and top-p, applied in this order.
        random: gives one number.
        never: tokens that are not drawn.

    Raises:
        RunError: no token is left.
    """
    values = np.array(log_probs, np.float64)
    values[list(never)] = -np.inf
    order = np.argsort(-values, kind="stable")
    order = order[: np.count_nonzero(np.isfinite(values))]
    if not len(order):
        raise RunError("the network gives every token the probability 0", hint="its weights are damaged: train again")
    if sampling.temperature == 0:
        return int(order[0])
    order = order[: sampling.top_k]
    scaled = values[order] / sampling.temperature
    weights = np.exp(scaled - scaled[0])
    shares = np.cumsum(weights) / weights.sum()
    count = int(np.searchsorted(shares, sampling.top_p - 1e-12)) + 1
    shares = shares[:count]
    return int(order[min(np.searchsorted(shares, random.random() * shares[-1], side="right"), len(shares) - 1)])
