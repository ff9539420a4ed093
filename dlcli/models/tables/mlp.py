"""Multi-layer perceptrons, several of one shape in parallel: an ensemble that trains and predicts as one network.

All members see the same items and have separate weights, so their mean is a deep ensemble (Lakshminarayanan et al.
2017, arXiv:1612.01474). Their layers are batched matrix products: on a CPU five small members take about as long as
one, because a step of such a small network is mostly call overhead.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from dlcli.models.layers import ACTIVATIONS
from dlcli.models.tables.adapted import AdaptedLinear


class MemberLinear(nn.Module):
    """A linear layer per member.

    The biases form one vector, so that weight decay skips them as it does those of `nn.Linear`.

    Args:
        members, in_features, out_features: M, I, O.
    """

    def __init__(self, members: int, in_features: int, out_features: int) -> None:
        super().__init__()
        self.members, self.out_features = members, out_features
        # nn.Linear's initialisation: uniform within 1 / sqrt(I).
        bound = 1 / math.sqrt(in_features)
        self.weight = nn.Parameter(torch.empty(members, in_features, out_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members * out_features).uniform_(-bound, bound))

    def forward(self, features: Tensor) -> Tensor:
        """Return (M, N, O) features for (M, N, I) features."""
        return torch.baddbmm(self.bias.view(self.members, 1, self.out_features), features, self.weight)


class MemberNorm(nn.Module):
    """Batch normalisation, separate for each member (Ioffe & Szegedy 2015, arXiv:1502.03167)."""

    def __init__(self, members: int, features: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(members * features)

    def forward(self, features: Tensor) -> Tensor:
        """Return the normalised features, (M, N, I) for (M, N, I)."""
        members, _, width = features.shape
        flat = features.permute(1, 0, 2).reshape(-1, members * width)
        normalised: Tensor = self.norm(flat)
        return normalised.view(-1, members, width).permute(1, 0, 2)


class Linear(Protocol):
    """A linear layer of all members."""

    members: int
    out_features: int


def hidden_layers(
    linears: Iterable[Linear], activation: Callable[[int], nn.Module], *, dropout: float, batch_norm: bool
) -> Iterator[nn.Module]:
    """Yield each linear layer with what follows it.

    Args:
        linears: modules.
        activation: (width) -> an activation.
        dropout, batch_norm: as in `MLP`.
    """
    for linear in linears:
        assert isinstance(linear, nn.Module)
        yield linear
        if batch_norm:
            yield MemberNorm(linear.members, linear.out_features)
        yield activation(linear.out_features)
        if dropout:
            yield nn.Dropout(dropout)


def activation_named(name: str) -> Callable[[], nn.Module]:
    """Return what makes an activation of `dlcli.models.layers`.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"unknown activation {name!r}; known: {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


class MLP(nn.Module):
    """An ensemble of `members` perceptrons of the same shape.

    Args:
        in_features, out_features: of each member.
        hidden: widths of the hidden layers; () for a linear model.
        members: M.
        dropout: fraction of hidden features dropped in training, in [0, 1).
        batch_norm: normalise before each activation.
        activation: a name in `dlcli.models.layers`.
        is_shared: whether the members share the weights of the hidden layers through adapters, as in TabM, rather than
            have separate ones.

    Raises:
        ValueError: the activation is unknown.
    """

    def __init__(
        self,
        *,
        in_features: int,
        out_features: int,
        hidden: Sequence[int] = (64, 64),
        members: int = 1,
        dropout: float = 0.0,
        batch_norm: bool = False,
        activation: str = "relu",
        is_shared: bool = False,
    ) -> None:
        super().__init__()
        activate = activation_named(activation)
        widths = [in_features, *hidden]
        pairs = list(itertools.pairwise(widths))
        linears: list[AdaptedLinear] | list[MemberLinear]
        if is_shared:
            linears = [AdaptedLinear(members, *pair, draws_signs=index == 0) for index, pair in enumerate(pairs)]
        else:
            linears = [MemberLinear(members, *pair) for pair in pairs]
        layers = hidden_layers(linears, lambda _: activate(), dropout=dropout, batch_norm=batch_norm)
        self.layers = nn.Sequential(*layers, MemberLinear(members, widths[-1], out_features))

    def forward(self, features: Tensor) -> Tensor:
        """Return (M, N, out_features) for (M, N, in_features)."""
        answers: Tensor = self.layers(features)
        return answers
