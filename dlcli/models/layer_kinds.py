"""The names of norms and activations, without torch, for options; `dlcli.models.layers` makes them."""

from __future__ import annotations

NORM_NAMES = ("batch", "group", "layer", "instance", "none")

ACTIVATION_NAMES = ("relu", "leaky", "gelu", "silu", "mish", "selu", "sigmoid", "tanh")
