"""Adapts torchvision's classifiers to small images and to one channel.

Their stems shrink an image by a factor of four before the first stage, which leaves too little of 32 pixels. For up to
64 pixels both early halvings are undone, so the overall stride falls from 32 to 8: large first filters and patches
become 3x3 with stride 1, a max-pool is removed, other strided convolutions get stride 1. For ResNet that is the usual
CIFAR variant (github.com/kuangliu/pytorch-cifar). VGG halves once per stage and is left unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from dlcli.core.errors import UsageError
from dlcli.models.images.stem import SMALL_IMAGE, ImageSizeError


@dataclass(frozen=True)
class Family:
    """How to adapt a family of torchvision networks to small images.

    Attributes:
        early: dotted names of the layers whose strides shrink an image to a quarter.
        min_small: smallest side, in pixels, that leaves a map of one pixel once those strides are undone.
        min_large: smallest side above 64 pixels.
    """

    early: tuple[str, ...] = ()
    min_small: int = 1
    min_large: int = SMALL_IMAGE + 1


_RESIDUAL = Family(("conv1", "maxpool"))

FAMILIES: Mapping[str, Family] = {
    "alexnet": Family(("features.0",), min_small=15),
    "convnext": Family(("features.0.0",), min_small=8),
    "densenet": Family(("features.conv0", "features.pool0"), min_small=8),
    "efficientnet_b": Family(("features.0.0", "features.2.0.block.1.0")),
    "efficientnet_v2": Family(("features.0.0", "features.2.0.block.0.0")),
    "googlenet": Family(("conv1.conv", "maxpool1"), min_small=4),
    "inception": Family(("Conv2d_1a_3x3.conv", "maxpool1"), min_small=21, min_large=75),
    "mnasnet": Family(("layers.0", "layers.8.0.layers.3")),
    "mobilenet_v2": Family(("features.0.0", "features.2.conv.1.0")),
    "mobilenet_v3_large": Family(("features.0.0", "features.2.block.1.0")),
    "mobilenet_v3_small": Family(("features.0.0", "features.1.block.0.0")),
    "regnet": Family(("stem.0", "trunk_output.block1.block1-0.proj.0", "trunk_output.block1.block1-0.f.b.0")),
    "resnet": _RESIDUAL,
    "resnext": _RESIDUAL,
    "shufflenet": Family(("conv1.0", "maxpool")),
    "squeezenet": Family(("features.0", "features.2"), min_small=6),
    "swin": Family(("features.0.0",)),
    "vgg": Family(min_small=32),
    "wide_resnet": _RESIDUAL,
}
"""Prefix of the name -> family. ViT and MaxViT are built for a fixed size: see `zoo`."""


def family_of(name: str, image_size: int) -> Family:
    """Return the family of a network, after checking the image size in pixels.

    Raises:
        ImageSizeError: the images are too small for the network.
        UsageError: the images are small, and the network has no stem for small images.
    """
    found = [prefix for prefix in FAMILIES if name.startswith(prefix)]
    if not found and image_size > SMALL_IMAGE:
        return Family()
    if not found:
        raise UsageError(
            f"{name} is not known to work on images of {image_size} pixels", hint="enlarge them with --image-size 224"
        )
    family = FAMILIES[max(found, key=len)]
    minimum = family.min_small if image_size <= SMALL_IMAGE else family.min_large
    if image_size < minimum:
        raise ImageSizeError(
            f"{name} needs images of at least {minimum} x {minimum} pixels here, not {image_size} x {image_size}",
            hint=f"enlarge them with --image-size {minimum}",
        )
    return family


def keep_resolution(model: nn.Module, early: tuple[str, ...]) -> None:
    """Undo the strides of the named layers, in place."""
    for name in early:
        layer = model.get_submodule(name)
        if isinstance(layer, nn.MaxPool2d):
            model.set_submodule(name, nn.Identity())
        elif isinstance(layer, nn.Conv2d) and max(layer.kernel_size) > 3:
            model.set_submodule(
                name, _similar(layer, layer.in_channels, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
            )
        elif isinstance(layer, nn.Conv2d):
            layer.stride = (1, 1)
        else:
            raise TypeError(f"{name} is a {type(layer).__name__}, which has no stride")


def stem_name(model: nn.Module) -> str:
    """Return the dotted name of the first convolution, which sees the image; "" if there is none."""
    return next((str(name) for name, module in model.named_modules() if isinstance(module, nn.Conv2d)), "")


def set_in_channels(model: nn.Module, in_channels: int) -> None:
    """Replace the first convolution by one for this number of channels, in place, unless it fits already."""
    name = stem_name(model)
    stem = model.get_submodule(name)
    assert isinstance(stem, nn.Conv2d)
    if stem.in_channels != in_channels:
        padding = (int(stem.padding[0]), int(stem.padding[1]))
        fitted = _similar(stem, in_channels, kernel_size=stem.kernel_size, stride=stem.stride, padding=padding)
        model.set_submodule(name, fitted)


def _similar(
    layer: nn.Conv2d,
    in_channels: int,
    *,
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, int],
) -> nn.Conv2d:
    """Return a new convolution with the layer's outputs, initialised to preserve the scale of a normalised image."""
    new = nn.Conv2d(
        in_channels,
        layer.out_channels,
        (kernel_size[0], kernel_size[1]),
        (stride[0], stride[1]),
        padding,
        bias=layer.bias is not None,
    )
    nn.init.kaiming_normal_(new.weight, nonlinearity="linear")
    if new.bias is not None:
        nn.init.zeros_(new.bias)
    return new
