"""Five networks as a well-known beginners' course writes them, layer by layer, for CIFAR-10 and MNIST.

Parts have the course's names, so that a state dict saved by its scripts loads. Convolutions have biases before their
norms, except the depthwise ones, and all start from torch's defaults. Differences: the outputs are logits, since the
loss takes the softmax itself; where the course's flattening allows one size of image alone, the last map is averaged,
which changes nothing at 28 and 32 pixels.

Our own networks are better at the same task: `vgg` ends in a mean over the map, `mobilenet` and `inception` keep the
depth of their papers, and `cnn` has twice the parameters of `course-cnn` and five convolutions instead of one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcli.models.images.stem import MIN_IMAGE, ImageSizeError, check_image_size, check_images

MIN_DIGIT = 8
"""Side of scikit-learn's digits."""

VGG_MAP = 2
"""Side of the last map of the VGG, which a linear layer of 4 x 512 inputs reads."""

HIDDEN = 512
"""Units of each of the two hidden layers of the MLP."""


class CourseVGG(nn.Module):
    """Seven 3x3 convolutions, a max-pool after each stage, and one linear layer over the last 2x2 map.

    The third pool is padded, for a map of 7 pixels that 2 does not divide. 4,672,650 parameters for ten classes.

    Args:
        num_classes: number of logits.
        in_channels: 1 or 3.
        image_size: side of the images in pixels; only checked.

    Raises:
        ImageSizeError: the images are under 28 pixels.
    """

    def __init__(self, *, num_classes: int, in_channels: int = 3, image_size: int = 32) -> None:
        super().__init__()
        check_image_size("course-vgg", image_size, MIN_IMAGE)
        self.in_channels = in_channels
        self.conv1 = _conv(in_channels, 64, 3)
        self.max_pooling1 = nn.MaxPool2d(2)
        self.conv2_1 = _conv(64, 128, 3)
        self.conv2_2 = _conv(128, 128, 3)
        self.max_pooling2 = nn.MaxPool2d(2)
        self.conv3_1 = _conv(128, 256, 3)
        self.conv3_2 = _conv(256, 256, 3)
        self.max_pooling3 = nn.MaxPool2d(2, padding=1)
        self.conv4_1 = _conv(256, 512, 3)
        self.conv4_2 = _conv(512, 512, 3)
        self.max_pooling4 = nn.MaxPool2d(2)
        self.pool = nn.AdaptiveAvgPool2d(VGG_MAP)
        self.fc = nn.Linear(512 * VGG_MAP**2, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, num_classes) logits for (N, C, H, W) images."""
        check_images("course-vgg", images, self.in_channels, MIN_IMAGE)
        features = self.max_pooling1(self.conv1(images))
        features = self.max_pooling2(self.conv2_2(self.conv2_1(features)))
        features = self.max_pooling3(self.conv3_2(self.conv3_1(features)))
        features = self.max_pooling4(self.conv4_2(self.conv4_1(features)))
        logits: Tensor = self.fc(self.pool(features).flatten(1))
        return logits


class CourseMobileNet(nn.Module):
    """A 3x3 convolution and eight depthwise separable blocks of 32 to 512 channels, mean over the map, linear layer.

    280,650 parameters for ten classes.

    Args:
        num_classes: number of logits.
        in_channels: 1 or 3.
        image_size: side of the images in pixels; only checked.

    Raises:
        ImageSizeError: the images are under 28 pixels.
    """

    def __init__(self, *, num_classes: int, in_channels: int = 3, image_size: int = 32) -> None:
        super().__init__()
        check_image_size("course-mobilenet", image_size, MIN_IMAGE)
        self.in_channels = in_channels
        self.conv1 = _conv(in_channels, 32, 3)
        self.conv_dw2 = _separable(32, 32, 1)
        self.conv_dw3 = _separable(32, 64, 2)
        self.conv_dw4 = _separable(64, 64, 1)
        self.conv_dw5 = _separable(64, 128, 2)
        self.conv_dw6 = _separable(128, 128, 1)
        self.conv_dw7 = _separable(128, 256, 2)
        self.conv_dw8 = _separable(256, 256, 1)
        self.conv_dw9 = _separable(256, 512, 2)
        self.fc = nn.Linear(512, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, num_classes) logits for (N, C, H, W) images."""
        check_images("course-mobilenet", images, self.in_channels, MIN_IMAGE)
        features = self.conv_dw3(self.conv_dw2(self.conv1(images)))
        features = self.conv_dw5(self.conv_dw4(features))
        features = self.conv_dw7(self.conv_dw6(features))
        features = self.conv_dw9(self.conv_dw8(features))
        logits: Tensor = self.fc(features.mean(dim=(2, 3)))
        return logits


