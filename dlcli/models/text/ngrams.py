"""TF-IDF of the n-grams of characters and words inside the graph, and the linear classifier on it.

N-grams are rows of a table by hashing (Weinberger et al. 2009, arXiv:0902.2206): there is no vocabulary that could lack
one, and an exported file needs nothing but the numbers of characters and tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.models.text.masking import is_token

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FACTORS = (1_000_003, 15_485_863, 32_452_843, 49_979_687)
"""Hash factors of the 1st to 4th item. Items are below 2**23, so sums stay below 2**51; their remainder is exact."""

SALT = 86_028_121
"""Added per kind and size of n-gram, so that a word and a character of equal number have different rows."""

BUCKETS = ((2, 2_097_143), (4, 524_287), (16, 131_071))
"""(most classes, rows): with more classes the table has fewer rows, so that its size stays within some million weights.
Primes, of which a remainder mixes all bits. A million rows cost a third of a point on 12,674 posts (docs/log.md): most
n-grams occur in one text only, and share their rows with those that count."""

FEWEST_BUCKETS = 65_521

LEAST_TEXTS = 2
"""N-grams that occur in fewer training texts are ignored."""

MOST_COUNTED = 8
"""Occurrences of an n-gram in a text that raise its term frequency; further ones do not."""

SCALE = 30.0
"""Factor on rows of unit length: with it weights of 0.1 decide, and a learning rate of 2e-3 suits them too."""


def buckets_for(num_classes: int) -> int:
    """Return how many rows a table has that holds a weight for each class."""
    return next((rows for most, rows in BUCKETS if num_classes <= most), FEWEST_BUCKETS)


def hashed_ngrams(items: Tensor, lengths: Tensor, sizes: Sequence[int], buckets: int, kind: int) -> Tensor:
    """Return the row of each n-gram, (N, T * len(sizes)) int64 in [1, buckets]; 0 beyond the end of a text.

    Args:
        items: (N, T) int64 in [0, 2**23), characters or tokens.
        lengths: (N,) int64.
        sizes: the n of the n-grams, each at most 4.
        buckets: number of rows.
        kind: the number of this kind of item, which separates the rows of different kinds.
    """
    width = items.shape[1]
    ahead = F.pad(items, (0, max(sizes) - 1))
    rows = []
    for size in sizes:
        code = items * FACTORS[0] + SALT * (len(FACTORS) * kind + size)
        for place in range(1, size):
            code = code + ahead[:, place : place + width] * FACTORS[place]
        rows.append((torch.remainder(code, buckets) + 1).masked_fill(~is_token(items, lengths - (size - 1)), 0))
    return torch.cat(rows, dim=1)


class TfIdf(nn.Module):
    """The TF-IDF of a text's n-grams, as scikit-learn defines it: sublinear, smooth, of unit length for each kind.

    With one length for both kinds the characters, of which a text has more n-grams, would outweigh the words.
    `count_texts` sets the inverse document frequencies; before, all n-grams weigh the same.

    Args:
        characters, words: the sizes of their n-grams, each 1 to 4.
        buckets: number of rows that the n-grams share.
    """

    def __init__(self, *, characters: Sequence[int], words: Sequence[int], buckets: int) -> None:
        super().__init__()
        self.characters, self.words, self.buckets = tuple(characters), tuple(words), buckets
        self.inverse_frequencies: Tensor
        self.register_buffer("inverse_frequencies", (torch.arange(buckets + 1) > 0).float())
        # of the r-th occurrence of an n-gram: what it adds to the term frequency, and to its square
        totals = [0.0, *(1 + math.log(count) for count in range(1, MOST_COUNTED + 1))]
        gains = [0.0, *(after - before for before, after in pairwise(totals)), 0.0]
        squares = [0.0, *(after**2 - before**2 for before, after in pairwise(totals)), 0.0]
        self.gains: Tensor
        self.square_gains: Tensor
        self.register_buffer("gains", torch.tensor(gains), persistent=False)
        self.register_buffer("square_gains", torch.tensor(squares), persistent=False)
        # one over the number of training texts with an n-gram; of the training alone
        self.shares: Tensor
        self.register_buffer("shares", torch.zeros(buckets + 1), persistent=False)

    def rows(self, tokens: Tensor, lengths: Tensor, characters: Tensor, character_lengths: Tensor) -> Tensor:
        """Return the row of each n-gram, (N, L) int64: those of each kind in ascending order; 0 for none."""
        return torch.cat(self._rows_by_kind(tokens, lengths, characters, character_lengths), dim=1)

    def _rows_by_kind(
        self, tokens: Tensor, lengths: Tensor, characters: Tensor, character_lengths: Tensor
    ) -> list[Tensor]:
        kinds = ((characters, character_lengths, self.characters), (tokens, lengths, self.words))
        rows = [
            hashed_ngrams(items, counts, sizes, self.buckets, kind)
            for kind, (items, counts, sizes) in enumerate(kinds)
            if sizes
        ]
        return [each.sort(dim=1).values for each in rows]

    def forward(
        self, tokens: Tensor, lengths: Tensor, characters: Tensor, character_lengths: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the row of each n-gram, (N, L) int64, and its weight, (N, L) float32.

        An n-gram that occurs several times has several weights, whose sum is its TF-IDF.
        """
        kinds = self._rows_by_kind(tokens, lengths, characters, character_lengths)
        return torch.cat(kinds, dim=1), torch.cat([self._weights(rows) for rows in kinds], dim=1)

    def _weights(self, rows: Tensor) -> Tensor:
        """Return the weights of the n-grams of one kind, whose rows are in ascending order; both (N, L)."""
        occurrence = torch.ones_like(rows)
        for back in range(1, MOST_COUNTED + 1):  # in ascending order, equal ones are neighbours
            before = F.pad(rows, (back, 0), value=-1)[:, : rows.shape[1]]
            occurrence = occurrence + (rows == before).to(torch.int64)
        idf = _picked(self.inverse_frequencies, rows)
        squares = _picked(self.square_gains, occurrence) * idf * idf
        norm = squares.sum(dim=1, keepdim=True).clamp(min=1e-12).sqrt()
        return _picked(self.gains, occurrence) * idf / norm

    @torch.no_grad()
    def count_texts(self, batches: Iterable[tuple[Tensor, ...]]) -> None:
        """Set the inverse document frequencies; see `dlcli.models.fitting.CountsTexts`."""
        texts = torch.zeros(self.buckets + 1, dtype=torch.int64)
        total = 0
        for inputs in batches:
            rows = self.rows(*inputs)
            is_first = F.pad(rows[:, 1:] != rows[:, :-1], (1, 0), value=True)
            texts += torch.bincount(rows[is_first], minlength=self.buckets + 1)
            total += len(rows)
        idf = torch.log((1 + total) / (1 + texts.double())) + 1
        idf[texts < LEAST_TEXTS] = 0.0
        idf[0] = 0.0
        self.inverse_frequencies.copy_(idf)
        self.shares.copy_((idf > 0) / texts.clamp(min=1))

    def shares_of(self, rows: Tensor) -> Tensor:
        """Return one over the number of training texts with an n-gram, (N, L) float32, where a text has it first.

        Summed over all training texts this is 1 for each n-gram.

        Args:
            rows: (N, L), as `forward` returns them.
        """
        is_first = F.pad(rows, (1, 0), value=-1)[:, : rows.shape[1]] != rows
        return _picked(self.shares, rows) * is_first


