"""A network for small photos that learns in seconds: Jordan 2024, "94% on CIFAR-10 in 3.29 seconds", arXiv:2404.00498.

The first layer is not learned: its filters are the eigenvectors of the 2x2 patches of the training images, scaled so
that outputs are independent with variance one, and their negatives. Convolutions start as identities on their first
channels, batch norms have no learned scale and a high momentum, and the logits start small.

Differences from github.com/KellerJordan/cifar10-airbench: one number sets all widths; the first layer's bias is trained
for a third of the epochs (there for three), and a ReLU follows it (there a GELU, which on these wide maps costs a tenth
of a step and gains nothing, since a filter and its negative together lose no information); the norms use torch's
epsilon (there 1e-12; with variances of at least 0.01 the difference from 1e-5 is negligible); the last max-pool covers
the whole map, which at 28 to 32 pixels is 3x3 as there, so that larger images work too.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.models.images.stem import MIN_IMAGE, check_image_size, check_images

PATCH = 2
"""Side of the first layer's filters (section 3.2 of the paper)."""

WHITENING_EPS = 5e-4
"""Added to the patches' variances before dividing by them (airbench94.py), so that noise is not amplified."""

NORM_MOMENTUM = 0.4
"""Weight of the newest batch in the running statistics: 1 - 0.6 (airbench94.py). Short trainings have few batches."""

BIAS_UNTIL = 1 / 3
"""Fraction of the training during which the first layer's bias is trained. Afterwards no gradient passes through the
widest maps: the same accuracy in a tenth less time (docs/log.md)."""

HEAD_SCALE = 1 / 9
"""Scale of the head's initial weights, so that logits start near zero (in airbench94.py, a factor on the logits)."""


class AirNet(nn.Module):
    """Whitening, three blocks of two 3x3 convolutions with a max-pool in each, maximum over the map, head.

    A new network whitens patches of independent pixels; `fit_to` computes the filters from real images.

    Args:
        num_classes: number of logits.
        in_channels: 1 or 3.
        image_size: side of the images in pixels; only checked.
        width: channels of the first block, a quarter of the others'; 64 in the paper.

    Raises:
        ImageSizeError: the images are under 28 pixels.
    """

    def __init__(self, *, num_classes: int, in_channels: int = 3, image_size: int = 32, width: int = 64) -> None:
        super().__init__()
        check_image_size("airnet", image_size, MIN_IMAGE)
        self.in_channels = in_channels
        num_inputs = in_channels * PATCH**2
        self.whiten = nn.Conv2d(in_channels, 2 * num_inputs, PATCH)
        self.whiten.weight.requires_grad_(False)
        self._set_filters(torch.eye(num_inputs))
        nn.init.zeros_(self.whiten.bias)  # type: ignore[arg-type]
        self.layer1 = _block(2 * num_inputs, width)
        self.layer2 = _block(width, 4 * width)
        self.layer3 = _block(4 * width, 4 * width)
        self.head = nn.Linear(4 * width, num_classes, bias=False)
        with torch.no_grad():
            self.head.weight.mul_(HEAD_SCALE)

    def fit_to(self, images: Tensor) -> None:
        """Compute the first layer's filters from normalised (N, C, H, W) training images."""
        self._set_filters(whitening_filters(images))

    def learned_early(self) -> Iterable[tuple[Tensor, float]]:
        """Return the bias of the first layer, and the fraction of the training after which it is frozen."""
        assert self.whiten.bias is not None
        return [(self.whiten.bias, BIAS_UNTIL)]

    def _set_filters(self, filters: Tensor) -> None:
        with torch.no_grad():
            self.whiten.weight.copy_(torch.cat([filters, -filters]).view_as(self.whiten.weight))

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, num_classes) logits for (N, C, H, W) images."""
        check_images("airnet", images, self.in_channels, MIN_IMAGE)
        features = self.layer3(self.layer2(self.layer1(F.relu(self.whiten(images)))))
        logits: Tensor = self.head(F.adaptive_max_pool2d(features, 1).flatten(1))
        return logits


def whitening_filters(images: Tensor, *, patch: int = PATCH, eps: float = WHITENING_EPS) -> Tensor:
    """Return filters whose outputs over the images' patches are uncorrelated, with a mean square of 1.

    Args:
        images: (N, C, H, W), normalised: the patches are assumed to have mean zero.
        patch: side of the patches in pixels.
        eps: added to the mean square of each direction.

    Returns:
        (C * patch**2, C * patch**2) float32, one filter per row, laid out as (C, patch, patch), weakest directions
        first.

    Source: tysam-code/hlb-CIFAR10 and cifar10-airbench, `init_whiten`.
    """
    size = images.shape[1] * patch * patch
    total, count = images.new_zeros((size, size), dtype=torch.float64), 0
    for part in torch.split(images.float(), 500):  # each pixel is in patch**2 patches
        patches = F.unfold(part, patch).transpose(0, 1).reshape(size, -1)
        total += (patches @ patches.T).double()
        count += patches.shape[1]
    strengths, directions = torch.linalg.eigh(total / count)
    filters: Tensor = (directions / (strengths + eps).sqrt()).T
    return filters.float()


def _block(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        _conv(in_channels, out_channels),
        nn.MaxPool2d(2),
        _norm(out_channels),
        nn.GELU(),
        _conv(out_channels, out_channels),
        _norm(out_channels),
        nn.GELU(),
    )


def _conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    """Return a 3x3 convolution whose first min(in, out) outputs equal its inputs."""
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
    with torch.no_grad():
        nn.init.dirac_(conv.weight[:in_channels])
    return conv


def _norm(channels: int) -> nn.BatchNorm2d:
    """Return a batch norm with a fixed scale of 1: a GELU and a norm follow, so a scale would only slow learning."""
    norm = nn.BatchNorm2d(channels, momentum=NORM_MOMENTUM)
    norm.weight.requires_grad_(False)
    return norm
