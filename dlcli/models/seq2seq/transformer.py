"""The transformer that translates.

Source: Vaswani et al. 2017, arXiv:1706.03762, whose 6 + 6 layers of 512 are `--layers 6 --width 512 --heads 8`;
pre-norm as in Xiong et al. 2020, arXiv:2002.04745; the output layer is the table of target vectors (Press & Wolf 2017,
arXiv:1608.05859).
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.models.dropout import BitDropout
from dlcli.models.seq2seq.layers import DecoderLayer, EncoderLayer, SelfAttention, split_heads
from dlcli.models.seq2seq.positions import LearnedPositions, Rotary, Sinusoids
from dlcli.models.seq2seq.translator import Memory, embed, new_table
from dlcli.models.text.masking import is_token


class TransformerTranslator(nn.Module):
    """See `dlcli.models.seq2seq.translator.Translator`.

    The context holds the keys and values of each decoder layer, (N, 2 * layers, heads, S, D), computed once; the state
    those of the tokens said so far, (N, 2 * layers, heads, T, D).

    Args:
        source_size, target_size: the sizes of the vocabularies.
        is_joint: whether both sides have one vocabulary, and so one table of vectors.
        layers: of the encoder, and as many of the decoder.
        width: size of the states, a multiple of `heads`.
        heads: of each attention.
        feed_forward: size of the feed-forward layers (default: four times the states).
        dropout: of vectors, of feed-forward layers, and of all changes.
        norm: pre or post.
        positions: sinusoidal, learned or rotary.
        tied: whether the output layer is the table of target vectors.
        max_length: the number of places that `learned` tells apart.

    Raises:
        UsageError: `width` is not a multiple of `heads`, or rotary heads have an odd size.
    """

    def __init__(
        self,
        *,
        source_size: int,
        target_size: int,
        is_joint: bool = False,
        layers: int = 3,
        width: int = 256,
        heads: int = 4,
        feed_forward: int | None = None,
        dropout: float = 0.2,
        norm: str = "pre",
        positions: str = "sinusoidal",
        tied: bool = True,
        max_length: int = 256,
    ) -> None:
        super().__init__()
        if width % heads or (positions == "rotary" and width // heads % 2):
            even = " of even size" if positions == "rotary" else ""
            raise UsageError(
                f"a transformer of {heads} heads{even} cannot have states of {width}",
                hint=f"set --width to a multiple of {heads * (2 if even else 1)}",
            )
        self.num_layers, self.heads = layers, heads
        self.source_table = new_table(source_size, width)
        self.target_table = None if is_joint else new_table(target_size, width)
        is_rotary, is_post = positions == "rotary", norm == "post"
        self.rotary = Rotary(width // heads) if is_rotary else None
        self.places = None if is_rotary else _positions(positions, max_length, width)
        self.dropout = BitDropout(dropout)
        inner = feed_forward or 4 * width
        sizes = (width, inner, heads, dropout)
        self.encoder = nn.ModuleList(EncoderLayer(*sizes, is_post=is_post, rotary=self.rotary) for _ in range(layers))
        self.encoder_norm = nn.Identity() if is_post else nn.LayerNorm(width)
        self.context = nn.Linear(width, 2 * layers * width)
        self.decoder = nn.ModuleList(DecoderLayer(*sizes, is_post=is_post, rotary=self.rotary) for _ in range(layers))
        self.decoder_norm = nn.Identity() if is_post else nn.LayerNorm(width)
        self.head = None if tied else nn.Linear(width, target_size, bias=False)
        self._initialise(width)

    def _initialise(self, width: int) -> None:
        """Draw weights by Xavier's rule; matrices that are joined for speed alone are each drawn by their own size."""
        joined = {self.context, *(part.project for part in self.modules() if isinstance(part, SelfAttention))}
        for layer in self.modules():
            if isinstance(layer, nn.Linear) and layer is not self.head:
                for block in torch.split(layer.weight, width if layer in joined else layer.out_features):
                    nn.init.xavier_uniform_(block)
                nn.init.zeros_(layer.bias)
        if self.head is not None:
            nn.init.normal_(self.head.weight, 0.0, width**-0.5)

    @property
    def _table(self) -> nn.Embedding:
        return self.target_table if self.target_table is not None else self.source_table

    @property
    def _decoder_layers(self) -> list[DecoderLayer]:
        return cast(list[DecoderLayer], list(self.decoder))

    def encode(self, tokens: Tensor, lengths: Tensor) -> Memory:
        """Return the memory of (N, S) source tokens."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        mask = is_token(tokens, lengths)[:, None, None]
        states = self._embedded(self.source_table, tokens, places)
        for layer in self.encoder:
            states = layer(states, places, mask)
        context = split_heads(self.context(self.encoder_norm(states)), 2 * self.num_layers * self.heads)
        context = torch.unflatten(context, 1, (2 * self.num_layers, self.heads))
        return Memory(context, context[:, :, :, :0])

    def decode(self, memory: Memory, lengths: Tensor, tokens: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return (N, T, V) logits, or those that `keep` marks, (M, V)."""
        states, _ = self._decoded(memory, lengths, tokens, is_recorded=False)
        return self._logits(states if keep is None else states[keep])

    def step(self, last: Tensor, context: Tensor, lengths: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, K, V) log-probabilities and the (N, K, 2 * layers, heads, T + 1, D) new state."""
        place = torch.arange(state.shape[4] + 1, device=last.device)[-1:]
        mask = self._source_mask(context, lengths)
        states = self._embedded(self._table, last[:, :, None], place)[:, :, 0]
        newest = []
        for number, layer in enumerate(self._decoder_layers):
            own = slice(2 * number, 2 * number + 2)
            states, added = layer.step(states, place, state[:, :, own], context[:, own], mask)
            newest.append(added)
        state = torch.cat([state, torch.cat(newest, dim=2)], dim=4)
        return self._logits(states).float().log_softmax(dim=2), state

    def attention(self, memory: Memory, lengths: Tensor, tokens: Tensor) -> Tensor:
        """Return the weight of each source token, (N, layers, heads, T, S)."""
        return torch.stack(self._decoded(memory, lengths, tokens, is_recorded=True)[1], dim=1)

    def _decoded(
        self, memory: Memory, lengths: Tensor, tokens: Tensor, *, is_recorded: bool
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the (N, T, width) states above the last layer, and each layer's attention if it `is_recorded`."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        mask = self._source_mask(memory.context, lengths)
        states = self._embedded(self._table, tokens, places)
        weights = []
        for number, layer in enumerate(self._decoder_layers):
            context = memory.context[:, 2 * number : 2 * number + 2]
            if is_recorded:
                weights.append(layer.cross.weights(layer.own(states, places, None), context, mask))
            states = layer(states, places, context, mask)
        return states, weights

    def _embedded(self, table: nn.Embedding, tokens: Tensor, places: Tensor) -> Tensor:
        vectors = embed(table, tokens)
        states: Tensor = self.dropout(vectors if self.places is None else self.places(vectors, places))
        return states

    def _source_mask(self, context: Tensor, lengths: Tensor) -> Tensor:
        return (torch.arange(context.shape[3], device=lengths.device) < lengths[:, None])[:, None, None]

    def _logits(self, states: Tensor) -> Tensor:
        return F.linear(self.decoder_norm(states), (self.head or self._table).weight)


def _positions(kind: str, num: int, width: int) -> nn.Module:
    return LearnedPositions(num, width) if kind == "learned" else Sinusoids(width)
