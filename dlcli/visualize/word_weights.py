"""How much each word of a text contributes to a network's prediction."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.models.modes import evaluating
from dlcli.models.text.attention import Attends

N_GRAMS = "table"
"""The name of an embedding whose rows are shared by n-grams (`models/text/ngrams.py`)."""


def embedding_of(model: nn.Module) -> nn.Embedding:
    """Return the network's first embedding, that of its words; a table of n-grams' weights is none.

    Raises:
        UsageError: it has none.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding) and name.rpartition(".")[2] != N_GRAMS:
            return module
    raise UsageError("the network has no word vectors")


def word_weights(
    model: nn.Module, tokens: Tensor, lengths: Tensor, *more: Tensor, by_gradient: bool = False
) -> tuple[np.ndarray, int, float, str]:
    """Return a weight for each word of one text, the predicted class, its probability, and the weights' origin.

    A network with an `attention` method provides the weights itself. For any other, the weight of a word is the norm
    of the elementwise product of its vector and the gradient of the predicted class's logit (Denil et al. 2014,
    arXiv:1412.6815; Li et al. 2016, arXiv:1506.01066): how strongly the logit depends on the word to first order, not
    why.

    Args:
        tokens: (1, T) int64.
        lengths: (1,) int64, here T.
        more: further inputs of the network.
        by_gradient: use the gradient even if the network has an `attention` method.

    Returns:
        (T,) float64 non-negative weights that sum to 1 unless all are 0; the class index; its probability in [0, 1];
        "attention" or "gradient x word vector".

    Raises:
        UsageError: the gradient is needed and the network has no embedding.
    """
    with evaluating(model):
        if isinstance(model, Attends) and not by_gradient:
            with torch.no_grad():
                logits = model(tokens, lengths, *more)[0].float()
                weights = model.attention(tokens, lengths, *more)[0].double().numpy()
            origin = "attention"
        else:
            logits, weights = _saliency(model, tokens, lengths, *more)
            origin = "gradient x word vector"
    index = int(logits.argmax())
    total = weights.sum()
    return weights / total if total > 0 else weights, index, float(logits.softmax(0)[index]), origin


def _saliency(model: nn.Module, tokens: Tensor, *more: Tensor) -> tuple[Tensor, np.ndarray]:
    vectors: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        del module, inputs
        leaf = output.detach().requires_grad_()
        vectors.append(leaf)
        return leaf

    handle = embedding_of(model).register_forward_hook(keep)
    try:
        with torch.enable_grad():
            logits = model(tokens, *more)[0].float()
            gradients = torch.autograd.grad(logits.max(), vectors, allow_unused=True)
    finally:
        handle.remove()
    shares = [
        (leaf * gradient).double().norm(dim=-1)[0]
        for leaf, gradient in zip(vectors, gradients, strict=True)
        if gradient is not None and leaf.shape[:2] == tokens.shape
    ]
    weights = torch.stack(shares).sum(0) if shares else torch.zeros(tokens.shape[1], dtype=torch.float64)
    return logits.detach(), weights.detach().numpy()
