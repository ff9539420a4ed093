"""What training on classes needs: data that has them, their weights, the loss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.core.errors import DataError
from dlcli.data.card import Card

WEIGHTS = "class_weights"


def require_classes(card: Card, data: Path, item: str) -> None:
    """Refuse data that a classifier cannot be trained on.

    Args:
        card: of the prepared data.
        data: its folder, for the message.
        item: what a class consists of: "image", "text", "row".

    Raises:
        DataError: there are fewer than two classes, or one without an item in the training split.
    """
    if len(card.classes) < 2:
        raise DataError(f"{data}: {len(card.classes)} class; a classifier needs two or more")
    counts = card.counts.get("train", {})
    missing = [name for name in card.classes if not counts.get(name)]
    if missing:
        raise DataError(
            f"{data}: no {item} of the class {missing[0]!r} to train on", hint="prepare the data again without it"
        )


def register_class_weights(model: nn.Module, weights: np.ndarray | None = None) -> None:
    """Give the model its (C,) float32 class weights, or None where all classes weigh alike."""
    # A buffer, so that it follows the model to its device; not saved, since it belongs to the training data.
    model.register_buffer(WEIGHTS, None if weights is None else torch.from_numpy(weights), persistent=False)


def class_weights_of(model: nn.Module) -> Tensor | None:
    """Return what `register_class_weights` gave the model."""
    return dict(model.named_buffers(recurse=False)).get(WEIGHTS)


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float, class_weights: Tensor | None) -> Tensor:
    """Return the cross-entropy as a mean over the batch.

    Weighted classes are divided by the number of items too, not by the sum of their weights as torch's mean does: so
    the gradients of two micro-batches add up to those of the large batch.

    Args:
        logits: (N, C).
        labels: (N,) int64.
        smoothing: part of the target shared among all classes (Szegedy et al. 2015, arXiv:1512.00567).
        class_weights: (C,), or None for none.
    """
    total = F.cross_entropy(logits.float(), labels, class_weights, label_smoothing=smoothing, reduction="sum")
    return total / len(labels)
