from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.models.heads import head_inputs
from dlcli.tasks.classification.fitting import fit_head

TWO = {"a": 20, "b": 20}


class Body(nn.Module):
    """Means of the channels, and a head."""

    def __init__(self, num_classes):
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head = nn.Conv2d(3, 8, 1), nn.Linear(8, num_classes)

    def forward(self, images):
        return self.head(self.body(images.float() / 255).mean((2, 3)))


def make_data(num_classes, count=60):
    random = np.random.default_rng(0)
    labels = np.arange(count) % num_classes
    colours = random.integers(0, 200, (num_classes, 3))[labels][:, :, None, None]
    images = (colours + random.integers(0, 55, (count, 3, 4, 4))).astype(np.uint8)
    return torch.from_numpy(images), torch.from_numpy(labels)


@pytest.mark.parametrize("num_classes", [2, 3, 5])
def test_the_probabilities_are_those_of_the_logistic_regression(num_classes):
    (images, labels), model = make_data(num_classes), Body(num_classes)
    features = head_inputs(model, images).numpy()
    expected = LogisticRegression(C=1.0, max_iter=2000).fit(features, labels.numpy()).predict_proba(features)
    body = model.body.weight.clone()
    fit_head(model, images, labels, name="toy")
    with torch.no_grad():
        np.testing.assert_allclose(model(images).softmax(1).numpy(), expected, atol=1e-4)
    assert torch.equal(model.body.weight, body)


def test_a_class_without_an_image_is_never_the_answer():
    (images, labels), model = make_data(3), Body(5)
    fit_head(model, images, labels + (labels == 2), name="toy")  # classes 0, 1 and 3
    with torch.no_grad():
        assert set(model(images).argmax(1).tolist()) <= {0, 1, 3}


def test_one_class_alone_changes_nothing():
    (images, _), model = make_data(3), Body(3)
    before = model.head.weight.clone()
    fit_head(model, images, torch.zeros(len(images), dtype=torch.int64), name="toy")
    assert torch.equal(model.head.weight, before)


def test_a_training_starts_with_the_fitted_head(make_images, open_task):
    data = make_images({"train": TWO}, size=(32, 32))
    fitted = open_task(data, model="resnet", width=8, fit_head=True)
    again = open_task(data, model="resnet", width=8, fit_head=True)
    assert torch.equal(fitted.model.network.head.weight, again.model.network.head.weight)
    plain = open_task(data, model="resnet", width=8)
    assert not torch.equal(fitted.model.network.head.weight, plain.model.network.head.weight)
    assert torch.equal(fitted.model.network.stem[0].weight, plain.model.network.stem[0].weight)
    images = next(iter(fitted.loader("train").batches()))
    fitted.model.eval(), plain.model.eval()
    losses = [nn.functional.cross_entropy(t.model(images["images"]), images["labels"]) for t in (fitted, plain)]
    assert losses[0] < losses[1]


def test_a_network_whose_head_is_no_last_layer_is_refused(make_images, open_task):
    with pytest.raises(UsageError, match="--fit-head: squeezenet1_1"):
        open_task(make_images({"train": TWO}, size=(32, 32)), model="squeezenet1_1", fit_head=True)
