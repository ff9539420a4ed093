"""Every torchvision classifier by name, adapted to the classes, channels and size of the images.

Differences from torchvision: a stem that preserves the resolution of images up to 64 pixels (see `small_stem`), ViT
patches to match, a first convolution for one channel, no auxiliary heads, and no built-in normalisation.
"""

from __future__ import annotations

import torch
from torch import nn

from dlcli.core.errors import UsageError, did_you_mean
from dlcli.models.images.pretrained import load_pretrained
from dlcli.models.images.small_stem import family_of, keep_resolution, set_in_channels
from dlcli.models.images.stem import SMALL_IMAGE
from dlcli.models.modes import quicken_statistics

MIN_PATCHES = 7
"""Minimum number of patches along each side of a small image: 8 of 4 pixels at 32, 7 at 28, 8 of 8 at 64."""

WIDE_HEAD = "vgg"
"""Family whose head holds most of the weights: 120 million of vgg16's 134, which take 5 s to initialise."""

MAXVIT_STEP = 224
"""MaxViT splits its last map, 1/32 of the image's side, into 7 x 7 windows."""


SQUARE_ONLY = ("vit", "maxvit")
"""Families whose positions or windows are built for one square size."""


def check_shape(name: str, height: int, width: int) -> None:
    """Check that a torchvision network takes images of this height and width, in pixels.

    Raises:
        UsageError: it takes square images only.
    """
    if height != width and name.startswith(SQUARE_ONLY):
        raise UsageError(
            f"{name} takes square images, and these are {height} x {width} pixels",
            hint=f"--image-size {min(height, width)} crops them to their middle",
        )


def classifier_names() -> list[str]:
    """Return the names of torchvision's image classifiers."""
    from torchvision import models

    return list(models.list_models(module=models))


def build_torchvision(
    name: str, *, num_classes: int, in_channels: int = 3, image_size: int = 224, pretrained: str | None = None
) -> nn.Module:
    """Return a torchvision classifier: (N, in_channels, H, W) normalised images to (N, num_classes) logits.

    Args:
        name: one of `classifier_names`.
        num_classes: number of logits.
        in_channels: 1 or 3.
        image_size: side of the images in pixels; up to 64 pixels the stem preserves their resolution.
        pretrained: None for fresh weights, "default" for torchvision's, which are downloaded if they are not in the
            cache of torch.hub, or a file of weights. The network's shape does not depend on it.

    Raises:
        UsageError: there is no such classifier, it cannot run at that size, or there are not 1 or 3 channels.
        DataError: the weights cannot be downloaded.
        RunError: the file of weights is missing, damaged, refused or does not fit.
    """
    names = classifier_names()
    if name not in names:
        raise UsageError(f"torchvision has no classifier {name!r}", hint=did_you_mean(name, names))
    if in_channels not in (1, 3):
        raise UsageError(f"{name} takes images of 1 or 3 channels, not {in_channels}")
    if name.startswith("vit"):
        model = _build_vit(name, num_classes, image_size)
    elif name.startswith("maxvit"):
        model = _build_maxvit(name, num_classes, image_size)
    else:
        model = _build_convolutional(name, num_classes, image_size)
    set_in_channels(model, in_channels)
    quicken_statistics(model)
    if pretrained is not None:
        load_pretrained(model, name, pretrained, image_size)
    return model


def build_headless(name: str, *, in_channels: int = 3, image_size: int = 224) -> nn.Module:
    """Return a torchvision classifier whose head is of no use, with fresh weights: a wide head is left out.

    Arguments and exceptions are those of `build_torchvision`.
    """
    if not name.startswith(WIDE_HEAD):
        return build_torchvision(name, num_classes=1, in_channels=in_channels, image_size=image_size)
    with torch.device("meta"):  # shapes only, no memory
        model = build_torchvision(name, num_classes=1, in_channels=in_channels, image_size=image_size)
    model.set_submodule("classifier", nn.Identity())
    model.to_empty(device=torch.get_default_device())
    for layer in model.modules():  # as torchvision's `VGG` does
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
    return model


def _build_convolutional(name: str, num_classes: int, image_size: int) -> nn.Module:
    from torchvision.models import get_model

    family = family_of(name, image_size)
    if name in ("googlenet", "inception_v3"):
        builder_options = {"aux_logits": False, "transform_input": False, "init_weights": True}
    else:
        builder_options = {}
    model: nn.Module = get_model(name, num_classes=num_classes, **builder_options)
    if image_size <= SMALL_IMAGE:
        keep_resolution(model, family.early)
    return model


def _build_vit(name: str, num_classes: int, image_size: int) -> nn.Module:
    from torchvision.models import VisionTransformer, get_model

    with torch.device("meta"):  # shapes only, no memory
        reference = get_model(name)
    if image_size <= SMALL_IMAGE:
        # The named builders fix the patch size, so the network is built from its parts.
        small: nn.Module = VisionTransformer(
            image_size=image_size,
            patch_size=_small_patch(image_size),
            num_layers=len(reference.encoder.layers),
            num_heads=reference.encoder.layers[0].num_heads,
            hidden_dim=reference.hidden_dim,
            mlp_dim=reference.mlp_dim,
            num_classes=num_classes,
        )
        return small
    _check_multiple(name, image_size, reference.patch_size)
    large: nn.Module = get_model(name, num_classes=num_classes, image_size=image_size)
    return large


def _small_patch(image_size: int) -> int:
    """Return the side of the largest patches that divide the side of an image exactly into seven or more."""
    sizes = [size for size in range(1, image_size // MIN_PATCHES + 1) if image_size % size == 0]
    return max(sizes, default=1)


def _build_maxvit(name: str, num_classes: int, image_size: int) -> nn.Module:
    from torchvision.models import get_model

    _check_multiple(name, image_size, MAXVIT_STEP)
    model: nn.Module = get_model(name, num_classes=num_classes, input_size=(image_size, image_size))
    return model


def _check_multiple(name: str, image_size: int, step: int) -> None:
    if image_size % step:
        fitting = max(1, round(image_size / step)) * step
        while fitting <= SMALL_IMAGE:
            fitting += step
        raise UsageError(
            f"{name} needs an image size that is a multiple of {step}, not {image_size}",
            hint=f"--image-size {fitting}",
        )
