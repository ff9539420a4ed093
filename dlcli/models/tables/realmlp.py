"""The perceptron of RealMLP: learned factors of the features, weights of unit variance, parametric activations.

The paper multiplies the learning rate of some parameters by a factor. Here such a parameter is stored divided by that
factor, and multiplied by it where it is used: the steps of Adam do not depend on the scale of a gradient, so the two
are the same training, and the optimizer has one rate. Dropout and weight decay are constant here; in the authors'
package they fall in the second half.

Source: Holzmueller et al. 2024, arXiv:2407.04491, and the authors' package pytabkit 1.8.0.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dlcli.models.tables.mlp import activation_named, hidden_layers

SCALE_RATE, BIAS_RATE, SLOPE_RATE, PERIODIC_RATE = 6.0, 0.1, 0.1, 0.1
"""What multiplies the learning rate of the factors of features, of biases, of the weights of activations, and of the
embeddings of numbers by waves."""

LEAST_DEVIATION = 1e-6
"""Outputs that vary by less over the rows are constant: their weights are left as they are."""


class ScaledFeatures(nn.Module):
    """Multiplies each feature by a learned factor, 1 at first, separate for each member: a soft choice of features."""

    def __init__(self, members: int, features: int) -> None:
        super().__init__()
        self.members = members
        self.factor = nn.Parameter(torch.full((members * features,), 1 / SCALE_RATE))

    def forward(self, features: Tensor) -> Tensor:
        """Return the scaled features, (M, N, I) for (M, N, I)."""
        return features * (SCALE_RATE * self.factor).view(self.members, 1, -1)


class UnitLinear(nn.Module):
    """A linear layer per member with weights of unit variance, divided by sqrt(I) where they are used.

    Source: the neural tangent parametrisation, Jacot et al. 2018, arXiv:1806.07572.

    Args:
        members, in_features, out_features: M, I, O.
    """

    def __init__(self, members: int, in_features: int, out_features: int) -> None:
        super().__init__()
        self.members, self.out_features = members, out_features
        self.gain = 1 / math.sqrt(in_features)
        self.weight = nn.Parameter(torch.randn(members, in_features, out_features))
        self.bias = nn.Parameter(torch.randn(members * out_features) / BIAS_RATE)

    def forward(self, features: Tensor) -> Tensor:
        """Return (M, N, O) features for (M, N, I) features."""
        bias = (BIAS_RATE * self.bias).view(self.members, 1, self.out_features)
        return torch.baddbmm(bias, features, self.weight, alpha=self.gain)

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Give each output a standard deviation of 1 over (M, N, I) features, and let it be 0 somewhere among them.

        The bias is minus a random convex combination of the outputs of five rows ("he+5" in the authors' package).
        """
        outputs = torch.bmm(features, self.weight) * self.gain
        deviation = outputs.std(1, keepdim=True, unbiased=False)
        deviation = torch.where(deviation > LEAST_DEVIATION, deviation, torch.ones_like(deviation))
        self.weight.div_(deviation)
        count, rows = outputs.shape[1], 5
        chosen = torch.randint(0, count, (self.members, rows, self.out_features), device=features.device)
        shares = -torch.rand(chosen.shape, device=features.device).clamp_min(1e-30).log()  # exponential: uniform shares
        shares /= shares.sum(1, keepdim=True)
        self.bias.copy_(-((outputs / deviation).gather(1, chosen) * shares).sum(1).flatten() / BIAS_RATE)


class ParametricActivation(nn.Module):
    """An activation f that each feature may straighten: x + a (f(x) - x), with a learned a, 1 at first."""

    def __init__(self, members: int, features: int, activation: nn.Module) -> None:
        super().__init__()
        self.members = members
        self.activation = activation
        if isinstance(self.activation, nn.ReLU | nn.LeakyReLU):
            self.activation.inplace = False  # the input is needed too
        self.change = nn.Parameter(torch.zeros(members * features))

    def forward(self, features: Tensor) -> Tensor:
        """Return the activated features, (M, N, I) for (M, N, I)."""
        weight = (1 + SLOPE_RATE * self.change).view(self.members, 1, -1)
        return torch.lerp(features, self.activation(features), weight)


class RealPerceptron(nn.Module):
    """An ensemble of `members` perceptrons of RealMLP; see the top of the file.

    Args:
        in_features, out_features, hidden, members, dropout, batch_norm, activation: as in `MLP`.

    Raises:
        ValueError: the activation is unknown.
    """

    def __init__(
        self,
        *,
        in_features: int,
        out_features: int,
        hidden: Sequence[int] = (256, 256, 256),
        members: int = 1,
        dropout: float = 0.0,
        batch_norm: bool = False,
        activation: str = "mish",
    ) -> None:
        super().__init__()
        make = activation_named(activation)
        widths = [in_features, *hidden]
        linears = [UnitLinear(members, before, after) for before, after in itertools.pairwise(widths)]
        layers = hidden_layers(
            linears,
            lambda width: ParametricActivation(members, width, make()),
            dropout=dropout,
            batch_norm=batch_norm,
        )
        last = UnitLinear(members, widths[-1], out_features)
        self.layers = nn.Sequential(ScaledFeatures(members, in_features), *layers, last)

    def forward(self, features: Tensor) -> Tensor:
        """Return (M, N, out_features) for (M, N, in_features)."""
        answers: Tensor = self.layers(features)
        return answers

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Fit the initial weights to (M, N, in_features) of rows that train, by layer; see `UnitLinear.fit`."""
        for layer in self.layers:
            if isinstance(layer, UnitLinear):
                layer.fit(features)
            features = features if isinstance(layer, nn.Dropout) else layer(features)
