"""EfficientNet-Lite: Liu 2020, official script in github.com/tensorflow/tpu (models/official/efficientnet/lite).

EfficientNet (Tan & Le 2019, arXiv:1905.11946) without squeeze-and-excitation and with ReLU6, for phones and for
quantisation. Stem, first stage, last stage and last convolution are the same at every size of the network.

Differences from the official script: images of up to 64 pixels are halved three times instead of five, by weights of
the same shapes; no stochastic depth; running statistics have torch's momentum of 0.1. The script's 0.01 forgets the
initial ones after 500 steps: three epochs of digits have 60, after which the same training is right in 36 % instead of
82 % of the validation images.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.models.images.blocks import initialise
from dlcli.models.images.stem import MIN_IMAGE, SMALL_IMAGE, check_image_size, check_images

# Blocks, kernel size, stride, expansion and channels of the stages (table 1 of the paper, and the lite builder).
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM_WIDTH, FINAL_WIDTH = 32, 1280

NORM_EPS = 1e-3
"""Of TensorFlow's batch norms."""


class EfficientNetLite(nn.Module):
    """A stem, seven stages of inverted residuals, a 1x1 convolution, mean over the map, dropout, head.

    Args:
        num_classes: number of logits.
        in_channels: 1 or 3.
        image_size: side of the images in pixels; up to 64, the stem and the second stage do not halve the map.
        width_factor, depth_factor: of the channels and blocks of the stages.
        dropout: before the head.

    Raises:
        ImageSizeError: the images are under 28 pixels.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int = 3,
        image_size: int = 224,
        width_factor: float = 1.0,
        depth_factor: float = 1.0,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        check_image_size("efficientnet_lite", image_size, MIN_IMAGE)
        self.in_channels = in_channels
        is_small = image_size <= SMALL_IMAGE
        self.stem = ConvNormRelu6(in_channels, STEM_WIDTH, 3, stride=1 if is_small else 2)
        stages, width = [], STEM_WIDTH
        for index, (blocks, kernel_size, stride, expansion, channels) in enumerate(STAGES):
            is_scaled = 0 < index < len(STAGES) - 1
            blocks = math.ceil(blocks * depth_factor) if is_scaled else blocks
            stride = 1 if is_small and index == 1 else stride
            before, width = width, scaled_width(channels, width_factor)
            rest = [InvertedResidual(width, width, kernel_size, 1, expansion) for _ in range(blocks - 1)]
            stages.append(nn.Sequential(InvertedResidual(before, width, kernel_size, stride, expansion), *rest))
        self.stage1, self.stage2, self.stage3, self.stage4, self.stage5, self.stage6, self.stage7 = stages
        self.final = ConvNormRelu6(width, FINAL_WIDTH, 1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(FINAL_WIDTH, num_classes)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, num_classes) logits for (N, C, H, W) images."""
        check_images("efficientnet_lite", images, self.in_channels, MIN_IMAGE)
        features = self.stage3(self.stage2(self.stage1(self.stem(images))))
        features = self.final(self.stage7(self.stage6(self.stage5(self.stage4(features)))))
        logits: Tensor = self.head(self.dropout(features.mean(dim=(2, 3))))
        return logits


def efficientnet_lite0(*, num_classes: int, in_channels: int = 3, image_size: int = 224) -> EfficientNetLite:
    """Return the smallest one, of 4.65 M parameters and 1000 classes. See `EfficientNetLite`."""
    return EfficientNetLite(num_classes=num_classes, in_channels=in_channels, image_size=image_size)


def efficientnet_lite1(*, num_classes: int, in_channels: int = 3, image_size: int = 240) -> EfficientNetLite:
    """Return the deeper one, of 5.42 M parameters at 1000 classes. See `EfficientNetLite`."""
    return EfficientNetLite(num_classes=num_classes, in_channels=in_channels, image_size=image_size, depth_factor=1.1)


def efficientnet_lite2(*, num_classes: int, in_channels: int = 3, image_size: int = 260) -> EfficientNetLite:
    """Return the wider one, of 6.09 M parameters at 1000 classes. See `EfficientNetLite`."""
    return EfficientNetLite(
        num_classes=num_classes,
        in_channels=in_channels,
        image_size=image_size,
        width_factor=1.1,
        depth_factor=1.2,
        dropout=0.3,
    )


