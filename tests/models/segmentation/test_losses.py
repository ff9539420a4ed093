from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dlcli.models.segmentation.losses import (
    VOID,
    dice_loss,
    median_frequency_weights,
    num_measured,
    pixel_cross_entropy,
)


def random_case(seed=0, void=0.3):
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, 4, 5, generator=random, requires_grad=True)
    labels = torch.randint(0, 3, (2, 4, 5), generator=random)
    labels[torch.rand(2, 4, 5, generator=random) < void] = VOID
    return logits, labels.to(torch.uint8)


def test_cross_entropy_is_the_mean_over_pixels_that_are_not_void():
    logits, labels = random_case()
    losses = [
        -math.log(float(logits[n, :, y, x].softmax(0)[int(labels[n, y, x])].detach()))
        for n, y, x in (labels != VOID).nonzero().tolist()
    ]
    assert num_measured(labels) == len(losses) < labels.numel()
    assert float(pixel_cross_entropy(logits, labels).detach()) == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_a_void_pixel_has_no_gradient():
    logits, labels = random_case()
    (pixel_cross_entropy(logits, labels) + dice_loss(logits, labels)).backward()
    is_void = (labels == VOID)[:, None].expand_as(logits)
    assert not logits.grad[is_void].any()
    assert logits.grad[~is_void].all()


def test_images_that_are_all_void_cost_nothing_to_learn():
    logits, labels = random_case(void=1.1)
    (pixel_cross_entropy(logits, labels) + dice_loss(logits, labels)).backward()
    assert float(pixel_cross_entropy(logits, labels).detach()) == 0
    assert not logits.grad.any()


def test_micro_batches_weighted_by_their_pixels_add_up_to_the_large_batch():
    logits, labels = random_case()
    weights = torch.tensor([0.5, 1.0, 3.0])
    whole = pixel_cross_entropy(logits, labels, weights) * num_measured(labels)
    parts = sum(
        pixel_cross_entropy(logits[n : n + 1], labels[n : n + 1], weights) * num_measured(labels[n : n + 1])
        for n in range(2)
    )
    torch.testing.assert_close(parts, whole)


def test_dice_equals_its_formula_by_hand():
    """Two pixels of class 0 and one of class 1, all with probabilities (3/4, 1/4); one void pixel, none of class 2."""
    logits = torch.tensor([math.log(3), 0.0, -1e9]).view(1, 3, 1, 1).expand(1, 3, 1, 4)
    labels = torch.tensor([[[0, 0, 1, VOID]]])
    first = (2 * 1.5 + 1) / (2.25 + 2 + 1)
    second = (2 * 0.25 + 1) / (0.75 + 1 + 1)
    assert float(dice_loss(logits, labels)) == pytest.approx(1 - (first + second) / 2, rel=1e-6)


def test_dice_is_nearly_zero_for_the_right_answer():
    _, labels = random_case()
    right = torch.nn.functional.one_hot(labels.long() % VOID, 3).permute(0, 3, 1, 2) * 50.0
    assert float(dice_loss(right, labels)) == pytest.approx(0, abs=1e-5)


def test_weights_are_the_median_of_the_shares_over_each_share():
    """Class 0: 90 of 100 in both images, class 1: 20 of 100 in one, class 2: never."""
    pixels = np.array([[80, 20, 0], [100, 0, 0]])
    shares = np.array([180 / 200, 20 / 100])
    expected = [*np.median(shares) / shares, 0]
    np.testing.assert_allclose(median_frequency_weights(pixels), expected, rtol=1e-6)
    assert not median_frequency_weights(np.zeros((2, 3), int)).any()
