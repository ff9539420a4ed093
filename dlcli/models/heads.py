"""The head of a network, its last layer, and what it sees: one vector for each item, the item's embedding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.models.ensemble import Ensemble
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


def heads_of(model: nn.Module) -> nn.Module:
    """Return the head of a classifier, or of an ensemble those of its members, an `nn.ModuleList`.

    Raises:
        ValueError: see `head_of`.
    """
    return nn.ModuleList(map(head_of, model.networks)) if isinstance(model, Ensemble) else head_of(model)


@contextmanager
def watching(head: nn.Module) -> Iterator[list[Tensor]]:
    """Give a list to which every call of a layer within the block appends its input.

    Args:
        head: a layer, or an `nn.ModuleList` of M that are called in turn, whose inputs become one entry of (M, N, F).
    """
    seen: list[Tensor] = []
    layers = list(head) if isinstance(head, nn.ModuleList) else [head]
    turn: list[Tensor] = []

    def keep(_layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        turn.append(inputs[0])
        if len(turn) == len(layers):
            seen.append(turn[0] if len(layers) == 1 else torch.stack([item_vectors(each) for each in turn]))
            turn.clear()

    with ExitStack() as hooks:
        for layer in layers:
            hooks.callback(layer.register_forward_pre_hook(keep).remove)
        yield seen


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
        head: its last layer, or those of an ensemble's members, as in `watching`.

    Raises:
        ValueError: the network does not contain the head.
    """

    def __init__(self, network: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.network = network
        names = {module: name for name, module in network.named_modules()}
        self.are_several = isinstance(head, nn.ModuleList)
        try:  # names, since a copy of this module has copies of the heads
            self.head_names = [names[layer] for layer in (head if isinstance(head, nn.ModuleList) else [head])]
        except KeyError:
            raise ValueError(f"{type(network).__name__} does not contain the head") from None

    def forward(
        self, first: Tensor, second: Tensor | None = None, third: Tensor | None = None, fourth: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return the network's outputs and the embedding, for its one to four inputs.

        They are named, since torch.export takes the shapes of `*inputs` as those of one nested input.
        """
        layers = [self.network.get_submodule(name) for name in self.head_names]
        with watching(nn.ModuleList(layers) if self.are_several else layers[0]) as seen:
            outputs = self.network(*(each for each in (first, second, third, fourth) if each is not None))
        return (*(outputs if isinstance(outputs, tuple) else (outputs,)), embedding_of(seen))
