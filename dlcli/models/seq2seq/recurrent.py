"""An encoder that reads, a decoder that writes, with attention between them or one fixed vector.

Sources: Sutskever et al. 2014, arXiv:1409.3215, and Cho et al. 2014, arXiv:1406.1078 (one vector); Bahdanau et al.
2015, arXiv:1409.0473 (attention before the cell); Luong et al. 2015, arXiv:1508.04025 (after it, and input feeding).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.models.dropout import BitDropout
from dlcli.models.seq2seq.attention import Bahdanau, Luong
from dlcli.models.seq2seq.translator import Memory, embed, new_table
from dlcli.models.text.masking import is_token
from dlcli.models.text.recurrent import Recurrent

Hidden = Tensor | tuple[Tensor, Tensor]
"""(layers, R, width) of a GRU; two of them of an LSTM."""


class Seq2Seq(nn.Module):
    """See `dlcli.models.seq2seq.translator.Translator`.

    The context holds the states of the source and, with attention, their keys, (N, S, 3 * width); without attention the
    last state, (N, 1, 2 * width). The state holds those of the decoder's layers, the cells of an LSTM and, with
    `input_feeding`, the last features, (N, rows, width).

    Args:
        source_size, target_size: the sizes of the vocabularies.
        is_joint: whether both sides have one vocabulary, and so one table of vectors.
        layers: of the encoder, and as many of the decoder.
        width: size of the vectors, of each direction of the encoder and of the decoder's state.
        cell: gru or lstm.
        attention: bahdanau, luong or none.
        input_feeding: with luong, give the last features to the next step too; decoding is then step by step.
        teacher_forcing: the share of steps of a training whose input is the right token; the others get the network's
            own last token (Bengio et al. 2015, arXiv:1506.03099).
        tied: whether the output layer is the table of target vectors (arXiv:1608.05859).
        dropout: of vectors and features.

    Raises:
        UsageError: `input_feeding` without luong.
    """

    def __init__(
        self,
        *,
        source_size: int,
        target_size: int,
        is_joint: bool = False,
        layers: int = 1,
        width: int = 256,
        cell: str = "gru",
        attention: str = "bahdanau",
        input_feeding: bool = False,
        teacher_forcing: float = 1.0,
        tied: bool = True,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        if input_feeding and attention != "luong":
            raise UsageError(
                f"--input-feeding: the attention {attention} has none", hint="add --attention luong, or leave it out"
            )
        self.num_layers, self.width, self.teacher_forcing = layers, width, teacher_forcing
        self.is_lstm, self.is_feeding = cell == "lstm", input_feeding
        self.is_before = attention == "bahdanau"  # attention is an input of the cell, so steps depend on each other
        self.source_table = new_table(source_size, width)
        self.target_table = None if is_joint else new_table(target_size, width)
        self.encoder = Recurrent(cell, width, width, layers=layers, bidirectional=True, dropout=dropout)
        self.bridge = nn.Linear(2 * width, layers * (1 + self.is_lstm) * width)
        self.key = None if attention == "none" else nn.Linear(2 * width, width, bias=False)
        self.attend = {"bahdanau": Bahdanau(width), "luong": Luong()}.get(attention)
        inputs = width + (width if input_feeding else 0) + (0 if attention == "luong" else 2 * width)
        kind = nn.LSTM if self.is_lstm else nn.GRU
        self.decoder = kind(inputs, width, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.read = nn.Linear(width + 2 * width + (0 if attention == "luong" else width), width)
        self.dropout = BitDropout(dropout)
        self.head = None if tied else nn.Linear(width, target_size, bias=False)

    @property
    def _table(self) -> nn.Embedding:
        return self.target_table if self.target_table is not None else self.source_table

    def encode(self, tokens: Tensor, lengths: Tensor) -> Memory:
        """Return the memory of (N, S) source tokens."""
        states, last = self.encoder(self.dropout(embed(self.source_table, tokens)), lengths)
        state = torch.unflatten(torch.tanh(self.bridge(self.dropout(last))), 1, (-1, self.width))
        if self.is_feeding:
            state = F.pad(state, (0, 0, 0, 1))
        if self.key is None:
            return Memory(last[:, None], state)
        return Memory(torch.cat([states, self.key(states)], dim=2), state)

    def decode(self, memory: Memory, lengths: Tensor, tokens: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return (N, T, V) logits, or those that `keep` marks, (M, V)."""
        is_free = self.training and self.teacher_forcing < 1
        if self.is_before or self.is_feeding or is_free:
            features = self._decoded_by_steps(memory, lengths, tokens, is_free=is_free)[0]
        else:
            features = self._decoded_at_once(memory, lengths, tokens)[0]
        return self._logits(features if keep is None else features[keep])

    def step(self, last: Tensor, context: Tensor, lengths: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, K, V) log-probabilities and the (N, K, rows, width) new state."""
        vectors = embed(self._table, last)
        features, _, state = self._advanced(vectors, context, is_token(context, lengths), state)
        return self._logits(features).float().log_softmax(dim=2), state

    def attention(self, memory: Memory, lengths: Tensor, tokens: Tensor) -> Tensor:
        """Return the weight of each source token, (N, 1, 1, T, S).

        Raises:
            UsageError: the network has no attention.
        """
        if self.attend is None:
            raise UsageError("a network without attention has no attention weights", hint="train one with --attention")
        if self.is_before or self.is_feeding:
            weights = self._decoded_by_steps(memory, lengths, tokens, is_free=False)[1]
        else:
            weights = self._decoded_at_once(memory, lengths, tokens)[1]
        return weights[:, None, None]

    def _decoded_at_once(self, memory: Memory, lengths: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (N, T, width) features and (N, T, S) weights of all steps, with one call of the cell for all."""
        vectors = self.dropout(embed(self._table, tokens))
        num_steps = tokens.shape[1]
        if self.attend is None:
            inputs = torch.cat([vectors, memory.context.expand(-1, num_steps, -1)], dim=2)
        else:
            inputs = vectors
        states, _ = self.decoder(inputs, self._hidden(memory.state[:, None]))
        attended, weights = self._attended(states, memory.context, is_token(memory.context, lengths))
        return self._features(states, attended, vectors), weights

    def _decoded_by_steps(
        self, memory: Memory, lengths: Tensor, tokens: Tensor, *, is_free: bool
    ) -> tuple[Tensor, Tensor]:
        """Return the (N, T, width) features and (N, T, S) weights, each step after the one before it."""
        mask, state = is_token(memory.context, lengths), memory.state[:, None]
        forced = self.dropout(embed(self._table, tokens)).split(1, dim=1)
        features: list[Tensor] = []
        weights: list[Tensor] = []
        for place, vectors in enumerate(forced):
            if is_free and place:
                own = self._logits(features[-1].detach()).argmax(dim=2)
                is_right = torch.rand(own.shape, device=own.device) < self.teacher_forcing
                vectors = torch.where(is_right[..., None], vectors, self.dropout(embed(self._table, own)))
            feature, weight, state = self._advanced(vectors, memory.context, mask, state)
            features.append(feature)
            weights.append(weight)
        return torch.cat(features, dim=1), torch.cat(weights, dim=1)

    def _advanced(self, vectors: Tensor, context: Tensor, mask: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return (N, K, width) features, (N, K, S) weights and the new state, one step after (N, K, width) vectors."""
        hidden = self._hidden(state)
        inputs = [vectors]
        if self.is_feeding:
            inputs.append(state[:, :, -1])
        if self.is_before:
            attended, weights = self._attended(state[:, :, self.num_layers - 1], context, mask)
            inputs.append(attended)
        elif self.attend is None:
            inputs.append(context.expand(-1, vectors.shape[1], -1))
        outputs, hidden = self.decoder(torch.cat(inputs, dim=2).flatten(0, 1)[:, None], hidden)
        states = outputs.view(*vectors.shape[:2], -1)
        if not self.is_before:
            attended, weights = self._attended(states, context, mask)
        features = self._features(states, attended, vectors)
        rows = torch.cat(hidden) if isinstance(hidden, tuple) else hidden
        state = torch.unflatten(rows.transpose(0, 1), 0, vectors.shape[:2])
        return features, weights, torch.cat([state, features[:, :, None]], dim=2) if self.is_feeding else state

    def _attended(self, queries: Tensor, context: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return what (N, Q, width) queries read, (N, Q, 2 * width), and the weights by which they do, (N, Q, S)."""
        if (
            self.attend is None
        ):  # all weight is on the one vector; written with the mask, as graphs use all their inputs
            weights = mask[:, None].to(context.dtype).expand(-1, queries.shape[1], -1)
            return weights @ context, weights
        states, keys = torch.split(context, [2 * self.width, self.width], dim=2)
        weights = self.attend(queries, keys, mask)
        attended = weights @ states
        return attended, weights

    def _features(self, states: Tensor, attended: Tensor, vectors: Tensor) -> Tensor:
        """Return the (N, Q, width) features of the next token; Luong's do not see the vector of the last one."""
        parts = [states, attended] if isinstance(self.attend, Luong) else [states, attended, vectors]
        features: Tensor = self.dropout(torch.tanh(self.read(torch.cat(parts, dim=2))))
        return features

    def _hidden(self, state: Tensor) -> Hidden:
        """Return (N, K, rows, width) of state as the decoder's own, (layers, N * K, width)."""
        rows = state.flatten(0, 1).transpose(0, 1)
        hidden = rows[: self.num_layers].contiguous()
        return (hidden, rows[self.num_layers : 2 * self.num_layers].contiguous()) if self.is_lstm else hidden

    def _logits(self, features: Tensor) -> Tensor:
        return F.linear(features, (self.head or self._table).weight)
