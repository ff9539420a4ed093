"""The loss of classes, their weights, and what data must have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlcli.core.errors import DataError
from dlcli.data.card import Card
from dlcli.tasks.classes.losses import cross_entropy
from dlcli.tasks.classes.training import class_weights_of, register_class_weights, require_classes

LOGITS = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(12) % 4
WEIGHTS = torch.tensor([0.2, 1.0, 3.0, 0.5])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_without_weights_the_loss_is_torchs(smoothing):
    expected = F.cross_entropy(LOGITS, LABELS, label_smoothing=smoothing)
    torch.testing.assert_close(cross_entropy(LOGITS, LABELS, smoothing, None), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_gradients_of_weighted_micro_batches_add_up_to_that_of_the_large_batch(smoothing):
    order = LABELS.argsort()  # so that the parts differ in their classes
    labels = LABELS[order]

    def loss_and_gradient(parts):
        logits = LOGITS[order].clone().requires_grad_()
        losses = [cross_entropy(logits[part], labels[part], smoothing, WEIGHTS) * len(labels[part]) for part in parts]
        total = torch.stack(losses).sum() / len(labels)
        total.backward()
        return total.detach(), logits.grad

    whole = loss_and_gradient([slice(0, 12)])
    torch.testing.assert_close(loss_and_gradient([slice(0, 5), slice(5, 12)]), whole)
    torch.testing.assert_close(loss_and_gradient([slice(index, index + 1) for index in range(12)]), whole)


def test_a_weight_counts_as_that_many_copies_of_its_class():
    weights = torch.tensor([1.0, 3.0, 1.0, 1.0])
    copies = torch.cat([torch.arange(12), *[torch.nonzero(LABELS == 1)[:, 0]] * 2])
    weighted = cross_entropy(LOGITS, LABELS, 0.0, weights) * len(LABELS)
    torch.testing.assert_close(weighted, F.cross_entropy(LOGITS[copies], LABELS[copies], reduction="sum"))


def test_class_weights_follow_the_model_and_are_not_saved():
    model = nn.Linear(2, 4)
    register_class_weights(model)
    assert class_weights_of(model) is None
    register_class_weights(model, WEIGHTS.numpy())
    torch.testing.assert_close(class_weights_of(model), WEIGHTS)
    assert set(model.state_dict()) == {"weight", "bias"}
    assert class_weights_of(model.to("meta")).device.type == "meta"


def test_only_the_models_own_weights_are_found():
    inner = nn.Linear(2, 4)
    register_class_weights(inner, np.ones(4, np.float32))
    outer = nn.Sequential(inner)
    register_class_weights(outer)
    assert class_weights_of(outer) is None


@pytest.mark.parametrize(
    ("classes", "counts", "message"),
    [
        ((), {"train": {}}, "its rows have no labels, which a classifier learns and is measured by"),
        (("a",), {"train": {"a": 3}}, "1 class; a classifier needs two or more"),
        (("a", "b"), {"train": {"a": 3, "b": 0}}, "no row of the class 'b' to train on"),
        (("a", "b"), {"train": {"b": 3}, "test": {"a": 3}}, "no row of the class 'a' to train on"),
        (("a", "b"), {"test": {"a": 3, "b": 3}}, "no row of the class 'a' to train on"),
    ],
)
def test_data_that_a_classifier_cannot_learn_from_is_refused(classes, counts, message):
    with pytest.raises(DataError, match=message):
        require_classes(Card("table", "t", classes, counts), Path("data/t"), "row")


def test_two_classes_with_an_item_each_are_enough():
    require_classes(Card("table", "t", ("a", "b"), {"train": {"a": 1, "b": 1}}), Path("data/t"), "row")
