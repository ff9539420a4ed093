"""The transformer as a language model: each word looks at those before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.models.language.model import OutputLayer, framed, score
from dlcli.models.text.masking import new_embedding
from dlcli.models.text.transformer import AttentionLayer, sinusoids


class TransformerLanguageModel(nn.Module):
    """See `dlcli.models.language.model.LanguageModel`: word vectors plus position codes, layers that look back.

    Embedding and layers are those of the classifier (`models/text/transformer.py`), by name and shape. The state holds
    the keys and values of each layer, (N, 2 * layers, heads, T, D).

    Source: Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training"; pre-norm as in Xiong
    et al. 2020, arXiv:2002.04745.

    Args:
        embedding_dim: size of the states, a multiple of `heads`.
        hidden: size of the feed-forward layer (default: four times the states).
        max_length: maximum number of tokens; a longer text is a shape error.

    Raises:
        UsageError: `embedding_dim` is not a multiple of `heads`.
    """

    places: Tensor

    def __init__(
        self,
        *,
        vocab_size: int,
        embedding_dim: int = 128,
        hidden: int | None = None,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.2,
        max_length: int = 256,
        tied: bool = True,
    ) -> None:
        super().__init__()
        if embedding_dim % heads:
            raise UsageError(
                f"a transformer of {heads} heads cannot have states of {embedding_dim}",
                hint=f"set --embedding-dim to a multiple of {heads}",
            )
        self.heads = heads
        self.embedding = new_embedding(vocab_size, embedding_dim, sparse=False, padding=None)
        self.register_buffer("places", sinusoids(max_length + 1, embedding_dim), persistent=False)
        inner = hidden or 4 * embedding_dim
        self.layers = nn.ModuleList(AttentionLayer(embedding_dim, inner, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(embedding_dim)
        self.dropout = nn.Dropout(dropout)
        self.output = OutputLayer(embedding_dim, self.embedding, tied=tied)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return (N, T + 1) log-probabilities for (N, T) tokens and (N,) lengths; T is at most `max_length`."""
        return score(self, tokens, lengths)

    def logits(self, inputs: Tensor) -> Tensor:
        """Return (N, T, V) logits for (N, T) inputs."""
        states, mask = self._embedded(inputs), _looks_back(inputs)
        for layer in self.layers:
            states = layer(states, mask)
        return self._logits(states)

    def start(self, tokens: Tensor) -> Tensor:
        """Return (N, 2 * layers, heads, 0, D): nothing is read yet."""
        shape = (2 * len(self.layers), self.heads, 0, self.embedding.embedding_dim // self.heads)
        return torch.zeros(tokens.shape[0], *shape, device=tokens.device)

    def step(self, last: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, V) log-probabilities and the (N, 2 * layers, heads, T + 1, D) new state."""
        place = torch.arange(state.shape[3] + 1, device=last.device)[-1:]
        states = self.dropout(self.embedding(last[:, None]) + self.places[place])
        caches = []
        for number, layer in enumerate(self.layers):
            states, cache = layer.step(states, state[:, 2 * number : 2 * number + 2])  # type: ignore[operator]
            caches.append(cache)
        return self._logits(states)[:, 0].float().log_softmax(1), torch.cat(caches, dim=1)

    def attention(self, tokens: Tensor) -> Tensor:
        """Return how much each input looks at the ones up to it, (N, layers, heads, T + 1, T + 1)."""
        inputs, _ = framed(tokens, torch.full_like(tokens[:, 0], tokens.shape[1]))
        states, mask = self._embedded(inputs), _looks_back(inputs)
        weights = []
        for layer in self.layers:
            weights.append(layer.weights(states, mask))  # type: ignore[operator]
            states = layer(states, mask)
        return torch.stack(weights, dim=1)

    def _embedded(self, inputs: Tensor) -> Tensor:
        # Word vectors start with a norm of about 1, and the position codes are scaled to match.
        states: Tensor = self.dropout(self.embedding(inputs) + self.places[: inputs.shape[1]])
        return states

    def _logits(self, states: Tensor) -> Tensor:
        logits: Tensor = self.output(self.dropout(self.norm(states)), self.embedding)
        return logits


def _looks_back(inputs: Tensor) -> Tensor:
    """Return the (T, T) bool mask by which each place sees itself and those before it."""
    places = torch.arange(inputs.shape[1], device=inputs.device)
    return places[:, None] >= places
