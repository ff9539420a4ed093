"""Losses of semantic segmentation over the pixels that are not void."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

VOID = 255
"""The value of pixels in a label map that are neither learned nor measured."""

SMOOTH = 1.0
"""Added above and below in the Dice loss, in pixels, so that a class of a few pixels does not dominate."""


def num_measured(label_maps: Tensor) -> int:
    """Return how many pixels are not void, at least 1."""
    return max(1, int((label_maps != VOID).sum()))


def pixel_cross_entropy(logits: Tensor, label_maps: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Return the mean cross-entropy over pixels that are not void, a float32 scalar; 0 if all are.

    With class weights, too, the sum is divided by the number of pixels, not by the sum of the weights as in torch's
    mean, so that the gradients of two micro-batches add up to those of the large batch.

    Args:
        logits: (N, C, H, W).
        label_maps: (N, H, W) uint8 or int64, class indices or `VOID`.
        class_weights: (C,), or None for equal weights.
    """
    total = F.cross_entropy(logits.float(), label_maps.long(), class_weights, ignore_index=VOID, reduction="sum")
    return total / num_measured(label_maps)


def dice_loss(logits: Tensor, label_maps: Tensor) -> Tensor:
    """Return 1 - the mean soft Dice coefficient of the classes that the batch shows, a float32 scalar.

    It is over the pixels of the whole batch, so it is no mean over pixels: two micro-batches differ from a large one.

    Args:
        logits: (N, C, H, W).
        label_maps: (N, H, W) uint8 or int64, class indices or `VOID`.

    Source: Milletari et al. 2016, arXiv:1606.04797, with plain sums below as in Sudre et al. 2017, arXiv:1707.03237.
    """
    is_measured = (label_maps != VOID)[:, None]
    probabilities = logits.float().softmax(1) * is_measured
    indices = torch.where(label_maps == VOID, 0, label_maps.long())
    truth = F.one_hot(indices, logits.shape[1]).permute(0, 3, 1, 2) * is_measured
    sums = (0, 2, 3)
    both, either = (probabilities * truth).sum(sums), probabilities.sum(sums) + truth.sum(sums)
    dice = (2 * both + SMOOTH) / (either + SMOOTH)
    is_shown = truth.sum(sums) > 0
    return 1 - (dice * is_shown).sum() / is_shown.sum().clamp(min=1)


def median_frequency_weights(pixels: np.ndarray) -> np.ndarray:
    """Return class weights median(f) / f, (C,) float32; 0 for a class without a pixel.

    f is the share of a class's pixels in the images that show it.

    Args:
        pixels: (I, C) pixels of each class in each of I images.

    Source: Eigen & Fergus 2015, arXiv:1411.4734, section 4.3.
    """
    counts = pixels.sum(axis=0).astype(np.float64)
    totals = (pixels.sum(axis=1, keepdims=True) * (pixels > 0)).sum(axis=0)
    shares = counts / np.maximum(totals, 1)
    is_shown = counts > 0
    median = float(np.median(shares[is_shown])) if is_shown.any() else 0.0
    return np.where(is_shown, median / np.where(is_shown, shares, 1), 0).astype(np.float32)
