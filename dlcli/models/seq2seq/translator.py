"""What every translator can do, and the two graphs that a search and an export make of it.

Shapes: N sentences of S source and T target tokens, K hypotheses of each sentence, V target tokens in the vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

CANDIDATES = 32
"""Candidates that a step returns for each hypothesis. A beam of k needs 2k of them, so the widest beam is 16."""


class Memory(NamedTuple):
    """What a translator knows of its source sentences.

    Attributes:
        context: (N, ...) what every step attends to; it does not change.
        state: (N, ...) the state before the first step.
    """

    context: Tensor
    state: Tensor


@runtime_checkable
class Translator(Protocol):
    """A network that translates; padding changes none of its results."""

    def encode(self, tokens: Tensor, lengths: Tensor) -> Memory:
        """Return the memory of (N, S) int64 source tokens, of which the first (N,) `lengths` count."""
        ...

    def decode(self, memory: Memory, lengths: Tensor, tokens: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return the logits of the token after each target token, (N, T, V): teacher forcing.

        Args:
            memory: of the source sentences.
            lengths: (N,) their lengths.
            tokens: (N, T) int64 target tokens, beginning with the start token.
            keep: (N, T) bool, the tokens whose logits are needed, M of them: the result is (M, V). In a vocabulary of
                thousands, the logits of padding would be a large part of the work.
        """
        ...

    def step(self, last: Tensor, context: Tensor, lengths: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log-probabilities of the next token of each hypothesis, (N, K, V), and the new state.

        The hypotheses of a sentence share its context, so a beam neither copies nor reorders it.

        Args:
            last: (N, K) int64 the newest token of each hypothesis.
            context: (N, ...) the context of the memory.
            lengths: (N,) the lengths of the source sentences.
            state: (N, K, ...) the state of each hypothesis.
        """
        ...


@runtime_checkable
class Attends(Protocol):
    """A translator whose attention to the source can be looked at."""

    def attention(self, memory: Memory, lengths: Tensor, tokens: Tensor) -> Tensor:
        """Return the weight of each source token at each step, (N, layers, heads, T, S): 0 on padding, sum 1 over S.

        Args:
            memory, lengths, tokens: as in `Translator.decode`.
        """
        ...


class EncoderGraph(nn.Module):
    """Source tokens to memory, as a graph."""

    def __init__(self, translator: Translator) -> None:
        super().__init__()
        self.translator = translator

    def forward(self, source: Tensor, source_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, ...) context and (N, ...) state of (N, S) tokens and (N,) lengths."""
        memory = self.translator.encode(source, source_lengths)
        return memory.context, memory.state


class StepGraph(nn.Module):
    """A step of the search, as a graph: the best candidates of each hypothesis instead of the whole vocabulary.

    Args:
        translator: the network.
        num_candidates: C, at most the size of the vocabulary.
    """

    def __init__(self, translator: Translator, num_candidates: int) -> None:
        super().__init__()
        self.translator = translator
        self.num_candidates = num_candidates

    def forward(
        self, last: Tensor, context: Tensor, source_lengths: Tensor, state: Tensor, banned: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return (N, K, C) log-probabilities, best first, (N, K, C) int64 tokens, and the new (N, K, ...) state.

        Args:
            last, context, source_lengths, state: as in `Translator.step`.
            banned: (N, K, B) int64 tokens that must not follow; their log-probability is -inf.
        """
        log_probs, state = self.translator.step(last, context, source_lengths, state)
        log_probs = log_probs.float().scatter(2, banned, float("-inf"))
        scores, ids = log_probs.topk(self.num_candidates)
        return scores, ids, state


def as_candidates(size: int) -> int:
    """Return the number of candidates of a step over a vocabulary of this size."""
    return min(CANDIDATES, size)


def embed(table: nn.Embedding, tokens: Tensor) -> Tensor:
    """Return the vectors of (..., ) tokens, (..., width), scaled by the root of the width (arXiv:1706.03762, 3.4)."""
    vectors: Tensor = table(tokens) * table.embedding_dim**0.5
    return vectors


def new_table(size: int, width: int) -> nn.Embedding:
    """Return a new embedding whose vectors have a norm of about 1, so that the table can be the output layer too."""
    table = nn.Embedding(size, width)
    with torch.no_grad():
        table.weight.normal_(0.0, width**-0.5)
    return table
