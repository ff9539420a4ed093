"""MobileNet v1 at half width: Howard et al. 2017, arXiv:1704.04861.

Differences from the paper: the stem has stride 1 for images of up to 64 pixels, so that 32 pixels end as a 2x2 map
instead of a single pixel. At width 1, 1000 classes and 224 pixels it is the paper's network: 4.2 M parameters, 569 M
multiply-adds; at width 0.5, the default here, 1.3 M and 149 M.
"""

from __future__ import annotations

from torch import Tensor, nn

from dlcli.models.images.blocks import Kinds, conv_norm_act, initialise
from dlcli.models.images.stem import MIN_IMAGE, SMALL_IMAGE, check_image_size, check_images


class MobileNet(nn.Module):
    """A stem and thirteen depthwise separable blocks, mean over the map, head.

    Args:
        num_classes: number of logits.
        in_channels: 1 or 3.
        image_size: side of the images in pixels; chooses the stem.
        width: factor on the channels of every layer (the paper's alpha).
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
        width: float = 0.5,
        norm: str = "batch",
        activation: str = "relu",
    ) -> None:
        super().__init__()
        check_image_size("mobilenet", image_size, MIN_IMAGE)
        self.in_channels = in_channels
        kinds = Kinds(norm, activation)
        stem, *widths = (int(channels * width) for channels in (32, 64, 128, 256, 512, 1024))
        self.stem = conv_norm_act(in_channels, stem, 3, stride=1 if image_size <= SMALL_IMAGE else 2, kinds=kinds)
        self.layer1 = _separable(stem, widths[0], 1, kinds)
        self.layer2 = _stage(widths[0], widths[1], 2, kinds)
        self.layer3 = _stage(widths[1], widths[2], 2, kinds)
        self.layer4 = _stage(widths[2], widths[3], 6, kinds)
        # Table 1 gives stride 2 for both last blocks, but its map sizes allow it only for the first.
        self.layer5 = _stage(widths[3], widths[4], 2, kinds)
        self.head = nn.Linear(widths[4], num_classes)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, num_classes) logits for (N, C, H, W) images."""
        check_images("mobilenet", images, self.in_channels, MIN_IMAGE)
        features = self.layer3(self.layer2(self.layer1(self.stem(images))))
        logits: Tensor = self.head(self.layer5(self.layer4(features)).mean(dim=(2, 3)))
        return logits


def _separable(in_channels: int, out_channels: int, stride: int, kinds: Kinds) -> nn.Sequential:
    """Return a depthwise 3x3 convolution and a 1x1 convolution that mixes the channels (figure 3)."""
    depthwise = conv_norm_act(in_channels, in_channels, 3, stride=stride, groups=in_channels, kinds=kinds)
    return nn.Sequential(*depthwise, *conv_norm_act(in_channels, out_channels, 1, kinds=kinds))


def _stage(in_channels: int, out_channels: int, num_blocks: int, kinds: Kinds) -> nn.Sequential:
    rest = [_separable(out_channels, out_channels, 1, kinds) for _ in range(num_blocks - 1)]
    return nn.Sequential(_separable(in_channels, out_channels, 2, kinds), *rest)
