"""An 18-layer residual net that is cheap on small images: He et al. 2015, arXiv:1512.03385.

Differences from the paper's ResNet-18: a 3x3 stem of 32 channels without max-pool, and stride 2 in every stage,
including the first. The maps of a 32-pixel image thus shrink 32 -> 16 -> 8 -> 4 -> 2; the usual CIFAR variant (stage
one at full resolution) costs four times as much, 0.56 G multiply-adds against 0.14 G, for the same 11.2 M parameters.
The last batch norm of each block starts at zero, so that blocks start as identities (Goyal et al. 2017,
arXiv:1706.02677). Images above 64 pixels get a stride-2 stem, for the paper's overall stride of 32.
"""

from __future__ import annotations

from torch import Tensor, nn

from dlcli.models.images.blocks import BATCH_RELU, Kinds, conv_norm_act, initialise
from dlcli.models.images.stem import MIN_IMAGE, SMALL_IMAGE, check_image_size, check_images

BLOCKS_PER_STAGE = 2
"""Four stages of two blocks of two convolutions, stem and head: 18 layers (table 1 of the paper)."""


class ResNet(nn.Module):
    """Stem, four stages of two basic blocks with stride 2 in each, mean over the map, head.

    Args:
        num_classes: number of logits.
        in_channels: 1 or 3.
        image_size: side of the images in pixels; chooses the stem.
        width: channels of the first stage, doubled in each following one; the stem has half as many.
        norm, activation: names in `dlcli.models.layers`.

    Raises:
        ImageSizeError: the images are under 28 pixels.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int = 3,
        image_size: int = 32,
        width: int = 64,
        norm: str = "batch",
        activation: str = "relu",
    ) -> None:
        super().__init__()
        check_image_size("resnet", image_size, MIN_IMAGE)
        self.in_channels = in_channels
        kinds = Kinds(norm, activation)
        stride = 1 if image_size <= SMALL_IMAGE else 2
        self.stem = conv_norm_act(in_channels, width // 2, 3, stride=stride, kinds=kinds)
        self.layer1 = _stage(width // 2, width, kinds)
        self.layer2 = _stage(width, width * 2, kinds)
        self.layer3 = _stage(width * 2, width * 4, kinds)
        self.layer4 = _stage(width * 4, width * 8, kinds)
        self.head = nn.Linear(width * 8, num_classes)
        initialise(self)
        for block in self.modules():
            if isinstance(block, BasicBlock):
                block.start_as_identity()

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, num_classes) logits for (N, C, H, W) images."""
        check_images("resnet", images, self.in_channels, MIN_IMAGE)
        features = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(images)))))
        logits: Tensor = self.head(features.mean(dim=(2, 3)))
        return logits


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is a projection if the shape changes (the paper's option B)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, kinds: Kinds = BATCH_RELU) -> None:
        super().__init__()
        bias = not kinds.has_norm
        self.conv1 = conv_norm_act(in_channels, out_channels, 3, stride=stride, kinds=kinds)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=bias)
        self.norm2 = kinds.make_norm(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=bias), kinds.make_norm(out_channels)
            )
        self.activation = kinds.make_activation()
        self.start_as_identity()

    def start_as_identity(self) -> None:
        """Set the last scale of the branch to zero: that of its norm, or its convolution if there is no norm.

        Without norms it is what keeps a deep residual net stable at first (Zhang et al. 2019, arXiv:1901.09321).
        """
        for layer in (self.norm2, self.conv2):
            if isinstance(layer, (nn.Conv2d, nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.zeros_(layer.weight)
                return

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, out_channels, H / stride, W / stride) features for (N, in_channels, H, W)."""
        answer: Tensor = self.activation(self.norm2(self.conv2(self.conv1(features))) + self.shortcut(features))
        return answer


def _stage(in_channels: int, out_channels: int, kinds: Kinds) -> nn.Sequential:
    rest = [BasicBlock(out_channels, out_channels, 1, kinds) for _ in range(BLOCKS_PER_STAGE - 1)]
    return nn.Sequential(BasicBlock(in_channels, out_channels, 2, kinds), *rest)
