"""BERT with a head that classifies a text by its first token.

Source: Devlin et al. 2018, arXiv:1810.04805, and transformers' `BertForSequenceClassification`, to which the outputs
are equal; the published weights of a folder are read by `bert_weights`. [CLS] and [SEP] are set here and not by the
loader, so that texts are truncated and padded like those of every other network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.core.errors import UsageError

FRAME: Final = 2
"""Positions that [CLS] and [SEP] take."""
_INITIAL_STD, _ITS_SIZE = 0.02, 768  # the paper's; narrower states need larger weights to vary as much

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_new": lambda values: F.gelu(values, approximate="tanh"),
    "gelu_pytorch_tanh": lambda values: F.gelu(values, approximate="tanh"),
    "relu": F.relu,
}
"""transformers' names."""


class Bert(nn.Module):
    """Embeddings, post-norm encoder layers, the pooler over [CLS], a linear layer.

    Without weights from a folder it is BERT-Tiny (Turc et al. 2019, arXiv:1908.08962), with rows for [CLS] and [SEP]
    behind the vocabulary.

    Args:
        num_classes: number of logits.
        vocab_size: rows of the vocabulary; row 0 is padding.
        embedding_dim: size of the states, a multiple of `heads`.
        hidden: size of the feed-forward layers (default: four times the states).
        layers, heads: encoder layers, and attention heads of each.
        dropout: of states, attention and pooled output.
        max_length: maximum number of tokens of a text, without [CLS] and [SEP].
        positions: rows of the position embedding (default: as many as `max_length` needs).
        types: rows of the segment embedding; texts are of segment 0.
        first, last: tokens [CLS] and [SEP]; None for rows behind the vocabulary.
        activation: one of `ACTIVATIONS`.
        norm_eps: added to variances.
        sparse: give the word embedding gradients only for the rows that a batch uses.

    Raises:
        UsageError: `embedding_dim` is not a multiple of `heads`, or texts may be longer than the positions.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        vocab_size: int,
        embedding_dim: int = 128,
        hidden: int | None = None,
        layers: int = 2,
        heads: int = 2,
        dropout: float = 0.1,
        max_length: int = 126,
        positions: int | None = None,
        types: int = 2,
        first: int | None = None,
        last: int | None = None,
        activation: str = "gelu",
        norm_eps: float = 1e-12,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        if embedding_dim % heads:
            raise UsageError(
                f"a BERT of {heads} heads cannot have states of {embedding_dim}",
                hint=f"set --embedding-dim to a multiple of {heads}",
            )
        positions = positions or max_length + FRAME
        if max_length + FRAME > positions:
            raise UsageError(
                f"--max-length {max_length}: this BERT has {positions} positions, two of them for [CLS] and [SEP]",
                hint=f"add --max-length {positions - FRAME}, or less",
            )
        self.first = vocab_size if first is None else first
        self.last = vocab_size + 1 if last is None else last
        rows = max(vocab_size, self.first + 1, self.last + 1)
        embeddings = BertEmbeddings(rows, positions, types, embedding_dim, norm_eps, dropout, sparse=sparse)
        inner = hidden or 4 * embedding_dim
        blocks = [BertLayer(embedding_dim, inner, heads, activation, norm_eps, dropout) for _ in range(layers)]
        self.encoder = BertEncoder(embeddings, blocks, nn.Linear(embedding_dim, embedding_dim))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(embedding_dim, num_classes)
        std = _INITIAL_STD * math.sqrt(_ITS_SIZE / embedding_dim)
        self.apply(lambda module: _initialise(module, std))

    @property
    def embedding(self) -> nn.Embedding:
        """The embedding of the vocabulary."""
        return self.encoder.embeddings.words

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return (N, C) logits for (N, T) tokens and (N,) lengths; T is at most `max_length`."""
        _, pooled = self.encoder(*self.framed(tokens, lengths))
        logits: Tensor = self.head(self.dropout(pooled))
        return logits

    def framed(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, T + 2) tokens with [CLS] before and [SEP] behind each text, and the mask of what is no padding."""
        edge = torch.full_like(lengths, self.first)[:, None]
        places = torch.arange(tokens.shape[1] + FRAME, device=tokens.device)
        end = lengths[:, None] + 1
        framed = torch.where(places == end, self.last, torch.cat([edge, tokens, torch.zeros_like(edge)], dim=1))
        return framed, places <= end


class BertEncoder(nn.Module):
    """The part of BERT that is pretrained; its layers are children, so that each is a stage for `--freeze`, `--lr`."""

    def __init__(self, embeddings: BertEmbeddings, layers: list[BertLayer], pooler: nn.Linear) -> None:
        super().__init__()
        self.embeddings = embeddings
        for number, layer in enumerate(layers):
            self.add_module(f"layer{number}", layer)
        self.pooler = pooler

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, T, F) states and (N, F), the pooled first state, for (N, T) tokens and their mask."""
        states = self.embeddings(tokens)
        for name, module in self.named_children():
            if name.startswith("layer"):
                states = module(states, mask)
        return states, torch.tanh(self.pooler(states[:, 0]))


class BertEmbeddings(nn.Module):
    """Sums of word, position and segment vectors, normalised."""

    def __init__(
        self, rows: int, positions: int, types: int, size: int, norm_eps: float, dropout: float, *, sparse: bool
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(rows, size, padding_idx=0, sparse=sparse)
        self.positions = nn.Embedding(positions, size)
        self.types = nn.Embedding(types, size)
        self.norm = nn.LayerNorm(size, eps=norm_eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (N, T, F) states of (N, T) tokens."""
        places = self.positions.weight[: tokens.shape[1]]
        states: Tensor = self.dropout(self.norm(self.words(tokens) + places + self.types.weight[0]))
        return states


class BertLayer(nn.Module):
    """Attention and a feed-forward layer, each added to its input and then normalised."""

    def __init__(self, size: int, inner: int, heads: int, activation: str, norm_eps: float, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.activation = activation
        self.query, self.key, self.value = (nn.Linear(size, size) for _ in range(3))
        self.merge = nn.Linear(size, size)
        self.norm1 = nn.LayerNorm(size, eps=norm_eps)
        self.widen, self.narrow = nn.Linear(size, inner), nn.Linear(inner, size)
        self.norm2 = nn.LayerNorm(size, eps=norm_eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return the next (N, T, F) states, for the (N, T) mask of what may be attended to."""
        queries, keys, values = (
            project(states).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        dropped = self.dropout.p if self.training else 0.0
        attended = F.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask[:, None, None, :], dropout_p=dropped
        )
        states = self.norm1(states + self.dropout(self.merge(attended.transpose(1, 2).flatten(2))))
        change = self.narrow(ACTIVATIONS[self.activation](self.widen(states)))
        after: Tensor = self.norm2(states + self.dropout(change))
        return after


def _initialise(module: nn.Module, std: float) -> None:
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=std)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        with torch.no_grad():
            module.weight[module.padding_idx].zero_()
