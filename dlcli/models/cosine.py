"""A head that compares directions: its logits are scaled cosines between an item's features and a vector per class.

The losses with a margin between classes (AM-softmax, ArcFace) are made for it: a class becomes a direction, and how far
features are from it does not depend on their length. The bias falls away.

Source: Wang et al. 2018, arXiv:1801.05599; Deng et al. 2019, arXiv:1801.07698.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.models.heads import head_name, watching
from dlcli.models.modes import evaluating


class CosineHead(nn.Linear):
    """A linear layer of normalised weights and inputs: (N, F) features to (N, C) logits in [-scale, scale].

    Args:
        in_features, out_features: F and C.
        scale: the length of the logits' scale, the inverse of a temperature.
    """

    def __init__(self, in_features: int, out_features: int, scale: float) -> None:
        super().__init__(in_features, out_features, bias=False)
        self.scale = scale

    def forward(self, input: Tensor) -> Tensor:
        """Return the scaled cosines, (N, C)."""
        return self.scale * F.linear(F.normalize(input, dim=1), F.normalize(self.weight, dim=1))


def install_cosine_head(model: nn.Module, scale: float, *inputs: Tensor) -> None:
    """Replace the head of a classifier by one that compares directions, in place; its weights are those of the head.

    Args:
        model: inputs -> (N, C) logits.
        scale: as in `CosineHead`.
        inputs: a small batch of any values.

    Raises:
        ValueError: the model has no linear head, or does something else after it.
    """
    name = head_name(model)
    head = model.get_submodule(name)
    if not isinstance(head, nn.Linear):
        raise ValueError("its head is a convolution")
    with watching(head) as seen, evaluating(model), torch.no_grad():
        logits = model(*inputs)
        if not seen or seen[-1].ndim != 2 or not torch.equal(F.linear(seen[-1], head.weight, head.bias), logits):
            raise ValueError("the head is not the last layer")
    cosine = CosineHead(head.in_features, head.out_features, scale)
    with torch.no_grad():
        cosine.weight.copy_(head.weight)
    parent, _, last = name.rpartition(".")
    model.get_submodule(parent).register_module(last, cosine)
