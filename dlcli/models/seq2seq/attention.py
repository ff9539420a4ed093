"""How a recurrent decoder weighs the source tokens.

Shapes: N sentences of S tokens, Q queries to each, D features of a query and of a key.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

ATTENTIONS = ("bahdanau", "luong", "none")


class Bahdanau(nn.Module):
    """Scores are a small network over query and key. Source: Bahdanau et al. 2015, arXiv:1409.0473, section A.1.2."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.query = nn.Linear(size, size, bias=False)
        self.energy = nn.Linear(size, 1, bias=False)

    def forward(self, queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """Return the weights, (N, Q, S), of (N, Q, D) queries and (N, S, D) keys under an (N, S) mask."""
        hidden = torch.tanh(self.query(queries)[:, :, None] + keys[:, None])
        return masked_softmax(self.energy(hidden)[..., 0], mask)


class Luong(nn.Module):
    """Scores are products of query and key, which is a linear layer of the source's state: "general".

    Source: Luong et al. 2015, arXiv:1508.04025, equation 8.
    """

    def forward(self, queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """Return the weights; see `Bahdanau.forward`."""
        return masked_softmax(queries @ keys.transpose(1, 2), mask)


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Return the (N, Q, S) scores as weights that sum to 1 where the (N, S) mask is true, and are 0 elsewhere."""
    return scores.float().masked_fill(~mask[:, None], float("-inf")).softmax(dim=2).to(scores.dtype)
