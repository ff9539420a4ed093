"""What every language model can do, and the two graphs that an answer and an export make of it.

A text of T tokens is T + 1 predictions: each token after those before it, and the end after the last. Token 0, which is
padding elsewhere, is the boundary of a text: every text is read from it, and ends with it. So a vocabulary needs no
further tokens, and an embedding has the rows of a classifier's.

Shapes: N texts of T tokens, V the size of the vocabulary.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.models.text.masking import is_token

BOUNDARY = 0
"""The token before the first and behind the last of a text."""

CHUNK = 2**24
"""Logits at a time where no gradient is needed: 64 MB."""


@runtime_checkable
class LanguageModel(Protocol):
    """A network that predicts tokens from those before them; what follows a token, padding or not, changes nothing."""

    def __call__(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the log-probability of each token and of the end, (N, T + 1) float32, 0 behind the end.

        Args:
            tokens: (N, T) int64 in [1, V); what is behind `lengths` is not looked at. T may be 0.
            lengths: (N,) int64.
        """
        ...

    def start(self, tokens: Tensor) -> Tensor:
        """Return the state before the boundary is read, (N, ...), for (N, T) tokens of which only N counts."""
        ...

    def step(self, last: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log-probabilities of what comes next, (N, V) float32, and the new (N, ...) state.

        Args:
            last: (N,) int64 the newest token of each text, first the boundary.
            state: (N, ...).
        """
        ...


@runtime_checkable
class HasLogits(Protocol):
    """A language model that is a function with a gradient, and a graph."""

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the (N, T, V) logits of what follows each of the (N, T) int64 inputs."""
        ...


@runtime_checkable
class Attends(Protocol):
    """A language model whose attention to earlier tokens can be looked at."""

    def attention(self, tokens: Tensor) -> Tensor:
        """Return how much each input looks at the ones up to it, (N, layers, heads, T + 1, T + 1); rows sum to 1.

        Args:
            tokens: (N, T) int64; the inputs are the boundary and these.
        """
        ...


def framed(tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return what is read and what is to be predicted, (N, T + 1) int64 each: the boundary before, and behind."""
    whole = tokens * is_token(tokens, lengths)
    return F.pad(whole, (1, 0), value=BOUNDARY), F.pad(whole, (0, 1), value=BOUNDARY)


def is_said(targets: Tensor, lengths: Tensor) -> Tensor:
    """Return the mask of the tokens and of the end, (N, T + 1) bool."""
    return torch.arange(targets.shape[1], device=lengths.device) <= lengths[:, None]


def score(network: HasLogits, tokens: Tensor, lengths: Tensor) -> Tensor:
    """Return `LanguageModel.__call__` by a network's logits, in pieces of bounded size where there is no gradient."""
    inputs, targets = framed(tokens, lengths)
    if torch.is_grad_enabled():
        found = _picked(network, inputs, targets)
    else:
        table: int = network.logits(inputs[:1, :1]).shape[2]
        rows = max(1, CHUNK // (table * inputs.shape[1]))
        pieces = zip(torch.split(inputs, rows), torch.split(targets, rows), strict=True)
        parts = [_picked(network, *piece) for piece in pieces]
        found = torch.cat(parts)
    return found * is_said(targets, lengths)


def _picked(network: HasLogits, inputs: Tensor, targets: Tensor) -> Tensor:
    logits = network.logits(inputs).float()
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return -losses.view_as(targets)


class ScoreGraph(nn.Module):
    """Tokens to log-probabilities, and the state from which a continuation starts, as a graph."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, T + 1) log-probabilities and the (N, ...) state of (N, T) tokens and (N,) lengths."""
        if not isinstance(self.network, HasLogits):
            return self.network(tokens, lengths), self.network.start(tokens)  # type: ignore[operator]
        inputs, targets = framed(tokens, lengths)
        logits = self.network.logits(inputs).float()
        found = logits.log_softmax(2).gather(2, targets[:, :, None])[:, :, 0]
        start = self.network.start(inputs)  # type: ignore[operator]
        return found * is_said(targets, lengths), start


class StepGraph(nn.Module):
    """A step of a continuation, as a graph."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, last: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, V) log-probabilities and the new (N, ...) state of (N,) tokens and the (N, ...) state."""
        log_probs, state = self.network.step(last, state)  # type: ignore[operator]
        return log_probs.float(), state


class OutputLayer(nn.Module):
    """States to logits, by the table of word vectors itself or by one of its own.

    Source: Press & Wolf 2017, arXiv:1608.05859, for the shared table.

    Args:
        in_features: size of the states.
        embedding: the table of word vectors.
        tied: whether to use it; states of another size are projected to that of its vectors.
    """

    def __init__(self, in_features: int, embedding: nn.Embedding, *, tied: bool) -> None:
        super().__init__()
        num, size = embedding.num_embeddings, embedding.embedding_dim
        is_projected = tied and in_features != size
        self.project = nn.Linear(in_features, size) if is_projected else nn.Identity()
        self.table = None if tied else nn.Linear(in_features, num, bias=False)
        self.bias = nn.Parameter(torch.zeros(num))

    def forward(self, states: Tensor, embedding: nn.Embedding) -> Tensor:
        """Return the (..., V) logits of (..., F) states."""
        weight = embedding.weight if self.table is None else self.table.weight
        return F.linear(self.project(states), weight, self.bias)
