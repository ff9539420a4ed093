"""Freezing what of a pretrained backbone costs much to train and gains little.

Measured on EfficientNet-Lite0 at 320 x 256 pixels, batches of eight, one thread: all of it in training takes 191 ms an
image in bf16, frozen as here 53. Nearly all of the difference is the weight gradient of 5x5 depthwise convolutions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dlcli.models.detection.layers import in_full_precision
from dlcli.models.images.backbone import Backbone
from dlcli.models.images.efficientnet_lite import ConvNormRelu6
from dlcli.models.modes import freeze_statistics

FROZEN_BELOW = 8
"""Stages of smaller strides are frozen: edges and textures, at the largest maps."""

SLOW_KERNEL = 5
"""Depthwise kernels of this side or more are frozen."""


def freeze_for_speed(backbone: Backbone) -> None:
    """Freeze the first stages, the batch norms and the large depthwise kernels of a backbone, in place.

    The batch norms of EfficientNet-Lite are folded into their convolutions, so that nothing remains of them but biases,
    which train; those of other networks stay, without gradients and with their running statistics in training too.
    Folding renames parameters (`norm.*` becomes `conv.bias`). Depthwise convolutions of stride 2 are computed in fp32
    where they need a gradient. What is computed stays the same, to rounding.
    """
    fold_norms(backbone)
    freeze_statistics(backbone)
    for module in backbone.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) or _is_slow(module):
            module.requires_grad_(False)
    for stride, stage in zip(backbone.stage_strides, backbone.stages, strict=True):
        if stride < FROZEN_BELOW:
            stage.requires_grad_(False)
    for parent in [*backbone.modules()]:
        for name, child in [*parent.named_children()]:
            if isinstance(child, nn.Conv2d) and _is_depthwise(child) and child.stride[0] == 2:
                setattr(parent, name, InFullPrecision(child))


def fold_norms(network: nn.Module) -> None:
    """Fold the batch norms of EfficientNet-Lite's layers into their convolutions, in place; exact in evaluation mode.

    Source: `torch.nn.utils.fusion`, which asks for modules in evaluation mode.
    """
    for module in network.modules():
        if isinstance(module, ConvNormRelu6) and isinstance(module.norm, nn.BatchNorm2d):
            # The new biases ask for no gradient, as those that were not there; they stand for the norms' biases.
            folded = fuse_conv_bn_eval(module.conv.eval(), module.norm.eval()).requires_grad_(True)
            module.conv = folded.train(module.training)
            module.add_module("norm", nn.Identity())


class InFullPrecision(nn.Module):
    """A depthwise convolution of stride 2 that is computed in fp32 where its input needs a gradient.

    That gradient took 27 ms in bf16 and 0.7 in fp32 on the maps of Lite0 (3x3).
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, features: Tensor) -> Tensor:
        """Return the convolution's output."""
        if features.requires_grad and torch.is_grad_enabled():
            return in_full_precision(self.conv, features)
        output: Tensor = self.conv(features)
        return output


def _is_depthwise(module: nn.Conv2d) -> bool:
    return module.groups == module.in_channels > 1


def _is_slow(module: nn.Module) -> bool:
    # With only the bias in training, torch still computes the whole gradient.
    return isinstance(module, nn.Conv2d) and _is_depthwise(module) and module.kernel_size[0] >= SLOW_KERNEL
