"""Training a classifier: checks of its data, class weights, accuracy."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dlcli.core.errors import DataError, UsageError
from dlcli.data.card import Card
from dlcli.models.cosine import install_cosine_head
from dlcli.tasks.classes.options import cosine_scale

WEIGHTS = "class_weights"


def require_classes(card: Card, data: Path, item: str) -> None:
    """Check that a classifier can be trained on the data.

    Args:
        card: the card of the prepared data.
        data: the folder of the data, for the message.
        item: the noun for one item: "image", "text", "row".

    Raises:
        DataError: there are fewer than two classes, or a class has no item in the training split.
    """
    require_labels(card, data, item)
    if len(card.classes) < 2:
        raise DataError(
            f"{data}: {len(card.classes)} class; a classifier needs two or more",
            hint=f"add {item}s of another class, or name another folder",
        )
    counts = card.counts.get("train", {})
    missing = [name for name in card.classes if not counts.get(name)]
    if missing:
        raise DataError(
            f"{data}: no {item} of the class {missing[0]!r} to train on", hint="prepare the data again without it"
        )


def require_labels(card: Card, data: Path, item: str) -> None:
    """Check that data has labels; the arguments are those of `require_classes`.

    Raises:
        DataError: it has none.
    """
    if card.classes:
        return
    task = card.details.get("task")
    hint = f"`dl train {task} --data {shlex.quote(str(data))}`" if isinstance(task, str) else f"add labelled {item}s"
    raise DataError(f"{data}: its {item}s have no labels, which a classifier learns and is measured by", hint=hint)


def register_class_weights(model: nn.Module, weights: np.ndarray | None = None) -> None:
    """Store (C,) float32 class weights in the model, or None if all classes have equal weight."""
    # A buffer, so that it moves to the device with the model; not saved, since it belongs to the training data.
    model.register_buffer(WEIGHTS, None if weights is None else torch.from_numpy(weights), persistent=False)


def class_weights_of(model: nn.Module) -> Tensor | None:
    """Return the (C,) class weights that `register_class_weights` stored, or None."""
    return dict(model.named_buffers(recurse=False)).get(WEIGHTS)


def fit_to_loss(model: nn.Module, loss: str, *inputs: Tensor) -> None:
    """Give the model the head that a loss needs, in place: one of scaled cosines for a loss with a margin.

    Args:
        model: inputs -> (N, C) logits.
        loss: `--loss`.
        inputs: a small batch of any values.

    Raises:
        UsageError: the network cannot have such a head.
    """
    scale = cosine_scale(loss)
    if scale is None:
        return
    try:
        install_cosine_head(model, scale, *inputs)
    except ValueError as error:
        raise UsageError(f"--loss {loss}: not with this network: {error}", hint="choose another --model") from None


def accuracy_of(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return the share of right answers in a training batch as `accuracy`, for `Update.figures`.

    It is that of the augmented items in training mode, so it may be below the validation accuracy.

    Args:
        logits: (N, C).
        labels: (N,) int64.
    """
    return {"accuracy": (logits.detach().argmax(1) == labels).float().mean()}
