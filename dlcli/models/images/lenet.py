"""Two networks for digits: LeNet-5 (LeCun et al. 1998, Proc. IEEE 86(11)) and a small modern one.

LeNet differs from the paper: ReLU instead of tanh, max-pools instead of learned subsampling, full connections between
the maps of the two convolutions, and a linear head instead of radial basis functions. With one channel, ten classes and
28 pixels it has the usual 61,706 parameters.

SmallCNN follows VGG's pattern (arXiv:1409.1556), pairs of 3x3 convolutions between max-pools, with batch norm
(arXiv:1502.03167), and a mean over the map (arXiv:1312.4400) instead of hidden layers.
"""

from __future__ import annotations

import functools

from torch import Tensor, nn

from dlcli.models.images.blocks import Kinds, conv_norm_act, initialise
from dlcli.models.images.stem import check_image_size, check_images
from dlcli.models.layers import ACTIVATIONS

MIN_DIGIT = 8
"""Side of scikit-learn's digits."""

LENET_IMAGE = 28
"""From this size on, a 5x5 convolution without padding leaves a large enough map."""

LENET_MAP = 5
"""Side of the last map, the input size of the hidden layers."""


class LeNet(nn.Module):
    """Two 5x5 convolutions with max-pools, two hidden layers, head.

    At 28 pixels the last map is 5x5; at other sizes it is average-pooled to 5x5.

    Args:
        num_classes: number of logits.
        in_channels: 1 or 3.
        image_size: side of the images in pixels; below 28 the second convolution is padded.
        activation: a name in `dlcli.models.layers`; the paper's is tanh.

    Raises:
        ImageSizeError: the images are under 8 pixels.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int = 1,
        image_size: int = LENET_IMAGE,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        check_image_size("lenet", image_size, MIN_DIGIT)
        self.in_channels = in_channels
        self.min_size = min(image_size, LENET_IMAGE)
        padding = 0 if image_size >= LENET_IMAGE else 2
        act = ACTIVATIONS[activation]
        self.layer1 = nn.Sequential(nn.Conv2d(in_channels, 6, 5, padding=2), act(), nn.MaxPool2d(2))
        self.layer2 = nn.Sequential(nn.Conv2d(6, 16, 5, padding=padding), act(), nn.MaxPool2d(2))
        self.pool = nn.AdaptiveAvgPool2d(LENET_MAP)
        self.hidden = nn.Sequential(nn.Linear(16 * LENET_MAP**2, 120), act(), nn.Linear(120, 84), act())
        self.head = nn.Linear(84, num_classes)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, num_classes) logits for (N, C, H, W) images."""
        check_images("lenet", images, self.in_channels, self.min_size)
        features = self.pool(self.layer2(self.layer1(images)))
        logits: Tensor = self.head(self.hidden(features.flatten(1)))
        return logits


class SmallCNN(nn.Module):
    """Five 3x3 convolutions in three stages, mean over the map, dropout, head; for images of at least 8 pixels.

    Args:
        num_classes: number of logits.
        in_channels: 1 or 3.
        image_size: side of the images in pixels; only checked.
        width: channels of the first stage, doubled in each following one.
        dropout: before the head.
        norm, activation: names in `dlcli.models.layers`.

    Raises:
        ImageSizeError: the images are under 8 pixels.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int = 1,
        image_size: int = 28,
        width: int = 32,
        dropout: float = 0.1,
        norm: str = "batch",
        activation: str = "relu",
    ) -> None:
        super().__init__()
        check_image_size("cnn", image_size, MIN_DIGIT)
        self.in_channels = in_channels
        conv = functools.partial(conv_norm_act, kinds=Kinds(norm, activation))
        self.layer1 = nn.Sequential(conv(in_channels, width, 3), conv(width, width, 3), nn.MaxPool2d(2))
        self.layer2 = nn.Sequential(conv(width, width * 2, 3), conv(width * 2, width * 2, 3), nn.MaxPool2d(2))
        self.layer3 = conv(width * 2, width * 4, 3)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width * 4, num_classes)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, num_classes) logits for (N, C, H, W) images."""
        check_images("cnn", images, self.in_channels, MIN_DIGIT)
        features = self.layer3(self.layer2(self.layer1(images)))
        logits: Tensor = self.head(self.dropout(features.mean(dim=(2, 3))))
        return logits
