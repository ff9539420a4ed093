"""A linear layer that several members share through rank-1 adapters: BatchEnsemble, the building block of TabM.

Sources: Wen et al. 2020, arXiv:2002.06715; Gorishniy et al. 2024, arXiv:2410.24210, section 3.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class AdaptedLinear(nn.Module):
    """A linear layer with one weight matrix W for all members; member m computes ((x * r_m) W) * s_m + b_m.

    Adapters and biases are vectors, so that weight decay skips them: it would pull the adapters to zero, not to one.

    Args:
        members, in_features, out_features: M, I, O.
        draws_signs: whether the adapters r are random signs rather than ones. The paper draws them in the first layer
            alone, which is what makes the members differ from the first step on.
    """

    def __init__(self, members: int, in_features: int, out_features: int, *, draws_signs: bool) -> None:
        super().__init__()
        self.members, self.in_features, self.out_features = members, in_features, out_features
        # nn.Linear's initialisation, W and b uniform within 1 / sqrt(I); members begin with the same bias.
        bound = 1 / math.sqrt(in_features)
        self.weight = nn.Parameter(torch.empty(in_features, out_features).uniform_(-bound, bound))
        bias = torch.empty(out_features).uniform_(-bound, bound)
        self.bias = nn.Parameter(bias.repeat(members))
        count = members * in_features
        signs = 2.0 * torch.randint(0, 2, (count,)) - 1 if draws_signs and members > 1 else torch.ones(count)
        self.before = nn.Parameter(signs)
        self.after = nn.Parameter(torch.ones(members * out_features))

    def folded(self) -> Tensor:
        """Return the weights of the members as separate layers, (M, I, O): r_m W s_m."""
        before = self.before.view(self.members, self.in_features, 1)
        return before * self.weight * self.after.view(self.members, 1, self.out_features)

    def forward(self, features: Tensor) -> Tensor:
        """Return (M, N, O) features for (M, N, I) features.

        The adapters are folded into the weights, M x I x O products, rather than applied to the features, M x N x (I +
        O): a batch has more rows than a layer has features.
        """
        return torch.baddbmm(self.bias.view(self.members, 1, self.out_features), features, self.folded())
