"""The head of a network, its last layer, and what it sees: one vector for each item, the item's embedding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.models.modes import evaluating

HEAD_NAMES = frozenset({"head", "heads", "classifier", "fc"})
"""Names of the part after the features, here and in torchvision."""


def head_of(model: nn.Module) -> nn.Module:
    """Return the last layer of a classifier, which computes the logits: a Linear, in SqueezeNet a Conv2d.

    Raises:
        ValueError: no such layer has a name in `HEAD_NAMES`.
    """
    return model.get_submodule(head_name(model))


def head_name(model: nn.Module) -> str:
    """Return the dotted name of the layer that `head_of` returns.

    Raises:
        ValueError: there is no such layer.
    """
    found = [
        name
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, nn.Conv2d)) and HEAD_NAMES.intersection(name.split("."))
    ]
    if not found:
        raise ValueError(f"{type(model).__name__} has no layer named {', '.join(sorted(HEAD_NAMES))}")
    return str(found[-1])


@contextmanager
def watching(head: nn.Module) -> Iterator[list[Tensor]]:
    """Give a list to which every call of a layer within the block appends its input."""
    seen: list[Tensor] = []
    hook = head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        yield seen
    finally:
        hook.remove()


def head_inputs(model: nn.Module, images: Tensor) -> Tensor:
    """Return what the head of a classifier sees, (N, F), computed in evaluation mode without gradients.

    Args:
        model: (N, C, H, W) images -> (N, K) logits.
        images: (N, C, H, W), as the model takes them.

    Raises:
        ValueError: the model has no head, or does something else after it, so that it is no function of these.
    """
    head = head_of(model)
    with watching(head) as seen, evaluating(model), torch.no_grad():
        logits = model(images)
    with torch.no_grad():
        if seen[-1].ndim != 2 or not torch.equal(head(seen[-1]), logits):
            raise ValueError("the head is not the last layer")
    return seen[-1]


def item_vectors(inputs: Tensor) -> Tensor:
    """Return one vector for each item, (N, D), of a head's inputs.

    Args:
        inputs: (N, D); of a head that is a convolution (N, D, H, W), whose mean over places is taken; of an ensemble
            (M, N, F), whose M vectors are joined to one of D = M * F.
    """
    if inputs.ndim == 4:
        return inputs.mean((2, 3))
    return inputs.permute(1, 0, 2).flatten(1) if inputs.ndim == 3 else inputs


def embedding_of(seen: Sequence[Tensor]) -> Tensor:
    """Return the embeddings of N items, (N, D) float32 of length 1; one that is zero everywhere remains zero.

    Args:
        seen: the head's inputs in each pass through the network, see `item_vectors`; of several passes (over views of
            an image) the mean is taken.
    """
    vectors = [item_vectors(inputs).float() for inputs in seen]
    return F.normalize(vectors[0] if len(vectors) == 1 else torch.stack(vectors).mean(0), dim=1)


class WithEmbedding(nn.Module):
    """A network whose last output is the embedding of each item, (N, D) float32, to be exported.

    Args:
        network: returns a tensor or a tuple of them; it contains the head.
        head: its last layer.

    Raises:
        ValueError: the network does not contain the head.
    """

    def __init__(self, network: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.network = network
        # A name, since a copy of this module has a copy of the head.
        self.head_name = next((name for name, module in network.named_modules() if module is head), None)
        if self.head_name is None:
            raise ValueError(f"{type(network).__name__} does not contain the head")

    def forward(self, first: Tensor, second: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return the network's outputs and the embedding, for its one or two inputs.

        They are named, since torch.export takes the shapes of `*inputs` as those of one nested input.
        """
        with watching(self.network.get_submodule(self.head_name or "")) as seen:
            outputs = self.network(first) if second is None else self.network(first, second)
        return (*(outputs if isinstance(outputs, tuple) else (outputs,)), embedding_of(seen))
