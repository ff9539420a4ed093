"""Recurrent language models."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from dlcli.models.language.model import OutputLayer, score
from dlcli.models.text.masking import new_embedding
from dlcli.models.text.recurrent import Recurrent


class RecurrentLanguageModel(nn.Module):
    """See `dlcli.models.language.model.LanguageModel`: word vectors, recurrent layers, an output layer.

    Embedding and layers are those of the recurrent classifiers (`models/text/recurrent.py`), by name and shape. The
    state holds the states of the layers, (N, S, hidden), of an LSTM followed by its cells.

    Source: Mikolov et al. 2010; for the LSTM Zaremba et al. 2014, arXiv:1409.2329.

    Args:
        kind: rnn, gru or lstm.
    """

    def __init__(
        self,
        kind: str,
        *,
        vocab_size: int,
        embedding_dim: int = 128,
        hidden: int = 256,
        layers: int = 1,
        dropout: float = 0.3,
        tied: bool = True,
    ) -> None:
        super().__init__()
        self.num_states = layers * (2 if kind == "lstm" else 1)
        self.hidden = hidden
        self.embedding = new_embedding(vocab_size, embedding_dim, sparse=False, padding=None)
        self.recurrent = Recurrent(kind, embedding_dim, hidden, layers=layers, bidirectional=False, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.output = OutputLayer(hidden, self.embedding, tied=tied)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return (N, T + 1) log-probabilities for (N, T) tokens and (N,) lengths."""
        return score(self, tokens, lengths)

    def logits(self, inputs: Tensor) -> Tensor:
        """Return (N, T, V) logits for (N, T) inputs."""
        lengths = torch.full_like(inputs[:, 0], inputs.shape[1])
        states, _ = self.recurrent(self.dropout(self.embedding(inputs)), lengths)
        return self._logits(states)

    def start(self, tokens: Tensor) -> Tensor:
        """Return (N, S, hidden) zeros."""
        return torch.zeros(tokens.shape[0], self.num_states, self.hidden, device=tokens.device)

    def step(self, last: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, V) log-probabilities and the new (N, S, hidden) state."""
        features = self.embedding(last)[:, None]
        before = state.transpose(0, 1).contiguous()  # (S, N, hidden)
        layers = len(self.recurrent.forwards)
        after = []
        for number, layer in enumerate(self.recurrent.forwards):
            if isinstance(layer, nn.LSTM):
                own = (before[number : number + 1], before[layers + number : layers + number + 1])
                features, new = layer(features, own)
            else:
                features, only = layer(features, before[number : number + 1])
                new = (only,)
            after.append(new)
        kinds = zip(*after, strict=True)
        state = torch.cat([each for kind in kinds for each in kind]).transpose(0, 1)
        return self._logits(features[:, 0]).float().log_softmax(1), state

    def _logits(self, states: Tensor) -> Tensor:
        logits: Tensor = self.output(self.dropout(states), self.embedding)
        return logits


rnn = functools.partial(RecurrentLanguageModel, "rnn")
gru = functools.partial(RecurrentLanguageModel, "gru")
lstm = functools.partial(RecurrentLanguageModel, "lstm")