def scaled_width(channels: int, factor: float) -> int:
    """Return the multiple of 8 nearest to channels * factor, which is rounded down by at most a tenth.

    Source: `round_filters` of the official script.
    """
    exact = channels * factor
    width = max(8, int(exact + 4) // 8 * 8)
    return width if width >= 0.9 * exact else width + 8


class SameConv2d(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow's "same": ceil(side / stride) outputs.

    What the last window lacks is halved between both ends, and the odd pixel is added behind. So with stride 2 a map of
    even side gets one pixel less in front than behind, and one of odd side gets the same on both ends.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1) -> None:
        padding = kernel_size // 2 if stride == 1 else 0
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, out_channels, ceil(H / stride), ceil(W / stride)) for (N, in_channels, H, W)."""
        if self.stride[0] == 2:
            behind = (self.kernel_size[0] - 1) // 2
            # torch.export knows that `side % 2` is 0 where the side is 32 * h. It leaves `(side + 1) % 2` as it is, and
            # exporting a detector took more than nine minutes instead of one.
            top, left = (behind - 1 + side % 2 for side in features.shape[2:])
            features = F.pad(features, (left, behind, top, behind))
        return super().forward(features)


class ConvNormRelu6(nn.Module):
    """A `SameConv2d`, batch norm and, unless it is `linear`, ReLU6."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.conv = SameConv2d(in_channels, out_channels, kernel_size, stride, groups)
        self.norm = nn.BatchNorm2d(out_channels, eps=NORM_EPS)
        self.relu: nn.Module = nn.Identity() if linear else nn.ReLU6(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, out_channels, ceil(H / stride), ceil(W / stride)) for (N, in_channels, H, W)."""
        output: Tensor = self.relu(self.norm(self.conv(features)))
        return output


class InvertedResidual(nn.Module):
    """Widening 1x1 convolution, depthwise convolution, narrowing 1x1 convolution, and a shortcut where shapes permit.

    Source: Sandler et al. 2018, arXiv:1801.04381.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = in_channels * expansion
        self.expand: nn.Module = nn.Identity() if expansion == 1 else ConvNormRelu6(in_channels, wide, 1)
        self.depthwise = ConvNormRelu6(wide, wide, kernel_size, stride=stride, groups=wide)
        self.project = ConvNormRelu6(wide, out_channels, 1, linear=True)
        self.has_shortcut = stride == 1 and in_channels == out_channels

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, out_channels, ceil(H / stride), ceil(W / stride)) for (N, in_channels, H, W)."""
        output: Tensor = self.project(self.depthwise(self.expand(features)))
        return output + features if self.has_shortcut else output


_BLOCK = re.compile(r"_blocks\.(\d+)\.(.+)")

_LAYERS = {
    "_conv_stem": "stem.conv",
    "_bn0": "stem.norm",
    "_conv_head": "final.conv",
    "_bn1": "final.norm",
    "_fc": "head",
}
_BLOCK_LAYERS = {
    "_expand_conv": "expand.conv",
    "_bn0": "expand.norm",
    "_depthwise_conv": "depthwise.conv",
    "_bn1": "depthwise.norm",
    "_project_conv": "project.conv",
    "_bn2": "project.norm",
}


def own_names(state: Mapping[str, Tensor], model: EfficientNetLite) -> dict[str, Tensor]:
    """Return weights by the names of `EfficientNetLite`, where they have those of lukemelas/EfficientNet-PyTorch."""
    stages = (model.stage1, model.stage2, model.stage3, model.stage4, model.stage5, model.stage6, model.stage7)
    blocks = [f"stage{number}.{place}" for number, stage in enumerate(stages, 1) for place in range(len(stage))]
    found = {}
    for name, value in state.items():
        block = _BLOCK.fullmatch(name)
        prefix, rest = (f"{blocks[int(block[1])]}.", block[2]) if block and int(block[1]) < len(blocks) else ("", name)
        layer, _, entry = rest.partition(".")
        own = (_BLOCK_LAYERS if prefix else _LAYERS).get(layer, layer)
        found[f"{prefix}{own}.{entry}".rstrip(".")] = value
    return found