def _picked(values: Tensor, rows: Tensor) -> Tensor:
    """Return values[rows]; six times as fast on a CPU."""
    return values.index_select(0, rows.flatten()).view(rows.shape)


class _Shrinking(torch.autograd.Function):
    """The values themselves; their gradient is that of a penalty on their squares, too."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, strength: Tensor) -> Tensor:
        ctx.save_for_backward(values, strength)
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        values, strength = ctx.saved_tensors
        return gradients[0] + strength * values, None


class TfIdfLinear(nn.Module):
    """Logistic regression on the TF-IDF of characters, words and their n-grams.

    It can be computed from all texts at once (`fit_to_labels`), or be the part of a network that is trained. The L2
    penalty of a training is exact although a step touches only the weights of its texts' n-grams: each text bears a
    share of the penalty on a weight, one over the number of training texts that share it. So the minimum is that of
    scikit-learn's `LogisticRegression(C=penalty)` on the same features.

    Args:
        num_classes: number of classes.
        vocab_size: ignored: words are hashed.
        dropout: the rate at which n-grams are left out in training.
        sparse: give gradients only to the rows that a batch uses.
        characters, words: the sizes of their n-grams.
        inverse_penalty: scikit-learn's C; half the sum of squared weights is divided by it.
        buckets: number of rows of the table of weights; by default as many as suit the classes.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        vocab_size: int,
        dropout: float = 0.0,
        sparse: bool = False,
        characters: Sequence[int] = (1, 2, 3),
        words: Sequence[int] = (1, 2),
        inverse_penalty: float = 4.0,
        buckets: int | None = None,
    ) -> None:
        super().__init__()
        del vocab_size
        buckets = buckets or buckets_for(num_classes)
        self.features = TfIdf(characters=characters, words=words, buckets=buckets)
        self.dropout = nn.Dropout(dropout)
        self.table = nn.Embedding(buckets + 1, num_classes, padding_idx=0, sparse=sparse)
        nn.init.zeros_(self.table.weight)
        self.bias = nn.Parameter(torch.zeros(num_classes))
        self.inverse_penalty: Tensor
        self.register_buffer("inverse_penalty", torch.tensor(float(inverse_penalty)))
        # scikit-learn has one weight for two classes, where there are two of half its size here
        self.strength = SCALE**2 / inverse_penalty * (2 if num_classes == 2 else 1)

    def forward(self, tokens: Tensor, lengths: Tensor, characters: Tensor, character_lengths: Tensor) -> Tensor:
        """Return (N, C) logits for (N, T) tokens, (N, S) characters and their numbers, (N,) each."""
        rows, weights = self.features(tokens, lengths, characters, character_lengths)
        values = self.table(rows)
        if self.training:
            values = _Shrinking.apply(values, self.strength / len(rows) * self.features.shares_of(rows)[:, :, None])
        logits: Tensor = (values * (SCALE * self.dropout(weights))[:, :, None]).sum(dim=1) + self.bias
        return logits

    @torch.no_grad()
    def fit_to_labels(
        self,
        train: Iterable[tuple[tuple[Tensor, ...], Tensor]],
        valid: Iterable[tuple[tuple[Tensor, ...], Tensor]],
        class_weights: np.ndarray | None,
    ) -> None:
        """Compute the weights that minimise the loss. See `dlcli.models.fitting.FitsToLabels`."""
        from dlcli.models.text.logistic import fit_logistic

        found = fit_logistic(
            *self._matrix(train),
            *self._matrix(valid),
            num_classes=self.table.embedding_dim,
            class_weights=class_weights,
        )
        self.table.weight.copy_(torch.from_numpy(found.weights.T / SCALE))
        self.bias.copy_(torch.from_numpy(found.bias))
        self.inverse_penalty.fill_(found.inverse_penalty)

    @property
    def fitted(self) -> dict[str, Tensor]:
        """The penalty. See `dlcli.models.fitting.FitsToLabels`."""
        return {"inverse_penalty": self.inverse_penalty}

    def _matrix(self, batches: Iterable[tuple[tuple[Tensor, ...], Tensor]]) -> tuple[csr_array, np.ndarray]:
        """Return the (N, rows of the table) features of texts, and their (N,) labels."""
        from scipy.sparse import csr_array

        values, columns, ends, labels = [np.empty(0, np.float32)], [np.empty(0, np.int32)], [np.zeros(1, np.int64)], []
        for inputs, wanted in batches:
            rows, weights = self.features(*inputs)
            is_seen = weights != 0
            values.append(weights[is_seen].float().cpu().numpy())
            columns.append(rows[is_seen].to(torch.int32).cpu().numpy())
            ends.append(ends[-1][-1:] + is_seen.sum(dim=1).cumsum(0).cpu().numpy())
            labels.append(wanted.cpu().numpy())
        shape = (sum(len(each) for each in labels), len(self.table.weight))
        matrix = csr_array((np.concatenate(values), np.concatenate(columns), np.concatenate(ends)), shape=shape)
        matrix.sum_duplicates()
        return matrix, np.concatenate([np.empty(0, np.int64), *labels])