class CourseInception(nn.Module):
    """Convolutions of 7x7 and 3x3 with stride 2, two inception modules with max-pools, mean over the map, linear layer.

    577,194 parameters for ten classes.

    Args:
        num_classes: number of logits.
        in_channels: 1 or 3.
        image_size: side of the images in pixels; only checked.

    Raises:
        ImageSizeError: the images are under 28 pixels.
    """

    def __init__(self, *, num_classes: int, in_channels: int = 3, image_size: int = 32) -> None:
        super().__init__()
        check_image_size("course-inception", image_size, MIN_IMAGE)
        self.in_channels = in_channels
        self.block1 = _conv(in_channels, 64, 7, stride=2, padding=1)
        self.block2 = _conv(64, 128, 3, stride=2)
        self.block3 = nn.Sequential(CourseInceptionModule(128, 64, 16), nn.MaxPool2d(3, 2, 1))
        self.block4 = nn.Sequential(CourseInceptionModule(256, 96, 32), nn.MaxPool2d(3, 2, 1))
        self.fc = nn.Linear(4 * 96, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, num_classes) logits for (N, C, H, W) images."""
        check_images("course-inception", images, self.in_channels, MIN_IMAGE)
        features = self.block4(self.block3(self.block2(self.block1(images))))
        logits: Tensor = self.fc(features.mean(dim=(2, 3)))
        return logits


class CourseInceptionModule(nn.Module):
    """Four parallel branches of equal width; the one after the pool ends in a 3x3 convolution, the paper's in a 1x1.

    Args:
        in_channels: of the input features.
        width: channels of each branch.
        reduced: channels after the 1x1 convolutions before the 3x3 and the 5x5 one.
    """

    def __init__(self, in_channels: int, width: int, reduced: int) -> None:
        super().__init__()
        self.branch1_conv = _conv(in_channels, width, 1)
        self.branch2_conv1 = _conv(in_channels, reduced, 1)
        self.branch2_conv2 = _conv(reduced, width, 3)
        self.branch3_conv1 = _conv(in_channels, reduced, 1)
        self.branch3_conv2 = _conv(reduced, width, 5)
        self.branch4_pool = nn.MaxPool2d(3, 1, 1)
        self.branch4_conv = _conv(in_channels, width, 3)

    def forward(self, features: Tensor) -> Tensor:
        """Return the concatenated channels of the branches, (N, 4 * width, H, W) for (N, C, H, W)."""
        branches = [
            self.branch1_conv(features),
            self.branch2_conv2(self.branch2_conv1(features)),
            self.branch3_conv2(self.branch3_conv1(features)),
            self.branch4_conv(self.branch4_pool(features)),
        ]
        return torch.cat(branches, dim=1)


class CourseCNN(nn.Module):
    """One 5x5 convolution of 32 channels with a max-pool, and a linear layer over the map, for digits.

    63,626 parameters for one channel, 28 pixels and ten classes.

    Args:
        num_classes: number of logits.
        in_channels: 1 or 3.
        image_size: side of the images in pixels, for which the linear layer is made.

    Raises:
        ImageSizeError: the images are under 8 pixels, or later of another size.
    """

    def __init__(self, *, num_classes: int, in_channels: int = 1, image_size: int = 28) -> None:
        super().__init__()
        check_image_size("course-cnn", image_size, MIN_DIGIT)
        self.in_channels = in_channels
        self.image_size = image_size
        self.conv = nn.Sequential(*_conv(in_channels, 32, 5), nn.MaxPool2d(2))
        self.fc = nn.Linear(32 * (image_size // 2) ** 2, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, num_classes) logits for (N, C, H, W) images of the side for which the network is made."""
        _check_exact("course-cnn", images, self.in_channels, self.image_size)
        logits: Tensor = self.fc(self.conv(images).flatten(1))
        return logits


class CourseMLP(nn.Module):
    """Two hidden layers of 512 units with ReLU over all pixels: 669,706 parameters for MNIST.

    Args:
        num_classes: number of logits.
        in_channels: 1 or 3.
        image_size: side of the images in pixels, for which the first layer is made.

    Raises:
        ImageSizeError: the images are under 8 pixels, or later of another size.
    """

    def __init__(self, *, num_classes: int, in_channels: int = 1, image_size: int = 28) -> None:
        super().__init__()
        check_image_size("course-mlp", image_size, MIN_DIGIT)
        self.in_channels = in_channels
        self.image_size = image_size
        self.hidden1 = nn.Sequential(nn.Linear(in_channels * image_size**2, HIDDEN), nn.ReLU(inplace=True))
        self.hidden2 = nn.Sequential(nn.Linear(HIDDEN, HIDDEN), nn.ReLU(inplace=True))
        self.fc = nn.Linear(HIDDEN, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, num_classes) logits for (N, C, H, W) images of the side for which the network is made."""
        _check_exact("course-mlp", images, self.in_channels, self.image_size)
        logits: Tensor = self.fc(self.hidden2(self.hidden1(images.flatten(1))))
        return logits


def _conv(
    in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1, padding: int | None = None
) -> nn.Sequential:
    """Return a convolution with a bias, batch norm and ReLU."""
    padding = kernel_size // 2 if padding is None else padding
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def _separable(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """Return a depthwise and a 1x1 convolution without biases, each with batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, in_channels, 3, stride, 1, groups=in_channels, bias=False),
        nn.BatchNorm2d(in_channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def _check_exact(network: str, images: Tensor, in_channels: int, side: int) -> None:
    """Check that a batch has the only size that a network takes.

    Raises:
        ImageSizeError: it has another.
        ValueError: the images have another number of channels.
    """
    check_images(network, images, in_channels, 1)
    if torch.jit.is_tracing() or torch.compiler.is_compiling():  # type: ignore[attr-defined, no-untyped-call]
        return
    if tuple(images.shape[2:]) != (side, side):
        shape = " x ".join(map(str, images.shape[2:]))
        raise ImageSizeError(
            f"{network} is made for images of {side} x {side} pixels, not {shape}",
            hint="scale them with --image-size, or use the network `cnn`, which takes any size",
        )
